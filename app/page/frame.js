// One frame, drawn: its bytes; its bits, as RFC 6455 §5.2 draws them; its payload before and after
// unmasking (§5.3). What is pointed at, or has the focus, lights up in all three and is explained.
// SPDX-License-Identifier: MIT
import { binary, bytesOf, cite, count, hexOf, make } from "./parts.js";

// Bytes of a payload: in the line of bytes, bit by bit, and unmasked.
const LISTED = 48;
const DRAWN = 8;
const UNMASKED = 16;

const OPCODES = { 0: "continuation", 1: "text", 2: "binary", 8: "Close", 9: "Ping", 10: "Pong" };
const CLOSE = 8;

export const opcodeName = (opcode) => OPCODES[opcode] ?? `reserved ${opcode}`;

const isBytes = ({ opcode, compressed }) => opcode === 2 || compressed;
const decode = (bytes, fatal) => new TextDecoder("utf-8", { fatal, ignoreBOM: true }).decode(bytes);

// A Close frame's code, where there is one (§5.5.1).
const codeOf = ({ opcode }, bytes) => (opcode === CLOSE && bytes.length > 1 ? String(bytes[0] << 8 | bytes[1]) : "");

// The beginning of the payload in one line.
export function preview(frame) {
  const bytes = bytesOf(frame.unmasked);
  if (isBytes(frame)) return hexOf(bytes.slice(0, 16)) + (frame.length > 16 ? " …" : "");
  const code = codeOf(frame, bytes);
  return `${code} ${decode(bytes.slice(code && 2))}${frame.length > bytes.length ? "…" : ""}`;
}

// The fields of the header as far as it came: name, bits, colour, value, and what it says.
function fieldsOf({ fin, rsv, opcode, masked, length, compressed, head: hex }, head) {
  const reserved = (bit) => [`RSV${bit}`, 1, "flags", "", !(rsv & 8 >> bit) ? "reserved for extensions (§5.2)"
    : compressed ? "the message is compressed (RFC 7692 §6)" : "no extension was agreed on that gives it a meaning (§5.2)"];
  const short = head[1] & 0x7f;
  const extended = { 126: 16, 127: 64 }[short] ?? 0;
  const long = hex.slice(4, 4 + extended / 4);
  const bytes = count(long ? BigInt(`0x${long}`) : length, "byte");  // a number is exact up to 2^53 only
  let from = 0;
  return [
    ["FIN", 1, "flags", "", fin ? "this frame ends its message (§5.4)" : "more frames of this message follow (§5.4)"],
    reserved(1), reserved(2), reserved(3),
    ["opcode", 4, "opcode", opcodeName(opcode), !OPCODES[opcode] ? "nobody has defined it (§5.2)"
      : opcode < CLOSE ? "a part of a message (§5.6)" : "a control frame (§5.5)"],
    ["MASK", 1, "key", "", `the payload is ${masked ? "" : "not "}masked: a client's must be, so that no page can choose the bytes that proxies on the way see (§10.3); a server's must not (§5.1)`],
    ["payload length", 7, "length", short, extended ? `the length stands in the next ${extended} bits (§5.2)` : `${bytes}; up to 125 fit in here (§5.2)`],
    ["extended payload length", extended, "length", bytes, "the highest byte comes first (§5.2)"],
    ["masking key", masked ? 32 : 0, "key", "", "random, and another one for each frame: byte i of the payload is XORed with byte i mod 4 of it (§5.3)"],
  ].map(([name, bits, colour, value, meaning]) => ({ name, bits, colour, value, meaning, from: (from += bits) - bits }))
    .filter((field) => field.bits && field.from + field.bits <= head.length * 8);
}

// Something that can be pointed at. It shows these bytes of the frame, or a part of them.
function part(className, name, bytes, text, ...children) {
  const made = make("span", className, ...children);
  Object.assign(made.dataset, { name, bytes: bytes.join(" ") });
  return Object.assign(made, { role: "img", ariaLabel: text, tabIndex: -1 });
}

// Parts among which the arrow keys move.
function groupOf(className, label, ...children) {
  const made = Object.assign(make("div", className, ...children), { role: "group", ariaLabel: label });
  const parts = [...made.querySelectorAll("[data-name]")];
  if (parts.length) parts[0].tabIndex = 0;
  made.onkeydown = (event) => {
    const next = parts[parts.indexOf(event.target) + ({ ArrowRight: 1, ArrowLeft: -1 }[event.key] ?? NaN)];
    next?.focus();
    if (next) event.preventDefault();
  };
  return made;
}

export function drawFrame(frame) {
  const [head, payload, unmasked] = [frame.head, frame.payload, frame.unmasked].map(bytesOf);
  const fields = fieldsOf(frame, head);
  const key = frame.masked && head.slice(-4);
  const textOf = (i) => `payload byte ${i} = ${hexOf([payload[i]])}` +
    (key ? ` XOR ${hexOf([key[i % 4]])}, byte ${i % 4} of the key, = ${hexOf([unmasked[i]])} (§5.3)` : "");

  const line = groupOf("hex", "The frame's bytes",
    Array.from(head, (byte, i) => {
      const here = fields.filter(({ from, bits }) => from < i * 8 + 8 && from + bits > i * 8);
      return part(here.at(-1)?.colour ?? "", `byte ${i}`, [i], `byte ${i}: ${here.map(({ name }) => name).join(", ")}`, hexOf([byte]));
    }),
    Array.from(payload.slice(0, LISTED), (byte, i) => part("payload", `byte ${head.length + i}`, [head.length + i], textOf(i), hexOf([byte]))),
    frame.came > LISTED ? "…" : "");

  const hidden = frame.came - Math.min(payload.length, DRAWN);
  const bits = groupOf("bits", "The frame's bits",
    Array.from({ length: 32 }, (_, bit) => Object.assign(make("span", "ruler", String(bit)), { ariaHidden: "true" })),
    fields.flatMap((field) => drawField(field, head)),
    Array.from(payload.slice(0, DRAWN), (byte, i) =>
      cell("payload", "payload", [head.length + i], textOf(i), i ? "" : "payload", binary(byte, 8), hexOf([byte]))),
    hidden ? make("span", "rest", `and ${count(hidden, "more byte")} of payload`) : "");

  const explained = make("p", "explained");
  const sum = make("pre", "sum");
  const figure = make("div", "figure", line, bits, explained);
  if (payload.length) figure.append(make("div", "sums", drawPayload(frame, payload, unmasked, key, head.length, textOf), key ? sum : ""));
  lightUp(figure, explained, (byte) => {
    const i = Math.max(0, byte - head.length);
    const row = (sign, byte, what) => `${sign} ${binary(byte, 8)}  ${hexOf([byte])}  ${what}\n`;
    if (!key || !payload.length) return;
    sum.textContent = row(" ", payload[i], `payload byte ${i}`) + row("⊕", key[i % 4], `key byte ${i % 4}`) +
      row("=", unmasked[i], "unmasked");
  });
  return figure;
}

// In cells of 16 bits at most, as a line has 16 or 32.
function drawField({ name, bits, colour, value, meaning, from }, head) {
  const digits = [...head].map((byte) => binary(byte, 8)).join("").slice(from, from + bits);
  const bytes = Array.from({ length: Math.ceil(bits / 8) }, (_, i) => (from >> 3) + i);
  const text = `${name}${bits > 8 ? "" : ` = ${digits}`}${value === "" ? "" : ` = ${value}`}: ${meaning}`;
  return digits.match(/.{1,16}/g).map((some, i) => {
    const hex = hexOf(head.slice(bytes[0] + 2 * i, bytes[0] + 2 * i + 2));
    return cell(colour, name, bytes, text, i ? "continued" : name, some, bits > 8 && (i || !value) ? hex : String(value));
  });
}

const cell = (colour, name, bytes, text, title, digits, value) =>
  part(`cell w${digits.length} ${colour}`, name, bytes, text, make("span", "name", title),
    make("span", "digits", [...digits].map((digit) => make("i", "", digit))), make("b", "", value));

// Each byte of the payload over the key's, and what they give. A character spans its bytes.
function drawPayload(frame, payload, unmasked, key, start, textOf) {
  const column = (i) => part("byte", `byte ${start + i}`, key ? [start + i, start - 4 + i % 4] : [start + i], textOf(i),
    make("span", "payload", hexOf([payload[i]])),
    key ? [make("span", "key", hexOf([key[i % 4]])), make("span", "", hexOf([unmasked[i]]))] : []);
  const groups = [];
  for (let at = 0; at < Math.min(payload.length, UNMASKED);) {
    const { size, text } = groupAt(frame, unmasked, at);
    groups.push(make("span", "together", Array.from({ length: size }, (_, i) => column(at + i)), make("b", "", text)));
    at += size;
  }
  const rows = ["payload", ...(key ? ["XOR key", "unmasked"] : []), frame.compressed ? "compressed" : "means"];
  return groupOf("unmasking", "The payload", make("span", "legend", rows.map((row) => make("span", "", row))), groups,
    frame.came > UNMASKED ? "…" : "");
}

// Bytes that mean something together: a Close frame's code, a character in UTF-8.
function groupAt(frame, bytes, at) {
  const code = at === 0 && codeOf(frame, bytes);
  if (code) return { size: 2, text: code };
  const first = bytes[at];
  const size = isBytes(frame) || first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    const text = decode(bytes.slice(at, at + size), true);
    if (!/\p{C}/u.test(text)) return { size, text: text.replace(" ", "␣") };
  } catch {}  // not UTF-8
  return { size: 1, text: "·" };
}

// Where one part is pointed at, others light up that show the same bytes. `showSum` shows how the
// first of them is unmasked.
function lightUp(figure, explained, showSum) {
  const groupAround = (part) => part.parentNode.closest("[role=group]");
  const light = (source) => {
    figure.querySelectorAll(".lit").forEach((part) => part.classList.remove("lit"));
    explained.replaceChildren(...cite(source?.ariaLabel ?? "Point at a field or tap it, or move with Tab and the arrow keys."));
    const bytes = source?.dataset.bytes.split(" ") ?? [];
    for (const byte of bytes) {
      for (const part of figure.querySelectorAll(`[data-bytes~="${byte}"]`)) {
        const elsewhere = groupAround(part) !== groupAround(source);
        if (elsewhere || part.dataset.name === source.dataset.name) part.classList.add("lit");
      }
    }
    showSum(Number(bytes[0] ?? 0));
  };
  // What was explained last stays: there are links in it.
  const chosen = ({ target }) => {
    const source = target.closest("[data-name]");
    if (source) light(source);
  };
  figure.addEventListener("pointerover", chosen);
  figure.addEventListener("focusin", chosen);
  light(null);
}
