// Chromium's WebSocket against sockeye echo.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { createServer } from "node:http";
import test, { after, before } from "node:test";
import { launch, openPage } from "./support/chromium.mjs";
import { SIZES } from "./support/messages.mjs";
import { atEnd, startEcho } from "./support/sockeye.mjs";

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// Runs in the page: opens a WebSocket, sends a message of `size` bytes, and says whether it came back.
function echoInPage({ url, size, kind }) {
  return new Promise((resolve, reject) => {
    const bytes = new Uint8Array(size).map((_, i) => (i * 31 + (i >> 8)) % 251);
    const text = "Bäche 🐟".repeat(size / 11) + "x".repeat(size % 11);
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onerror = () => reject(new Error("error event"));
    socket.onclose = ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`));
    socket.onopen = () => socket.send(kind === "text" ? text : bytes);
    socket.onmessage = ({ data }) => {
      socket.onclose = null;
      socket.close(1000);
      if (kind === "text") return resolve(data === text && new TextEncoder().encode(data).length === size);
      const received = new Uint8Array(data);
      resolve(received.length === size && received.every((byte, i) => byte === bytes[i]));
    };
  });
}

test("Chromium: text and binary of every size come back as they went (RFC 6455 §5.2)", async (t) => {
  const server = await startEcho(t);
  const page = await openPage(t, browser, `http://${server.host}/`);
  for (const size of SIZES) {
    for (const kind of ["text", "binary"]) {
      await t.test(`Chromium: ${size} bytes of ${kind}`, async () => {
        assert.equal(await page.evaluate(echoInPage, { url: server.url, size, kind }), true);
      });
    }
  }
});

// Runs in the page: opens a WebSocket, closes it with `code`, and tells how it ended.
function closeInPage({ url, code, reason }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.close(code, reason);
    socket.onclose = (event) => resolve({ code: event.code, wasClean: event.wasClean });
  });
}

for (const [code, reason] of [[1000, ""], [3000, "für heute"], [4999, "x".repeat(123)]]) {
  test(`Chromium: closing with ${code} is clean and answered with ${code} (RFC 6455 §7.1.4)`, async (t) => {
    const server = await startEcho(t);
    const page = await openPage(t, browser, `http://${server.host}/`);
    const ending = await page.evaluate(closeInPage, { url: server.url, code, reason });
    assert.deepEqual(ending, { code, wasClean: true });
  });
}

// Runs in the page: whether a WebSocket opens.
function opensInPage(url) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
}

test("Chromium: a page of another origin is refused, and let in by --origin any (RFC 6455 §10.2)", async (t) => {
  const strict = await startEcho(t);
  const open = await startEcho(t, "--origin", "any");
  const elsewhere = createServer((request, response) => response.end("<!doctype html>"));
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => elsewhere.close());
  const page = await openPage(t, browser, `http://127.0.0.1:${elsewhere.address().port}/`);
  assert.equal(await page.evaluate(opensInPage, strict.url), false);
  assert.equal(await page.evaluate(opensInPage, open.url), true);
});
