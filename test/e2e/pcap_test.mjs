// sockeye echo --pcap and sockeye cat --pcap: what tshark reads in the capture is what went by.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { WebSocketServer } from "ws";
import { bytesOf, textOf } from "./support/messages.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { BINARY, CLOSE, PING, PONG, RawClient, TEXT, frame, openRaw } from "./support/raw_client.mjs";
import { atEnd, binary, eventually, run, scratchFolder, serving, sockeye, start, startEcho, within } from "./support/sockeye.mjs";
import { FIN, RST, dissect } from "./support/tshark.mjs";

const CONTINUATION = 0;
const captureFile = (t) => path.join(scratchFolder(t), "capture.pcapng");
const closePayload = (code, reason = "") => Buffer.concat([Buffer.of(code >> 8, code & 255), Buffer.from(reason)]);

// A conversation of every kind of frame; gives those that the client sent, and those that it got, as
// [fin, opcode, payload].
async function converse(client) {
  const sent = [];
  const got = [];
  const send = (opcode, data, { fin = true, begins = true } = {}) => {
    sent.push([fin, begins ? opcode : CONTINUATION, Buffer.from(data)]);
    client.socket.send(data, { binary: opcode === BINARY, fin });
  };
  const answer = async () => {
    const { data, isBinary } = await client.message();
    got.push([true, isBinary ? BINARY : TEXT, data]);
  };
  for (const text of ["", "Hello", textOf(126)]) {
    send(TEXT, text);
    await answer();
  }
  for (const size of [3, 70_000, 200_000]) {
    send(BINARY, bytesOf(size));
    await answer();
  }
  send(TEXT, "in ", { fin: false });
  const pong = once(client.socket, "pong");
  client.socket.ping("are you there?");
  sent.push([true, PING, Buffer.from("are you there?")]);
  got.push([true, PONG, (await within(pong, "a pong"))[0]]);
  send(TEXT, "three ", { fin: false, begins: false });
  send(TEXT, "pieces", { begins: false });
  await answer();
  client.socket.close(3001, "that is all");
  sent.push([true, CLOSE, closePayload(3001, "that is all")]);
  const { code, reason } = await client.close();
  got.push([true, CLOSE, closePayload(code, reason)]);
  return { sent, got };
}

// Of the frames of a capture, those that one side of a connection sent.
const side = (frames, fromClient, stream = 0) => frames
  .filter((each) => each.stream === stream && each.fromClient === fromClient)
  .map(({ fin, opcode, payload }) => [fin, opcode, payload]);

const transports = [
  ["IPv4", () => "127.0.0.1:0"],
  ["IPv6", () => "[::1]:0"],
  ["a Unix socket", (t) => `unix:${path.join(scratchFolder(t), "socket")}`],
];
for (const [name, address] of transports) {
  test(`pcap: over ${name}, tshark finds the frames that Node's ws sent and got`, async (t) => {
    const file = captureFile(t);
    const server = await startEcho(t, "--listen", address(t), "--pcap", file);
    const url = server.url ?? `ws+${server.addresses[0]}:/`;
    const client = await NodeClient.open(t, url, [], { perMessageDeflate: false });
    const local = client.socket._socket;
    const ends = server.url ? [`${local.localAddress} ${local.localPort}`, `${server.hostname} ${server.port}`] : ["127.0.0.1 1024", "127.0.0.1 80"];
    const { sent, got } = await converse(client);
    await server.stop();

    const { packets, frames, complaints } = await dissect(file);
    assert.deepEqual(complaints, []);
    assert.deepEqual(side(frames, true), sent);
    assert.deepEqual(side(frames, false), got);
    for (const { fromClient, masked } of frames) assert.equal(masked, fromClient);  // RFC 6455 §5.1
    assert.deepEqual([packets[0].from, packets[0].to], ends);
    assert.deepEqual(packets.flatMap(({ http }) => http ?? []), ["GET / HTTP/1.1", "HTTP/1.1 101 Switching Protocols"]);
    assert.equal(packets[0].comment?.includes("made up") ?? false, !server.url);
  });
}

test("pcap: cat and the server capture the same frames", async (t) => {
  const [servers, clients] = [captureFile(t), captureFile(t)];
  const server = await startEcho(t, "--pcap", servers);
  const { status, stdout } = await run(t, ["cat", "--pcap", clients, server.url], `one\n${"x".repeat(100_000)}\n`);
  assert.equal(status, 0);
  assert.equal(stdout.length, 100_005);
  await server.stop();
  const [atServer, atClient] = [await dissect(servers), await dissect(clients)];
  assert.deepEqual([...atServer.complaints, ...atClient.complaints], []);
  assert.equal(side(atClient.frames, true).length, 3);
  for (const fromClient of [true, false]) {
    assert.deepEqual(side(atClient.frames, fromClient), side(atServer.frames, fromClient));
  }
  assert.deepEqual([atClient.packets[0].from, atClient.packets[0].to], [atServer.packets[0].from, atServer.packets[0].to]);
});

test("pcap: cat alone, against Node's ws, which says good-bye first", async (t) => {
  const file = captureFile(t);
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  atEnd(t, () => server.close());
  server.on("connection", (socket) => {
    socket.send("welcome");
    socket.close(1001, "enough");
  });
  const cat = sockeye(t, "cat", "--pcap", file, `ws://127.0.0.1:${server.address().port}/`);
  assert.equal(await cat.status(), 0);
  const { packets, frames, complaints } = await dissect(file);
  assert.deepEqual(complaints, []);
  assert.deepEqual(side(frames, false), [[true, TEXT, Buffer.from("welcome")], [true, CLOSE, closePayload(1001, "enough")]]);
  assert.deepEqual(side(frames, true), [[true, CLOSE, closePayload(1001)]]);
  assert.equal(packets[0].to, `127.0.0.1 ${server.address().port}`);
});

test("pcap: two threads write to one file, each packet whole and in the order of time", async (t) => {
  const file = captureFile(t);
  const server = await startEcho(t, "--threads", "2", "--pcap", file);
  const count = 20;
  const clients = await Promise.all(Array.from({ length: count }, () =>
    NodeClient.open(t, server.url, [], { perMessageDeflate: false })));
  const sent = new Map(await Promise.all(clients.map(async (client, i) => {
    const messages = Array.from({ length: 20 }, (_, k) => bytesOf(1 + i * 100 + k));
    const end = `127.0.0.1 ${client.socket._socket.localPort}`;
    for (const message of messages) await client.echo(message);
    client.socket.close(1000);
    await client.close();
    return [end, [...messages.map((message) => [true, BINARY, message]), [true, CLOSE, closePayload(1000)]]];
  })));
  await server.stop();

  const { packets, frames, complaints } = await dissect(file);
  assert.deepEqual(complaints, []);
  const opened = new Map();
  for (const { stream, from } of packets) if (!opened.has(stream)) opened.set(stream, from);
  assert.equal(opened.size, count);
  for (const [stream, end] of opened) {
    for (const fromClient of [true, false]) assert.deepEqual(side(frames, fromClient, stream), sent.get(end));
  }
  for (let i = 1; i < packets.length; i += 1) assert.ok(packets[i].time >= packets[i - 1].time);
});

test("pcap: beside --trace, both have everything", async (t) => {
  const [file, trace] = [captureFile(t), path.join(scratchFolder(t), "trace.txt")];
  const server = await startEcho(t, "--pcap", file, `--trace=${trace}`);
  const client = await NodeClient.open(t, server.url, [], { perMessageDeflate: false });
  await client.echo("shown twice");
  client.socket.close(1000);
  await client.close();
  await server.stop();
  const { frames, complaints } = await dissect(file);
  assert.deepEqual(complaints, []);
  assert.deepEqual(side(frames, false), [[true, TEXT, Buffer.from("shown twice")], [true, CLOSE, closePayload(1000)]]);
  assert.match(readFileSync(trace, "utf8"), /shown twice/);
});

test("pcap: a reset is one", async (t) => {
  const file = captureFile(t);
  const server = await startEcho(t, "--pcap", file);
  const raw = await openRaw(t, server);
  raw.write(frame(TEXT, "hello"));
  await raw.frame();
  raw.socket.resetAndDestroy();
  const isReset = async () => (await dissect(file)).packets.at(-1).flags & RST;
  await eventually(isReset, "a reset in the capture");
  await server.stop();
  const { packets, complaints } = await dissect(file);
  assert.deepEqual(complaints, [`${packets.length}: Connection reset (RST)`]);
  assert.ok(packets.at(-1).fromClient);
  assert.equal(packets.filter(({ flags }) => flags & FIN).length, 0);
});

test("pcap: a client that ends first, and plain HTTP", async (t) => {
  const file = captureFile(t);
  const server = await startEcho(t, "--pcap", file);
  const raw = await RawClient.connect(t, { host: server.hostname, port: server.port });
  raw.write(`GET /nothing HTTP/1.1\r\nHost: ${server.host}\r\n\r\n`);
  assert.equal((await raw.response()).status, 404);
  raw.socket.end();
  await raw.end();
  await server.stop();
  const { packets, complaints } = await dissect(file);
  assert.deepEqual(complaints, []);
  assert.deepEqual(packets.flatMap(({ http }) => http ?? []), ["GET /nothing HTTP/1.1", "HTTP/1.1 404 Not Found"]);
  assert.deepEqual(packets.filter(({ flags }) => flags & FIN).map(({ fromClient }) => fromClient), [true, false]);
});

// ── The file ───────────────────────────────────────────────────────────────────────────────────

test("pcap: the file is its owner's alone", async (t) => {
  const file = captureFile(t);
  await startEcho(t, "--pcap", file);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("pcap: a file that can't be written is one line on stderr, exit status 1, and nothing is served", async (t) => {
  const folder = scratchFolder(t);
  const socket = path.join(folder, "socket");
  for (const file of [folder, path.join(folder, "none", "capture.pcapng"), "/dev/full"]) {
    for (const command of [["echo", "--listen", `unix:${socket}`], ["cat", "ws://127.0.0.1:1/"]]) {
      const { status, stdout, stderr } = await run(t, [...command, "--pcap", file]);
      assert.match(stderr, /^sockeye: cannot capture to [^\n]+\n$/);
      assert.ok(stderr.includes(file));
      assert.equal(status, 1);
      assert.equal(stdout, "");
    }
  }
  assert.ok(!existsSync(socket));
});

test("pcap: --pcap without a name is one line on stderr, exit status 2", async (t) => {
  for (const command of [["echo", "--listen", "127.0.0.1:0"], ["cat", "ws://127.0.0.1:1/"]]) {
    const { status, stderr } = await run(t, [...command, "--pcap="]);
    assert.match(stderr, /^sockeye: [^\n]*--pcap[^\n]*\n$/);
    assert.equal(status, 2);
  }
});

test("pcap: without room for more, the log says so once, the server serves, and the file is good so far", async (t) => {
  const file = captureFile(t);
  const limited = ["-c", 'ulimit -f 64; exec "$@"', "bash", binary, "echo", "--listen", "127.0.0.1:0", "--quiet", "--pcap", file];
  const server = await serving(start(t, "/bin/bash", limited));
  const client = await NodeClient.open(t, server.url, [], { perMessageDeflate: false });
  for (let i = 0; i < 20; i += 1) assert.equal((await client.echo(bytesOf(5000))).data.length, 5000);
  assert.match(server.stderr, /^[^\n]* error the capture has ended [^\n]*reason="No space left on device"\n$/);
  assert.equal(statSync(file).size, 64 * 1024);
  const { frames, complaints } = await dissect(file);
  assert.deepEqual(complaints, ["cut short"]);
  assert.ok(frames.length >= 10);
});
