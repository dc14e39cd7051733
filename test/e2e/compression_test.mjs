// permessage-deflate (RFC 7692; section numbers mean it): real clients and servers, zlib used in every
// way that it knows, peers that mean harm, and what each option does, seen from outside.
//
// Where messages or ways are drawn, they come from a seed, which stands in the tests' names;
// SOCKEYE_TEST_SEED=N repeats a run.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";
import { WebSocketServer } from "ws";
import { launch, openPage } from "./support/chromium.mjs";
import { furthestDistance } from "./support/deflate_blocks.mjs";
import {
  DeflatePeer, TAIL, Z_BLOCK, Z_FINISH, Z_FULL_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH, compress, parametersOf,
} from "./support/deflate_peer.mjs";
import { Dice } from "./support/frame_streams.mjs";
import { jsonOf, randomOf, textOf } from "./support/messages.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { isSanitized, peakBytes } from "./support/process.mjs";
import {
  BINARY, CLOSE, PING, PONG, RSV1, RSV2, RSV3, TEXT, frame, openRaw,
} from "./support/raw_client.mjs";
import { atEnd, eventually, run, start, startEcho } from "./support/sockeye.mjs";

const seed = Number(process.env.SOCKEYE_TEST_SEED ?? Date.now() % 1_000_000);
const MODES = ["shared", "dedicated"];
const BITS = [8, 9, 10, 11, 12, 13, 14, 15];
const MIB = 1024 * 1024;

// What a server in `mode` answers to a client that wants this, in the words of Node's ws, and can be
// told of a window's size.
function answerTo(mode, { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits }) {
  const answer = {};
  if (mode === "shared" || serverNoContextTakeover) answer.server_no_context_takeover = true;
  if (mode === "shared" || clientNoContextTakeover) answer.client_no_context_takeover = true;
  if (serverMaxWindowBits) answer.server_max_window_bits = serverMaxWindowBits;
  if (clientMaxWindowBits < 15) answer.client_max_window_bits = clientMaxWindowBits;
  return answer;
}

// ── Node's ws ──────────────────────────────────────────────────────────────────────────────────

const KINDS = [jsonOf, textOf, randomOf, (size) => Buffer.alloc(size, "x")];
const SMALL = [0, 1, 63, 64, 1000];
const LARGE = [65_535, 65_536, 1_000_000];

// Small messages of every kind, and large ones of kinds that `turn` chooses.
const messages = (turn) => [
  ...SMALL.flatMap((size) => KINDS.map((kind) => kind(size))),
  ...LARGE.map((size, i) => KINDS[(turn + i) % KINDS.length](size)),
];

const wanted = [
  {},
  { serverNoContextTakeover: true },
  { clientNoContextTakeover: true },
  { serverNoContextTakeover: true, clientNoContextTakeover: true },
  ...BITS.map((serverMaxWindowBits) => ({ serverMaxWindowBits })),
  ...BITS.map((clientMaxWindowBits) => ({ clientMaxWindowBits })),
  { serverMaxWindowBits: 8, clientMaxWindowBits: 8 },
  { serverMaxWindowBits: 9, clientMaxWindowBits: 14, serverNoContextTakeover: true },
  { serverMaxWindowBits: 12, clientMaxWindowBits: 10, clientNoContextTakeover: true },
  { serverMaxWindowBits: 15, clientMaxWindowBits: 15, serverNoContextTakeover: true, clientNoContextTakeover: true },
];
const described = (options) =>
  Object.entries(options).map(([name, value]) => (value === true ? name : `${name} ${value}`)).join(", ") || "by default";

for (const mode of MODES) {
  wanted.forEach((options, turn) => {
    test(`compression: Node's ws with a ${mode} server, ${described(options)}`, async (t) => {
      const server = await startEcho(t, "--compress", mode);
      const client = await NodeClient.open(t, server.url, [], { perMessageDeflate: { threshold: 0, ...options } });
      assert.deepEqual(parametersOf(client.extensions), answerTo(mode, options));
      for (const message of [...messages(turn), ...messages(turn)]) {
        const { data, isBinary } = await client.echo(message);
        assert.equal(isBinary, Buffer.isBuffer(message));
        assert.ok(data.equals(Buffer.from(message)), `a message of ${message.length} bytes comes back as it was`);
      }
      // It was compressed, both ways.
      const { bytesRead, bytesWritten } = client.socket._socket;
      await client.echo(jsonOf(50_000));
      assert.ok(client.socket._socket.bytesRead - bytesRead < 25_000);
      assert.ok(client.socket._socket.bytesWritten - bytesWritten < 25_000);
    });
  });
}

// ── Python's websockets ────────────────────────────────────────────────────────────────────────

const pythonClient = fileURLToPath(new URL("compression_client.py", import.meta.url));

for (const mode of MODES) {
  test(`compression: Python's websockets with a ${mode} server`, async (t) => {
    const server = await startEcho(t, "--compress", mode);
    const python = start(t, "/usr/bin/python3", ["-B", pythonClient, server.url, mode]);
    const status = await python.status(60_000);
    const results = [...python.stdout.matchAll(/^(ok|failed) ([^:\n]+)(?:: (.*))?$/gm)];
    for (const [, result, name, why] of results) {
      await t.test(`compression: Python, ${mode}: ${name}`, () => assert.equal(result, "ok", why));
    }
    assert.equal(status, 0, python.stderr);
    assert.ok(results.length >= 20, "compression_client.py ended early");
  });
}

// ── Chromium ───────────────────────────────────────────────────────────────────────────────────

// Runs in the page: opens a WebSocket, echoes each message twice, and says what was agreed on and
// whether all came back.
function echoInPage({ url, texts }) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    const expected = [...texts, ...texts];
    let same = true;
    socket.onclose = ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`));
    socket.onopen = () => expected.forEach((text) => socket.send(text));
    socket.onmessage = ({ data }) => {
      same &&= data === expected.shift();
      if (expected.length > 0) return;
      socket.onclose = () => resolve({ extensions: socket.extensions, same });
      socket.close(1000);
    };
  });
}

test("compression: Chromium, which offers it always", async (t) => {
  const browser = await launch();
  atEnd(t, () => browser.close());
  const texts = [...SMALL, ...LARGE].flatMap((size) => [jsonOf(size), textOf(size)]);
  for (const [mode, agreed] of [["off", {}], ["shared", answerTo("shared", {})], ["dedicated", {}]]) {
    for (const window of mode === "off" ? [15] : [15, 9]) {
      const options = window < 15 ? ["--compress-window", String(window)] : [];
      const server = await startEcho(t, "--compress", mode, ...options);
      const page = await openPage(t, browser, `http://${server.host}/`);
      const { extensions, same } = await page.evaluate(echoInPage, { url: server.url, texts });
      const told = window < 15 ? { server_max_window_bits: window } : {};
      const both = window < 15 && mode === "dedicated" ? { ...told, client_max_window_bits: window } : told;
      if (mode === "off") assert.equal(extensions, "");
      else assert.deepEqual(parametersOf(extensions), { ...agreed, ...both });
      assert.ok(same, `${mode}, ${window} bits`);
    }
  }
});

// ── sockeye cat ────────────────────────────────────────────────────────────────────────────────

// A ws server that echoes, and lists in `seen` for each connection what was agreed on, and when it is
// closed how much came.
async function nodeServer(t, perMessageDeflate) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate });
  await once(server, "listening");
  atEnd(t, () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const seen = [];
  server.on("headers", (headers) => {
    const field = headers.find((line) => line.startsWith("Sec-WebSocket-Extensions: "));
    seen.push({ agreed: parametersOf(field?.slice(field.indexOf(" ") + 1)) });
  });
  server.on("connection", (socket, request) => {
    const entry = seen.at(-1);
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("close", () => (entry.bytes = request.socket.bytesRead));
  });
  return { url: `ws://127.0.0.1:${server.address().port}/`, seen };
}

// Text of lines that a server echoes: some like those before them, some not.
const lines = [jsonOf(5000), "", "a", jsonOf(5000), randomOf(3000).toString("base64"), textOf(300_000), jsonOf(64)]
  .map((line) => `${line}\n`).join("");

async function catEchoes(t, url, ...options) {
  const { status, bytes, stderr } = await run(t, ["cat", ...options, url], lines);
  assert.equal(stderr, "");
  assert.ok(bytes.equals(Buffer.from(lines)), `${bytes.length} bytes came back, others than were sent`);
  assert.equal(status, 0);
}

for (const options of wanted) {
  test(`compression: sockeye cat --compress with a server over Node's ws, ${described(options)}`, async (t) => {
    const { url, seen } = await nodeServer(t, { threshold: 0, ...options });
    await catEchoes(t, url, "--compress");
    const agreed = answerTo("dedicated", options);
    if (options.clientMaxWindowBits === 15) agreed.client_max_window_bits = 15;  // ws says it all the same
    assert.deepEqual(seen[0].agreed, agreed);
    await eventually(() => seen[0].bytes !== undefined, "the connection's end");
    assert.ok(seen[0].bytes < Buffer.byteLength(lines) / 4, `${seen[0].bytes} bytes were sent`);
  });
}

test("compression: sockeye cat offers none without --compress, and does without it where it is declined", async (t) => {
  const taking = await nodeServer(t, true);
  await catEchoes(t, taking.url);
  assert.equal(taking.seen[0].agreed, undefined);
  const declining = await nodeServer(t, false);
  await catEchoes(t, declining.url, "--compress");
  assert.equal(declining.seen[0].agreed, undefined);
});

for (const mode of ["off", ...MODES]) {
  test(`compression: sockeye cat --compress with sockeye echo --compress ${mode}`, async (t) => {
    for (const bits of mode === "off" ? [] : BITS) {
      await catEchoes(t, (await startEcho(t, "--compress", mode, "--compress-window", String(bits))).url, "--compress");
    }
    await catEchoes(t, (await startEcho(t, "--compress", mode)).url, "--compress");
  });
}

// ── zlib in every way ──────────────────────────────────────────────────────────────────────────

const STRATEGIES = [zlib.constants.Z_DEFAULT_STRATEGY, zlib.constants.Z_FILTERED, zlib.constants.Z_HUFFMAN_ONLY,
                    zlib.constants.Z_RLE, zlib.constants.Z_FIXED];

function anyMessage(dice) {
  const size = dice.oneOf([0, 1, 5, 63, 64, 258, 300, 1000, 4000, 20_000, 70_000]);
  switch (dice.below(5)) {
    case 0: return Buffer.from(textOf(size));
    case 1: return randomOf(size, dice.below(1000));
    case 2: return Buffer.alloc(size, dice.below(256));
    case 3: return randomOf(size, dice.below(1000)).map((byte) => byte & 3);
    default: return Buffer.from(jsonOf(size));
  }
}

// How a message is compressed and cut: `index` goes through all levels with all strategies.
function anyWay(dice, index) {
  const finished = dice.below(4) === 0;
  return {
    level: index % 10,
    strategy: STRATEGIES[Math.floor(index / 10) % STRATEGIES.length],
    memLevel: 1 + index % 9,
    pieces: Array.from({ length: dice.oneOf([0, 0, 1, 3]) }, () => ({
      to: dice.below(20_000), flush: dice.oneOf([Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_PARTIAL_FLUSH, Z_BLOCK]),
    })).sort((a, b) => a.to - b.to),
    end: finished ? Z_FINISH : Z_SYNC_FLUSH,
    octet: finished && dice.below(2) === 0,  // §7.2.3.4; without it, zlib understands as well
    cuts: Array.from({ length: dice.oneOf([0, 0, 1, 4]) }, () => dice.below(100_000)),
  };
}

for (const mode of MODES) {
  for (const bits of [9, 10, 11, 12, 13, 14, 15]) {
    const offer = `client_max_window_bits=${bits}; server_max_window_bits=${bits - 1}`;
    test(`compression: zlib in every way, ${mode}, windows of ${bits} and ${bits - 1} bits (SOCKEYE_TEST_SEED=${seed})`, async (t) => {
      const dice = new Dice(seed + bits);
      const peer = await DeflatePeer.open(t, await startEcho(t, "--compress", mode), offer);
      assert.deepEqual(peer.agreed, answerTo(mode, { serverMaxWindowBits: bits - 1, clientMaxWindowBits: bits }));
      const sent = Array.from({ length: 50 }, () => anyMessage(dice));
      for (const [index, message] of sent.entries()) await peer.send(message, anyWay(dice, index));
      for (const [index, message] of sent.entries()) {
        const { message: received } = await peer.receive();
        assert.ok(received.equals(message), `message ${index}, of ${message.length} bytes, comes back as it was`);
      }
    });
  }
}

test("compression: control frames between a compressed message's fragments, and plain messages among compressed ones", async (t) => {
  const peer = await DeflatePeer.open(t, await startEcho(t, "--compress", "dedicated"));
  const message = Buffer.from(jsonOf(1000));
  const payload = await compress(message);
  peer.raw.write(frame(TEXT, payload.subarray(0, 10), { fin: false, rsv: RSV1 }));
  peer.raw.write(frame(PING, "between"));
  peer.raw.write(frame(0, payload.subarray(10)));
  const { opcode, payload: pong } = await peer.raw.frame();
  assert.deepEqual([opcode, String(pong)], [PONG, "between"]);
  assert.ok((await peer.receive()).message.equals(message));
  peer.sent.append(message);
  peer.raw.write(frame(TEXT, "plain"));  // §6.1: no part of the context
  assert.equal(String((await peer.receive()).message), "plain");
  assert.ok((await peer.echo(message)).message.equals(message));
});

// ── Peers that mean harm ───────────────────────────────────────────────────────────────────────

const compressed = await compress(Buffer.from(jsonOf(300)));
const dedicated = ["--compress", "dedicated"];

// Sends `frames` on a connection of its own, and gives the code of the Close frame that answers.
async function codeFor(t, server, frames, offer = "permessage-deflate") {
  const client = await openRaw(t, server, { "Sec-WebSocket-Extensions": offer });
  client.write(Buffer.concat(frames));
  const { code, reason } = await client.closeFrame();
  assert.notEqual(reason, "");
  await client.end();
  return code;
}

test("compression: RSV1 where nobody agreed on it is 1002 (RFC 6455 §5.2)", async (t) => {
  const off = await startEcho(t);
  const on = await startEcho(t, ...dedicated);
  const message = [frame(TEXT, compressed, { rsv: RSV1 })];
  assert.equal(await codeFor(t, off, message), 1002);
  assert.equal(await codeFor(t, on, message, null), 1002);
  assert.equal(await codeFor(t, on, message, "permessage-deflate; server_max_window_bits=7"), 1002);
});

test("compression: RSV1 on continuations and control frames, RSV2 and RSV3 are 1002 (RFC 7692 §6.1)", async (t) => {
  const server = await startEcho(t, ...dedicated);
  const begun = (rsv) => frame(BINARY, compressed.subarray(0, 10), { fin: false, rsv });
  for (const rsv of [0, RSV1]) {
    assert.equal(await codeFor(t, server, [begun(rsv), frame(0, compressed.subarray(10), { rsv: RSV1 })]), 1002);
  }
  for (const opcode of [PING, PONG, CLOSE]) {
    assert.equal(await codeFor(t, server, [frame(opcode, "", { rsv: RSV1 })]), 1002);
  }
  for (const rsv of [RSV2, RSV3, RSV1 | RSV2]) {
    assert.equal(await codeFor(t, server, [frame(TEXT, compressed, { rsv })]), 1002);
  }
});

// In one frame, and byte by byte.
async function refusedWith1007(t, server, opcode, payload, what) {
  const pieces = [...payload].map((byte, i) =>
    frame(i === 0 ? opcode : 0, Buffer.of(byte), { fin: i === payload.length - 1, rsv: i === 0 ? RSV1 : 0 }));
  for (const frames of [[frame(opcode, payload, { rsv: RSV1 })], pieces]) {
    if (frames.length > 0) assert.equal(await codeFor(t, server, frames), 1007, what);
  }
}

const invalid = [
  ["RFC 1951 §3.2.3: a block of the reserved type", "06"],
  ["RFC 1951 §3.2.4: a stored block whose length has no complement", "00050005004142434445"],
  ["RFC 1951 §3.2.5: a distance that stands for none", "4a043e00"],
  ["RFC 1951 §3.2.5: a length that stands for none", "4a1c0300"],
  ["RFC 1951 §3.2.5: a distance further back than the message's beginning", "4a042200"],
  ["RFC 1951 §3.2.7: more lengths than there are", "fcff"],
  ["RFC 1951 §3.2.7: a code with too many words", "04e09324499224499200"],
  ["RFC 1951 §3.2.7: a code with too few words", "04000e00"],
  ["nothing at all", ""],
];
test("compression: data that isn't DEFLATE's is 1007 (RFC 7692 §7.2.2, and RFC 1951)", async (t) => {
  const server = await startEcho(t, ...dedicated);
  const near = await openRaw(t, server, { "Sec-WebSocket-Extensions": "permessage-deflate" });
  near.write(frame(TEXT, Buffer.from("4a04020000", "hex"), { rsv: RSV1 }));
  assert.equal((await near.frame()).opcode, TEXT);  // what the distances below are made from is right
  for (const [what, hex] of invalid) await refusedWith1007(t, server, BINARY, Buffer.from(hex, "hex"), what);
});

test("compression: a message that is cut off anywhere is 1007 (RFC 7692 §7.2.2)", async (t) => {
  const server = await startEcho(t, "--compress", "shared");
  // "Brooks, rivers, rivers", not from zlib but written down: versions of it differ.
  const payload = Buffer.from("722acacfcf2ed65128ca2c4b2d82d30000", "hex");
  const peer = await DeflatePeer.open(t, server);
  peer.raw.write(frame(BINARY, payload, { rsv: RSV1 }));
  assert.equal(String((await peer.receive()).message), "Brooks, rivers, rivers");
  for (let end = 0; end < payload.length; end += 1) {
    const frames = [frame(BINARY, payload.subarray(0, end), { rsv: RSV1 })];
    assert.equal(await codeFor(t, server, frames), 1007, `${end} bytes of it`);
  }
});

test("compression: a text that isn't UTF-8 once it is inflated is 1007 (RFC 6455 §8.1)", async (t) => {
  const server = await startEcho(t, ...dedicated);
  for (const end of [[0xff], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80]]) {
    const text = Buffer.concat([Buffer.from(textOf(500)), Buffer.from(end)]);
    const payload = await compress(text);
    assert.equal(await codeFor(t, server, [frame(TEXT, payload, { rsv: RSV1 })]), 1007);
    const peer = await DeflatePeer.open(t, server);
    assert.ok((await peer.echo(text, { opcode: BINARY })).message.equals(text), "binary data is anything");
  }
});

test("compression: --max-message holds for what is inflated, to the byte (RFC 7692 §8)", async (t) => {
  const server = await startEcho(t, ...dedicated, "--max-message", "100000");
  for (const make of KINDS) {
    if (make === randomOf) continue;  // compressed, it is larger than that itself
    const peer = await DeflatePeer.open(t, server, "client_no_context_takeover");
    const most = Buffer.from(make(100_000));
    assert.ok((await peer.echo(most)).message.equals(most));
    await peer.send(Buffer.from(make(100_001)));
    assert.equal((await peer.raw.closeFrame()).code, 1009);
  }
});

test("compression: a bomb is 1009, and costs no more memory than the largest message (RFC 7692 §8)", async (t) => {
  const cap = 4 * MIB;
  // One thread, for each has a buffer of its own to inflate into.
  const server = await startEcho(t, ...dedicated, "--threads", "1", "--max-message", String(cap));
  const { pid } = server.child;
  const bomb = await compress(Buffer.alloc(64 * MIB), { level: 9 });
  assert.ok(bomb.length < 64 * MIB / 1000);
  const half = Math.floor(bomb.length / 2);
  const fragments = [frame(BINARY, bomb.subarray(0, half), { fin: false, rsv: RSV1 }), frame(0, bomb.subarray(half))];
  const peer = await DeflatePeer.open(t, server);
  await peer.echo(Buffer.from(jsonOf(1000)));
  const before = peakBytes(pid);
  for (let i = 0; i < 50; i += 1) {
    assert.equal(await codeFor(t, server, i % 2 === 0 ? [frame(BINARY, bomb, { rsv: RSV1 })] : fragments), 1009);
  }
  const growth = peakBytes(pid) - before;
  assert.ok(growth < 2 * cap + 2 * MIB || isSanitized(pid), `${growth} bytes more for bombs`);
  assert.equal(String((await peer.echo(Buffer.from("unharmed"))).message), "unharmed");
});

// ── Offers ─────────────────────────────────────────────────────────────────────────────────────

const NO_BITS = ["0", "7", "16", "80", "08", "015", "-8", "+8", "8.0", "1e1", "abc", "0x8", '"7"', '"08"', "256"];
const illegal = [
  ...NO_BITS.flatMap((value) => [`server_max_window_bits=${value}`, `client_max_window_bits=${value}`]),
  "server_max_window_bits",
  ...["server", "client"].flatMap((side) => ["1", "0", "true", "false", '"true"', "15"].map((value) => `${side}_no_context_takeover=${value}`)),
  "server_no_context_takeover; server_no_context_takeover",
  "client_no_context_takeover; client_max_window_bits; client_no_context_takeover",
  "server_max_window_bits=10; server_max_window_bits=10",
  "client_max_window_bits; client_max_window_bits=10",
  "mystery", "mystery=1", "server_max_window_bits=10; mystery", "max_window_bits=10",
];

test("compression: an offer with a parameter that can't be is declined, and the connection opens (RFC 7692 §7)", async (t) => {
  const server = await startEcho(t, ...dedicated);
  await Promise.all(illegal.map(async (parameters) => {
    const client = await openRaw(t, server, { "Sec-WebSocket-Extensions": `permessage-deflate; ${parameters}` });
    assert.equal(client.extensions, undefined, parameters);
    client.write(frame(TEXT, jsonOf(500)));
    const { rsv, payload } = await client.frame();
    assert.deepEqual([rsv, String(payload)], [0, jsonOf(500)]);
  }));
});

const choices = [
  ["permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=10, permessage-deflate", { server_max_window_bits: 10 }],
  ["permessage-deflate, permessage-deflate; server_max_window_bits=10", {}],
  ["x-webkit-deflate-frame, permessage-deflate; mystery, permessage-deflate; client_max_window_bits=9", { client_max_window_bits: 9 }],
  ["mystery; server_max_window_bits=8, permessage-deflate; client_no_context_takeover", { client_no_context_takeover: true }],
  ['permessage-deflate; server_max_window_bits="11"', { server_max_window_bits: 11 }],
  ["permessage-bzip2, deflate", undefined],
];
test("compression: of several offers the first right one is taken (RFC 7692 §5.1)", async (t) => {
  const server = await startEcho(t, ...dedicated);
  for (const [offers, agreed] of choices) {
    const client = await openRaw(t, server, { "Sec-WebSocket-Extensions": offers });
    assert.deepEqual(parametersOf(client.extensions), agreed, offers);
  }
});

// ── Options, seen from outside ─────────────────────────────────────────────────────────────────

// The sizes of two answers to the same message on a connection that offers `offer`.
async function twice(t, server, offer, message = Buffer.from(jsonOf(1500))) {
  const peer = await DeflatePeer.open(t, server, offer);
  const first = await peer.echo(message);
  const second = await peer.echo(message);
  assert.ok(first.compressed && second.compressed);
  assert.ok(first.payload.length < message.length / 2);
  return { agreed: peer.agreed, first: first.payload.length, second: second.payload.length };
}

test("options: --compress off is the default, and declines", async (t) => {
  for (const args of [[], ["--compress", "off"], ["--compress", "dedicated", "--compress", "off"]]) {
    const server = await startEcho(t, ...args);
    const client = await openRaw(t, server, { "Sec-WebSocket-Extensions": "permessage-deflate" });
    assert.equal(client.extensions, undefined);
    client.write(frame(TEXT, jsonOf(5000)));
    assert.equal((await client.frame()).rsv, 0);
  }
});

test("options: --compress shared begins every message anew, dedicated refers to those before (RFC 7692 §7.1.1)", async (t) => {
  const shared = await twice(t, await startEcho(t, "--compress", "shared"));
  assert.equal(shared.second, shared.first);
  const server = await startEcho(t, "--compress", "dedicated");
  const kept = await twice(t, server);
  assert.ok(kept.second < kept.first / 4, `${kept.second} bytes after ${kept.first}`);
  const unwanted = await twice(t, server, "server_no_context_takeover");
  assert.equal(unwanted.second, unwanted.first);
});

test("options: --compress-threshold, to the byte, and its default of 64", async (t) => {
  for (const mode of MODES) {
    for (const [args, threshold] of [[[], 64], [["--compress-threshold", "100"], 100], [["--compress-threshold", "20000"], 20_000]]) {
      const peer = await DeflatePeer.open(t, await startEcho(t, "--compress", mode, ...args));
      for (const size of [threshold - 1, threshold, threshold - 1, threshold + 1]) {
        const { compressed: was, message } = await peer.echo(Buffer.alloc(size, "x"));
        assert.equal(message.length, size);
        assert.equal(was, size >= threshold, `${size} bytes, ${mode}`);
      }
    }
  }
});

test("options: --compress-threshold 1: what compression doesn't make smaller goes as it is", async (t) => {
  const peer = await DeflatePeer.open(t, await startEcho(t, "--compress", "shared", "--compress-threshold", "1"));
  for (const [message, expected] of [["x".repeat(20), true], ["abcdefgh", false], ["", false]]) {
    const { compressed: was, message: received } = await peer.echo(Buffer.from(message));
    assert.deepEqual([was, String(received)], [expected, message]);
  }
});

test("options: --compress-level small sends less than fast, which is the default", async (t) => {
  const message = Buffer.from(jsonOf(30_000));
  const sizes = {};
  for (const level of ["fast", "small"]) {
    sizes[level] = (await twice(t, await startEcho(t, "--compress", "shared", "--compress-level", level), "", message)).first;
  }
  assert.ok(sizes.small < sizes.fast, JSON.stringify(sizes));
  assert.equal((await twice(t, await startEcho(t, "--compress", "shared"), "", message)).first, sizes.fast);
});

test("options: --compress-window is told, and kept to, by both sides (RFC 7692 §7.1.2)", async (t) => {
  for (const mode of MODES) {
    for (const bits of BITS) {
      const server = await startEcho(t, "--compress", mode, "--compress-window", String(bits));
      const context = answerTo(mode, {});
      const told = bits < 15 ? { server_max_window_bits: bits } : {};
      // (8 is for those who say that they can: zlib can't. Without contexts, a client's window is its own affair.)
      const theirs = mode === "dedicated" ? Math.max(bits, 9) : 15;
      const both = { ...told, ...(theirs < 15 ? { client_max_window_bits: theirs } : {}) };
      const peer = await DeflatePeer.open(t, server, "client_max_window_bits");
      assert.deepEqual(peer.agreed, { ...context, ...both });
      // Half of it repeats what lies just within the window, or just beyond it (and receive() looks).
      const block = randomOf(1 << bits);
      const message = Buffer.concat([block, block, randomOf(1), block]);
      assert.ok((await peer.echo(message)).message.equals(message));
      // Who can't be told begins every message anew.
      const deaf = await DeflatePeer.open(t, server, "");
      assert.deepEqual(deaf.agreed, { ...context, ...told, ...(bits < 15 ? { client_no_context_takeover: true } : {}) });
      // Whoever asks for less gets it.
      const modest = await DeflatePeer.open(t, server, "server_max_window_bits=8; client_max_window_bits=8");
      assert.deepEqual(modest.agreed, { ...context, server_max_window_bits: 8, client_max_window_bits: 8 });
    }
  }
});

test("compression: a distance beyond the client's window is 1007, one of all of it is not (RFC 7692 §7.1.2.2)", async (t) => {
  const server = await startEcho(t, ...dedicated);
  // (zlib doesn't refer back by all of its window, so it gets a larger one.)
  const far = async (distance) => {
    const start = randomOf(distance);
    const payload = await compress(Buffer.concat([start, start.subarray(0, 100)]), { windowBits: 15, level: 9 });
    assert.equal(furthestDistance(Buffer.concat([payload, TAIL])), distance);
    return frame(BINARY, payload, { rsv: RSV1 });
  };
  const offer = "permessage-deflate; client_max_window_bits=10";
  const client = await openRaw(t, server, { "Sec-WebSocket-Extensions": offer });
  client.write(await far(1024));
  assert.equal((await client.frame()).opcode, BINARY);
  assert.equal(await codeFor(t, server, [await far(1025)], offer), 1007);
});

const hasContext = ({ agreed }) => agreed.server_no_context_takeover === undefined && agreed.client_no_context_takeover === undefined;

// Opens connections until one is told to keep no context: how many weren't.
async function fill(t, server, offer) {
  const kept = [];
  for (;;) {
    const peer = await DeflatePeer.open(t, server, offer);
    if (!hasContext(peer)) return { kept, turnedAway: peer };
    kept.push(peer);
    assert.ok(kept.length <= 200, "there is a limit");
  }
}

test("options: --compress-memory is what all contexts take; later connections are served without, until one goes", async (t) => {
  const server = await startEcho(t, ...dedicated, "--compress-memory", String(MIB));
  const { kept, turnedAway } = await fill(t, server);
  assert.ok(kept.length >= Math.floor(MIB / 150_000), `150 KB are enough for one, but ${kept.length} have filled 1 MiB`);
  assert.deepEqual(turnedAway.agreed, answerTo("shared", {}));
  const message = Buffer.from(jsonOf(2000));
  assert.ok((await turnedAway.echo(message)).compressed);
  assert.ok(!hasContext(await DeflatePeer.open(t, server)));
  for (const peer of kept) assert.ok((await peer.echo(message)).message.equals(message));

  kept[0].raw.socket.destroy();
  const next = await eventually(async () => {
    const peer = await DeflatePeer.open(t, server);
    return hasContext(peer) && peer;
  }, "a context for the next");
  assert.ok((await next.echo(message)).message.equals(message));
  assert.ok(!hasContext(await DeflatePeer.open(t, server)), "it was the only one");
});

test("options: --compress-memory counts what was agreed on: twice the memory, smaller windows, no contexts", async (t) => {
  const count = async (memory, offer, ...args) =>
    (await fill(t, await startEcho(t, ...dedicated, "--compress-memory", String(memory), ...args), offer)).kept.length;
  const one = await count(MIB);
  assert.ok(Math.abs(await count(2 * MIB) - 2 * one) <= 1);
  assert.equal(await count(1), 0);
  assert.ok(await count(MIB, "client_max_window_bits", "--compress-window", "11") > one);
  // Those that want no contexts take none.
  const server = await startEcho(t, ...dedicated, "--compress-memory", String(MIB));
  for (let i = 0; i < 2 * one; i += 1) await DeflatePeer.open(t, server, "server_no_context_takeover; client_no_context_takeover");
  assert.equal((await fill(t, server)).kept.length, one);
});

const mistakes = [
  ["--compress"], ["--compress", "on"], ["--compress", ""], ["--compress", "Shared"], ["--compress=both"],
  ["--compress-threshold", "-1"], ["--compress-threshold", "0"], ["--compress-threshold", "1k"], ["--compress-threshold", ""],
  ["--compress-level", "6"], ["--compress-level", "best"],
  ["--compress-window", "7"], ["--compress-window", "16"], ["--compress-window", "08x"], ["--compress-window", ""],
  // Flags that say how, where nothing is to be compressed.
  ["--compress-threshold", "100"], ["--compress-level", "small"], ["--compress-window", "9"],
  ["--compress-level", "small", "--compress", "off"],
  ["--compress-memory", "1000000"], ["--compress-memory", "1000000", "--compress", "shared"],
  ["--compress-memory", "-1"], ["--compress-memory", "0"], ["--compress-memory", "lots"], ["--compress-speed", "1"],
];
for (const args of mistakes) {
  test(`options: sockeye echo ${args.map((arg) => arg || '""').join(" ")} is one line on stderr, exit status 2`, async (t) => {
    const { status, stdout, stderr } = await run(t, ["echo", ...args]);
    assert.match(stderr, /^sockeye: [^\n]+\n$/);
    assert.ok(stderr.includes(args[0].split("=")[0]), stderr);
    assert.equal(status, 2);
    assert.equal(stdout, "");
  });
}
