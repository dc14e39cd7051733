// What a person does at "/" of sockeye echo: one WebSocket to the server that served the page, what is
// sent, what comes back, how it ends. Its bytes are shown by wire.js. SPDX-License-Identifier: MIT
import { closeText, element, make, sizeText, utf8Size } from "./parts.js";
import { inspect, showOwn } from "./wire.js";

const ROW_LIMIT = 200;     // rows kept in the log
const TEXT_LIMIT = 240;    // characters shown of a text message
const BINARY_LIMIT = 32;   // bytes shown of a binary message
const REASON_LIMIT = 123;  // bytes of a close reason, RFC 6455 §5.5

const url = new URL("./", location);
url.protocol = url.protocol.replace("http", "ws");

let socket;             // the current one; what happens to earlier ones only goes to the log
let attempts = 0;
let pings = 0;
let pingUnderWay = {};  // its text, and when it left
const totals = { sent: { messages: 0, bytes: 0 }, received: { messages: 0, bytes: 0 } };

async function connect() {
  const attempt = ++attempts;
  const offered = element("subprotocol").value.split(/[\s,]+/).filter(Boolean);
  if (!socket) showState("connecting");
  const query = await inspect(url);
  if (attempt !== attempts) return;
  const previous = socket;
  try {
    socket = new WebSocket(url + query, offered);
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
    note(`closed with ${closeText(code, reason)}`, wasClean ? "" : "failed");
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
  showOwn();
  socket.close(number, reason.value);
  note(`closing with ${number}` + (reason.value && `: ${reason.value}`));
  showState("closing");
}

function send(data, kind) {
  if (socket.readyState !== WebSocket.OPEN) return;
  showOwn();
  socket.send(data);
  log("sent", data, kind);
}

function receive(data) {
  if (data !== pingUnderWay.text) return log("received", data);
  const roundTrip = (performance.now() - pingUnderWay.started).toFixed(1) + " ms";
  pingUnderWay = {};
  element("round-trip").textContent = roundTrip;
  log("received", data, "round trip");
  note(`round trip ${roundTrip}`);
}

function ping() {
  pingUnderWay = { text: `ping ${++pings}`, started: performance.now() };
  element("round-trip").textContent = "…";
  send(pingUnderWay.text, "round trip");
}

function showState(state) {
  element("state").className = state;
  element("state").textContent = state[0].toUpperCase() + state.slice(1);
  element("connect-button").textContent = state === "closed" ? "Connect" : "Reconnect";
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
  const time = new Date().toTimeString().slice(0, 8);
  const cells = Object.entries({ time, what, text, size });
  list.append(make("li", className, cells.flatMap(([name, content]) => [make("span", name, content), " "])));
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

const actions = { connect, close, send: () => send(element("text").value) };
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
element("ping").onclick = ping;

element("url").textContent = url;
connect();
