// oidc-client-ts through everything it does. On stdin: {chromium, issuer, client_id, port: where its pages are,
// username, password}. On stdout: what it had at each step, and what the browser complained about.
import { readFileSync } from "node:fs";
import http from "node:http";
import { fileURLToPath } from "node:url";
import { complaintsOf, openBrowser, openContext, signIn } from "./browser.mjs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const origin = `http://127.0.0.1:${asked.port}`;
const script = readFileSync(fileURLToPath(import.meta.resolve("oidc-client-ts/package.json")).replace("package.json", "dist/browser/oidc-client-ts.min.js"));
const shell = readFileSync(new URL("spa/index.html", import.meta.url));
const pages = http.createServer((request, response) => {
  const isScript = request.url.startsWith("/oidc-client-ts.min.js");
  response.writeHead(200, { "Content-Type": isScript ? "text/javascript" : "text/html; charset=utf-8" });
  response.end(isScript ? script : shell);
});
await new Promise((ready) => pages.listen(asked.port, "127.0.0.1", ready));
const browser = await openBrowser(asked.chromium);
try {
  const context = await openContext(browser);
  const page = await context.newPage();
  const complaints = complaintsOf(context, asked.issuer, origin);

  await open(page, `${origin}/`);
  await leave(page, () => manager.signinRedirect({ state: "kept" }));
  await signIn(page, asked);
  await arrive(page, `${origin}/callback`);
  const signedIn = await page.evaluate(async () => plain(await manager.signinCallback()));

  const renewed = await page.evaluate(async () => plain(await manager.signinSilent()));

  await leave(page, () => manager.signoutRedirect());
  await arrive(page, `${origin}/signed-out`);
  const signedOut = await page.evaluate(async () => [await manager.signoutCallback(), await manager.getUser()]);

  // In a window of its own: the page that opened it waits for the answer.
  await open(page, `${origin}/`);
  const opening = context.waitForEvent("page");
  const waiting = page.evaluate(async () => plain(await manager.signinPopup()));
  const popup = await opening;
  await signIn(popup, asked);
  await arrive(popup, `${origin}/popup`);
  await popup.evaluate(() => void manager.signinCallback()).catch(() => {}); // which closes it
  const inPopup = await waiting;

  console.log(JSON.stringify({ signedIn, renewed, signedOut, inPopup, complaints }));
} finally {
  await browser.close();
  pages.closeAllConnections();
  pages.close();
}

async function open(page, address) {
  await page.goto(address);
  await prepare(page);
}

async function arrive(page, address) {
  await page.waitForURL((url) => url.href.startsWith(address));
  await prepare(page);
}

/** What makes the page go elsewhere has no answer. */
function leave(page, act) {
  return page.evaluate(act).catch(() => {});
}

function prepare(page) {
  return page.evaluate(
    ([authority, client_id, origin]) => {
      globalThis.manager = new oidc.UserManager({
        authority,
        client_id,
        redirect_uri: `${origin}/callback`,
        popup_redirect_uri: `${origin}/popup`,
        post_logout_redirect_uri: `${origin}/signed-out`,
        scope: "openid profile email",
        loadUserInfo: true,
        automaticSilentRenew: false,
      });
      globalThis.plain = ({ id_token, access_token, refresh_token, token_type, scope, profile, state }) => ({
        id_token, access_token, refresh_token, token_type, scope, profile, state,
      });
    },
    [asked.issuer, asked.client_id, origin],
  );
}
