import { chromium } from "playwright-core";

/** Debian's Chromium, which asks nobody but the pages under test. As root it has no sandbox to go into. */
export function openBrowser(executablePath) {
  const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run"];
  const alone = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath, args: [...quiet, ...alone, ...root] });
}
