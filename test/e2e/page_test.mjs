// The page at "/", used as a person would, in Chromium. Pictures of it go to screenshots/.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import path from "node:path";
import test, { after, before } from "node:test";
import { launch, openPage, screenshot } from "./support/chromium.mjs";
import { bytesOf } from "./support/messages.mjs";
import { repository, startEcho } from "./support/sockeye.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

async function openEchoPage(t, options, ...args) {
  const server = await startEcho(t, ...args);
  const page = await openPage(t, browser, `http://${server.host}/`, options);
  await stateIs(page, "Open");
  return { server, page };
}

const stateIs = (page, state) => page.locator("#state", { hasText: new RegExp(`^${state}$`) }).waitFor();
const row = (page, text) => page.locator("#log li", { hasText: text }).last().waitFor();
const button = (page, name) => page.getByRole("button", { name, exact: true });

test("page: connects by itself, and shows its server's URL", async (t) => {
  const { server, page } = await openEchoPage(t);
  assert.equal(await page.locator("#url").textContent(), server.url);
  await row(page, /connection open/);
  assert.deepEqual(page.errors, []);
});

test("page: sends text, by button and by Enter, and shows what comes back", async (t) => {
  const { page } = await openEchoPage(t);
  await page.getByLabel("Message").fill("für Bäche 🐟");
  await button(page, "Send text").click();
  await row(page, /received text für Bäche 🐟 16 B/);
  await page.getByLabel("Message").press("Shift+Enter");
  await page.getByLabel("Message").type("second line");
  await page.getByLabel("Message").press("Enter");
  await row(page, /received text für Bäche 🐟\nsecond line 28 B/);
  assert.equal(await page.locator("#received").textContent(), "2 · 44 B");
  assert.deepEqual(page.errors, []);
});

test("page: sends files as binary messages", async (t) => {
  const { page } = await openEchoPage(t);
  const file = (name, size) => ({ name, mimeType: "application/octet-stream", buffer: bytesOf(size) });
  await page.setInputFiles("#file", [file("empty.bin", 0), file("small.bin", 4)]);
  await row(page, /received binary 00 1f 3e 5d 4 B/);
  await page.setInputFiles("#file", file("large.bin", 2 * 1024 * 1024));
  await row(page, /received binary 00 1f 3e .* … 2\.0 MiB/);
  assert.equal(await page.locator("#received").textContent(), "3 · 2.0 MiB");
  await screenshot(page, "messages");
  assert.deepEqual(page.errors, []);
});

test("page: the file button opens a file chooser", async (t) => {
  const { page } = await openEchoPage(t);
  const chooser = page.waitForEvent("filechooser");
  await button(page, "Send a file…").click();
  assert.equal((await chooser).isMultiple(), true);
});

test("page: measures a round trip", async (t) => {
  const { page } = await openEchoPage(t);
  await button(page, "Time a round trip").click();
  await row(page, /round trip \d+\.\d ms/);
  assert.match(await page.locator("#round-trip").textContent(), /^\d+\.\d ms$/);
});

test("page: closes with a code and a reason, and connects again", async (t) => {
  const { page } = await openEchoPage(t);
  await page.getByLabel("Code").fill("4999");
  await page.getByLabel("Reason").fill("enough");
  await button(page, "Close").click();
  await row(page, /closed with 4999/);
  await stateIs(page, "Closed");
  assert.equal(await button(page, "Send text").isDisabled(), true);
  await screenshot(page, "closed");
  await button(page, "Reconnect").click();
  await stateIs(page, "Open");
  assert.equal(await button(page, "Send text").isEnabled(), true);
  assert.deepEqual(page.errors, []);
});

test("page: a code that browsers refuse, and a reason that is too long, are explained and not sent", async (t) => {
  const { page } = await openEchoPage(t);
  for (const code of ["", "999", "1001", "2999", "5000", "3000.5"]) {
    await page.getByLabel("Code").fill(code);
    await button(page, "Close").click();
    assert.equal(await page.locator("#code:invalid").count(), 1, `code "${code}"`);
  }
  await page.getByLabel("Code").fill("1000");
  await page.getByLabel("Reason").fill("ü".repeat(62));
  await button(page, "Close").click();
  assert.equal(await page.locator("#reason:invalid").count(), 1);
  await stateIs(page, "Open");
  assert.deepEqual(page.errors, []);
});

test("page: offers a subprotocol, and says which one was chosen", async (t) => {
  const { page } = await openEchoPage(t, {}, "--subprotocol", "chat");
  await page.getByLabel("Subprotocol").fill("soap, chat");
  await button(page, "Reconnect").click();
  await row(page, /open, subprotocol chat/);
  await page.getByLabel("Subprotocol").fill("not/a token");
  await button(page, "Reconnect").click();
  await page.locator("#log li.failed").waitFor();
  await stateIs(page, "Open");
});

test("page: a server that stops is shown as going away", async (t) => {
  const { server, page } = await openEchoPage(t);
  server.signal("SIGTERM");
  await row(page, /closed with 1001 \(going away\)/);
  await stateIs(page, "Closed");
});

test("page: keeps a bounded number of rows, and clears them", async (t) => {
  const { page } = await openEchoPage(t);
  for (let i = 0; i < 120; i += 1) await page.getByLabel("Message").press("Enter");
  await page.waitForFunction(() => document.getElementById("received").textContent.startsWith("120 "));
  assert.equal(await page.locator("#log li").count(), 200);
  await button(page, "Clear").click();
  assert.equal(await page.locator("#log li").count(), 0);
});

test("page: every control is reached and used by keyboard", async (t) => {
  const { page } = await openEchoPage(t);
  const reached = [];
  for (let i = 0; i < 11; i += 1) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
  }
  assert.deepEqual(reached, ["subprotocol", "Reconnect", "text", "Send text", "choose", "Time a round trip",
    "code", "reason", "Close", "clear", "log"]);
  await button(page, "Send text").focus();
  await page.keyboard.press("Space");
  await row(page, /received text Hello/);
});

const looks = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 320, height: 640 } }],
  ["phone-dark", { colorScheme: "dark", viewport: { width: 375, height: 740 } }],
];
for (const [name, options] of looks) {
  test(`page: nothing is wider than the window (${name})`, async (t) => {
    const { page } = await openEchoPage(t, options);
    await page.getByLabel("Message").fill("no-break-".repeat(60));
    await button(page, "Send text").click();
    await row(page, /received text no-break/);
    await screenshot(page, name);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  });
}

test("page: its three files are 12 KiB at most", () => {
  const files = ["index.html", "page.css", "page.js"];
  const sizes = files.map((name) => statSync(path.join(repository, "app/page", name)).size);
  assert.ok(sizes.reduce((sum, size) => sum + size) <= 12 * 1024, `${sizes.join(" + ")} bytes`);
});
