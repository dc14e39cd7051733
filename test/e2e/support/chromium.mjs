// One headless Chromium, Debian's, for the tests of a file.
//
// SPDX-License-Identifier: MIT
import { mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { DEADLINE_MS, atEnd } from "./sockeye.mjs";

const screenshots = fileURLToPath(new URL("../screenshots/", import.meta.url));

// --no-sandbox: Chromium's sandbox refuses to run as root. The profile is a fresh folder each time,
// which Playwright makes and removes.
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export const launch = () =>
  chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: FLAGS, timeout: 60_000 });

// A page in a context of its own, closed when the test `t` ends. Whatever it reports as an error
// gathers in `page.errors`.
export async function openPage(t, browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  atEnd(t, () => context.close());
  context.setDefaultTimeout(DEADLINE_MS);
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("console", (message) => {
    const icon = message.location().url.endsWith("/favicon.ico");
    if (message.type() === "error" && !icon) page.errors.push(message.text());
  });
  await page.goto(url);
  return page;
}

export async function screenshot(page, name) {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true });
}
