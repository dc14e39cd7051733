// A chat room: whatever is published to one topic. It comes as {"id":17,"topic":"lobby","text":"..."}, and
// who comes back after a loss says which id was the last. SPDX-License-Identifier: MIT

const MESSAGES = 1000;  // kept on the page
const FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 30_000;
const STEADY_MS = 5_000;  // a connection that lasted so long was a good one

const element = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const token = query.get("token");

let room;
let last = 0;        // the id of the newest message
let unconfirmed;     // what was sent and hasn't come back
let lost = [];       // what of that is in the field again
let restored = "";   // the field's text, then
let draft;           // and before
let socket;
let failures = 0;    // one after another
let timer;

function urlOf(parameters = {}) {
  const url = new URL(`./${room}`, location);
  url.search = new URLSearchParams({ ...parameters, ...(token && { token }) });
  return url;
}

// The address says which room: #ROOM, or ?topic=ROOM.
function enter() {
  leave();
  const field = element("room");
  field.value = location.hash.slice(1) || query.get("topic") || "lobby";
  room = field.checkValidity() ? field.value : undefined;
  if (!room) {  // it might lead anywhere
    showState("No such room");
    return field.reportValidity();
  }
  last = 0;
  unconfirmed = [];
  element("messages").replaceChildren();
  document.title = `${room} – Sockeye`;
  const quoted = token?.replaceAll("'", "'\\''");
  element("curl").textContent = "curl -d 'hello' " + (token ? `-H 'Authorization: Bearer ${quoted}' ` : "") +
    new URL(`./${room}`, location.origin + location.pathname);
  showState("Connecting");
  connect();
}

function leave() {
  clearTimeout(timer);
  if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
  socket?.close();
  socket = undefined;
}

function connect() {
  leave();
  const url = urlOf({ format: "json", ...(last && { after: last }) });
  url.protocol = url.protocol.replace("http", "ws");
  let openedAt;
  socket = new WebSocket(url);
  socket.onopen = () => {
    openedAt = performance.now();
    showState("Connected");
  };
  socket.onmessage = ({ data }) => receive(JSON.parse(data));
  socket.onclose = ({ reason }) => {
    if (performance.now() - openedAt > STEADY_MS) failures = 0;
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures++) * (0.5 + Math.random() / 2);
    timer = setTimeout(connect, pause);
    restore();
    showState("Reconnecting", reason);
    if (openedAt === undefined) explain(socket);
  };
}

// Of a refused handshake browsers tell nothing; a plain request is refused for the same reason.
async function explain(refused) {
  try {
    const response = await fetch(urlOf());
    const reason = response.ok ? "" : await response.text();
    if (refused === socket && refused.readyState === WebSocket.CLOSED) showState("Reconnecting", reason);
  } catch {}  // nobody is there
}

function showState(state, reason = "") {
  element("state").className = state.toLowerCase();
  element("state").textContent = state + (reason && `: ${reason.trim().slice(0, 200)}`);
  element("send-button").disabled = state !== "Connected";
}

function receive({ id, text, base64 }) {
  if (id <= last) return;
  last = id;
  confirm(text);
  show(text, base64);
}

function show(text, base64) {
  const now = new Date();
  const item = make("li", "", make("time", "", now.toTimeString().slice(0, 8)));
  item.firstChild.dateTime = now.toISOString();
  if (text === undefined) {
    const size = base64.length / 4 * 3 - base64.match(/=*$/)[0].length;
    item.append(make("span", "size", `binary, ${size.toLocaleString("en")} byte${size === 1 ? "" : "s"}`));
  } else {
    const [, name, words = text] = text.match(/^([^:\n]{1,40}): (.*)$/s) ?? [];
    if (name) item.append(senderOf(name), " ");
    item.append(make("span", "text", words));
  }
  const list = element("messages");
  list.append(item);
  if (list.children.length > MESSAGES) list.firstChild.remove();
}

function senderOf(name) {
  const sender = make("bdi", "", name);
  const sum = Array.from(name).reduce((sum, character) => (sum * 31 + character.codePointAt(0)) % 65_537, 0);
  sender.style.setProperty("--hue", sum * 137.5 % 360);
  return sender;
}

function make(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function send() {
  const text = element("text");
  if (!element("name").reportValidity() || !text.value.trim() || socket?.readyState !== WebSocket.OPEN) return;
  const message = `${element("name").value}: ${text.value}`;
  unconfirmed.push(message);
  socket.send(message);
  text.value = "";
}

function confirm(message) {
  const own = unconfirmed.indexOf(message);
  if (own >= 0) unconfirmed.splice(own, 1);
  lost = lost.filter((one) => one !== message);
  if (lost.length || !restored) return;
  if (element("text").value === restored) element("text").value = draft;
  restored = "";
}

// What got lost with the connection, perhaps, goes back to where it was written and can be sent again,
// unless it comes after all.
function restore() {
  if (!unconfirmed.length) return;
  lost = unconfirmed;
  unconfirmed = [];
  draft = element("text").value;
  restored = [...lost.map((message) => message.slice(message.indexOf(": ") + 2)), draft].filter(Boolean).join("\n");
  element("text").value = restored;
}

// A browser may keep pages from remembering anything.
const memory = (() => {
  try {
    return localStorage;
  } catch {
    return {};
  }
})();
element("name").value = memory.sockeyeName ?? `guest${Math.floor(Math.random() * 1000)}`;
element("name").onchange = () => (memory.sockeyeName = element("name").value);

element("enter").onsubmit = (event) => {
  event.preventDefault();
  location.hash = element("room").value;
  element("text").focus();
};
element("send").onsubmit = (event) => {
  event.preventDefault();
  send();
};
element("text").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
};
addEventListener("hashchange", enter);
addEventListener("online", () => room && connect());  // the old one may be dead without knowing
enter();
