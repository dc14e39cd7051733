// sockeye bench, the load generator: against servers that are right, and against such as aren't.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import test from "node:test";
import { WebSocketServer } from "ws";
import { atEnd, binary, eventually, run, scratchFolder, sockeye, start, startEcho } from "./support/sockeye.mjs";

const SHORT = ["-d", "0.5", "--warm-up", "0.1"];

// Runs `sockeye bench --json`, and gives its report together with its exit status.
async function bench(t, url, ...args) {
  const { status, stdout, stderr } = await run(t, ["bench", "--json", ...SHORT, ...args, url]);
  assert.equal(stderr, "");
  assert.match(stdout, /^\{.*\}\n$/);
  return { status, ...JSON.parse(stdout) };
}

// The same, where all must have gone well.
async function benchWell(t, url, ...args) {
  const report = await bench(t, url, ...args);
  assert.deepEqual(report.errors, { total: 0 });
  assert.equal(report.status, 0);
  assert.ok(report.messages > 0);
  return report;
}

// A ws server for one test; `serve` is called with each connection and its request.
async function nodeServer(t, serve, options = {}) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 64 * 1024 * 1024, ...options });
  await once(server, "listening");
  server.on("connection", (socket, request) => {
    socket.on("error", () => {});
    serve(socket, request, server);
  });
  atEnd(t, () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${server.address().port}/`;
}

// Answers each message with what `answer` makes of it, and of how many came before it.
function answering(answer) {
  let count = 0;
  return (socket) => socket.on("message", (data, isBinary) => answer(socket, data, isBinary, count++));
}
const echo = answering((socket, data, isBinary) => socket.send(data, { binary: isBinary }));
const broadcast = (socket, request, server) => socket.on("message", (data, isBinary) => {
  for (const client of server.clients) client.send(data, { binary: isBinary });
});

// A TCP server for one test.
async function tcpServer(t, serve) {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    atEnd(t, () => socket.destroy());
    serve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => server.close());
  return `ws://127.0.0.1:${server.address().port}/`;
}

// Answers the handshake, and sends everything back that comes after it.
function rawEcho(socket) {
  socket.once("data", (request) => {
    const key = /Sec-WebSocket-Key: (\S+)/.exec(request)[1];
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
                 `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
    socket.pipe(socket);
  });
}

const busyFor = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

// ── Loads ──────────────────────────────────────────────────────────────────────────────────────

test("bench: the closed loop, and what the JSON says of it", async (t) => {
  const { url } = await startEcho(t);
  const report = await benchWell(t, url, "-c", "10");
  assert.equal(report.mode, "closed");
  assert.equal(report.url, url);
  assert.equal(report.connections, 10);
  assert.equal(report.opened, 10);
  assert.equal(report.outstanding, 1);
  assert.equal(report.threads, 1);
  assert.deepEqual(report.payload, { kind: "binary", smallest: 20, largest: 20 });
  assert.ok(report.seconds >= 0.5);
  assert.ok(Math.abs(report.messages_per_second - report.messages / report.seconds) < 0.01 * report.messages_per_second);
  assert.equal(report.bytes_received, 20 * report.messages);
  const { min, mean, p50, p90, p99, "p99.9": p999, "p99.99": p9999, max } = report.latency_us;
  const ascending = [min, p50, p90, p99, p999, p9999, max];
  assert.deepEqual(ascending, [...ascending].sort((a, b) => a - b));
  assert.ok(min > 0 && mean > min && mean < max);
  assert.equal(typeof report.generator.cpu_share, "number");
  assert.equal(typeof report.generator.bottleneck, "boolean");
  assert.equal(report.server, undefined);
});

test("bench: the report for people names the same things", async (t) => {
  const { url, child } = await startEcho(t);
  const { status, stdout, stderr } =
    await run(t, ["bench", ...SHORT, "-c", "10", "--pid", String(child.pid), url]);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  for (const part of [/closed loop, 10 connections/, /messages +[\d,]+, [\d,]+ per second/, /p99\.99 +\d/,
    /errors +none/, /CPU for each message: .* in user space, .* in the kernel/, /for each connection: /, /generator +\d+ %/]) {
    assert.match(stdout, part);
  }
});

for (const kind of ["ascii", "mixed", "json", "binary"]) {
  test(`bench: ${kind} of many sizes comes back as it was sent`, async (t) => {
    const { url } = await startEcho(t);
    await benchWell(t, url, "--text", kind, "--check", "-s", "0-70000", "-c", "3", "-p", "8");
    const types = new Set();
    const node = await nodeServer(t, answering((socket, data, isBinary) => {
      types.add(isBinary);
      socket.send(data, { binary: isBinary });
    }));
    await benchWell(t, node, "--text", kind, "--check", "-s", "0-300", "-c", "3");
    assert.deepEqual([...types], [kind === "binary"]);
  });
}

test("bench: JSON of a fixed size is a document of that size", async (t) => {
  const texts = [];
  const url = await nodeServer(t, answering((socket, data, isBinary) => {
    texts.push(String(data));
    socket.send(data, { binary: isBinary });
  }));
  await benchWell(t, url, "--text", "json", "-s", "500", "-c", "1");
  assert.equal(Buffer.byteLength(texts[0]), 500);
  assert.ok(JSON.parse(texts[0]).length > 3);
});

test("bench: large messages, several outstanding, several threads", async (t) => {
  const { url } = await startEcho(t);
  await benchWell(t, url, "-s", "1048576", "-c", "4", "-p", "3", "-t", "2", "--check");
});

test("bench: what it counts is what the server saw", async (t) => {
  let count = 0;
  let bytes = 0;
  const url = await nodeServer(t, answering((socket, data, isBinary) => {
    count += 1;
    bytes += data.length;
    socket.send(data, { binary: isBinary });
  }));
  const report = await benchWell(t, url, "--warm-up", "0", "-c", "5", "-p", "4", "-s", "100");
  // Those of the end were sent within the time, and answered after it.
  assert.ok(count >= report.messages && count <= report.messages + 5 * 4, `${count} ${report.messages}`);
  assert.equal(bytes, 100 * count);
  assert.equal(report.bytes_sent, bytes);
});

test("bench: an open loop sends at its rate, spread over the connections", async (t) => {
  const perConnection = [];
  const url = await nodeServer(t, (socket) => {
    const index = perConnection.push(0) - 1;
    socket.on("message", (data, isBinary) => {
      perConnection[index] += 1;
      socket.send(data, { binary: isBinary });
    });
  });
  const report = await benchWell(t, url, "--rate", "500", "-c", "5", "-t", "2", "--warm-up", "0", "-d", "1");
  assert.equal(report.mode, "open");
  assert.equal(report.rate, 500);
  assert.deepEqual(perConnection, [100, 100, 100, 100, 100]);
});

// A server that stalls for a while, a second after its first message.
function stalling(ms = 600) {
  let began;
  let stalled = false;
  return answering((socket, data, isBinary) => {
    began ??= Date.now();
    if (!stalled && Date.now() - began >= 1000) {
      stalled = true;
      busyFor(ms);
    }
    socket.send(data, { binary: isBinary });
  });
}

test("bench: a stall shows in the open loop's percentiles, and in the closed loop's maximum alone", async (t) => {
  const time = ["-d", "2", "-c", "1"];
  const open = await benchWell(t, await nodeServer(t, stalling()), "--rate", "6000", ...time);
  const closed = await benchWell(t, await nodeServer(t, stalling()), ...time);
  // Of 12,000 messages some 3,600 were due while the server stalled, 1,200 of them more than 400 ms
  // before its end. That is more than the connection sent meanwhile, so some count from before they were sent.
  assert.ok(open.latency_us.p90 > 350_000, `p90 ${open.latency_us.p90}`);
  assert.ok(open.latency_us.p99 > 500_000, `p99 ${open.latency_us.p99}`);
  assert.ok(open.latency_us.max > 590_000, `max ${open.latency_us.max}`);
  assert.ok(closed.latency_us.max > 590_000, `max ${closed.latency_us.max}`);
  assert.ok(closed.latency_us.p99 < open.latency_us.p99 / 2, `p99 ${closed.latency_us.p99}`);
});

test("bench: a stall that outlasts the time is in the closed loop's maximum, too", async (t) => {
  const report = await benchWell(t, await nodeServer(t, stalling(2000)), "-c", "3", "-d", "2", "--warm-up", "0");
  assert.ok(report.latency_us.max > 1_900_000, `max ${report.latency_us.max}`);
});

test("bench: what is due on a connection that was lost is missing, with the time it waited", async (t) => {
  const url = await nodeServer(t, answering((socket, data, isBinary, count) =>
    count < 100 ? socket.send(data, { binary: isBinary }) : socket.terminate()));
  const report = await bench(t, url, "--rate", "1000", "-c", "2", "-d", "1", "--warm-up", "0");
  const lost = report.errors["due on a connection that was lost"];
  assert.ok(lost > 0, JSON.stringify(report.errors));
  assert.equal(report.missing, lost);
  assert.equal(report.errors["closed with code 1006"], 2);
  assert.equal(report.status, 1);
});

for (const rate of [[], ["--rate", "200"]]) {
  test(`bench: fan-out ${rate.join(" ")}: every subscriber gets every message`, async (t) => {
    let published = 0;
    const url = await nodeServer(t, (socket, request, server) => {
      broadcast(socket, request, server);
      socket.on("message", () => (published += 1));
    });
    const report = await benchWell(t, url, "--subscribers", "6", "-c", "3", "-t", "2", "--warm-up", "0",
                                   "--text", "mixed", "-s", "30-100", "--check", ...rate);
    assert.equal(report.mode, "fan-out");
    assert.equal(report.subscribers, 6);
    assert.equal(report.opened, 9);
    // On a busy machine one of the two threads may end late, and publish on when nobody counts.
    assert.ok(report.messages <= 6 * published && report.messages > 5 * published, `${report.messages} of ${published}`);
  });
}

test("bench: fan-out misses what a subscriber doesn't get", async (t) => {
  let count = 0;
  const url = await nodeServer(t, (socket, request, server) => socket.on("message", (data, isBinary) => {
    const subscribers = [...server.clients].filter((client) => client !== socket);
    count += 1;
    if (count === 5) subscribers.pop();
    if (count === 9) subscribers[0].send("nobody's message, and text at that");
    for (const client of subscribers) client.send(data, { binary: isBinary });
  }));
  const report = await bench(t, url, "--subscribers", "2", "--rate", "100", "--timeout", "0.2");
  assert.equal(report.status, 1);
  assert.deepEqual(report.errors, { total: 2, "message that nobody sent": 1, "no answer in time": 1 });
});

test("bench: --connect opens and closes, a few at a time", async (t) => {
  let count = 0;
  let open = 0;
  let most = 0;
  const codes = new Set();
  const url = await nodeServer(t, (socket) => {
    count += 1;
    most = Math.max(most, ++open);
    socket.on("close", (code) => {
      open -= 1;
      codes.add(code);
    });
  });
  const report = await benchWell(t, url, "--connect", "-c", "4", "--warm-up", "0");
  assert.equal(report.mode, "connect");
  // One more before the measurement, and up to four that were under way at its end.
  assert.ok(count > report.messages && count <= report.messages + 5, `${count} ${report.messages}`);
  assert.ok(most <= 4 + 4 + 1, `${most} at a time`);
  assert.deepEqual([...codes], [1000]);
  await benchWell(t, (await startEcho(t)).url, "--connect", "-c", "4", "-t", "2");
});

test("bench: --idle opens, holds, pings, and counts who answers", async (t) => {
  const server = await startEcho(t);
  const report = await benchWell(t, server.url, "--idle", "1500", "-t", "2", "--pid", String(server.child.pid));
  assert.equal(report.mode, "idle");
  assert.equal(report.messages, 1500);
  assert.equal(report.opened, 1500);
  assert.ok(report.server.bytes_per_connection > 50);

  let index = 0;
  const deaf = await nodeServer(t, (socket) => {
    if (index++ % 2 === 0) socket.pause();
  });
  const half = await bench(t, deaf, "--idle", "10", "--timeout", "0.3");
  assert.equal(half.messages, 5);
  assert.deepEqual(half.errors, { total: 5, "no answer in time": 5 });
  assert.equal(half.status, 1);
});

test("bench: --pid tells what the server has spent, and that a process isn't there", async (t) => {
  const server = await startEcho(t);
  const { server: cost, messages, seconds } = await benchWell(t, server.url, "-c", "50", "--pid", String(server.child.pid));
  assert.equal(cost.pid, server.child.pid);
  assert.ok(cost.cpu_share > 0 && cost.bytes_per_connection >= 0);
  const total = (cost.user_ns_per_message + cost.system_ns_per_message) * messages / 1e9;
  assert.ok(Math.abs(total - cost.cpu_share * seconds) < 0.01 * total);
  const { status, stderr } = await run(t, ["bench", "--pid", "4194305", server.url]);
  assert.equal(status, 1);
  assert.match(stderr, /4194305.*No such process/);
});

test("bench: --source says where connections come from", async (t) => {
  const seen = new Set();
  const url = await nodeServer(t, (socket, request) => {
    seen.add(request.socket.remoteAddress);
    echo(socket);
  });
  await benchWell(t, url, "-c", "6", "-t", "2", "--source", "127.0.0.2-127.0.0.4,127.0.0.9");
  assert.deepEqual([...seen].sort(), ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9"]);
});

test("bench: --raw-echo measures what sends bytes back, which isn't WebSocket", async (t) => {
  const url = await tcpServer(t, rawEcho);
  const report = await benchWell(t, url, "--raw-echo", "--check", "-c", "4", "-p", "3", "-s", "0-3000", "--text", "mixed");
  assert.equal(report.raw_echo, true);
  await benchWell(t, url, "--raw-echo", "--connect", "-c", "4");
  const plain = await bench(t, url, "-c", "2");
  assert.equal(plain.status, 1);
  assert.deepEqual(plain.errors, { total: 2, "closed with code 1002": 2 });
});

test("bench: a file for --svg that can't be written is told before anything is measured", async (t) => {
  const { status, stdout, stderr } =
    await run(t, ["bench", "-d", "1000", "--svg", "/nowhere/latency.svg", (await startEcho(t)).url]);
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /cannot write \/nowhere\/latency.svg: No such file or directory/);
});

test("bench: --svg draws the latencies", async (t) => {
  const file = path.join(scratchFolder(t), "latency.svg");
  await benchWell(t, (await startEcho(t)).url, "--svg", file);
  assert.match(readFileSync(file, "utf8"), /^<svg[^]*99\.9[^]*<\/svg>\s*$/);
});

// ── Servers that are wrong ─────────────────────────────────────────────────────────────────────

const atTen = (action) => answering((socket, data, isBinary, count) => {
  if (count === 10) return action(socket, data, isBinary);
  socket.send(data, { binary: isBinary });
});
const wrongs = [
  ["one byte too few", [], "wrong length", (socket, data) => socket.send(data.subarray(1))],
  ["text for binary", ["--text", "binary"], "wrong type", (socket, data) => socket.send("x".repeat(data.length))],
  ["binary for text", ["--text", "ascii"], "wrong type", (socket, data) => socket.send(data, { binary: true })],
  ["a byte changed, with --check", ["--check"], "wrong contents", (socket, data) => {
    data[7] ^= 1;
    socket.send(data);
  }],
  ["a message too many", [], "wrong length", (socket, data) => {
    socket.send("");
    socket.send(data);
  }],
];
for (const [what, args, kind, action] of wrongs) {
  test(`bench: a server that answers wrong is found out: ${what}`, async (t) => {
    const report = await bench(t, await nodeServer(t, atTen(action)), "-c", "1", ...args);
    assert.equal(report.status, 1);
    assert.ok(report.errors[kind] >= 1, JSON.stringify(report.errors));
    assert.ok(report.messages > 0);
  });
}

test("bench: without --check, contents aren't compared", async (t) => {
  await benchWell(t, await nodeServer(t, answering((socket, data) => {
    data[7] ^= 1;
    socket.send(data);
  })), "-c", "1");
});

test("bench: a connection that the server closes is an error, and the others go on", async (t) => {
  const url = await nodeServer(t, atTen((socket) => socket.close(4001, "enough")));
  const report = await bench(t, url, "-c", "5");
  assert.equal(report.status, 1);
  assert.deepEqual(report.errors, { total: 1, "closed with code 4001": 1 });
  assert.ok(report.messages > 5);
});

test("bench: when all connections are closed, it ends", async (t) => {
  const url = await nodeServer(t, (socket) => socket.on("message", () => socket.terminate()));
  for (const args of [["--warm-up", "0"], []]) {
    const report = await bench(t, url, "-c", "5", "-d", "600", ...args);
    assert.equal(report.status, 1);
    assert.equal(report.messages, 0);
    assert.deepEqual(report.errors, { total: 5, "closed with code 1006": 5 });
  }
});

for (const [mode, args, missing] of [["closed loop", ["-p", "3"], 6], ["open loop", ["--rate", "100"], 60]]) {
  test(`bench: a server that never answers: ${mode}`, async (t) => {
    const report = await bench(t, await nodeServer(t, () => {}), "-c", "2", "--timeout", "0.2", ...args);
    assert.equal(report.status, 1);
    assert.deepEqual(report.errors, { total: missing, "no answer in time": missing });
    assert.equal(report.messages, 0);
    // They count with the time that they have waited.
    assert.ok(report.missing > 0);
    assert.ok(report.latency_us.p50 >= 200_000, `p50 ${report.latency_us.p50}`);
  });
}

test("bench: connections that are refused are counted by status", async (t) => {
  let count = 0;
  const url = await nodeServer(t, echo, { verifyClient: (info, done) => done(++count % 2 === 1, 503) });
  const report = await bench(t, url, "-c", "10");
  assert.equal(report.status, 1);
  assert.equal(report.opened, 5);
  assert.deepEqual(report.errors, { total: 5, "refused with status 503": 5 });
});

test("bench: no server, one line and status 1", async (t) => {
  const silent = await tcpServer(t, () => {});
  const server = http.createServer((request, response) => response.end("Hello"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(t, () => server.close());
  server.on("upgrade", (request, socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
  const cases = [
    ["ws://127.0.0.1:1/", /Connection refused\n$/],
    ["ws://no-such-host.invalid/", /cannot resolve/],
    [silent, /took too long to answer/],
    [`ws://127.0.0.1:${server.address().port}/`, /did not switch protocols, status 404/],
  ];
  for (const [url, line] of cases) {
    const { status, stdout, stderr } = await run(t, ["bench", "--timeout", "0.3", url]);
    assert.equal(status, 1, url);
    assert.equal(stdout, "");
    assert.match(stderr, /^sockeye: [^\n]*\n$/);
    assert.match(stderr, line);
  }
});

test("bench: mistakes in the command line, one line and status 2", async (t) => {
  for (const args of [[], ["--rate", "5", "-p", "2", "ws://127.0.0.1:1/"], ["http://127.0.0.1:1/"], ["-s", "x", "ws://127.0.0.1:1/"]]) {
    const { status, stdout, stderr } = await run(t, ["bench", ...args]);
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^sockeye: [^\n]*\n$/);
  }
});

// ── While it runs ──────────────────────────────────────────────────────────────────────────────

test("bench: Ctrl-C ends it early, with the report so far", async (t) => {
  let count = 0;
  const url = await nodeServer(t, answering((socket, data, isBinary) => {
    count += 1;
    socket.send(data, { binary: isBinary });
  }));
  const program = sockeye(t, "bench", "--json", "-c", "2", "-d", "600", "--warm-up", "0", url);
  await eventually(() => count > 100, "load");
  program.signal("SIGINT");
  assert.equal(await program.status(), 0);
  const report = JSON.parse(program.stdout);
  assert.equal(report.interrupted, true);
  assert.ok(report.messages > 50 && report.seconds < 600);
  assert.deepEqual(report.errors, { total: 0 });
});

test("bench: Ctrl-C before anything was measured", async (t) => {
  let waiting = false;
  const program = sockeye(t, "bench", "--timeout", "600", await tcpServer(t, () => (waiting = true)));
  await eventually(() => waiting, "a connection");
  program.signal("SIGINT");
  assert.equal(await program.status(), 1);
  assert.equal(program.stderr, "sockeye: interrupted before anything was measured\n");
});

test("bench: on a terminal a line tells how it goes on", async (t) => {
  const { url } = await startEcho(t);
  const program = start(t, "script", ["--quiet", "--return", "--command", `${binary} bench -d 1 -c 2 ${url}`, "/dev/null"]);
  assert.equal(await program.status(), 0);
  assert.match(program.stdout, /\r\x1b\[K2 connections, \d+ of 1 s, [\d,]+ messages/);
  assert.match(program.stdout, /\r\x1b\[K\S+: closed loop/);  // the report stands in its place
});
