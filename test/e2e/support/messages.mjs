// The messages that every client echoes: each length at which the frame header changes its form
// (RFC 6455 §5.2), and sizes that no single read or buffer holds.
//
// SPDX-License-Identifier: MIT
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
