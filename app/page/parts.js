// Small things that the page's scripts share. SPDX-License-Identifier: MIT

export const element = (id) => document.getElementById(id);

// An element of a class ("" for none), with texts and nodes in it.
export function make(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.flat());
  return made;
}

// A text as nodes, where "§5.1", which means RFC 6455, and "RFC 7692 §6" are links.
export function cite(text) {
  return text.split(/((?:RFC \d+ |PROXY protocol )?§\d+(?:\.\d+)*)/).map((part, i) => {
    if (i % 2 === 0 || part.startsWith("PROXY")) return part;
    const [, rfc = "6455", section] = part.match(/^(?:RFC (\d+) )?§(.*)$/);
    const link = make("a", "", part);
    link.href = `https://www.rfc-editor.org/rfc/rfc${rfc}#section-${section}`;
    link.target = "_blank";  // here it would end the connection
    return link;
  });
}

// "Type::member → Type::member", as code.
export const functions = (names) =>
  make("span", "functions", names.flatMap((name, i) => [i ? " → " : "", make("code", "", name)]));

export const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
export const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
export const binary = (number, digits) => number.toString(2).padStart(digits, "0");
export const utf8Size = (text) => new TextEncoder().encode(text).length;

export const count = (number, what) => `${number.toLocaleString("en")} ${what}${String(number) === "1" ? "" : "s"}`;

export function sizeText(bytes) {
  const unit = Math.floor(Math.log2(bytes || 1) / 10);
  return unit ? `${(bytes / 1024 ** unit).toFixed(1)} ${"KMGTPE"[unit - 1]}iB` : `${bytes} B`;
}

const CLOSE_CODES = {  // RFC 6455 §7.4.1
  1000: "normal closure", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
  1005: "no code given", 1006: "lost without a Close frame", 1007: "invalid payload",
  1008: "policy violation", 1009: "message too big", 1011: "internal error",
};

// "1000 (normal closure): reason"
export const closeText = (code, reason) =>
  code + (CLOSE_CODES[code] ? ` (${CLOSE_CODES[code]})` : "") + (reason && `: ${reason}`);
