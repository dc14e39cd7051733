// A peer made of bytes: what well-behaved clients never send has to come from somewhere.
//
// SPDX-License-Identifier: MIT
import net from "node:net";
import { atEnd, eventually, within } from "./sockeye.mjs";

export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";  // RFC 6455 §1.3
export const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

// The opening handshake of RFC 6455 §4.1; `fields` replaces fields, or leaves out those set to null.
export function upgradeRequest(host, fields = {}, target = "/") {
  const all = {
    Host: host,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    ...fields,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== null);
  return `GET ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

// The reserved bits of a frame, as its first byte has them.
export const RSV1 = 0x40;
export const RSV2 = 0x20;
export const RSV3 = 0x10;

// A frame as a client sends it (RFC 6455 §5.2), with the masking key of §5.7's example.
export function frame(opcode, payload = "", { fin = true, rsv = 0, masked = true } = {}) {
  const body = Buffer.from(payload);
  const key = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  const maskBit = masked ? 0x80 : 0;
  const length = Buffer.alloc(body.length < 126 ? 1 : body.length < 65_536 ? 3 : 9);
  if (length.length === 1) {
    length[0] = maskBit | body.length;
  } else if (length.length === 3) {
    length[0] = maskBit | 126;
    length.writeUInt16BE(body.length, 1);
  } else {
    length[0] = maskBit | 127;
    length.writeBigUInt64BE(BigInt(body.length), 1);
  }
  if (masked) for (let i = 0; i < body.length; i += 1) body[i] ^= key[i % 4];
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | rsv | opcode]), length, masked ? key : Buffer.alloc(0), body]);
}

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

export class RawClient {
  received = Buffer.alloc(0);
  ended = false;  // the peer has ended its side, or the connection is gone

  static async connect(t, where) {
    const socket = net.connect({ allowHalfOpen: true, ...where });
    atEnd(t, () => socket.destroy());
    const client = new RawClient(socket);
    await within(new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject)), "connect");
    return client;
  }

  constructor(socket) {
    this.socket = socket;
    socket.on("data", (data) => (this.received = Buffer.concat([this.received, data])));
    socket.on("error", () => (this.ended = true));
    for (const event of ["end", "close"]) socket.on(event, () => (this.ended = true));
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  async #need(size, what) {
    await eventually(() => this.received.length >= size || this.ended, what);
    if (this.received.length < size) throw new Error(`the connection ended before ${what}`);
  }

  #take(size) {
    const taken = this.received.subarray(0, size);
    this.received = this.received.subarray(size);
    return taken;
  }

  // An HTTP response: { status, fields (names in lower case), body }.
  async response({ hasBody = true } = {}) {
    await eventually(() => this.received.includes("\r\n\r\n") || this.ended, "a response head");
    const end = this.received.indexOf("\r\n\r\n");
    if (end < 0) throw new Error(`the connection ended before a response head: ${this.received}`);
    const [statusLine, ...lines] = this.#take(end + 4).toString("latin1").trimEnd().split("\r\n");
    const fields = Object.fromEntries(lines.map((line) => {
      const [, name, value] = /^([^:]+):[ \t]*(.*?)[ \t]*$/.exec(line);
      return [name.toLowerCase(), value];
    }));
    const size = hasBody ? Number(fields["content-length"] ?? 0) : 0;
    await this.#need(size, "the response's body");
    return { status: Number(statusLine.split(" ")[1]), fields, body: this.#take(size) };
  }

  // A frame as a server sends it: { fin, rsv, opcode, masked, payload }.
  async frame() {
    await this.#need(2, "a frame's header");
    const [first, second] = this.received;
    const form = second & 127;
    const headerSize = form < 126 ? 2 : form === 126 ? 4 : 10;
    await this.#need(headerSize, "a frame's length");
    const header = this.#take(headerSize);
    const size = form < 126 ? form : form === 126 ? header.readUInt16BE(2) : Number(header.readBigUInt64BE(2));
    await this.#need(size, "a frame's payload");
    const payload = this.#take(size);
    return { fin: first >= 128, rsv: first & 0x70, opcode: first & 15, masked: second >= 128, payload };
  }

  // The next Close frame, other frames passed over: { code, reason }.
  closeFrame() {
    return within(this.#closeFrame(), "a Close frame");
  }

  async #closeFrame() {
    for (;;) {
      const { opcode, payload } = await this.frame();
      if (opcode !== CLOSE) continue;
      return { code: payload.length ? payload.readUInt16BE(0) : 1005, reason: payload.subarray(2).toString() };
    }
  }

  end() {
    return eventually(() => this.ended, "the connection's end");
  }
}

// A raw connection that has been through the opening handshake; `extensions` are those agreed on.
export async function openRaw(t, server, fields, target) {
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write(upgradeRequest(server.host, fields, target));
  const { status, fields: answer } = await client.response();
  if (status !== 101) throw new Error(`the handshake was answered with ${status}`);
  client.extensions = answer["sec-websocket-extensions"];
  return client;
}
