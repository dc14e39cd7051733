// Plain HTTP beside WebSocket: the page, and a refusal for everything else.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { gunzipSync } from "node:zlib";
import { RawClient, TEXT, frame, upgradeRequest } from "./support/raw_client.mjs";
import { repository, startEcho } from "./support/sockeye.mjs";

async function connect(t, server) {
  return RawClient.connect(t, { host: server.hostname, port: server.port });
}

const get = (server, target, method = "GET", more = "") =>
  `${method} ${target} HTTP/1.1\r\nHost: ${server.host}\r\n${more}\r\n`;

async function respond(t, server, request, options) {
  const client = await connect(t, server);
  client.write(request);
  return { client, ...(await client.response(options)) };
}

for (const [target, file, type] of [
  ["/", "index.html", /^text\/html; *charset=utf-8$/i],
  ["/page.css", "page.css", /^text\/css\b/],
  ["/page.js", "page.js", /^text\/javascript\b/],
  ["/wire.js", "wire.js", /^text\/javascript\b/],
  ["/handshake.js", "handshake.js", /^text\/javascript\b/],
  ["/frame.js", "frame.js", /^text\/javascript\b/],
  ["/parts.js", "parts.js", /^text\/javascript\b/],
]) {
  test(`HTTP: GET ${target} gives ${file} as it is in the sources`, async (t) => {
    const server = await startEcho(t);
    const { status, fields, body } = await respond(t, server, get(server, target));
    assert.equal(status, 200);
    assert.match(fields["content-type"], type);
    assert.match(fields["content-security-policy"], /^default-src 'self'/);
    assert.equal(fields["content-encoding"], "gzip");
    assert.ok(gunzipSync(body).equals(readFileSync(path.join(repository, "app/page", file))));
  });
}

test("HTTP: HEAD gives GET's head and no body, and the connection goes on (RFC 9110 §9.3.2)", async (t) => {
  const server = await startEcho(t);
  const { client, status, fields } = await respond(t, server, get(server, "/", "HEAD"), { hasBody: false });
  assert.equal(status, 200);
  client.write(get(server, "/"));
  const whole = await client.response();
  assert.equal(whole.status, 200);
  assert.equal(fields["content-length"], String(whole.body.length));
  assert.equal(fields["content-type"], whole.fields["content-type"]);
});

test("HTTP: what is not there is 404, with a short text", async (t) => {
  const server = await startEcho(t);
  const { status, fields, body } = await respond(t, server, get(server, "/nothing/here"));
  assert.equal(status, 404);
  assert.match(fields["content-type"], /^text\/plain\b/);
  assert.ok(body.length > 0 && body.length < 200);
});

test("HTTP: another method is 405, and names those that are allowed (RFC 9110 §15.5.6)", async (t) => {
  const server = await startEcho(t);
  for (const method of ["DELETE", "PUT", "POST"]) {
    const { status, fields } = await respond(t, server, get(server, "/", method, "Content-Length: 0\r\n"));
    assert.equal(status, 405, method);
    assert.match(fields.allow, /\bGET\b/);
  }
});

test("HTTP: requests one after another use one connection (RFC 9112 §9.3)", async (t) => {
  const server = await startEcho(t);
  const client = await connect(t, server);
  for (const target of ["/", "/page.css", "/page.js", "/"]) {
    client.write(get(server, target));
    assert.equal((await client.response()).status, 200, target);
  }
  client.write(get(server, "/", "GET", "Connection: close\r\n"));
  assert.equal((await client.response()).status, 200);
  await client.end();
});

test("HTTP: pipelined requests are answered in order (RFC 9112 §9.3.2)", async (t) => {
  const server = await startEcho(t);
  const client = await connect(t, server);
  const plain = [get(server, "/page.css"), get(server, "/", "HEAD"), get(server, "/page.js")];
  client.write(plain.join("") + upgradeRequest(server.host));
  assert.match((await client.response()).fields["content-type"], /css/);
  assert.match((await client.response({ hasBody: false })).fields["content-type"], /html/);
  assert.match((await client.response()).fields["content-type"], /javascript/);
  assert.equal((await client.response()).status, 101);
  client.write(frame(TEXT, "after all that"));
  assert.equal(String((await client.frame()).payload), "after all that");
});

// Requests that are refused: what is wrong, the bytes, the status.
const refusals = [
  ["a version of the protocol that is not 13", (host) => upgradeRequest(host, { "Sec-WebSocket-Version": "8" }), 426],
  ["no key", (host) => upgradeRequest(host, { "Sec-WebSocket-Key": null }), 400],
  ["a key of 15 bytes", (host) => upgradeRequest(host, { "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA" }), 400],
  ["no Host", (host) => upgradeRequest(host, { Host: null }), 400],
  ["two Hosts", (host) => upgradeRequest(host, { host }), 400],
  ["garbage", () => "GARBAGE\r\n\r\n", 400],
  ["a TLS client hello", () => Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...Array(600).fill(0)]), 400],
  ["a bare line feed", (host) => `GET / HTTP/1.1\nHost: ${host}\n\n`, 400],
  ["space before the colon", (host) => `GET / HTTP/1.1\r\nHost : ${host}\r\n\r\n`, 400],
  ["Content-Length beside Transfer-Encoding",
    (host) => `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ["HTTP/2.0", (host) => `GET / HTTP/2.0\r\nHost: ${host}\r\n\r\n`, 505],
  ["a request line of 9 KiB", (host) => `GET /${"x".repeat(9 * 1024)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 414],
  ["a field of 17 KiB", (host) => `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${"x".repeat(17 * 1024)}\r\n\r\n`, 431],
  ["101 fields", (host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n${"X: x\r\n".repeat(100)}\r\n`, 431],
];
for (const [what, request, expected] of refusals) {
  test(`HTTP: ${what} is refused with ${expected}, a text that says why, and the connection's end`, async (t) => {
    const server = await startEcho(t);
    const { client, status, fields, body } = await respond(t, server, request(server.host));
    assert.equal(status, expected);
    assert.match(fields["content-type"], /^text\/plain\b/);
    assert.ok(body.length > 0 && body.length < 200);
    if (expected === 426) assert.equal(fields["sec-websocket-version"], "13");  // RFC 6455 §4.4
    await client.end();
  });
}

test("HTTP: what follows a refusal is not read as frames", async (t) => {
  const server = await startEcho(t);
  const request = upgradeRequest(server.host, { Origin: "http://example.com" });
  const { client, status } = await respond(t, server, Buffer.concat([Buffer.from(request), frame(TEXT, "smuggled")]));
  assert.equal(status, 403);
  await client.end();
  assert.equal(client.received.length, 0);
});
