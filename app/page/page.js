// One WebSocket to the server that served this page: what is sent, what comes back, how it ends.
// SPDX-License-Identifier: MIT
"use strict";

const ROW_LIMIT = 200;     // rows kept in the log
const TEXT_LIMIT = 240;    // characters shown of a text message
const BINARY_LIMIT = 32;   // bytes shown of a binary message
const REASON_LIMIT = 123;  // bytes of a close reason, RFC 6455 §5.5

const CLOSE_CODES = {  // RFC 6455 §7.4.1
  1000: "normal closure", 1001: "going away", 1002: "protocol error", 1003: "unsupported data",
  1005: "no code given", 1006: "lost without a Close frame", 1007: "invalid payload",
  1008: "policy violation", 1009: "message too big", 1011: "internal error",
};

const element = (id) => document.getElementById(id);
const utf8Size = (text) => new TextEncoder().encode(text).length;

const url = new URL("./", location);
url.protocol = url.protocol.replace("http", "ws");

let socket;             // the current one; what happens to earlier ones only goes to the log
let pings = 0;
let pingUnderWay = {};  // its text, and when it left
const totals = { sent: { messages: 0, bytes: 0 }, received: { messages: 0, bytes: 0 } };

function connect() {
  const offered = element("subprotocol").value.split(/[\s,]+/).filter(Boolean);
  const previous = socket;
  try {
    socket = new WebSocket(url, offered);
  } catch (error) {  // a subprotocol that is no token, or is there twice
    return note(error.message, "failed");
  }
  previous?.close(1000, "reconnecting");
  note(`connecting to ${url}` + (offered.length ? `, offering ${offered.join(", ")}` : ""));
  showState("connecting");
  const opened = socket;
  opened.binaryType = "arraybuffer";
  opened.onmessage = ({ data }) => receive(data);
  opened.onopen = () => {
    note("open" + (opened.protocol && `, subprotocol ${opened.protocol}`));
    showState("open");
  };
  opened.onclose = ({ code, reason, wasClean }) => {
    const name = CLOSE_CODES[code];
    note(`closed with ${code}` + (name ? ` (${name})` : "") + (reason && `: ${reason}`), wasClean ? "" : "failed");
    if (opened === socket) showState("closed");
  };
}

function close() {
  const [code, reason] = [element("code"), element("reason")];
  const number = Number(code.value);
  const allowed = number === 1000 || (Number.isInteger(number) && number >= 3000 && number <= 4999);
  code.setCustomValidity(allowed ? "" : "1000, or 3000 to 4999");
  reason.setCustomValidity(utf8Size(reason.value) > REASON_LIMIT ? `At most ${REASON_LIMIT} bytes of UTF-8` : "");
  if (!element("close").reportValidity()) return;
  socket.close(number, reason.value);
  note(`closing with ${number}` + (reason.value && `: ${reason.value}`));
  showState("closing");
}

function send(data, kind) {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(data);
  log("sent", data, kind);
}

function receive(data) {
  if (data !== pingUnderWay.text) return log("received", data);
  const roundTrip = (performance.now() - pingUnderWay.started).toFixed(1) + " ms";
  pingUnderWay = {};
  element("round-trip").textContent = roundTrip;
  log("received", data, "ping");
  note(`round trip ${roundTrip}`);
}

function ping() {
  pingUnderWay = { text: `ping ${++pings}`, started: performance.now() };
  element("round-trip").textContent = "…";
  send(pingUnderWay.text, "ping");
}

function showState(state) {
  element("state").className = state;
  element("state").textContent = state[0].toUpperCase() + state.slice(1);
  for (const fieldset of document.querySelectorAll("fieldset")) fieldset.disabled = state !== "open";
}

// The log: a row for each message, and for each thing that happens to the connection.

function log(direction, data, kind) {
  const isText = typeof data === "string";
  const size = isText ? utf8Size(data) : data.byteLength;
  const total = totals[direction];
  total.bytes += size;
  element(direction).textContent = `${++total.messages} · ${sizeText(total.bytes)}`;
  kind ??= isText ? "text" : "binary";
  addRow(direction, `${direction} ${kind}`, isText ? textPreview(data) : hexPreview(data), sizeText(size));
}

function note(text, className = "") {
  addRow(className, "connection", text, "");
}

function addRow(className, what, text, size) {
  const list = element("log");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const row = document.createElement("li");
  row.className = className;
  const time = new Date().toTimeString().slice(0, 8);
  for (const [name, content] of Object.entries({ time, what, text, size })) {
    const cell = document.createElement("span");
    cell.className = name;
    cell.textContent = content;
    row.append(cell, " ");
  }
  list.append(row);
  if (list.children.length > ROW_LIMIT) list.firstChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function textPreview(text) {
  return text.length > TEXT_LIMIT ? text.slice(0, TEXT_LIMIT) + "…" : text;
}

function hexPreview(buffer) {
  const bytes = new Uint8Array(buffer.slice(0, BINARY_LIMIT));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return hex + (buffer.byteLength > BINARY_LIMIT ? " …" : "");
}

function sizeText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}

const actions = { connect, close, ping, send: () => send(element("text").value) };
for (const [id, action] of Object.entries(actions)) {
  element(id).onsubmit = (event) => {
    event.preventDefault();
    action();
  };
}
element("text").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element("send").requestSubmit();
};
element("choose").onclick = () => element("file").click();
element("file").onchange = async () => {
  const files = [...element("file").files];
  element("file").value = "";  // so that the same file can be chosen again
  for (const file of files) send(await file.arrayBuffer());
};
element("clear").onclick = () => element("log").replaceChildren();

element("url").textContent = url;
connect();
