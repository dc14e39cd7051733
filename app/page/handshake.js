// The opening handshake, drawn: the two heads, and how Sec-WebSocket-Accept comes about (RFC 6455 §4).
// SPDX-License-Identifier: MIT
import { binary, bytesOf, cite, functions, hexOf, make } from "./parts.js";

const section = (className, title, citation, by, ...body) =>
  make("section", className, make("h3", "", title, " ", make("small", "", ...cite(citation)), functions(by)), ...body);

// A head, in which the fields that WebSocket needs stand out.
export function drawHead(title, citation, head, by) {
  const lines = head.trimEnd().split("\r\n").map((line, i) => {
    const [, name = ""] = /^(?:Host|Origin|Upgrade|Connection|Sec-WebSocket-(\w+)):/i.exec(line) ?? (i ? [0, "quiet"] : []);
    return make("span", `line ${name.toLowerCase()}`, line);
  });
  return section("head", title, citation, by, make("pre", "", lines));
}

// §4.2.2 item 5.4, step by step; then what the response says.
export function drawDerivation({ key, guid, sha1, accept }, response, by) {
  const said = /^Sec-WebSocket-Accept:[ \t]*(\S*)/im.exec(response)?.[1];
  const bytes = bytesOf(sha1);
  const sixes = [...bytes.slice(0, 3)].map((byte) => binary(byte, 8)).join("").match(/.{6}/g).join(" ");
  const marked = (className, text) => make("mark", className, text);
  const step = (sign, text, ...shown) =>
    make("li", "", make("b", "", sign), make("span", "", ...cite(text)), make("code", "", ...shown));
  const why = make("p", "hint", ...cite("It shows that the server understood the request as WebSocket. It is no secret, and no password (§1.3)."));
  return section("derivation", "Sec-WebSocket-Accept, step by step", "§4.2.2", by, why, make("ol", "steps",
    step("", "the key: 16 random bytes, in Base64 (§4.1)", marked("key", key)),
    step("+", "a fixed text that the RFC names (§1.3)", marked("guid", guid)),
    step("=", "one behind the other", marked("key", key), marked("guid", guid)),
    step("↓", "the SHA-1 digest of that, 20 bytes", hexOf(bytes)),
    step("↓", "in Base64: 3 bytes make 4 letters", marked("accept", accept),
      make("small", "", `${hexOf(bytes.slice(0, 3))} = ${sixes} = ${[...accept.slice(0, 4)].join(" ")} …`)),
    step(said === accept ? "✓" : "✗", `the response says ${said === accept ? "the same" : "something else"}`, marked("accept", said))));
}
