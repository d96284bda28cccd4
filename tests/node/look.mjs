// Looks at pages in Chromium. On stdin: {chromium, pages: [address…], folder: where screenshots go, or null}.
// On stdout, for each page and way of looking: what axe found, what a browser complained about, whether it scrolls sideways.
import { readFileSync } from "node:fs";
import path from "node:path";
import axe from "axe-core";
import { openBrowser, openContext } from "./browser.mjs";

const NARROW = 320;
const WIDTHS = [NARROW, 1280];
const SCHEMES = ["light", "dark"];

const asked = JSON.parse(readFileSync(0, "utf8"));
const waiting = [...asked.pages];
const seen = [];
const browser = await openBrowser(asked.chromium);
try {
  await Promise.all([lookAtAll(), lookAtAll()]);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));

async function lookAtAll() {
  const page = await (await openContext(browser, { reducedMotion: "reduce" })).newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(asked.pages[0]).origin) complaints.push(`foreign ${request.url()}`);
  });
  // The form that sends itself is looked at as it is without scripts.
  await page.route("**/form_post.js", (route) => route.fulfill({ body: "", contentType: "text/javascript" }));
  while (waiting.length) {
    const address = waiting.shift();
    complaints.length = 0;
    const answer = await page.goto(address);
    await page.evaluate(axe.source);
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        await page.setViewportSize({ width, height: width === NARROW ? 640 : 800 });
        await page.emulateMedia({ colorScheme: scheme });
        const found = (width === NARROW) === (scheme === "light") ? await audit(page, width) : {};
        const looked = { address, width, scheme, ...found, sideways: await scrollsSideways(page) };
        seen.push({ ...looked, complaints: complaints.filter((one) => !isStatus(one, answer)) });
        if (asked.folder) {
          const name = `${new URL(address).pathname.slice(1).replaceAll("/", "-")}-${width}-${scheme}.png`;
          await page.screenshot({ path: path.join(asked.folder, name), fullPage: true });
        }
      }
    }
  }
}

// Chromium says so on the console when a page came with 4xx or 5xx, as a page with a mistake does.
function isStatus(complaint, answer) {
  return !answer.ok() && complaint.includes(`status of ${answer.status()}`);
}

/** Everything when it is narrow and light; when it is wide and dark, what hangs on colours and sizes. */
async function audit(page, width) {
  const only = width === NARROW ? {} : { runOnly: ["color-contrast", "link-in-text-block", "target-size"] };
  return page.evaluate(async (only) => {
    const found = await globalThis.axe.run(document, { resultTypes: ["violations", "incomplete"], ...only });
    const told = (results) => results.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
    return {
      rules: found.passes.length,
      violations: told(found.violations),
      unsure: told(found.incomplete),
    };
  }, only);
}

function scrollsSideways(page) {
  return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}
