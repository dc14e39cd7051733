// The wire: what the server saw of its connections. It tells so over a second WebSocket, whose
// subprotocol is sockeye-inspect: each message is a record, one JSON object.
// SPDX-License-Identifier: MIT
import { drawFrame, opcodeName, preview } from "./frame.js";
import { drawDerivation, drawHead } from "./handshake.js";
import { bytesOf, cite, closeText, count, element, functions, hexOf, make, sizeText } from "./parts.js";

const ENTRY_LIMIT = 200;        // of all connections together
const HELLO_DEADLINE_MS = 3000;
const WHOLE_LIMIT = 64 * 1024;  // bytes of the largest message that Protocol::take_message takes

// The server's functions on the way of what comes, and of what it sends. All are declared in ws/.
const TAKEN_BY = {
  request: ["Connection::receive_requests", "http::check_upgrade", "Handler::on_upgrade"],
  message: ["Connection::deliver", "Handler::on_message"],
  ping: ["Connection::handle", "Handler::on_ping"],
  pong: ["Connection::handle", "Handler::on_pong"],
  close: ["Connection::on_close_frame", "Handler::on_close"],
  failed: ["Connection::fail", "Handler::on_close"],
};
const SENT_BY = {
  response: ["http::accept_value", "http::upgrade_response"],
  message: ["Connection::send", "Protocol::put_start"],
  ping: ["Connection::send_control", "Protocol::control"],
  pong: ["Connection::send_control", "Protocol::control"],
  close: ["Connection::send_close", "Protocol::close"],
};

const OTHER = { client: "server", server: "client" };
const list = element("entries");
const select = element("shown");

let inspector;
let token = "";
const connections = new Map();  // by id
const entries = [];             // of all connections, oldest first
let shown;                      // the connection in front
let own;                        // the page's
let following = true;           // what is newest stays in view
let followed = 0;               // how far it has scrolled for that

// Opens the inspecting connection, if there is none. Resolves to the query with which the page's own
// connection will be shown: empty where nothing can be.
export function inspect(url) {
  if (token) return `?trace=${token}`;
  inspector?.close();
  const socket = inspector = new WebSocket(url, "sockeye-inspect");
  return new Promise((resolve) => {
    const unavailable = ({ reason = "" }) => {
      clearTimeout(late);
      resolve("");
      if (socket !== inspector) return;
      token = "";
      element("provoke").hidden = element("all").hidden = true;
      const why = reason && `: ${reason}`;
      say(`This server does not show its wire now${why}. What is on the left works all the same.`);
    };
    const late = setTimeout(unavailable, HELLO_DEADLINE_MS, {});
    socket.onclose = unavailable;
    socket.onmessage = ({ data }) => {
      const record = JSON.parse(data);
      if (record.type !== "hello") return take(record);
      clearTimeout(late);
      greet(record);
      resolve(`?trace=${token}`);
    };
  });
}

export function showOwn() {
  if (own) show(own);
  lookAtWire();
}

// Where the wire is below what a person uses.
function lookAtWire() {
  if (matchMedia("(max-width: 60rem)").matches) element("wire").scrollIntoView({ behavior: "smooth" });
}

function provoke(command) {
  inspector.send(command);
  lookAtWire();
}

const say = (text) => (element("wire-note").textContent = text);

function greet(hello) {
  token = hello.token;
  say("");
  // The server may be another one, which counts its connections anew.
  for (const connection of connections.values()) forget(connection);
  entries.length = 0;
  shown = own = undefined;
  element("all").hidden = !hello.inspect;
  element("all-switch").checked = false;
  element("provoke").hidden = Object.keys(hello.violations).length === 0;
  element("provoke").onsubmit = (event) => {
    event.preventDefault();
    provoke(`fragment ${element("fragment-size").value} ${element("text").value}`);
  };
  element("real-ping").onclick = () => provoke(`ping ${element("text").value}`);
  element("violations").replaceChildren(...Object.entries(hello.violations).map(([name, { section, text }]) => {
    const button = make("button", "", make("span", "", text), make("small", "", section));
    button.type = "button";
    button.value = name;
    button.onclick = () => provoke(`violate ${name}`);
    return make("li", "", button);
  }));
}

// ── Records ──────────────────────────────────────────────────────────────────────────────────

function take(record) {
  if (record.type === "lost") return say(`This page reads too slowly: ${count(record.records, "record")} left out.`);
  takers[record.type]?.(connectionOf(record.id), record);
  settle();
}

const takers = {
  opened(connection, { time_us, peer }) {
    connection.name = peer;
    addLine(connection, time_us, "", `${/:\d+$/.test(peer) ? "TCP connection" : "connection"} accepted from ${peer}`);
  },

  request(connection, { time_us, head }) {
    if (token && head.includes(token)) {
      const isOwn = head.includes(navigator.userAgent);
      connection.name = isOwn ? "this page" : "provoked";
      if (isOwn) own = connection;
      show(connection);
    }
    const entry = connection.handshake = addEntry(connection, "handshake", time_us, "client ⇄ server", "HTTP", "", head.split("\r\n")[0]);
    const upgrades = /^upgrade:/im.test(head);
    entry.body.append(drawHead("The client asks", upgrades ? "§4.1" : "", head, upgrades ? TAKEN_BY.request : []));
  },

  response(connection, { time_us, head }) {
    const [line] = head.split("\r\n");
    const entry = connection.handshake ?? addEntry(connection, "handshake", time_us, "client ⇄ server", "HTTP", "", "");
    entry.response = head;
    entry.preview.append(` … ${line}`);
    const agrees = line.includes(" 101 ");
    entry.body.append(drawHead(agrees ? "The server agrees" : "The server answers", agrees ? "§4.2.2" : "", head, []));
  },

  upgrade(connection, record) {
    if (!connection.handshake) return;  // it was left out
    const { name, body, response } = connection.handshake;
    name.textContent = "handshake";
    body.lastChild.before(drawDerivation(record, response, SENT_BY.response));
    body.append(make("p", "hint", "From here on both sides send frames: a header of 2 to 14 bytes, then the payload."));
  },

  body(connection, { time_us, from, size }) {
    addLine(connection, time_us, from, `body of ${count(size, "byte")}`);
  },

  frame(connection, record) {
    const { from, time_us, fin, opcode, length } = record;
    const name = opcodeName(opcode) + (fin ? "" : " …");
    const entry = addEntry(connection, from, time_us, `${from} → ${OTHER[from]}`, name, sizeText(length), preview(record));
    entry.frame = record;
    describe(entry);
  },

  event(connection, record) {
    let entry = connection.newest[record.from];
    if (!entry || entry.event) entry = addEntry(connection, record.from, record.time_us, record.from, record.event, "", "");
    entry.event = record;
    entry.item.classList.add(record.event);
    describe(entry);
    if (record.event === "failed") {
      entry.preview.textContent = `${record.error} → ${record.code}`;
      connection.error = `: ${record.error}`;
    } else if (entry.frame?.compressed) {
      entry.preview.textContent = preview({ ...record, unmasked: record.payload, length: record.size });
    }
  },

  bytes(connection, { time_us, from, size, bytes, why }) {
    addLine(connection, time_us, from, `${count(size, "byte")}, `, ...cite(why), ": ", make("code", "", hexOf(bytesOf(bytes).slice(0, 32))));
  },

  ended(connection, { time_us, from, error }) {
    addLine(connection, time_us, from, error ? `the connection broke: ${error}` : `the ${from} ends its side of TCP (FIN)`);
  },

  closed(connection, { time_us }) {
    connection.over = " (closed)";
    addLine(connection, time_us, "", "connection closed");
  },
};

// What the receiver made of a frame, and the server's functions on its way.
function describe({ verdict, frame, event }) {
  const { from } = frame ?? event;
  const kind = event?.event ?? "message";
  const whole = frame?.fin && event?.event === "message" && frame.opcode && frame.length <= WHOLE_LIMIT && !frame.compressed;
  const taken = [...(frame ? [whole ? "Protocol::take_message" : "Protocol::read"] : []), ...(event ? TAKEN_BY[kind] : [])];
  const text = event ? `The ${OTHER[from]} ${meaning(event)}`
    : frame.came < frame.length ? `${count(frame.came, "byte")} of the payload came.`
    : "The message goes on in the next frame (§5.4).";
  verdict.replaceChildren(make("span", "", ...cite(text)), functions(from === "client" ? taken : SENT_BY[kind] ?? []));
}

function meaning({ event, opcode, size, code, reason, error, section, text }) {
  switch (event) {
    case "message": return `has a whole message: ${opcodeName(opcode)}, ${count(size, "byte")} (§6.2).`;
    case "ping": return "has a Ping, and answers with a Pong of the same payload (§5.5.2).";
    case "pong": return "has a Pong (§5.5.3).";
    case "close": return `has a Close frame: ${closeText(code, reason)}. Each side sends one (§5.5.1).`;
    default: return `fails the connection: ${text} (${section}). ${error}${code ? ` → Close with ${closeText(code, "")} (§7.1.7)` : ""}.`;
  }
}

// ── Connections ──────────────────────────────────────────────────────────────────────────────

function connectionOf(id) {
  if (!connections.has(id)) {
    const connection = { id, name: "", error: "", over: "", list: make("ol", ""), option: make("option", ""), newest: {} };
    connection.list.hidden = true;
    connection.option.value = id;
    connections.set(id, connection);
    list.append(connection.list);
    select.prepend(connection.option);
    if (!shown || shown.over) show(connection);
  }
  return connections.get(id);
}

function show(connection) {
  shown = connection;
  select.value = connection.id;
  for (const { list } of connections.values()) list.hidden = list !== connection.list;
  following = true;
  settle();
}

function forget({ id, list, option }) {
  connections.delete(id);
  list.remove();
  option.remove();
}

// ── Entries ──────────────────────────────────────────────────────────────────────────────────

function add(connection, item) {
  connection.list.append(item);
  entries.push({ connection, item });
  if (entries.length > ENTRY_LIMIT) {
    const oldest = entries.shift();
    oldest.item.remove();
    const isEmpty = !oldest.connection.list.firstChild;
    if (isEmpty && oldest.connection !== shown && oldest.connection !== own) forget(oldest.connection);
  }
}

const timeText = (us) => (us < 1e6 ? `${(us / 1e3).toFixed(1)} ms` : `${(us / 1e6).toFixed(2)} s`);

function addLine(connection, time, side, ...children) {
  add(connection, make("li", `note ${side}`, make("span", "time", timeText(time)), make("span", "", ...children)));
}

// A line that opens. The newest of each side is open; those before it close, but for what a person
// has opened.
function addEntry(connection, side, time, who, name, size, text) {
  const entry = {
    side, name: make("b", "", name), preview: make("span", "preview", text),
    verdict: make("p", "verdict"), body: make("div", "body"), drawn: side === "handshake",
  };
  const summary = make("summary", "", make("span", "time", timeText(time)), make("span", "who", who), entry.name,
    make("span", "size", size), entry.preview);
  entry.details = make("details", "", summary, entry.body);
  entry.details.ontoggle = () => draw(entry);
  summary.onclick = () => (entry.touched = true);
  entry.item = make("li", side, entry.details);
  add(connection, entry.item);

  const { newest } = connection;
  for (const earlier of [newest[side], side !== "handshake" && newest.handshake]) {
    if (earlier && !earlier.touched) earlier.details.open = false;
  }
  newest[side] = entry;
  return entry;
}

// A frame is drawn when it is looked at, so that a thousand of them cost little.
function draw(entry) {
  if (!entry.details.open || entry.drawn) return;
  entry.drawn = true;
  entry.body.append(entry.frame ? drawFrame(entry.frame) : "", entry.verdict);
}

// Once for all that came at once: what is newest is opened, and comes into view.
let settling = 0;
function settle() {
  settling ||= requestAnimationFrame(() => {
    settling = 0;
    for (const { id, name, error, over, option } of connections.values()) option.textContent = `#${id} ${name}${error}${over}`;
    if (!shown) return;
    const newest = Object.values(shown.newest).filter(({ side }, _, all) => side !== "handshake" || all.length === 1);
    for (const entry of newest) {
      if (!entry.touched) entry.details.open = true;
      draw(entry);
    }
    if (!following) return;
    // The end, unless that hides where the newest begins.
    const end = list.scrollHeight;
    list.scrollTop = Math.min(end, ...newest.map(({ item }) => item.offsetTop).filter((top) => top && end - top < 2 * list.clientHeight));
    followed = list.scrollTop;
  });
}

list.onscroll = () => {
  const left = list.scrollHeight - list.clientHeight - list.scrollTop;
  following = left < 40 || Math.abs(list.scrollTop - followed) < 2;
};
select.onchange = () => show(connections.get(Number(select.value)));
element("all-switch").onchange = ({ target }) => inspector.send(target.checked ? "all on" : "all off");
element("clear").onclick = () => {
  for (const { item } of entries.splice(0)) item.remove();
  for (const connection of connections.values()) {
    connection.newest = {};
    if (connection.over && connection !== shown) forget(connection);
  }
};
