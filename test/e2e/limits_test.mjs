// The limits and timers that the command line sets.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { bytesOf } from "./support/messages.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { BINARY, PING, PONG, RawClient, frame, openRaw } from "./support/raw_client.mjs";
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

test("limits: --max-fragments lets through that many, and answers more with 1008", async (t) => {
  const server = await startEcho(t, "--max-fragments", "3");
  const client = await NodeClient.open(t, server.url);
  for (const fin of [false, false, true]) client.socket.send("x", { fin });
  assert.equal(String((await client.message()).data), "xxx");
  for (const fin of [false, false, false, true]) client.socket.send("x", { fin });
  assert.equal((await client.close()).code, 1008);
});

test("limits: --max-memory answers who needs more with 1011, and serves the others", async (t) => {
  const server = await startEcho(t, "--max-message", "500000", "--max-memory", "1048576");
  const bystander = await NodeClient.open(t, server.url);
  const holder = await openRaw(t, server);
  holder.write(frame(BINARY, bytesOf(400_000), { fin: false }));  // takes a block of 512 KiB
  await eventually(async () => {
    const client = await NodeClient.open(t, server.url);
    client.socket.send(bytesOf(400_000), { fin: false });
    client.socket.close(1000);
    return (await client.close()).code === 1011;
  }, "1011 for what exceeds the limit");
  assert.equal(String((await bystander.echo("unharmed")).data), "unharmed");
});

test("limits: the largest message comes through with the least --max-memory", async (t) => {
  const server = await startEcho(t, "--max-message", "1000000", "--max-memory", "2097152");
  const client = await openRaw(t, server);
  const whole = frame(BINARY, bytesOf(1_000_000));
  for (let i = 0; i < whole.length; i += 50_000) client.write(whole.subarray(i, i + 50_000));
  assert.equal((await client.frame()).payload.length, 1_000_000);
});

test("limits: --max-connections-per-address answers one too many with 429", async (t) => {
  const server = await startEcho(t, "--max-connections-per-address", "1", "--threads", "2");
  const first = await NodeClient.open(t, server.url);
  await assert.rejects(NodeClient.open(t, server.url), { statusCode: 429 });
  await NodeClient.open(t, server.url, [], { localAddress: "127.0.0.2" });
  first.socket.close(1000);
  await first.close();
  await eventually(() => NodeClient.open(t, server.url).catch(() => null), "a place for the next");
});

test("timers: --head-timeout answers an unfinished request with 408", async (t) => {
  const server = await startEcho(t, "--head-timeout", "1");
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write("GET / HTTP/1.1\r\n");
  assert.equal((await client.response()).status, 408);
  await client.end();
});

test("timers: --keep-alive-timeout ends a connection without a further request", async (t) => {
  const server = await startEcho(t, "--keep-alive-timeout", "1");
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write(`GET / HTTP/1.1\r\nHost: ${server.host}\r\n\r\n`);
  assert.equal((await client.response()).status, 200);
  await client.end();
});

test("timers: --message-timeout ends a message that takes longer with 1008", async (t) => {
  const server = await startEcho(t, "--message-timeout", "1");
  const client = await openRaw(t, server);
  client.write(frame(BINARY, bytesOf(1000)).subarray(0, 100));
  assert.equal((await client.closeFrame()).code, 1008);
});

test("timers: --max-lifetime ends every connection with 1001", async (t) => {
  const server = await startEcho(t, "--max-lifetime", "1");
  const client = await NodeClient.open(t, server.url);
  assert.equal((await client.close()).code, 1001);
});

test("timers: --close-timeout ends a connection whose peer doesn't answer the Close frame", async (t) => {
  const server = await startEcho(t, "--close-timeout", "1", "--max-lifetime", "1");
  const client = await openRaw(t, server);
  assert.equal((await client.closeFrame()).code, 1001);
  await client.end();
});

test("timers: --stop-timeout ends the server, whoever is left", async (t) => {
  const server = await startEcho(t, "--stop-timeout", "1", "--close-timeout", "100");
  const client = await openRaw(t, server);
  server.signal("SIGTERM");
  assert.equal((await client.closeFrame()).code, 1001);
  assert.equal(await server.status(), 0);
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
