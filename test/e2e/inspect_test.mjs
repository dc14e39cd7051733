// What the page at "/" is told of connections: its own, those that break a rule for it, and with
// --inspect all.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import WebSocket from "ws";
import { peakBytes } from "./support/process.mjs";
import { openRaw, RawClient, upgradeRequest } from "./support/raw_client.mjs";
import { atEnd, eventually, startEcho } from "./support/sockeye.mjs";

// What the page's second WebSocket receives.
async function inspect(t, server) {
  const socket = new WebSocket(server.url, "sockeye-inspect");
  atEnd(t, () => socket.terminate());
  const records = [];
  socket.on("message", (data) => records.push(JSON.parse(data)));
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  const first = (wanted, what) =>
    eventually(() => records.find((one) => Object.entries(wanted).every(([key, value]) => one[key] === value)), what);
  const hello = await first({ type: "hello" }, "the greeting");
  return { socket, records, hello, first, url: `${server.url}?trace=${hello.token}` };
}

async function echo(url, text) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  const back = new Promise((resolve) => socket.once("message", resolve));
  socket.send(text);
  await back;
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.close(3001, "done");
  await closed;
}

test("inspector: a page sees the bytes of its own connection", async (t) => {
  const server = await startEcho(t);
  const page = await inspect(t, server);
  await echo(page.url, "Hello");
  await page.first({ type: "closed" }, "the connection's end");
  const types = page.records.slice(1).map(({ type, from, event }) => [type, from, event].filter(Boolean).join(" "));
  assert.deepEqual(types, [
    "opened", "request client", "response server", "upgrade",
    "frame client", "event client message", "frame server", "event server message",
    "frame client", "event client close", "frame server", "event server close", "closed",
  ]);
  assert.equal(new Set(page.records.slice(1).map(({ id }) => id)).size, 1);

  const upgrade = await page.first({ type: "upgrade" }, "the proof");
  const digest = createHash("sha1").update(upgrade.key + upgrade.guid).digest();
  assert.equal(upgrade.sha1, digest.toString("hex"));
  assert.equal(upgrade.accept, digest.toString("base64"));

  const frame = await page.first({ type: "frame", from: "client" }, "the frame");
  const key = Buffer.from(frame.head.slice(4), "hex");
  const unmasked = Buffer.from(frame.payload, "hex").map((byte, i) => byte ^ key[i % 4]);
  assert.equal(Buffer.from(unmasked).toString(), "Hello");
  assert.deepEqual([frame.fin, frame.rsv, frame.opcode, frame.masked, frame.length, frame.unmasked],
    [true, 0, 1, true, 5, Buffer.from("Hello").toString("hex")]);
  const close = await page.first({ event: "close", from: "client" }, "the Close frame");
  assert.deepEqual([close.code, close.reason], [3001, "done"]);
});

test("inspector: a page sees nothing of others' connections, nor with a wrong token", async (t) => {
  const server = await startEcho(t);
  const page = await inspect(t, server);
  const other = await inspect(t, server);
  page.socket.send("all on");
  await echo(server.url, "secret");
  await echo(`${server.url}?trace=${"0".repeat(32)}`, "secret");
  await echo(`${server.url}?trace=`, "secret");
  await echo(other.url, "secret");
  await echo(page.url, "mine");
  await page.first({ type: "closed" }, "the connection's end");
  assert.equal(new Set(page.records.slice(1).map(({ id }) => id)).size, 1);
  assert.ok(!JSON.stringify(page.records).includes(Buffer.from("secret").toString("hex")));
});

test("inspector: each rule that can be broken is, and the server says which", async (t) => {
  const server = await startEcho(t);
  const page = await inspect(t, server);
  const names = Object.keys(page.hello.violations);
  assert.ok(names.length >= 14);
  for (const name of names) {
    page.socket.send(`violate ${name}`);
    const failed = await page.first({ event: "failed", error: name }, name);
    assert.equal(failed.section, page.hello.violations[name].section);
    const answer = await page.first({ id: failed.id, event: "close", from: "server" }, "the answer");
    assert.deepEqual([answer.code, answer.reason], [failed.code, failed.text]);
    await page.first({ id: failed.id, type: "closed" }, "its end");
  }
  page.socket.send("violate nothing");
  page.socket.send(Buffer.from([0, 1, 2]));
  await echo(page.url, "still there");
});

test("inspector: a message in fragments, and a Ping, which browsers don't send at will", async (t) => {
  const server = await startEcho(t);
  const page = await inspect(t, server);
  page.socket.send("fragment 2 Hello");
  const hello = Buffer.from("Hello").toString("hex");
  const message = await page.first({ event: "message", from: "client", payload: hello }, "the message");
  const frames = page.records.filter(({ type, from, id }) => type === "frame" && from === "client" && id === message.id);
  assert.deepEqual(frames.slice(0, 3).map(({ opcode, fin, length }) => [opcode, fin, length]),
    [[1, false, 2], [0, false, 2], [0, true, 1]]);
  page.socket.send("ping are you there?");
  const pong = await page.first({ event: "pong", from: "server" }, "the Pong");
  assert.equal(Buffer.from(pong.payload, "hex").toString(), "are you there?");
  assert.notEqual(pong.id, message.id);
  for (const nonsense of ["fragment", "fragment 0 x", "fragment 2", "ping", "", " ", "x".repeat(100_000)]) {
    page.socket.send(nonsense);
  }
  await eventually(() => page.records.filter(({ event }) => event === "close").length >= 8, "an end of each");
});

test("inspector: with --inspect a page sees all connections, also those that were there before", async (t) => {
  const server = await startEcho(t, "--inspect");
  const before = await openRaw(t, server);
  const page = await inspect(t, server);
  assert.equal(page.hello.inspect, true);
  page.socket.send("all on");
  await page.first({ type: "upgrade", key: "dGhlIHNhbXBsZSBub25jZQ==" }, "the earlier handshake");
  await echo(server.url, "anybody");
  await page.first({ event: "message", payload: Buffer.from("anybody").toString("hex") }, "another's message");
  before.write(Buffer.from("810548656c6c6f", "hex"));
  await page.first({ event: "failed", error: "frame_not_masked" }, "what the earlier one does");
  page.socket.send("all off");
  await echo(page.url, "own");
  await page.first({ event: "message", payload: Buffer.from("own").toString("hex") }, "its own");
  const known = page.records.length;
  await echo(server.url, "unseen");
  await echo(page.url, "own again");
  await page.first({ event: "message", payload: Buffer.from("own again").toString("hex") }, "its own");
  assert.ok(!JSON.stringify(page.records.slice(known)).includes(Buffer.from("unseen").toString("hex")));
});

test("inspector: with --inspect, hundreds of earlier connections are told at once", async (t) => {
  const server = await startEcho(t, "--inspect");
  const cookie = "x".repeat(8000);
  for (let i = 0; i < 60; ++i) await openRaw(t, server, { Cookie: cookie });
  const page = await inspect(t, server);
  page.socket.send("all on");
  await eventually(() => page.records.filter(({ type }) => type === "upgrade").length === 60, "60 handshakes");
  await echo(server.url, "served as ever");
});

test("inspector: a page finds its connections on whatever thread they are", async (t) => {
  const server = await startEcho(t, "--threads", "3");
  const page = await inspect(t, server);
  for (let i = 0; i < 20; ++i) await echo(page.url, `number ${i}`);
  await eventually(() => page.records.filter(({ type }) => type === "closed").length === 20, "20 connections");
  for (let i = 0; i < 20; ++i) {
    await page.first({ event: "message", from: "client", payload: Buffer.from(`number ${i}`).toString("hex") }, `number ${i}`);
  }
});

test("inspector: a head that isn't UTF-8 is still JSON in a text message", async (t) => {
  const server = await startEcho(t, "--inspect");
  const page = await inspect(t, server);
  page.socket.send("all on");
  await openRaw(t, server, { "X-Latin": "caf\xe9" });
  const request = await page.first({ type: "request" }, "the request");
  assert.match(request.head, /X-Latin: caf/);
});

test("inspector: a server that stops doesn't wait for those who break rules", async (t) => {
  const server = await startEcho(t);
  const page = await inspect(t, server);
  for (const name of Object.keys(page.hello.violations)) page.socket.send(`violate ${name}`);
  server.signal("SIGTERM");
  assert.equal(await server.status(), 0, server.stderr);
});

test("inspector: there are only so many pages that look on", async (t) => {
  const server = await startEcho(t);
  const pages = [];
  for (let i = 0; i < 16; ++i) pages.push(await inspect(t, server));
  const surplus = new WebSocket(server.url, "sockeye-inspect");
  const [code, reason] = await new Promise((resolve) => surplus.once("close", (...ending) => resolve(ending)));
  assert.deepEqual([code, reason.toString()], [1008, "enough pages look on"]);
  pages[0].socket.close();
  await eventually(async () => {
    const next = new WebSocket(server.url, "sockeye-inspect");
    atEnd(t, () => next.terminate());
    return new Promise((resolve) => next.once("message", () => resolve(true)).once("close", () => resolve(false)));
  }, "a place that has become free");
});

// The Close frame of a page too many is sent while the cork is nearly full: it must not wait for
// itself.
test("inspector: a page too many, with an output buffer that is nearly full", async (t) => {
  const server = await startEcho(t);
  for (let i = 0; i < 16; ++i) await inspect(t, server);
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  const plain = "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n";
  const probe = await RawClient.connect(t, { host: server.hostname, port: server.port });
  probe.write(plain);
  await eventually(() => probe.received.includes("\r\n\r\n"), "an answer");
  const count = Math.floor((262_144 - 180) / probe.received.length);
  client.write(plain.repeat(count) + upgradeRequest(server.host, { "Sec-WebSocket-Protocol": "sockeye-inspect" }));
  await eventually(() => client.received.includes("enough pages look on") || client.ended, "its end");
  await echo(server.url, "served as ever");
});

test("inspector: what a page is shown has bounds, whatever a peer sends", async (t) => {
  const server = await startEcho(t);
  const page = await inspect(t, server);
  const before = peakBytes(server.child.pid);
  const pongs = Buffer.alloc(6 * 60_000);
  for (let i = 0; i < pongs.length; i += 6) pongs.writeUInt16BE(0x8a80, i);
  const peers = [];
  for (let i = 0; i < 20; ++i) peers.push(await openRaw(t, server, {}, `/?trace=${page.hello.token}`));
  for (const peer of peers) peer.write(pongs);
  await page.first({ type: "lost" }, "that something is left out");
  await echo(server.url, "served as ever");
  assert.ok(peakBytes(server.child.pid) - before < 60_000_000, "memory");
});

test("inspector: after a refused handshake nothing is kept of what a peer sends", async (t) => {
  const server = await startEcho(t);
  const page = await inspect(t, server);
  const before = peakBytes(server.child.pid);
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write(upgradeRequest(server.host, { "Sec-WebSocket-Version": "12" }, `/?trace=${page.hello.token}`));
  const chunk = Buffer.alloc(1_000_000);
  for (let i = 0; i < 100 && !client.ended; ++i) await new Promise((resolve) => client.socket.write(chunk, resolve));
  await page.first({ type: "bytes" }, "what nobody reads");
  assert.ok(peakBytes(server.child.pid) - before < 40_000_000, "memory");
});

test("inspector: a page doesn't see a page, by whatever request came before", async (t) => {
  const server = await startEcho(t);
  const page = await inspect(t, server);
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write(`HEAD /?trace=${page.hello.token} HTTP/1.1\r\nHost: ${server.host}\r\n\r\n` +
    upgradeRequest(server.host, { "Sec-WebSocket-Protocol": "sockeye-inspect" }));
  await eventually(() => client.received.includes('"type":"hello"'), "its greeting");
  await echo(page.url, "own");
  await page.first({ event: "message", payload: Buffer.from("own").toString("hex") }, "its own");
  assert.ok(!JSON.stringify(page.records).includes(Buffer.from('"token"').toString("hex")));
});

test("inspector: a page is let in by an address or this machine's name, not by a stranger's", async (t) => {
  const opens = (server, host) => new Promise((resolve) => {
    const socket = new WebSocket(server.url, "sockeye-inspect", { headers: { Host: host } });
    socket.once("open", () => resolve(true)).once("error", () => resolve(false));
    atEnd(t, () => socket.terminate());
  });
  const server = await startEcho(t, "--inspect");
  for (const host of ["localhost", "LOCALHOST:1234", "127.0.0.1:1", "[::1]", "192.0.2.1"]) assert.ok(await opens(server, host), host);
  for (const host of ["evil.example", "127.0.0.1.evil.example"]) assert.ok(!await opens(server, host), host);
  const named = await startEcho(t, "--host", "wire.example");
  assert.ok(await opens(named, "wire.example"));
  assert.ok(!await opens(named, "evil.example"));
});
