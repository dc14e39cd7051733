// Reads a compressed message bit by bit (RFC 1951; section numbers mean it) to say how far back it
// refers. zlib doesn't tell: within what it inflates at once it takes any distance.
//
// SPDX-License-Identifier: MIT

// §3.2.5: by symbol, the least length or distance that it stands for, and how many bits say the rest.
const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115,
                 131, 163, 195, 227, 258].map((least, i) => [least, i < 8 || i === 28 ? 0 : (i >> 2) - 1]);
const DISTANCES = Array.from({ length: 30 }, (_, i) =>
  (i < 4 ? [i + 1, 0] : [1 + ((2 + (i & 1)) << ((i >> 1) - 1)), (i >> 1) - 1]));

// §3.2.7: the order in which the lengths of the code of code lengths come.
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

class Bits {
  #at = 0;  // in bits

  constructor(bytes) {
    this.bytes = bytes;
  }

  get ended() {
    return this.#at >= 8 * this.bytes.length;
  }

  one() {
    if (this.ended) throw new Error("a block without an end");
    const bit = (this.bytes[this.#at >> 3] >> (this.#at & 7)) & 1;
    this.#at += 1;
    return bit;
  }

  number(bits) {
    let value = 0;
    for (let i = 0; i < bits; i += 1) value |= this.one() << i;
    return value;
  }

  toByte() {
    this.#at = (this.#at + 7) & ~7;
  }

  skipBytes(count) {
    this.#at += 8 * count;
  }

  symbol(code) {
    let word = 1;  // a 1 ahead of the bits tells words of different lengths apart
    for (;;) {
      word = (word << 1) | this.one();
      const symbol = code.get(word);
      if (symbol !== undefined) return symbol;
      if (word >= 1 << 16) throw new Error("no such code word");
    }
  }
}

// §3.2.2: a canonical Huffman code, from the lengths of its words.
function codeOf(lengths) {
  const code = new Map();
  let next = 0;
  for (let length = 1; length <= 15; length += 1) {
    next <<= 1;
    lengths.forEach((its, symbol) => {
      if (its === length) code.set((1 << length) | next++, symbol);
    });
  }
  return code;
}

const FIXED = [codeOf(Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8))),
               codeOf(Array(30).fill(5))];  // §3.2.6

function dynamicCodes(bits) {
  const literals = 257 + bits.number(5);
  const distances = 1 + bits.number(5);
  const lengths = Array(19).fill(0);
  for (let i = 4 + bits.number(4), k = 0; k < i; k += 1) lengths[ORDER[k]] = bits.number(3);
  const code = codeOf(lengths);
  const all = [];
  while (all.length < literals + distances) {
    const symbol = bits.symbol(code);
    if (symbol < 16) all.push(symbol);
    else if (symbol === 16) all.push(...Array(3 + bits.number(2)).fill(all.at(-1)));
    else all.push(...Array(symbol === 17 ? 3 + bits.number(3) : 11 + bits.number(7)).fill(0));
  }
  return [codeOf(all.slice(0, literals)), codeOf(all.slice(literals))];
}

function furthestInBlock(bits, [literals, distances]) {
  for (let furthest = 0;;) {
    const symbol = bits.symbol(literals);
    if (symbol === 256) return furthest;
    if (symbol < 256) continue;
    bits.number(LENGTHS[symbol - 257][1]);
    const [least, extra] = DISTANCES[bits.symbol(distances)];
    furthest = Math.max(furthest, least + bits.number(extra));
  }
}

// `stream` is a message's payload with the four bytes that are not sent (RFC 7692 §7.2.2).
export function furthestDistance(stream) {
  const bits = new Bits(stream);
  let furthest = 0;
  while (!bits.ended) {
    bits.number(1);  // BFINAL
    const type = bits.number(2);
    if (type === 0) {
      bits.toByte();
      const length = bits.number(16);
      bits.skipBytes(2 + length);
    } else {
      furthest = Math.max(furthest, furthestInBlock(bits, type === 1 ? FIXED : dynamicCodes(bits)));
    }
  }
  return furthest;
}
