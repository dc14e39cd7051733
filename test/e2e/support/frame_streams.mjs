// Streams of frames as a seed has them: good ones, ones that break one rule, and ones in which bits
// have turned over.
//
// SPDX-License-Identifier: MIT
import { BINARY, CLOSE, PING, PONG, TEXT } from "./raw_client.mjs";

// Numbers below 2^32 (a linear congruential generator, its upper bits; Knuth's constants).
export class Dice {
  constructor(seed) {
    this.state = BigInt(seed);
  }

  below(limit) {
    this.state = (this.state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return Number(this.state >> 33n) % limit;
  }

  oneOf(choices) {
    return choices[this.below(choices.length)];
  }

  bytes(size) {
    return Buffer.from(Array.from({ length: size }, () => this.below(256)));
  }
}

// A frame with everything as it is wanted, right or wrong. `form` is the number of bytes in which the
// length is told after the first seven bits: 0, 2 or 8; `declared` is that length.
function frame(dice, opcode, payload, { fin = true, rsv = 0, masked = true, declared = BigInt(payload.length),
                                        form = declared < 126n ? 0 : declared < 65_536n ? 2 : 8 } = {}) {
  const key = dice.oneOf([Buffer.alloc(4), dice.bytes(4)]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(declared);
  const short = form === 0 ? Number(declared) : form === 2 ? 126 : 127;
  return Buffer.concat([
    Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | short]),
    length.subarray(8 - form),
    masked ? key : Buffer.alloc(0),
    masked ? payload.map((byte, i) => byte ^ key[i % 4]) : payload,
  ]);
}

function textOf(dice, characters) {
  const alphabet = [..."aé€🐟\0\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}"];
  return Buffer.from(Array.from({ length: characters }, () => dice.oneOf(alphabet)).join(""));
}

const size = (dice) => dice.oneOf([0, 1, 2, 3, 7, 124, 125, 126, 127, 1000, 4000, 65_535, 65_536]);

// The frames of one message, and control frames between them where they may stand.
function message(dice, opcode, payload, { interrupted = true } = {}) {
  const cuts = Array.from({ length: dice.oneOf([0, 0, 0, 1, 2, 5]) }, () => dice.below(payload.length + 1));
  const ends = [...cuts.sort((a, b) => a - b), payload.length];
  return ends.flatMap((end, i) => [
    ...(interrupted && i > 0 ? controls(dice) : []),
    frame(dice, i === 0 ? opcode : 0, payload.subarray(ends[i - 1] ?? 0, end), { fin: i === ends.length - 1 }),
  ]);
}

function controls(dice) {
  return Array.from({ length: dice.oneOf([0, 0, 1, 2]) }, () =>
    frame(dice, dice.oneOf([PING, PONG]), dice.bytes(dice.oneOf([0, 1, 124, 125]))));
}

const goodMessage = (dice) => (dice.below(2) === 0
  ? message(dice, TEXT, textOf(dice, dice.below(1300)))
  : message(dice, BINARY, dice.bytes(size(dice))));

const codeBytes = (code) => Buffer.from([code >> 8, code & 255]);

// Ends of a stream: the frames, and the code of the Close frame that answers them.
const closings = [
  () => [[], null],
  (dice) => [[frame(dice, CLOSE, Buffer.alloc(0))], 1005],
  (dice) => {
    const code = dice.oneOf([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]);
    const reason = textOf(dice, dice.below(30));
    return [[frame(dice, CLOSE, Buffer.concat([codeBytes(code), reason]))], code];
  },
];

export const MAX_MESSAGE = 100_000;

const badText = [[0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc2], [0xc2, 0x41], [0xe0, 0x9f, 0xbf], [0xe2, 0x82],
                 [0xe2, 0x28, 0xa1], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xf0, 0x8f, 0xbf, 0xbf], [0xf0, 0x9f, 0x90],
                 [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xfe], [0xff]].map((bytes) => Buffer.from(bytes));

const anyFrame = (dice, options) => frame(dice, dice.oneOf([TEXT, BINARY]), Buffer.from("any"), options);
const openMessage = (dice) => frame(dice, dice.oneOf([TEXT, BINARY]), Buffer.from("begun"), { fin: false });

const violations = [
  (dice) => [[anyFrame(dice, { rsv: 1 + dice.below(7) })], 1002],
  (dice) => [[frame(dice, dice.oneOf([PING, PONG, CLOSE]), Buffer.alloc(0), { rsv: 1 + dice.below(7) })], 1002],
  (dice) => [[openMessage(dice), frame(dice, 0, Buffer.alloc(0), { rsv: 1 + dice.below(7) })], 1002],
  (dice) => [[frame(dice, dice.oneOf([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), dice.bytes(3))], 1002],
  (dice) => [[anyFrame(dice, { masked: false })], 1002],
  (dice) => [[frame(dice, PING, Buffer.from("p"), { masked: false })], 1002],
  (dice) => [[frame(dice, dice.oneOf([PING, PONG, CLOSE]), Buffer.alloc(0), { fin: false })], 1002],
  (dice) => [[frame(dice, dice.oneOf([PING, PONG, CLOSE]), Buffer.alloc(dice.oneOf([126, 65_536])))], 1002],
  (dice) => [[frame(dice, 0, Buffer.from("more"), { fin: dice.below(2) === 0 })], 1002],
  (dice) => [[openMessage(dice), ...controls(dice), anyFrame(dice)], 1002],
  (dice) => {
    const text = Buffer.concat([textOf(dice, dice.below(300)), dice.oneOf(badText)]);
    return [message(dice, TEXT, text, { interrupted: false }), 1007];
  },
  (dice) => {
    const text = Buffer.concat([textOf(dice, dice.below(300)), dice.oneOf(badText), textOf(dice, 1)]);
    return [message(dice, TEXT, text, { interrupted: false }), 1007];
  },
  (dice) => [[frame(dice, CLOSE, dice.bytes(1))], 1002],
  (dice) => [[frame(dice, CLOSE, codeBytes(dice.oneOf([0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])))], 1002],
  (dice) => [[frame(dice, CLOSE, Buffer.concat([codeBytes(1000), dice.oneOf(badText)]))], 1007],
  (dice) => [[frame(dice, BINARY, Buffer.alloc(0), { declared: dice.oneOf([100_001n, 1n << 31n, 1n << 32n, (1n << 53n) - 1n]) })], 1009],
  (dice) => {
    const start = frame(dice, BINARY, dice.bytes(1000), { fin: false });
    return [[start, frame(dice, 0, Buffer.alloc(0), { declared: BigInt(MAX_MESSAGE - 999) })], 1009];
  },
  (dice) => [[anyFrame(dice, { form: dice.oneOf([2, 8]) })], undefined],
  (dice) => [[frame(dice, BINARY, Buffer.alloc(0), { declared: (1n << 63n) + BigInt(dice.below(1000)) })], undefined],
];

// Messages and control frames, then an end. `code` is that of the Close frame that must answer it:
// null where there is none, undefined where the two servers may differ.
export function frameStream(dice) {
  const frames = Array.from({ length: dice.below(8) }, () => [...controls(dice), ...goodMessage(dice)]).flat();
  const [end, code] = dice.oneOf(dice.below(3) === 0 ? closings : violations)(dice);
  const bytes = Buffer.concat([...frames, ...end, ...(code === null ? [] : [dice.bytes(dice.below(40))])]);
  return { bytes, code };
}

// A stream in which some bits have turned over, most of them in the headers.
export function brokenStream(dice) {
  const frames = Array.from({ length: 1 + dice.below(6) }, () => [...controls(dice), ...goodMessage(dice)]).flat();
  frames.push(frame(dice, CLOSE, codeBytes(1000)));
  for (let i = 1 + dice.below(3); i > 0; i -= 1) {
    const victim = dice.oneOf(frames);
    const place = dice.below(dice.below(4) === 0 ? victim.length : Math.min(victim.length, 10));
    victim[place] ^= 1 << dice.below(8);
  }
  return { bytes: Buffer.concat(frames), code: undefined };
}
