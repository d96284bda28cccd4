// node oidc-provider as somebody's OpenID provider: whoever comes is ada, and allows everything at once.
// IDP_PORT, IDP_CLIENT, IDP_SECRET, IDP_REDIRECT. What is known of ada is told by UserInfo alone, as its defaults have it.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { IDP_PORT: port, IDP_CLIENT: id, IDP_SECRET: secret, IDP_REDIRECT: redirect } = process.env;
const PERSON = { sub: "node-ada", name: "Ada of Node", email: "ada.node@example.org", email_verified: true };
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [{ ...rsa, use: "sig", alg: "RS256", kid: "node" }] },
  cookies: { keys: ["node"] },
  clients: [{ client_id: id, client_secret: secret, redirect_uris: [redirect] }],
  claims: { openid: ["sub"], profile: ["name"], email: ["email", "email_verified"] },
  findAccount: async () => ({ accountId: PERSON.sub, claims: async () => PERSON }),
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
});

/** Answers whatever the provider would ask a person. */
async function interact(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    return provider.interactionFinished(request, response, { login: { accountId: PERSON.sub } });
  }
  const known = grantId && (await provider.Grant.find(grantId));
  const grant = known || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

const answer = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith("/interaction/")) return answer(request, response);
  interact(request, response).catch((problem) => response.writeHead(500).end(String(problem.stack)));
}).listen(Number(port), "127.0.0.1");
