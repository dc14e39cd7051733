// Node's ws against sockeye echo.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { SIZES, bytesOf, textOf } from "./support/messages.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { startEcho, within } from "./support/sockeye.mjs";

test("Node: text and binary of every size come back as they went (RFC 6455 §5.2)", async (t) => {
  const server = await startEcho(t);
  const client = await NodeClient.open(t, server.url);
  for (const size of SIZES) {
    await t.test(`Node: ${size} bytes of text`, async () => {
      const { data, isBinary } = await client.echo(textOf(size));
      assert.equal(isBinary, false);
      assert.ok(data.equals(Buffer.from(textOf(size))));
    });
    await t.test(`Node: ${size} bytes of binary`, async () => {
      const { data, isBinary } = await client.echo(bytesOf(size));
      assert.equal(isBinary, true);
      assert.ok(data.equals(bytesOf(size)));
    });
  }
});

test("Node: a fragmented message comes back whole (RFC 6455 §5.4)", async (t) => {
  const server = await startEcho(t);
  const client = await NodeClient.open(t, server.url);
  const bytes = bytesOf(300_000);
  const cuts = [0, 0, 1, 126, 126, 70_000, 300_000];
  cuts.forEach((from, i) => {
    const fin = i === cuts.length - 1;
    client.socket.send(bytes.subarray(from, cuts[i + 1]), { binary: true, fin });
  });
  const { data, isBinary } = await client.message();
  assert.equal(isBinary, true);
  assert.ok(data.equals(bytes));
});

test("Node: a character cut between two fragments is still one character (RFC 6455 §5.6)", async (t) => {
  const server = await startEcho(t);
  const client = await NodeClient.open(t, server.url);
  const fish = Buffer.from("🐟");
  client.socket.send(fish.subarray(0, 3), { binary: false, fin: false });
  client.socket.send(fish.subarray(3), { fin: true });
  assert.equal(String((await client.message()).data), "🐟");
});

test("Node: many messages sent at once come back in order", async (t) => {
  const server = await startEcho(t);
  const client = await NodeClient.open(t, server.url);
  const count = 5_000;
  for (let i = 0; i < count; i += 1) client.socket.send(`message ${i}`);
  for (let i = 0; i < count; i += 1) assert.equal(String((await client.message()).data), `message ${i}`);
});

test("Node: a ping is answered with its own payload, between fragments too (RFC 6455 §5.5.3)", async (t) => {
  const server = await startEcho(t);
  const client = await NodeClient.open(t, server.url);
  for (const payload of ["", "are you there?", "x".repeat(125)]) {
    const pong = once(client.socket, "pong");
    client.socket.ping(payload);
    assert.equal(String((await within(pong, "a pong"))[0]), payload);
  }
  const pong = once(client.socket, "pong");
  client.socket.send("first ", { fin: false });
  client.socket.ping("in between");
  client.socket.send("second", { fin: true });
  assert.equal(String((await within(pong, "a pong"))[0]), "in between");
  assert.equal(String((await client.message()).data), "first second");
});

for (const [code, reason] of [[1000, ""], [1000, "that is all"], [3000, "für heute"], [4999, "x".repeat(123)]]) {
  test(`Node: a close with ${code} and ${reason.length} characters is answered (RFC 6455 §5.5.1)`, async (t) => {
    const server = await startEcho(t);
    const client = await NodeClient.open(t, server.url);
    client.socket.close(code, reason);
    assert.equal((await client.close()).code, code);
  });
}

test("Node: closing without a code is answered, without a code (RFC 6455 §7.1.5)", async (t) => {
  const server = await startEcho(t);
  const client = await NodeClient.open(t, server.url);
  client.socket.close();
  assert.equal((await client.close()).code, 1005);
});

test("Node: a client that offers compression is served without it (RFC 6455 §9.1)", async (t) => {
  const server = await startEcho(t);
  const client = await NodeClient.open(t, server.url, [], { perMessageDeflate: true });
  assert.equal(client.socket.extensions, "");
  assert.equal(String((await client.echo("plain")).data), "plain");
});
