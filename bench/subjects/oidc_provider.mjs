// A peer: node oidc-provider with what Gatepost is asked for here — client credentials and refresh with ES256 JWT access
// tokens, rotation, introspection of opaque tokens (it introspects no JWT), codes with PKCE, userinfo.
//
// BENCH_PORT, BENCH_CLIENT, BENCH_SECRET; BENCH_REDIS is the address of a store, without it everything is in a Map (its
// own memory adapter forgets past 1,000 entries, and then answers quickly). Over a store it asks what the adapter in its
// repository asks (example/adapters/redis.js): the same commands in the same order by the same client. GET /minted gives
// tokens and codes as after so many sign-ins, made by its own models.
import { createHash, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { resolve } = createRequire(new URL("../../tests/node/", import.meta.url));
const { default: Provider } = await import(resolve("oidc-provider"));
const { BENCH_PORT: port, BENCH_CLIENT: id, BENCH_SECRET: secret, BENCH_REDIS: store } = process.env;
const HOUR = 3600;
const RESOURCE = "urn:bench:orders";
const SCOPE = "orders:read";
const ACCOUNT = "b3c1f7a2-7d54-4a0e-9f43-0f2a6a1c9d10";
const CALLBACK = "https://app.example/callback";
const VERIFIER = "v".repeat(43);

class Memory {
  static kept = new Map();
  static grants = new Map();

  constructor(model) {
    this.model = model;
  }

  async upsert(name, payload) {
    Memory.kept.set(this.key(name), payload);
    if (payload.grantId) {
      const members = Memory.grants.get(payload.grantId) ?? new Set();
      Memory.grants.set(payload.grantId, members.add(this.key(name)));
    }
  }

  async find(name) {
    return Memory.kept.get(this.key(name));
  }

  async consume(name) {
    Memory.kept.get(this.key(name)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(name) {
    Memory.kept.delete(this.key(name));
  }

  async revokeByGrantId(grant) {
    for (const key of Memory.grants.get(grant) ?? []) Memory.kept.delete(key);
    Memory.grants.delete(grant);
  }

  key(name) {
    return `${this.model}:${name}`;
  }
}

const SPENT = new Set(["AuthorizationCode", "RefreshToken", "DeviceCode"]);
const adapter = store ? await redisAdapter(await import(resolve("ioredis"))) : Memory;

async function redisAdapter({ default: Redis }) {
  const redis = new Redis(store, { keyPrefix: "oidc:" });
  return class {
    constructor(model) {
      this.model = model;
    }

    async upsert(name, payload, life) {
      const [key, text, together] = [this.key(name), JSON.stringify(payload), redis.multi()];
      if (SPENT.has(this.model)) together.hmset(key, { payload: text });
      else together.set(key, text);
      if (life) together.expire(key, life);
      if (payload.grantId) {
        const grant = `grant:${payload.grantId}`;
        together.rpush(grant, key);
        if (life > (await redis.ttl(grant))) together.expire(grant, life);
      }
      await together.exec();
    }

    async find(name) {
      if (!SPENT.has(this.model)) return JSON.parse((await redis.get(this.key(name))) ?? "null") ?? undefined;
      const { payload, ...more } = await redis.hgetall(this.key(name));
      return payload && { ...more, ...JSON.parse(payload) };
    }

    async consume(name) {
      await redis.hset(this.key(name), "consumed", Math.floor(Date.now() / 1000));
    }

    async destroy(name) {
      await redis.del(this.key(name));
    }

    async revokeByGrantId(grant) {
      await redis.del(`grant:${grant}`, ...(await redis.lrange(`grant:${grant}`, 0, -1)));
    }

    key(name) {
      return `${this.model}:${name}`;
    }
  };
}

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" });
const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter,
  jwks: { keys: [{ ...ec, use: "sig", alg: "ES256", kid: "bench" }] },
  cookies: { keys: ["bench"] },
  clients: [
    {
      client_id: id,
      client_secret: secret,
      grant_types: ["authorization_code", "refresh_token", "client_credentials"],
      redirect_uris: [CALLBACK],
      id_token_signed_response_alg: "ES256",
    },
  ],
  scopes: ["openid", "offline_access", SCOPE],
  claims: { profile: ["name", "preferred_username"] },
  findAccount: async (_context, accountId) => ({
    accountId,
    claims: async () => ({ sub: accountId, name: "Bench", preferred_username: "bench" }),
  }),
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  ttl: { AccessToken: HOUR, AuthorizationCode: HOUR, ClientCredentials: HOUR, Grant: 24 * HOUR, IdToken: HOUR, RefreshToken: 24 * HOUR },
  enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: async () => true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: async () => ({ scope: SCOPE, accessTokenFormat: "jwt", accessTokenTTL: HOUR, jwt: { sign: { alg: "ES256" } } }),
      useGrantedResource: async () => true,
    },
  },
});

async function grant(scope) {
  const made = new provider.Grant({ accountId: ACCOUNT, clientId: id });
  made.addOIDCScope(scope);
  made.addResourceScope(RESOURCE, SCOPE);
  return made.save();
}

async function minted(count) {
  const client = await provider.Client.find(id);
  const basis = async (scope) => ({ accountId: ACCOUNT, client, grantId: await grant(scope), authTime: 1, gty: "authorization_code", sessionUid: "bench" });
  const several = (make) => Promise.all(Array.from({ length: count }, make));
  return {
    access: await new provider.AccessToken({ ...(await basis("openid profile")), scope: "openid profile" }).save(),
    refresh: await several(async () => new provider.RefreshToken({ ...(await basis(SCOPE)), scope: SCOPE, resource: RESOURCE }).save()),
    codes: await several(async () =>
      new provider.AuthorizationCode({
        ...(await basis(`openid ${SCOPE}`)),
        scope: `openid ${SCOPE}`,
        resource: RESOURCE,
        redirectUri: CALLBACK,
        codeChallenge: createHash("sha256").update(VERIFIER).digest("base64url"),
        codeChallengeMethod: "S256",
      }).save(),
    ),
  };
}

const answer = provider.callback();
createServer((request, response) => {
  const asked = /^\/minted\?(\d+)$/.exec(request.url);
  if (!asked) return answer(request, response);
  minted(Number(asked[1])).then(
    (made) => response.setHeader("content-type", "application/json").end(JSON.stringify(made)),
    (problem) => response.writeHead(500).end(String(problem.stack)),
  );
}).listen(Number(port), "127.0.0.1");
