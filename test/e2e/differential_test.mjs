// The same bytes to sockeye echo and to an echo server with Node's ws: both must send the same
// frames back, and close with the same code.
//
// The streams come from a seed. It stands in the tests' names and in each failure;
// SOCKEYE_TEST_SEED=N repeats a run.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import net from "node:net";
import test from "node:test";
import { WebSocketServer } from "ws";
import { Dice, MAX_MESSAGE, brokenStream, frameStream } from "./support/frame_streams.mjs";
import { CLOSE, upgradeRequest } from "./support/raw_client.mjs";
import { atEnd, startEcho, within } from "./support/sockeye.mjs";

const seed = Number(process.env.SOCKEYE_TEST_SEED ?? Date.now() % 1_000_000);
const STREAMS = 400;

// Where sockeye fails a connection and ws doesn't, or not yet, or with another code. The reason in
// sockeye's Close frame tells.
const STRICTER = new Map([
  // RFC 6455 §8.1. ws looks at a text when all of it has come.
  ["a text message must be valid UTF-8", "any"],
  // RFC 6455 §5.2, "the minimal number of bytes MUST be used". ws doesn't look.
  ["a payload length must be written in the fewest bytes", "any"],
  // RFC 6455 §5.2, "the most significant bit MUST be 0". For ws it is a length like any other.
  ["the top bit of a 64-bit payload length must be 0", 1009],
]);

async function startPeer(t) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: MAX_MESSAGE, perMessageDeflate: false });
  atEnd(t, () => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("error", () => {});
  });
  await within(new Promise((resolve) => server.once("listening", resolve)), "ws listens");
  return { hostname: "127.0.0.1", port: server.address().port };
}

// All that `server` sends to a client that opens, says `pieces`, and ends its side.
function converse(t, server, pieces) {
  const socket = net.connect({ host: server.hostname, port: server.port, noDelay: true, allowHalfOpen: true });
  atEnd(t, () => socket.destroy());
  const received = [];
  const ended = new Promise((resolve, reject) => {
    socket.on("data", (data) => received.push(data)).on("end", resolve).on("error", reject);
  });
  // Each piece in a turn of its own, so that the servers' reads end in different places.
  const write = ([piece, ...rest]) => {
    if (piece === undefined) return socket.end();
    socket.write(piece);
    setImmediate(write, rest);
  };
  write([upgradeRequest(`${server.hostname}:${server.port}`), ...pieces]);
  return within(ended.then(() => Buffer.concat(received)), "the end of a connection").finally(() => socket.destroy());
}

// What follows the head of an accepted handshake: the frames as one line of text each, and the Close
// frame's code and reason.
function understand(bytes) {
  const head = bytes.indexOf("\r\n\r\n") + 4;
  assert.match(bytes.subarray(0, head).toString("latin1"), /^HTTP\/1\.1 101 /);
  const frames = [];
  for (let at = head; at < bytes.length;) {
    const opcode = bytes[at] & 15;
    assert.equal(bytes[at] & 0xf0, 0x80, "a whole frame, without reserved bits");
    const short = bytes[at + 1];
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    const payload = bytes.subarray(start, start + size);
    assert.equal(payload.length, size, "a frame is sent whole");
    at = start + size;
    if (opcode === CLOSE) {
      assert.equal(at, bytes.length, "nothing follows a Close frame");
      return { frames, code: size === 0 ? 1005 : payload.readUInt16BE(0), reason: payload.subarray(2).toString() };
    }
    frames.push(`${opcode} ${payload.toString("latin1")}`);
  }
  return { frames, code: null, reason: "" };
}

function compare(ours, theirs, code) {
  if (code !== undefined) assert.deepEqual([ours.code, theirs.code], [code, code], "the code that the rule asks for");
  const known = STRICTER.get(ours.reason);
  if (known === undefined) {
    assert.deepEqual(ours.frames, theirs.frames);
    assert.equal(ours.code, theirs.code);
    return;
  }
  assert.deepEqual(ours.frames, theirs.frames.slice(0, ours.frames.length));
  if (known !== "any") assert.equal(theirs.code, known);
}

for (const [what, makeStream] of [["streams with one broken rule or none", frameStream], ["streams with bits turned over", brokenStream]]) {
  test(`differential: ${what}: sockeye and ws answer the same (SOCKEYE_TEST_SEED=${seed})`, async (t) => {
    const dice = new Dice(seed);
    const [sockeye, peer] = await Promise.all([startEcho(t, "--max-message", String(MAX_MESSAGE)), startPeer(t)]);
    for (let i = 0; i < STREAMS; i += 1) {
      const { bytes, code } = makeStream(dice);
      const cuts = Array.from({ length: dice.oneOf([0, 1, 3, 10]) }, () => dice.below(bytes.length + 1)).sort((a, b) => a - b);
      const pieces = [...cuts, bytes.length].map((end, k) => bytes.subarray(cuts[k - 1] ?? 0, end));
      const [ours, theirs] = await Promise.all([converse(t, sockeye, pieces), converse(t, peer, pieces)]);
      try {
        compare(understand(ours), understand(theirs), code);
      } catch (error) {
        throw new Error(`stream ${i} of seed ${seed}, cut at ${cuts}: ${bytes.toString("hex")}`, { cause: error });
      }
    }
  });
}
