// How to start it: index.html. Tokens live in this page's memory alone: what a script could steal from storage is not
// there, and a reload goes through Gatepost again, without a password while the sign-in there lasts.
const here = location.origin + location.pathname;
const config = await (await fetch("config.json")).json();
const server = await discover(config.issuer);
let tokens = null;
let claims = null;

async function discover(issuer) {
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  if (metadata.issuer !== issuer) throw new Error("this is another issuer's metadata");
  return metadata;
}

/* The request: what proves later that the answer is ours waits in this tab. */
async function signIn() {
  const kept = { state: random(), nonce: random(), verifier: random() };
  sessionStorage.setItem("asked", JSON.stringify(kept));
  location.assign(
    withQuery(server.authorization_endpoint, {
      client_id: config.client_id,
      response_type: "code",
      redirect_uri: here,
      scope: "openid profile",
      state: kept.state,
      nonce: kept.nonce,
      code_challenge: base64url(await crypto.subtle.digest("SHA-256", utf8(kept.verifier))),
      code_challenge_method: "S256",
    }),
  );
}

/* The answer: to our question, from this issuer (RFC 9207), used once and gone from the address at once. */
async function redeem(answer) {
  const asked = JSON.parse(sessionStorage.getItem("asked") ?? "{}");
  sessionStorage.removeItem("asked");
  history.replaceState(null, "", here);
  if (!asked.state || answer.get("state") !== asked.state) throw new Error("this answers another question");
  if (answer.get("iss") !== server.issuer) throw new Error("this answer is from somebody else");
  if (answer.has("error")) throw new Error(answer.get("error"));
  tokens = await ask({
    grant_type: "authorization_code",
    code: answer.get("code"),
    redirect_uri: here,
    code_verifier: asked.verifier,
  });
  claims = await verified(tokens.id_token, asked.nonce);
}

/* Who it is (OpenID Connect Core §3.1.3.7): signed by this issuer, for us, now, and in answer to this request. */
async function verified(idToken, nonce) {
  const [head, body, signature] = idToken.split(".");
  const { alg, kid } = fromJson(head);
  const { keys } = await (await fetch(server.jwks_uri)).json();
  const jwk = keys.find((key) => key.kid === kid);
  if (alg !== "RS256" || !jwk) throw new Error("the ID token is signed with a key that we do not know");
  const rsa = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("jwk", jwk, rsa, false, ["verify"]);
  const said = fromJson(body);
  const good =
    (await crypto.subtle.verify(rsa, key, bytes(signature), utf8(`${head}.${body}`))) &&
    said.iss === server.issuer &&
    said.aud === config.client_id &&
    said.nonce === nonce &&
    said.exp > Date.now() / 1000;
  if (!good) throw new Error("the ID token is not good");
  return said;
}

/* A refresh token works once: calls that fail together wait for one and the same refresh. */
let refreshing = null;
function refresh() {
  refreshing ??= ask({ grant_type: "refresh_token", refresh_token: tokens.refresh_token })
    .then((renewed) => (tokens = { ...tokens, ...renewed }))
    .finally(() => (refreshing = null));
  return refreshing;
}

async function call(url) {
  const send = () => fetch(url, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  const answer = await send();
  if (answer.status !== 401) return answer;
  await refresh();
  return send();
}

function signOut() {
  location.assign(
    withQuery(server.end_session_endpoint, { id_token_hint: tokens.id_token, post_logout_redirect_uri: here }),
  );
}

async function ask(fields) {
  const body = new URLSearchParams({ client_id: config.client_id, ...fields });
  const answer = await fetch(server.token_endpoint, { method: "POST", body });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

const utf8 = (text) => new TextEncoder().encode(text);
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const fromJson = (segment) => JSON.parse(new TextDecoder().decode(bytes(segment)));

function base64url(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function withQuery(endpoint, fields) {
  const url = new URL(endpoint);
  for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value);
  return url.href;
}

/* The page. */
function show(text) {
  document.getElementById("status").textContent = text;
  for (const button of document.querySelectorAll("button")) button.hidden = (button.id === "sign-in") === !!tokens;
}

function when(id, act) {
  document.getElementById(id).addEventListener("click", async () => {
    try {
      show((await act()) ?? "One moment…");
    } catch (error) {
      show(`It did not work: ${error.message}`);
    }
  });
}

when("sign-in", signIn);
when("sign-out", signOut);
when("refresh", async () => {
  await refresh();
  return "Refreshed.";
});
when("call", async () => `Hello, ${(await (await call(server.userinfo_endpoint)).json()).preferred_username}.`);

const answer = new URLSearchParams(location.search);
try {
  if (answer.has("state")) await redeem(answer);
  show(claims ? `Signed in as ${claims.sub}.` : "Nobody is signed in.");
} catch (error) {
  show(`It did not work: ${error.message}`);
}
