// A sign-in and consent by keyboard. On stdin: {chromium, username, password, each: [{authorize: address without
// redirect_uri, scripts, mode, button: of the consent page}…]}. On stdout, for each way: what came to the application.
import { readFileSync } from "node:fs";
import { complaintsOf, openBrowser, openContext, signIn, tabTo } from "./browser.mjs";
import { listen } from "./listener.mjs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const browser = await openBrowser(asked.chromium);
const application = await listen();
try {
  const told = [];
  for (const way of asked.each) told.push(await arrive(way));
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
  application.close();
}

async function arrive({ authorize: address, scripts, mode, button }) {
  const context = await openContext(browser, { javaScriptEnabled: scripts });
  const page = await context.newPage();
  const authorize = new URL(address);
  authorize.searchParams.set("redirect_uri", `${application.origin}/callback`);
  authorize.searchParams.set("response_mode", mode);
  const complaints = complaintsOf(context, authorize.origin, application.origin);
  const arrived = application.next();
  await page.goto(authorize.href);
  const language = await page.getAttribute("html", "lang");
  await signIn(page, asked, button);
  if (mode === "form_post" && !scripts) {
    await page.waitForSelector("#answer button");
    await tabTo(page, "#answer button");
    await page.keyboard.press("Enter");
  }
  const told = { ...(await arrived), language, complaints };
  await context.close();
  return told;
}
