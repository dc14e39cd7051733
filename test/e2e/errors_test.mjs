// Peers that break the rules are told which, and peers that break off harm nobody.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import test from "node:test";
import { bytesOf } from "./support/messages.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { BINARY, CLOSE, PING, RawClient, TEXT, frame, openRaw } from "./support/raw_client.mjs";
import { startEcho } from "./support/sockeye.mjs";

// What a peer sends, the rule, the code of the Close frame that answers it.
const violations = [
  ["a frame without a mask (§5.1)", frame(TEXT, "Hello", { masked: false }), 1002],
  ["a reserved bit (§5.2)", Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
  ["a reserved opcode (§5.2)", frame(3), 1002],
  ["a ping of 126 bytes (§5.5)", frame(PING, "x".repeat(126)), 1002],
  ["a ping in fragments (§5.5)", frame(PING, "", { fin: false }), 1002],
  ["a continuation of nothing (§5.4)", frame(0, "more"), 1002],
  ["a message within a message (§5.4)", Buffer.concat([frame(TEXT, "a", { fin: false }), frame(TEXT, "b")]), 1002],
  ["text that is not UTF-8 (§8.1)", frame(TEXT, Buffer.from([0xff])), 1007],
  ["a close payload of one byte (§5.5.1)", frame(CLOSE, "x"), 1002],
  ["close code 1005 on the wire (§7.4.1)", frame(CLOSE, Buffer.from([3, 0xed])), 1002],
  ["a close reason that is not UTF-8 (§5.5.1)", frame(CLOSE, Buffer.from([3, 0xe8, 0xff])), 1007],
];
for (const [what, bytes, expected] of violations) {
  test(`errors: ${what} is answered with ${expected}, a reason, and the connection's end`, async (t) => {
    const server = await startEcho(t);
    const client = await openRaw(t, server);
    client.write(bytes);
    const { code, reason } = await client.closeFrame();
    assert.equal(code, expected);
    assert.notEqual(reason, "");
    client.write(frame(CLOSE, Buffer.from([3, 0xea])));
    await client.end();
  });
}

async function stillServes(t, server) {
  const client = await NodeClient.open(t, server.url);
  assert.equal(String((await client.echo("still there?")).data), "still there?");
}

test("peers: one that ends its own side still gets its echo", async (t) => {
  const server = await startEcho(t);
  const client = await openRaw(t, server);
  client.socket.end(frame(TEXT, "last words"));
  assert.equal(String((await client.frame()).payload), "last words");
  await client.end();
  await stillServes(t, server);
});

test("peers: a connection that is reset in mid-message harms nobody", async (t) => {
  const server = await startEcho(t);
  for (let i = 0; i < 20; i += 1) {
    const client = await openRaw(t, server);
    client.write(frame(BINARY, bytesOf(1_000_000)).subarray(0, 1 + i * 40_000));
    client.socket.resetAndDestroy();
  }
  await stillServes(t, server);
});

test("peers: one that closes early, with echoes on their way to it, does not kill the server", async (t) => {
  const server = await startEcho(t);
  for (let i = 0; i < 50; i += 1) {
    const client = await openRaw(t, server);
    for (let k = 0; k < 4; k += 1) client.write(frame(BINARY, bytesOf(20_000)));
    if (i % 2) client.socket.destroy();
    else client.socket.resetAndDestroy();
  }
  await stillServes(t, server);
  assert.equal(server.running, true);
});

test("peers: one that vanishes in the opening handshake harms nobody", async (t) => {
  const server = await startEcho(t);
  for (const request of ["", "GET", "GET / HTTP/1.1\r\nHost:"]) {
    const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
    client.write(request);
    client.socket.resetAndDestroy();
  }
  await stillServes(t, server);
});
