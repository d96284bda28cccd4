// People who walk through pages by keyboard. On stdin: {chromium, origins: [those that a page may ask], walks: [{scripts,
// steps: [["go", address] | ["press", selector] | ["type", selector, text] | ["wait", selector, text]…]}…]}.
// Each walk is a browser of its own. On stdout, for each: where it ended and what that page says.
import { readFileSync } from "node:fs";
import { complaintsOf, openBrowser, openContext, tabTo } from "./browser.mjs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const browser = await openBrowser(asked.chromium);
try {
  const told = [];
  for (const one of asked.walks) told.push(await walk(one));
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
}

async function walk({ scripts, steps }) {
  const context = await openContext(browser, { javaScriptEnabled: scripts });
  const page = await context.newPage();
  const complaints = complaintsOf(context, ...asked.origins);
  const statuses = [];
  page.on("response", (answer) => answer.request().isNavigationRequest() && statuses.push(answer.status()));
  for (const [what, where, text] of steps) {
    if (what === "go") await page.goto(where);
    if (what === "wait") await page.locator(where, { hasText: text }).waitFor();
    if (what === "type") await page.fill(where, text);
    if (what === "press") {
      await page.waitForSelector(where);
      await tabTo(page, where);
      const arrived = page.waitForNavigation(); // the whole chain of redirects
      await page.keyboard.press("Enter");
      await arrived;
    }
  }
  const text = async (selector) => ((await page.locator(selector).count()) ? page.locator(selector).first().innerText() : null);
  const told = { url: page.url(), heading: await text("h1"), notice: await text("[role=alert]"), main: await text("main") };
  const status = statuses.at(-1);
  // Chromium says so on the console when a page came with 4xx or 5xx, and when Tab was pressed before it had drawn one.
  const known = ["Autofocus processing was blocked", ...statuses.filter((code) => code >= 400).map((code) => `status of ${code}`)];
  const ours = complaints.filter((one) => !known.some((words) => one.includes(words)));
  await context.close();
  return { ...told, status, complaints: ours };
}
