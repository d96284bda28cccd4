// The API documentation, used by a person. On stdin: {chromium, url, username, password}.
// On stdout: what Authorize sent, what came of "Try it out", and what the browser complained about.
import { readFileSync } from "node:fs";
import { complaintsOf, openBrowser, openContext, signIn } from "./browser.mjs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const browser = await openBrowser(asked.chromium);
try {
  const context = await openContext(browser);
  const complaints = complaintsOf(context, asked.url);
  const sent = [];
  context.on("request", (request) => sent.push({ method: request.method(), url: request.url() }));
  const page = await context.newPage();
  await page.goto(`${asked.url}/docs`);
  await page.click(".auth-wrapper .authorize");
  const oauth = page.locator(".auth-container", { hasText: "authorizationCode" });
  const opening = context.waitForEvent("page");
  await oauth.locator("button.authorize").click();
  const popup = await opening;
  const closed = popup.waitForEvent("close");
  await signIn(popup, asked);
  await closed;
  await oauth.locator("button", { hasText: "Logout" }).waitFor();
  await page.locator(".btn-done").first().click();

  const operation = page.locator(".opblock", { has: page.locator('[data-path="/users/me"]') }).first();
  await operation.locator(".opblock-summary-control").click();
  const answering = page.waitForResponse(`${asked.url}/users/me`);
  await operation.locator("button.execute").click();
  const answer = await answering;
  await operation.locator(".live-responses-table .response-col_status").first().waitFor();
  const shown = await operation.locator(".live-responses-table .response .response-col_status").innerText();
  const headers = await answer.request().allHeaders();
  console.log(
    JSON.stringify({
      authorize: sent.find((one) => one.url.startsWith(`${asked.url}/oauth2/authorize`)).url,
      status: answer.status(),
      shown,
      me: await answer.json(),
      credential: headers.authorization.split(" ")[0],
      cookies: headers.cookie ?? "",
      complaints,
    }),
  );
} finally {
  await browser.close();
}
