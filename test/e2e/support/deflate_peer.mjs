// A peer made of bytes that compresses by itself, with Node's zlib in every way that zlib knows, and
// checks what comes back (RFC 7692; section numbers mean it).
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { once } from "node:events";
import zlib from "node:zlib";
import { furthestDistance } from "./deflate_blocks.mjs";
import { BINARY, RSV1, frame, openRaw } from "./raw_client.mjs";

export const { Z_BLOCK, Z_FINISH, Z_FULL_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH } = zlib.constants;

// §7.2.1: the end of every compressed message, which isn't sent.
export const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

// The parameters of a Sec-WebSocket-Extensions field that names permessage-deflate alone, or undefined
// where there is no such field.
export function parametersOf(field) {
  if (field === undefined) return undefined;
  const [name, ...parameters] = field.split(/; */);
  assert.equal(name, "permessage-deflate");
  return Object.fromEntries(parameters.map((text) => {
    const [key, value] = text.split("=");
    return [key, value === undefined ? true : Number(value)];
  }));
}

// The payload for `message`. With `pieces`, the message is flushed between them in the ways that they
// name; with `end` Z_FINISH its last block says that it is the last (§7.2.3.4). Of the options, those
// of zlib go to zlib.
export async function compress(message, { pieces = [], end = Z_SYNC_FLUSH, ...options } = {}) {
  const stream = zlib.createDeflateRaw(options);
  const output = [];
  stream.on("data", (data) => output.push(data));
  let from = 0;
  for (const { to, flush } of pieces) {
    stream.write(message.subarray(from, to));
    await new Promise((resolve) => stream.flush(flush, resolve));
    from = to;
  }
  stream.write(message.subarray(from));
  if (end === Z_FINISH) {
    stream.end();
    await once(stream, "end");
    return Buffer.concat(output);
  }
  await new Promise((resolve) => stream.flush(end, resolve));
  stream.close();
  const bytes = Buffer.concat(output);
  assert.deepEqual(bytes.subarray(-4), TAIL);
  return bytes.subarray(0, -4);
}

// One way of a connection: how it is compressed, and the messages so far.
class Side {
  #history = Buffer.alloc(0);

  constructor(noContextTakeover, windowBits) {
    this.takeover = noContextTakeover !== true;
    this.windowBits = windowBits === true ? 15 : windowBits ?? 15;
  }

  // What zlib needs to know; its deflate has no window of 8 bits.
  options(leastBits) {
    const dictionary = this.takeover && this.#history.length > 0 ? this.#history : undefined;
    return { windowBits: Math.max(leastBits, this.windowBits), dictionary };
  }

  append(message) {
    this.#history = Buffer.concat([this.#history, message]).subarray(-(1 << this.windowBits));
  }
}

export class DeflatePeer {
  // Resolves when permessage-deflate was agreed on, with `offer` for its parameters.
  static async open(t, server, offer = "client_max_window_bits") {
    const field = ["permessage-deflate", ...(offer === "" ? [] : [offer])].join("; ");
    return new DeflatePeer(await openRaw(t, server, { "Sec-WebSocket-Extensions": field }), parametersOf(field));
  }

  constructor(raw, offered) {
    this.raw = raw;
    this.agreed = parametersOf(raw.extensions);
    assert.notEqual(this.agreed, undefined, "an offer of permessage-deflate is accepted");
    const { agreed } = this;
    const clientBits = agreed.client_max_window_bits ?? offered.client_max_window_bits;
    this.sent = new Side(agreed.client_no_context_takeover ?? offered.client_no_context_takeover, clientBits);
    this.received = new Side(agreed.server_no_context_takeover, agreed.server_max_window_bits);
  }

  // `cuts`: where the payload is cut into fragments.
  async send(message, { opcode = BINARY, cuts = [], octet = false, ...options } = {}) {
    const stream = await compress(message, { ...this.sent.options(9), ...options });
    this.sent.append(message);
    const payload = octet ? Buffer.concat([stream, Buffer.of(0)]) : stream;
    const ends = [...cuts.map((cut) => cut % (payload.length + 1)).sort((a, b) => a - b), payload.length];
    ends.forEach((end, i) => this.raw.write(frame(i === 0 ? opcode : 0, payload.subarray(ends[i - 1] ?? 0, end), {
      fin: i === ends.length - 1, rsv: i === 0 ? RSV1 : 0,
    })));
  }

  // The next message: { opcode, compressed, payload, message }. What was compressed keeps to its window.
  async receive() {
    const { fin, rsv, opcode, payload } = await this.raw.frame();
    assert.ok(fin, "sockeye sends a message in one frame");
    assert.ok(rsv === 0 || rsv === RSV1, `reserved bits ${rsv}`);
    if (rsv === 0) return { opcode, compressed: false, payload, message: payload };
    const stream = Buffer.concat([payload, TAIL]);
    const message = zlib.inflateRawSync(stream, { ...this.received.options(8), finishFlush: Z_SYNC_FLUSH });
    this.received.append(message);
    const distance = furthestDistance(stream);
    assert.ok(distance <= 1 << this.received.windowBits, `refers back by ${distance} bytes`);
    return { opcode, compressed: true, payload, message };
  }

  async echo(message, options) {
    await this.send(message, options);
    return this.receive();
  }
}
