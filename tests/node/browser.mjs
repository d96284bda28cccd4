import { chromium } from "playwright-core";

/** Debian's Chromium, which asks nobody but the pages under test. As root it has no sandbox to go into. */
export function openBrowser(executablePath) {
  const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run"];
  const alone = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args: [...quiet, ...alone, ...root] });
}

/** A browser that knows nothing yet, and waits for what a busy machine is slow to show; not as long as the test does,
 * or nobody would learn what was waited for. */
export async function openContext(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(75_000);
  return context;
}

/** What is wrong on any page of this browser from now on: console, scripts, other hosts than these. */
export function complaintsOf(context, ...origins) {
  const complaints = [];
  context.on("console", (message) => {
    // "[DOM]" is advice on how to write a form, given to Swagger UI.
    if (!message.text().startsWith("[DOM]")) complaints.push(`${message.page()?.url()}: ${message.text()}`);
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
  context.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "data:" && !origins.includes(origin)) complaints.push(`foreign ${request.url()}`);
  });
  return complaints;
}

/** By Tab alone to the element, as somebody without a mouse. */
export async function tabTo(page, selector) {
  for (let steps = 0; steps < 30; steps++) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${selector} cannot be reached by keyboard at ${page.url()}`);
}

/** Sign in and allow, by keyboard, from the page of a sign-in until `button` of the consent page is pressed. */
export async function signIn(page, { username, password }, button = "[value=allow]") {
  await page.waitForSelector("#username");
  await page.keyboard.type(username); // where the page has put the cursor
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.waitForSelector(button);
  await tabTo(page, button);
  await page.keyboard.press("Enter");
}
