// `--trace`: what it prints of real clients' traffic runs as a test of test/wire, and says what a
// reader of the RFC looks for.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import test from "node:test";
import WebSocket from "ws";
import { launch, openPage } from "./support/chromium.mjs";
import { CLOSE, frame, openRaw, PING, TEXT } from "./support/raw_client.mjs";
import { binary, eventually, repository, scratchFolder, start, startEcho } from "./support/sockeye.mjs";

// Plays the dumps of a folder: `make e2e` builds it beside the program.
const player = path.join(path.dirname(binary), "test/wire");
const skip = existsSync(player) ? false : "the player of wire dumps isn't built";

async function play(t, trace) {
  const folder = path.join(scratchFolder(t), "dumps");
  mkdirSync(folder);
  writeFileSync(path.join(folder, "trace.txt"), trace);
  const program = start(t, player, ["--test-case=*at every two-way split"], {
    env: { ...process.env, SOCKEYE_WIRE: folder },
  });
  return { status: await program.status(60_000), output: program.stdout };
}

// It runs as it is, and with a byte changed it doesn't.
async function runsAsTest(t, trace) {
  const { status, output } = await play(t, trace);
  assert.equal(status, 0, output + trace);
  const changed = trace.replace(/^(< 8[128]) ([0-9a-f]{2})/m, (_, start, byte) =>
    `${start} ${(parseInt(byte, 16) ^ 1).toString(16).padStart(2, "0")}`);
  assert.notEqual(changed, trace);
  assert.notEqual((await play(t, changed)).status, 0, "the player takes anything");
}

// An echo server that traces to a file, which is read when all its connections are closed.
async function tracing(t, ...options) {
  const file = path.join(scratchFolder(t), "trace.txt");
  const server = await startEcho(t, `--trace=${file}`, ...options);
  const closedOnes = () => readFileSync(file, "utf8").match(/^# the socket is closed$/gm)?.length ?? 0;
  return Object.assign(server, {
    async trace(connections) {
      await eventually(() => closedOnes() >= connections, `${connections} closed in the trace`);
      return readFileSync(file, "utf8");
    },
  });
}

// Sends each of `messages`, which come back, then closes.
async function converse(url, messages, options = {}) {
  const socket = new WebSocket(url, options);
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  for (const message of messages) {
    const back = new Promise((resolve) => socket.once("message", (data) => resolve(data)));
    socket.send(message);
    assert.deepEqual(Buffer.from(await back), Buffer.from(message));
  }
  socket.ping("are you there?");
  await new Promise((resolve) => socket.once("pong", resolve));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.close(3000, "für heute");
  await closed;
}

test("trace: Node's conversation runs as a wire dump", { skip }, async (t) => {
  const server = await tracing(t, "--trace-bytes", "200000");
  const messages = ["Hello", "", "Bäche 🐟\n\t\"\\\u0085", Buffer.from([0, 1, 2, 0xff, 0x22]), "x".repeat(300), Buffer.alloc(70_000, 7)];
  await converse(server.url, messages);
  await runsAsTest(t, await server.trace(1));
});

test("trace: connections at once are told apart, and run as dumps of their own", { skip }, async (t) => {
  const server = await tracing(t);
  await Promise.all(["one", "two", "three"].map((name) => converse(server.url, [name, `${name} again`])));
  const trace = await server.trace(3);
  assert.equal(trace.match(/^case /gm).length, 3);
  await runsAsTest(t, trace);
});

test("trace: Chromium's conversation runs as a wire dump", { skip }, async (t) => {
  const browser = await launch();
  t.after(() => browser.close());
  const elsewhere = createServer((_, response) => response.end()).listen(0, "127.0.0.1");
  t.after(() => elsewhere.close());
  await once(elsewhere, "listening");
  const page = await openPage(t, browser, `http://127.0.0.1:${elsewhere.address().port}/`);
  const server = await tracing(t, "--origin", "any");
  const echoes = await page.evaluate((url) => new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const received = [];
    socket.onopen = () => ["Hello", "Bäche 🐟", new Uint8Array([1, 2, 3])].forEach((one) => socket.send(one));
    socket.onerror = () => reject(new Error("error event"));
    socket.onmessage = ({ data }) => {
      if (received.push(data) === 3) socket.close(1000, "done");
    };
    socket.onclose = ({ code }) => resolve([...received.slice(0, 2), code]);
  }), server.url);
  assert.deepEqual(echoes, ["Hello", "Bäche 🐟", 1000]);
  const trace = await server.trace(1);
  assert.match(trace, /^= text "Bäche 🐟"$/m);
  await runsAsTest(t, trace.replace(/^begin handshake$/m, 'begin handshake\norigin "any"'));
});

test("trace: sockeye cat's conversation runs as a wire dump of a client", { skip }, async (t) => {
  const server = await startEcho(t);
  const file = path.join(scratchFolder(t), "trace.txt");
  const cat = start(t, binary, ["cat", `--trace=${file}`, "--subprotocol", "chat", server.url]);
  cat.child.stdin.end("Hello\nsecond\n");
  assert.equal(await cat.status(), 0, cat.stderr);
  await runsAsTest(t, readFileSync(file, "utf8"));
});

test("trace: how Sec-WebSocket-Accept comes about (RFC 6455 §4.2.2)", async (t) => {
  const server = await tracing(t);
  await converse(server.url, ["x"]);
  const trace = await server.trace(1);
  const key = trace.match(/"Sec-WebSocket-Key: (.*?)\\r\\n"/)[1];
  const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const digest = createHash("sha1").update(key + guid).digest();
  assert.ok(trace.includes(`key and GUID   ${key}${guid}\n`), trace);
  assert.ok(trace.includes(`SHA-1 of them  ${digest.toString("hex").replace(/..(?!$)/g, "$& ")}\n`), trace);
  assert.ok(trace.includes(`its Base64     ${digest.toString("base64")}\n`), trace);
  assert.ok(trace.includes(`"Sec-WebSocket-Accept: ${digest.toString("base64")}\\r\\n"\n`), trace);
});

test("trace: a broken rule is named, with its section and the answer", { skip }, async (t) => {
  const server = await tracing(t);
  const client = await openRaw(t, server);
  client.write(frame(TEXT, "Hello", { masked: false }));
  await client.end();
  const trace = await server.trace(1);
  assert.match(trace, /^> 81 05 +# FIN 1, RSV 000, opcode 1 text, MASK 0, length 5 /m);
  assert.match(trace, /^= fail frame_not_masked +# RFC 6455 §5\.1: /m);
  assert.match(trace, /^< 88 .*opcode 8 Close/m);
  await runsAsTest(t, trace);
});

test("trace: what came in one piece runs as a dump, too, in the order in which it was dealt with", { skip }, async (t) => {
  const server = await tracing(t);
  const pieces = [
    [frame(TEXT, "one"), frame(PING, "p"), frame(TEXT, "two"), frame(PING), frame(CLOSE, "\x03\xe8")],
    [frame(TEXT, "one"), frame(CLOSE, "\x03\xe8")],
    [frame(TEXT, "one"), frame(TEXT, "not masked", { masked: false })],
    [frame(TEXT, "in ", { fin: false }), frame(PING), frame(0, "two")],
  ];
  for (const frames of pieces) {
    const client = await openRaw(t, server);
    client.write(Buffer.concat(frames));
    if (frames.length !== 3) await client.end();
    else await eventually(() => client.received.includes("in two"), "the echo");
    client.socket.destroy();
  }
  await runsAsTest(t, await server.trace(pieces.length));
});

test("trace: the README's own conversation runs as a dump", { skip }, async (t) => {
  const server = await tracing(t);
  for (let i = 0; i < 5; ++i) {
    const cat = start(t, binary, ["cat", server.url]);
    cat.child.stdin.end("Hello\n");
    assert.equal(await cat.status(), 0, cat.stderr);
  }
  await runsAsTest(t, await server.trace(5));
});

test("trace: a file that may not grow ends the trace, not the server", async (t) => {
  const file = path.join(scratchFolder(t), "trace.txt");
  const server = start(t, "bash", ["-c", `ulimit -f 4; exec ${binary} echo --port 0 --trace=${file}`]);
  const url = await eventually(() => server.stdout.match(/ws:\S+/)?.[0], "the address");
  await converse(url, ["x".repeat(200)]);
  for (let i = 0; i < 10; ++i) await converse(url, ["x".repeat(200)]);
  assert.match(server.stderr, /the trace ends: cannot write to it: File too large/);
});

test("trace: of a long payload the first bytes are shown, and how many others there were", async (t) => {
  const server = await tracing(t, "--trace-bytes", "10");
  await converse(server.url, ["abcdefghijklmnop"]);
  const trace = await server.trace(1);
  assert.match(trace, /^= text "abcdefghij" \.\.\.$/m);
  assert.match(trace, /^# \.\.\. and 6 bytes more$/m);
  if (!skip) assert.match((await play(t, trace)).output, /neither a byte nor a text: \.\.\./);
});

test("trace: to standard error without a file, plain where that is no terminal", async (t) => {
  const server = await startEcho(t, "--trace");
  await converse(server.url, ["Hello"]);
  await eventually(() => server.stderr.includes("# the socket is closed"), "the trace's end");
  assert.match(server.stderr, /^= text "Hello"$/m);
  assert.doesNotMatch(server.stderr, /\x1b/);
});

test("trace: in colour on a terminal, unless NO_COLOR is set", async (t) => {
  for (const environment of ["", "NO_COLOR=1 "]) {
    const file = path.join(scratchFolder(t), "typescript");
    const server = start(t, "script", ["-qfec", `${environment}${binary} echo --port 0 --trace`, file]);
    const url = await eventually(() => server.stdout.match(/ws:\S+/)?.[0], "the address");
    await converse(url, ["Hello"]);
    await eventually(() => server.stdout.includes("# the socket is closed"), "the trace's end");
    assert.equal(server.stdout.includes("\x1b[1m= text"), environment === "");
    server.signal("SIGTERM");
  }
});

test("trace: a file that can't be written is an error, before anybody is served", async (t) => {
  const server = start(t, binary, ["echo", "--port", "0", "--trace=/no/such/folder/trace.txt"]);
  assert.equal(await server.status(), 1);
  assert.equal(server.stderr, "sockeye: cannot write to /no/such/folder/trace.txt: No such file or directory\n");
});

test("trace: a file that takes no more ends the trace, not the server", async (t) => {
  const server = await startEcho(t, "--trace=/dev/full");
  await converse(server.url, ["Hello"]);
  await converse(server.url, ["again"]);
  assert.match(server.stderr, /the trace ends: cannot write to it: No space left on device/);
});
