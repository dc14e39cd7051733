// The limits and timers that the command line sets.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { bytesOf } from "./support/messages.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { BINARY, PING, PONG, frame, openRaw } from "./support/raw_client.mjs";
import { eventually, sleep, startEcho, within } from "./support/sockeye.mjs";

test("limits: --max-message lets through that many bytes, and answers more with 1009 (RFC 6455 §7.4.1)", async (t) => {
  const server = await startEcho(t, "--max-message", "1000");
  const client = await NodeClient.open(t, server.url);
  assert.equal((await client.echo(bytesOf(1000))).data.length, 1000);
  client.socket.send(bytesOf(1001));
  const { code, reason } = await client.close();
  assert.equal(code, 1009);
  assert.notEqual(reason, "");
});

test("limits: --max-message counts all fragments of a message", async (t) => {
  const server = await startEcho(t, "--max-message", "1000");
  const client = await NodeClient.open(t, server.url);
  client.socket.send(bytesOf(600), { fin: false });
  client.socket.send(bytesOf(401), { fin: true });
  assert.equal((await client.close()).code, 1009);
});

test("limits: a length that is only declared is refused at once (RFC 6455 §10.4)", async (t) => {
  const server = await startEcho(t);
  const client = await openRaw(t, server);
  client.write(Buffer.from([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0]));
  assert.equal((await client.closeFrame()).code, 1009);
});

test("limits: the default takes 16 MiB and not a byte more", async (t) => {
  const server = await startEcho(t);
  const client = await openRaw(t, server);
  client.write(frame(BINARY, bytesOf(16 * 1024 * 1024 + 1)).subarray(0, 1000));
  assert.equal((await client.closeFrame()).code, 1009);
});

test("limits: --max-connections answers one too many with 503, and takes the next when one has gone", async (t) => {
  const server = await startEcho(t, "--max-connections", "2");
  const first = await NodeClient.open(t, server.url);
  await NodeClient.open(t, server.url);
  await assert.rejects(NodeClient.open(t, server.url), { statusCode: 503 });
  first.socket.close(1000);
  await first.close();
  const third = await eventually(() => NodeClient.open(t, server.url).catch(() => null), "a place for the next");
  assert.equal(String((await third.echo("in"))?.data), "in");
});

test("timers: --ping-interval sends a ping after each such silence, however long the idle timeout", async (t) => {
  const server = await startEcho(t, "--ping-interval", "1");
  const client = await NodeClient.open(t, server.url);
  for (let i = 0; i < 3; i += 1) await within(once(client.socket, "ping"), "a ping", 5_000);
});

test("timers: a peer that answers pings is never idle", async (t) => {
  const server = await startEcho(t, "--ping-interval", "1", "--idle-timeout", "2");
  const client = await NodeClient.open(t, server.url);
  await sleep(6_000);
  assert.equal(String((await client.echo("still here")).data), "still here");
});

test("timers: --idle-timeout closes on a peer that answers nothing", async (t) => {
  const server = await startEcho(t, "--ping-interval", "1", "--idle-timeout", "2");
  const client = await openRaw(t, server);
  const { opcode } = await client.frame();
  assert.equal(opcode, PING);
  const { reason } = await client.closeFrame();
  assert.notEqual(reason, "");
  await client.end();
});

test("timers: a pong that nobody asked for is no reason to close (RFC 6455 §5.5.3)", async (t) => {
  const server = await startEcho(t);
  const client = await openRaw(t, server);
  client.write(frame(PONG, "by the way"));
  client.write(frame(BINARY, "go on"));
  assert.equal(String((await client.frame()).payload), "go on");
});
