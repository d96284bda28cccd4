// The example of a single-page application, used by a person. On stdin: {chromium, issuer, application: its address,
// username, password}. On stdout: what it showed at each step, and what the browser complained about.
import { readFileSync } from "node:fs";
import { complaintsOf, openBrowser, openContext, signIn } from "./browser.mjs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const browser = await openBrowser(asked.chromium);
try {
  const context = await openContext(browser);
  const page = await context.newPage();
  const complaints = complaintsOf(context, asked.issuer, new URL(asked.application).origin);
  const shown = [];
  const shows = async (text) => {
    await page.locator("#status", { hasText: text }).waitFor();
    shown.push(await page.innerText("#status"));
  };

  await page.goto(asked.application);
  await shows("Nobody");
  await page.click("#sign-in");
  await signIn(page, asked);
  await shows("Signed in as");
  const address = page.url();
  await page.click("#call");
  await shows("Hello");

  const renewed = page.waitForResponse(`${asked.issuer}/oauth2/token`);
  await page.click("#refresh");
  await shows("Refreshed");
  const told = await (await renewed).json();
  await page.click("#call");
  await shows("Hello");
  const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));

  // An answer that this page has not asked for.
  await page.goto(`${asked.application}?code=x&state=y&iss=${encodeURIComponent(asked.issuer)}`);
  await shows("did not work");
  // The person is still signed in at Gatepost. Any program here could pose as a public client at a loopback address, so
  // consent is asked each time (RFC 8252 §8.6).
  await page.goto(asked.application);
  await page.click("#sign-in");
  await page.click("[value=allow]");
  await shows("Signed in as");
  await page.click("#sign-out");
  await page.waitForURL(asked.application);
  await shows("Nobody");
  await page.click("#sign-in");
  await page.waitForSelector("#password");

  console.log(JSON.stringify({ shown, address, stored, renewed: Object.keys(told).sort(), complaints }));
} finally {
  await browser.close();
}
