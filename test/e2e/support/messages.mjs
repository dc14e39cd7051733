// The messages that every client echoes: each length at which the frame header changes its form
// (RFC 6455 §5.2), and sizes that no single read or buffer holds.
//
// SPDX-License-Identifier: MIT
import { createCipheriv } from "node:crypto";

export const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1024 * 1024, 16 * 1024 * 1024];

// `size` bytes in which a lost, doubled or shifted piece shows: the period is no power of two.
export function bytesOf(size) {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 1) bytes[i] = (i * 31 + (i >> 8)) % 251;
  return bytes;
}

// Text of exactly `size` bytes in UTF-8, with characters of one to four bytes.
export function textOf(size) {
  const unit = "Sockeye für Bäche – 紅鮭 🐟. ";
  const length = Buffer.byteLength(unit);
  return unit.repeat(Math.floor(size / length)) + "x".repeat(size % length);
}

// JSON as programs send it, all of it ASCII, cut off at `size` bytes.
export function jsonOf(size) {
  let text = "[";
  for (let i = 1; text.length < size; i += 1) {
    const names = ["brook", "river", "estuary", "ocean"].filter((_, k) => (i * 7 + k) % 3);
    text += JSON.stringify({
      id: (i * 2_654_435_761) % 4_294_967_296, name: `salmon ${i}`, length: (i * 37 % 800) / 10,
      tagged: i % 3 === 0, seen: new Date(1.7e12 + i * 86_413_000).toISOString(), places: names,
    });
    text += ",";
  }
  return text.slice(0, size);
}

// `size` bytes that no method makes smaller, always the same for a seed.
export function randomOf(size, seed = 1) {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
