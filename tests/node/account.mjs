// The pages of the account by keyboard alone. On stdin: {chromium, origin, username, password, fresh: another password,
// scripts}. On stdout: what the pages said, the text of the key that was made, and what the browser complained about.
import { readFileSync } from "node:fs";
import { complaintsOf, openBrowser, openContext, tabTo } from "./browser.mjs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const { origin, password, fresh } = asked;
const browser = await openBrowser(asked.chromium);
try {
  console.log(JSON.stringify(await lookAfterIt()));
} finally {
  await browser.close();
}

async function lookAfterIt() {
  const elsewhere = await (await openContext(browser, {})).newPage();
  await arrive(elsewhere);
  const context = await openContext(browser, { javaScriptEnabled: asked.scripts });
  const complaints = complaintsOf(context, origin);
  const page = await context.newPage();
  await arrive(page);
  const said = { skips: await skips(page) };

  await fill(page, { name: "Ada Lovelace", birthdate: "1815-12-10" });
  await press(page, "main button");
  said.profile = await done(page);

  await visit(page, "/account/sessions");
  said.before = await page.locator(".cards > li").count();
  await press(page, "summary");
  await press(page, "button.danger");
  said.sessions = await done(page);
  said.after = await page.locator(".cards > li").count();

  await visit(page, "/account/password");
  await fill(page, { current_password: password, password: fresh, password_again: fresh });
  await press(page, "main button");
  said.password = await done(page);

  await visit(page, "/account/api-keys");
  await press(page, "a.button");
  await fill(page, { name: "Nightly" });
  await press(page, "[name='scope.orders:read']", "Space");
  await press(page, "main button");
  await page.waitForSelector("#text");
  said.key = await page.inputValue("#text");
  await press(page, "a.button");
  await page.waitForSelector("summary");
  said.shownAgain = (await page.content()).includes(said.key);

  await visit(page, "/account/applications");
  said.applications = await page.textContent(".lead");
  await press(page, ".places a[href='/oauth2/logout']");
  await press(page, "[value=sign_out]");
  await page.waitForURL(`${origin}/signed-out`);
  said.afterwards = await opened(page);
  said.elsewhere = await opened(elsewhere);
  return { ...said, complaints };
}

/** Where a browser comes to that asks for the account. */
async function opened(page) {
  await page.goto(`${origin}/account`);
  return new URL(page.url()).pathname;
}

async function arrive(page) {
  await page.goto(`${origin}/account`);
  await page.waitForSelector("#username");
  await page.keyboard.type(asked.username); // where the page has put the cursor
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".places");
}

/** Whether the keyboard's first stop leads past the navigation. */
async function skips(page) {
  await page.keyboard.press("Tab");
  const isFirst = await page.evaluate(() => document.activeElement.matches("a.skip"));
  await page.keyboard.press("Enter");
  await page.waitForURL(/#content$/);
  await page.keyboard.press("Tab");
  return isFirst && (await page.evaluate(() => document.activeElement.matches("main *")));
}

async function visit(page, path) {
  await press(page, `.places a[href='${path}']`);
  await page.waitForSelector(`.places a[href='${path}'][aria-current]`);
}

async function press(page, selector, key = "Enter") {
  await page.waitForSelector(selector);
  await tabTo(page, selector);
  await page.keyboard.press(key);
}

async function fill(page, fields) {
  for (const [name, text] of Object.entries(fields)) {
    await page.waitForSelector(`#${name}`);
    await tabTo(page, `#${name}`);
    await page.keyboard.type(text);
  }
}

async function done(page) {
  await page.waitForSelector(".done");
  return page.textContent(".done");
}
