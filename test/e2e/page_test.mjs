// The page at "/", used as a person would, in Chromium. Pictures of it go to screenshots/, and with
// PICTURE=FILE the README's to that file.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import test, { after, before } from "node:test";
import { gzipSync } from "node:zlib";
import { launch, openPage, screenshot } from "./support/chromium.mjs";
import { bytesOf } from "./support/messages.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { repository, startEcho } from "./support/sockeye.mjs";

const folder = path.join(repository, "app/page");
const files = readdirSync(folder).filter((name) => /^(?!chat).*\.(html|css|js)$/.test(name));

const errors = {};  // that pages reported, by test

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

async function openEchoPage(t, options, ...args) {
  const server = await startEcho(t, ...args);
  const page = await openPage(t, browser, `http://${server.host}/`, options);
  errors[t.name] = page.errors;
  await stateIs(page, "Open");
  return { server, page };
}

const stateIs = (page, state) => page.locator("#state", { hasText: new RegExp(`^${state}$`) }).waitFor();
const row = (page, text) => page.locator("#log li", { hasText: text }).last().waitFor();
const button = (page, name) => page.getByRole("button", { name, exact: true });
const pressed = (page, name) => button(page, name).click();

const message = (page) => page.getByRole("textbox", { name: "Message" });

async function sendText(page, text) {
  await message(page).fill(text);
  await pressed(page, "Send text");
}

// The connection in front, and its newest frame from that side.
const wire = (page) => page.locator("#entries > ol:not([hidden])");
const frameFrom = (page, side, text = "") => wire(page).locator(`> .${side}:has(.figure)`, { hasText: text }).last();
async function texts(within, selector) {
  const found = within.locator(selector);
  await found.first().waitFor({ state: "attached" });
  return (await found.allTextContents()).map((text) => text.trim());
}
const hexOf = (bytes) => Buffer.from(bytes).toString("hex").replace(/..(?=.)/g, "$& ");

// The bytes of a drawn frame, and its fields by name.
async function readFrame(frame) {
  const bytes = Buffer.from((await texts(frame, ".hex [data-name]")).join(""), "hex");
  const fields = {};
  for (const cell of await frame.locator(".bits .cell").all()) {
    const name = await cell.getAttribute("data-name");
    fields[name] = (fields[name] ?? "") + (await cell.locator(".digits").textContent());
  }
  return { bytes, fields };
}

test("page: connects by itself, and shows its server's URL", async (t) => {
  const { server, page } = await openEchoPage(t);
  assert.equal(await page.locator("#url").textContent(), server.url);
  await row(page, /connection open/);
});

test("page: sends text, by button and by Enter, and shows what comes back", async (t) => {
  const { page } = await openEchoPage(t);
  await message(page).fill("für Bäche 🐟");
  await button(page, "Send text").click();
  await row(page, /received text für Bäche 🐟 16 B/);
  await message(page).press("Shift+Enter");
  await message(page).type("second line");
  await message(page).press("Enter");
  await row(page, /received text für Bäche 🐟\nsecond line 28 B/);
  assert.equal(await page.locator("#received").textContent(), "2 · 44 B");
});

test("page: sends files as binary messages", async (t) => {
  const { page } = await openEchoPage(t);
  const file = (name, size) => ({ name, mimeType: "application/octet-stream", buffer: bytesOf(size) });
  await page.setInputFiles("#file", [file("empty.bin", 0), file("small.bin", 4)]);
  await row(page, /received binary 00 1f 3e 5d 4 B/);
  await page.setInputFiles("#file", file("large.bin", 2 * 1024 * 1024));
  await row(page, /received binary 00 1f 3e .* … 2\.0 MiB/);
  assert.equal(await page.locator("#received").textContent(), "3 · 2.0 MiB");
  await frameFrom(page, "client", "The server has a whole message: binary, 2,097,152 bytes").waitFor();
  const names = await texts(wire(page), "> .client summary b");  // Chromium cuts what is large into fragments
  assert.deepEqual(names.slice(-2), ["continuation …", "continuation"]);
  await screenshot(page, "messages");
});

test("page: the file button opens a file chooser", async (t) => {
  const { page } = await openEchoPage(t);
  const chooser = page.waitForEvent("filechooser");
  await button(page, "Send a file…").click();
  assert.equal((await chooser).isMultiple(), true);
});

test("page: measures a round trip", async (t) => {
  const { page } = await openEchoPage(t);
  await button(page, "Round trip").click();
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
  await button(page, "Connect").click();
  await stateIs(page, "Open");
  assert.equal(await button(page, "Send text").isEnabled(), true);
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

test("page: the wire shows how Sec-WebSocket-Accept comes about (RFC 6455 §4.2.2)", async (t) => {
  const { page } = await openEchoPage(t);
  const handshake = wire(page).locator(".handshake");
  await handshake.locator(".steps").waitFor();
  const [request, response] = await texts(handshake, ".head pre");
  const [, key] = /Sec-WebSocket-Key: (\S{24})/i.exec(request);
  const [, accept] = /Sec-WebSocket-Accept: (\S{28})/i.exec(response);
  const digest = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest();
  const steps = await texts(handshake, ".steps code");
  assert.equal(accept, digest.toString("base64"));
  assert.deepEqual(steps.slice(0, 4), [key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
    `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, hexOf(digest)]);
  assert.ok(steps[4].startsWith(accept));
  const sixes = steps[4].match(/ ([01]{6})(?= )/g).map((bits) => parseInt(bits, 2));
  assert.deepEqual(sixes, [digest[0] >> 2, (digest[0] & 3) << 4 | digest[1] >> 4, (digest[1] & 15) << 2 | digest[2] >> 6, digest[2] & 63]);
  assert.equal(steps[5], accept);
  assert.match((await texts(handshake, ".steps li")).at(-1), /^✓ *the response says the same/);
  assert.match(await wire(page).locator("li").first().textContent(), /TCP connection accepted from 127\.0\.0\.1:\d+/);
  await screenshot(page, "handshake");
});

test("page: the wire shows a frame's bits in both directions, and how it is unmasked (RFC 6455 §5.2, §5.3)", async (t) => {
  const { page } = await openEchoPage(t);
  await sendText(page, "Hü!");
  const sent = frameFrom(page, "client", "whole message");
  const { bytes, fields } = await readFrame(sent);
  assert.equal(bytes.length, 2 + 4 + 4);
  const key = bytes.subarray(2, 6);
  const payload = bytes.subarray(6);
  assert.equal(Buffer.from(payload.map((byte, i) => byte ^ key[i])).toString(), "Hü!");
  const bits = (some) => [...some].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  assert.deepEqual(fields, { "FIN": "1", "RSV1": "0", "RSV2": "0", "RSV3": "0", "opcode": "0001", "MASK": "1",
    "payload length": "0000100", "masking key": bits(key), "payload": bits(payload) });
  const byteColumns = await texts(sent, ".unmasking .byte");
  assert.deepEqual(byteColumns, [...payload].map((byte, i) => hexOf([byte, key[i], byte ^ key[i]]).replaceAll(" ", "")));
  assert.deepEqual(await texts(sent, ".unmasking .together b"), ["H", "ü", "!"]);
  assert.match(await sent.locator(".verdict").textContent(),
    /The server has a whole message: text, 4 bytes .*Protocol::take_message → Connection::deliver → Handler::on_message/);

  const back = await readFrame(frameFrom(page, "server", "whole message"));
  assert.deepEqual(back.bytes, Buffer.concat([Buffer.from([0x81, 4]), Buffer.from("Hü!")]));
  assert.equal(back.fields.MASK, "0");
  assert.equal(back.fields["masking key"], undefined);
  assert.equal(await wire(page).locator(".handshake [open]").count(), 0);  // what is older has collapsed
});

if (process.env.PICTURE) {
  test("page: the README's picture of it", async (t) => {
    const { page } = await openEchoPage(t, { viewport: { width: 1280, height: 960 } });
    const summary = wire(page).locator(".handshake summary", { hasText: "handshake" });
    await summary.click();
    await summary.click();  // so that it stays open
    await sendText(page, "Hello");
    const [sent, answer] = ["client", "server"].map((side) => frameFrom(page, side, "whole message"));
    await answer.locator("summary").click();
    await wire(page).locator(".derivation").evaluate((part) => part.scrollIntoView());
    await sent.locator(".unmasking .byte").nth(1).hover();
    await page.screenshot({ path: path.resolve(repository, process.env.PICTURE) });
  });
}

test("page: lengths of 16 and 64 bits are drawn as such, and frames of a compressed message", async (t) => {
  const { page } = await openEchoPage(t, {}, "--compress", "shared", "--compress-threshold", "1000000");
  await sendText(page, "x".repeat(300));
  const compressed = await readFrame(frameFrom(page, "client", "whole message"));
  assert.equal(compressed.fields.RSV1, "1");
  assert.match(await wire(page).locator("> .client summary").last().textContent(), /text.*xxx/);
  const medium = await readFrame(frameFrom(page, "server", "300 bytes"));
  assert.equal(medium.fields["payload length"], "1111110");
  assert.equal(parseInt(medium.fields["extended payload length"], 2), 300);
  await sendText(page, "x".repeat(70_000));
  const large = await readFrame(frameFrom(page, "server", "70,000 bytes"));
  assert.equal(large.fields["payload length"], "1111111");
  assert.equal(large.fields["extended payload length"].length, 64);
  assert.equal(parseInt(large.fields["extended payload length"], 2), 70_000);
});

test("page: what is pointed at or has the focus lights up in the bytes and in the bits", async (t) => {
  const { page } = await openEchoPage(t);
  await sendText(page, "Hello");
  const frame = frameFrom(page, "client", "whole message");
  const lit = (selector) => frame.locator(`${selector} .lit`).evaluateAll((parts) => parts.map(({ dataset }) => dataset.name));
  await frame.locator(".bits [data-name=opcode]").hover();
  assert.deepEqual([await lit(".hex"), await lit(".bits")], [["byte 0"], ["opcode"]]);
  assert.match(await frame.locator(".explained").textContent(), /^opcode = 0001 = text/);
  await frame.locator(".hex [data-name='byte 1']").hover();
  assert.deepEqual([await lit(".hex"), await lit(".bits")], [["byte 1"], ["MASK", "payload length"]]);
  await frame.locator(".unmasking .byte").nth(4).hover();
  assert.deepEqual([await lit(".hex"), await lit(".unmasking")], [["byte 2", "byte 10"], ["byte 10"]]);
  assert.match(await frame.locator(".sum").textContent(), /payload byte 4\n.*key byte 0\n= 01101111 {2}6f/);
  // Links in what was explained can be reached.
  await frame.locator(".bits [data-name=FIN]").hover();
  await frame.locator(".explained a").first().hover();
  assert.match(await frame.locator(".explained").textContent(), /^FIN = 1/);
  await page.mouse.move(0, 0);
  await frame.locator(".bits .cell").first().focus();
  for (let i = 0; i < 4; i += 1) await page.keyboard.press("ArrowRight");
  assert.deepEqual([await lit(".hex"), await lit(".bits")], [["byte 0"], ["opcode"]]);
  await page.keyboard.press("ArrowLeft");
  assert.deepEqual(await lit(".bits"), ["RSV3"]);
});

test("page: the server's own client sends fragments, and a Ping", async (t) => {
  const { page } = await openEchoPage(t);
  await message(page).fill("Hello");
  await page.getByLabel("Fragment size").fill("2");
  await pressed(page, "Send in fragments");
  await wire(page).locator("> .client", { hasText: "continuation" }).nth(1).waitFor();
  await wire(page).getByText("connection closed", { exact: true }).waitFor();
  assert.equal(await wire(page).locator("> .client", { hasText: "continuation" }).count(), 2);
  await screenshot(page, "fragments");
  await pressed(page, "Send a Ping");
  await wire(page).locator("> .server", { hasText: "pong" }).waitFor();
});

test("page: each rule that can be broken leads to its error and its close code", async (t) => {
  const { page } = await openEchoPage(t);
  const rows = [...readFileSync(path.join(repository, "ws/error.cc"), "utf8").matchAll(/\{(\w+), (\d+), \d+,\s+"\1", "([^"]+)"/g)];
  await page.getByText("Break a rule").click();
  const buttons = await page.locator("#violations button").all();
  assert.ok(buttons.length >= 14);
  for (const one of buttons) {
    const name = await one.getAttribute("value");
    const [, , code, section] = rows.find((row) => row[1] === name);
    await one.click();
    await page.locator("#shown option:checked", { hasText: `provoked: ${name} (closed)` }).waitFor({ state: "attached" });
    const verdict = await wire(page).locator(".failed .verdict").textContent();
    assert.ok(verdict.includes(`${section}). ${name} → Close with ${code}`), verdict);
    assert.ok((await wire(page).locator(".failed .verdict a").first().getAttribute("href")).endsWith(`#section-${section.slice(1)}`));
    const answer = frameFrom(page, "server", "has a Close frame");
    assert.equal((await texts(answer, ".unmasking b"))[0], code);
    if (name === "message_too_big") await wire(page).getByText("8.0 EiB").waitFor();
    if (name === "frame_not_masked") await screenshot(page, "violation");
  }
  await sendText(page, "still there");  // and the page's own connection is in front again
  await frameFrom(page, "client", "whole message").waitFor();
  assert.match(await page.locator("#shown option:checked").textContent(), /this page$/);
});

test("page: a Close frame is drawn with its code and its reason, in both directions", async (t) => {
  const { page } = await openEchoPage(t);
  await page.getByLabel("Code").fill("3456");
  await page.getByLabel("Reason").fill("bye");
  await pressed(page, "Close");
  assert.deepEqual(await texts(frameFrom(page, "client", "has a Close frame: 3456: bye."), ".unmasking b"), ["3456", "b", "y", "e"]);
  assert.equal((await texts(frameFrom(page, "server", "has a Close frame: 3456"), ".unmasking b"))[0], "3456");
  await wire(page).getByText("connection closed", { exact: true }).waitFor();
});

test("page: with --inspect it shows others' connections, if one wants, and without it doesn't offer that", async (t) => {
  const { server, page } = await openEchoPage(t, {}, "--inspect");
  await page.getByLabel("all connections").check();
  const other = await NodeClient.open(t, server.url);
  await page.locator("#shown option", { hasText: "127.0.0.1:" }).first().waitFor({ state: "attached" });
  assert.match(await page.locator("#shown option:checked").textContent(), /this page$/);
  const [id] = await page.locator("#shown option").evaluateAll((options) => options.map(({ value }) => value));
  await page.locator("#shown").selectOption(id);
  other.socket.send("from elsewhere");
  await frameFrom(page, "client", "whole message").waitFor();
  assert.equal((await texts(frameFrom(page, "client"), ".unmasking b")).join(""), "from␣elsewhere");

  const { page: another } = await openEchoPage(t);
  assert.equal(await another.getByLabel("all connections").isVisible(), false);
});

test("page: where the wire can't be shown it says so, and all else works", async (t) => {
  const server = await startEcho(t);
  for (let i = 0; i < 16; i += 1) await NodeClient.open(t, server.url, "sockeye-inspect");
  const page = await openPage(t, browser, `http://${server.host}/`);
  await stateIs(page, "Open");
  assert.match(await page.locator("#wire-note").textContent(), /does not show its wire now: enough pages look on/);
  assert.equal(await page.getByText("Break a rule").isVisible(), false);
  await sendText(page, "Hello");
  await row(page, /received text Hello/);
  assert.deepEqual(page.errors, []);
});

test("page: the functions that it names exist", () => {
  const headers = ["ws", "ws/http", "ws/frame"].flatMap((name) => readdirSync(path.join(repository, name)).map((file) => `${name}/${file}`))
    .filter((file) => file.endsWith(".h")).map((file) => readFileSync(path.join(repository, file), "utf8"));
  const names = files.flatMap((file) => readFileSync(path.join(folder, file), "utf8").match(/(?<=")\w+::\w+(?=")/g) ?? []);
  assert.ok(names.length > 10);
  for (const name of names) {
    const [type, member] = name.split("::");
    const declares = (text) => new RegExp(`(class|namespace sockeye::ws::)\\s*${type}\\b[^;]`).test(text) && new RegExp(`\\b${member}\\(`).test(text);
    assert.ok(headers.some(declares), name);
  }
});

test("page: it connects to a server that was started anew, and shows that one's wire", async (t) => {
  const { server, page } = await openEchoPage(t);
  await wire(page).locator(".steps").waitFor();
  await server.stop();
  await page.locator("#wire-note", { hasText: "does not show its wire now: the server is going away" }).waitFor();
  await startEcho(t, "--port", String(server.port));
  await pressed(page, "Connect");
  await stateIs(page, "Open");
  await wire(page).locator(".steps").waitFor();
  assert.equal(await page.locator("#wire-note").textContent(), "");
  assert.equal(await page.locator("#entries .steps").count(), 1);
  await sendText(page, "Hello");
  await frameFrom(page, "server", "whole message").waitFor();
});

test("page: keeps a bounded number of rows and entries, and clears the wire", async (t) => {
  const { page } = await openEchoPage(t);
  for (let i = 0; i < 120; i += 1) await message(page).press("Enter");
  await page.waitForFunction(() => document.getElementById("received").textContent.startsWith("120 "));
  assert.equal(await page.locator("#log li").count(), 200);
  await sendText(page, "the last");
  await frameFrom(page, "server", "the last").waitFor();
  assert.equal(await page.locator("#entries > ol > li").count(), 200);
  assert.equal(await wire(page).locator("[open]").count(), 2);
  await button(page, "Clear").click();
  assert.equal(await page.locator("#entries li").count(), 0);
  await sendText(page, "and on");
  await frameFrom(page, "server", "whole message").waitFor();
});

test("page: every control is reached and used by keyboard", async (t) => {
  const { page } = await openEchoPage(t);
  await page.locator(".steps").waitFor();
  const reached = [];
  for (let i = 0; i < 21; i += 1) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
  }
  reached[17] = reached[17].replace(/^[\d.]+ ms/, "");
  assert.deepEqual(reached, ["subprotocol", "connect-button", "text", "Send text", "choose", "ping", "code", "reason",
    "Close", "fragment-size", "Send in fragments", "real-ping", "Break a rule", "log", "shown", "clear", "entries",
    reached[17], "§4.1", "§4.2.2", "§1.3"]);
  assert.match(reached[17], /handshake/);
  await button(page, "Send text").focus();
  await page.keyboard.press("Space");
  await row(page, /received text Hello/);
});

const looks = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 320, height: 640 } }],
  ["phone-dark", { colorScheme: "dark", viewport: { width: 360, height: 740 } }],
];
for (const [name, options] of looks) {
  test(`page: nothing is wider than the window (${name})`, async (t) => {
    const { page } = await openEchoPage(t, options);
    const nothingIsWider = async () => assert.deepEqual(await page.evaluate(() =>
      [document.documentElement, document.getElementById("entries"), document.getElementById("controls")]
        .map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)), [0, 0, 0]);
    await page.locator(".steps").waitFor();
    await nothingIsWider();
    await page.getByText("Break a rule").click();
    await sendText(page, "no-break-".repeat(60));
    await row(page, /received text no-break/);
    await frameFrom(page, "server", "whole message").waitFor();
    await nothingIsWider();
    await screenshot(page, name);
  });
}

test("page: none of all these reported an error, nor broke its Content-Security-Policy", () => {
  assert.deepEqual(Object.entries(errors).filter(([, reported]) => reported.length > 0), []);
});

test("page: its files take 18 KiB at most in the program", () => {
  const sizes = files.map((name) => gzipSync(readFileSync(path.join(folder, name)), { level: 9 }).length);
  assert.ok(sizes.reduce((sum, size) => sum + size) <= 18 * 1024, `${sizes.join(" + ")} bytes`);
});
