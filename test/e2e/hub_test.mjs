// `sockeye hub`: what goes in by WebSocket and by POST comes out of WebSockets, event streams and what is
// kept; who may do so; what a topic's name is; where its limits are.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import WebSocket from "ws";
import { EventReader, Subscriber, eventStream, post, request, stateOf, upgrade } from "./support/hub.mjs";
import { bytesOf, textOf } from "./support/messages.mjs";
import { RawClient, TEXT, frame, openRaw } from "./support/raw_client.mjs";
import { atEnd, eventually, repository, scratchFolder, start, startHub, within } from "./support/sockeye.mjs";

const octets = { "Content-Type": "application/octet-stream" };

const curl = async (t, ...args) => {
  const program = start(t, "curl", ["-sS", ...args]);
  assert.equal(await program.status(), 0, program.stderr);
  return program.stdout;
};

// The subscriber's messages up to `text`, which is published now: so nothing else came.
async function until(server, topic, subscriber, text = "the end") {
  await post(server, `/${topic}`, text);
  const isLast = (one) => one === text || one?.data === text;
  await eventually(() => isLast(subscriber.received.at(-1)), "the last message");
  return subscriber.received.slice(0, -1);
}

// ------------------------------------------------------------------------------------------- fan-out

test("hub: what curl publishes reaches Node, Python, and readers of events, at the same time", async (t) => {
  const server = await startHub(t);
  const script = fileURLToPath(new URL("hub_client.py", import.meta.url));
  const python = start(t, "/usr/bin/python3", ["-B", script, `${server.url}room`, "4"]);
  const node = await Subscriber.open(t, server, "/room");
  const json = await Subscriber.open(t, server, "/room?format=json");
  const events = await EventReader.open(t, server, "/room");
  const curlReader = start(t, "curl", ["-sSN", "-H", "Accept: text/event-stream", `http://${server.host}/room`]);
  await eventually(() => python.stdout.startsWith("open"), "Python's connection");
  await eventually(async () => (await stateOf(server, "room")).subscribers === 5, "five subscribers");

  const url = `http://${server.host}/room`;
  const file = path.join(scratchFolder(t), "bytes");
  writeFileSync(file, Buffer.from([0, 0xff, 13, 10]));
  const answers = [
    await curl(t, "-d", "hello", url),
    await curl(t, "--data-binary", `@${file}`, url),
    await curl(t, "-H", "Transfer-Encoding: chunked", "-d", "für Bäche 🐟", url),
    await curl(t, "-X", "POST", "-H", "Content-Length: 0", url),
  ].map((line) => {
    assert.match(line, /^\{"id":\d+,"topic":"room","subscribers":5\}\n$/);
    return JSON.parse(line).id;
  });
  assert.deepEqual(await node.first(4), ["hello", Buffer.from([0, 0xff, 13, 10]), "für Bäche 🐟", ""]);
  assert.deepEqual(await json.first(4), [
    `{"id":${answers[0]},"topic":"room","text":"hello"}`, `{"id":${answers[1]},"topic":"room","base64":"AP8NCg=="}`,
    `{"id":${answers[2]},"topic":"room","text":"für Bäche 🐟"}`, `{"id":${answers[3]},"topic":"room","text":""}`,
  ]);
  assert.deepEqual(await events.first(4), [
    ["hello", "message"], ["AP8NCg==", "binary"], ["für Bäche 🐟", "message"], ["", "message"],
  ].map(([data, type], i) => ({ id: String(answers[i]), type, data })));
  assert.equal(await python.status(), 0, python.stderr);
  assert.deepEqual(python.stdout.trim().split("\n").slice(1).map((line) => JSON.parse(line)),
    [{ text: "hello" }, { bytes: "00ff0d0a" }, { text: "für Bäche 🐟" }, { text: "" }]);
  const ending = `id: ${answers[0]}\ndata: hello\n\nid: ${answers[1]}\nevent: binary\ndata: AP8NCg==\n\n`;
  await eventually(() => curlReader.stdout.includes(ending) ||
    curlReader.stdout.includes(ending.replace(/(id: .*\n)(event: .*\n)/, "$2$1")), `curl has ${ending}`);
  for (const earlier of [0, 1, 2]) assert.ok(answers[earlier] < answers[earlier + 1]);
});

test("hub: what a WebSocket sends reaches all, and itself unless it wants no echo", async (t) => {
  const server = await startHub(t);
  const [talker, silent, other] = [await Subscriber.open(t, server, "/room"), await Subscriber.open(t, server, "/room?echo=no"),
    await Subscriber.open(t, server, "/room?format=json")];
  const elsewhere = await Subscriber.open(t, server, "/another");
  talker.send("from one");
  await silent.first(1);
  silent.send(Buffer.from([1, 2, 3]));
  await talker.first(2);
  silent.socket.send("in ", { fin: false });
  silent.socket.send("pieces", { fin: true });
  assert.deepEqual(await until(server, "room", talker), ["from one", Buffer.from([1, 2, 3]), "in pieces"]);
  assert.deepEqual(await until(server, "room", silent, "end 2"), ["from one", "the end"]);
  assert.deepEqual((await other.firstJson(3)).map(({ topic, text, base64 }) => [topic, text, base64]),
    [["room", "from one", undefined], ["room", undefined, "AQID"], ["room", "in pieces", undefined]]);
  assert.deepEqual(await until(server, "another", elsewhere), []);
});

test("hub: a connection's topics are its path and each topic= of its query", async (t) => {
  const server = await startHub(t);
  const topicsOf = async (subscriber, count) => (await subscriber.firstJson(count)).map(({ topic, text }) => `${topic}: ${text}`);
  const both = await Subscriber.open(t, server, "/?topic=a&topic=b&format=json");
  const path = await Subscriber.open(t, server, "/a?format=json&topic=b");
  const [a, b] = [await Subscriber.open(t, server, "/a"), await Subscriber.open(t, server, "/b/c?topic=b")];
  const events = await EventReader.open(t, server, "/?format=json&topic=a&topic=b");
  await post(server, "/a", "1");
  await post(server, "/b", "2");
  await post(server, "/?topic=a", "3");
  await post(server, "/b/c", "4");
  both.send("5");
  for (const subscriber of [both, path]) {
    const all = await topicsOf(subscriber, 5);
    assert.deepEqual(all.slice(0, 3), ["a: 1", "b: 2", "a: 3"]);
    assert.deepEqual(all.slice(3).sort(), ["a: 5", "b: 5"]);
  }
  assert.deepEqual((await events.first(5)).slice(0, 3).map(({ data }) => JSON.parse(data).topic), ["a", "b", "a"]);
  assert.deepEqual(await until(server, "a", a), ["1", "3", "5"]);
  assert.deepEqual(await until(server, "b", b), ["2", "4", "5"]);
});

test("hub: a topic named twice is one", async (t) => {
  const server = await startHub(t);
  const twice = await Subscriber.open(t, server, "/a?topic=a&topic=a");
  twice.send("once");
  await twice.first(1);
  assert.deepEqual(await until(server, "a", twice), ["once"]);
  assert.deepEqual((await stateOf(server, "a")).subscribers, 1);
});

test("hub: a body is text if it is UTF-8, unless it is said to be octets", async (t) => {
  const server = await startHub(t);
  const subscriber = await Subscriber.open(t, server, "/room");
  const cases = [
    [Buffer.from("\0\x7f"), {}, "\0\x7f"],
    [Buffer.from("\ufeffwith a mark"), {}, "\ufeffwith a mark"],
    [Buffer.from("as octets"), octets, Buffer.from("as octets")],
    [Buffer.from("as octets"), { "content-type": "Application/Octet-Stream" }, Buffer.from("as octets")],
    [Buffer.from("any type"), { "Content-Type": "image/png" }, "any type"],
    [Buffer.from([0xed, 0xa0, 0x80]), {}, Buffer.from([0xed, 0xa0, 0x80])],   // a surrogate
    [Buffer.from([0xc0, 0x80]), {}, Buffer.from([0xc0, 0x80])],               // an overlong form
    [Buffer.from([0x61, 0xf0, 0x9f]), {}, Buffer.from([0x61, 0xf0, 0x9f])],   // cut off
  ];
  for (const [body, fields] of cases) await post(server, "/room", body, fields);
  assert.deepEqual(await subscriber.first(cases.length), cases.map(([, , expected]) => expected));
});

test("hub: text that is no UTF-8 closes a WebSocket with 1007 and is not published", async (t) => {
  const server = await startHub(t);
  const subscriber = await Subscriber.open(t, server, "/room");
  const raw = await openRaw(t, server, {}, "/room");
  raw.write(frame(TEXT, Buffer.from([0xed, 0xa0, 0x80])));
  assert.equal((await raw.closeFrame()).code, 1007);
  assert.deepEqual(await until(server, "room", subscriber), []);
});

test("hub: JSON holds every text as it was", async (t) => {
  const server = await startHub(t, "--history", "100");
  const json = await Subscriber.open(t, server, "/room?format=json");
  const events = await EventReader.open(t, server, "/room?format=json");
  const talker = await Subscriber.open(t, server, "/room?echo=no");
  const texts = [
    ...Array.from({ length: 0x20 }, (_, code) => `<${String.fromCharCode(code)}>`), "\x7f\x80\x9f", '"', "\\", '\\"', "\\u0041", "/", "</script>",
    "\u2028\u2029", "\ud7ff\ue000\ufffd\uffff", "🐟\u{10ffff}", "{\"id\":1}", "", textOf(70_000),
  ];
  for (const text of texts) talker.send(text);
  const received = await json.firstJson(texts.length);
  assert.deepEqual(received.map(({ text }) => text), texts);
  assert.deepEqual((await events.first(texts.length)).map(({ data }) => JSON.parse(data)), received);
  for (const one of json.received) assert.deepEqual(Object.keys(JSON.parse(one)), ["id", "topic", "text"]);
  const kept = await Subscriber.open(t, server, "/room?format=json");
  assert.deepEqual(await kept.first(texts.length), json.received);
});

test("hub: Base64 holds bytes of every length", async (t) => {
  const server = await startHub(t);
  const json = await Subscriber.open(t, server, "/room?format=json");
  const events = await EventReader.open(t, server, "/room");
  const sizes = [0, 1, 2, 3, 4, 5, 255, 256, 60_000];
  for (const size of sizes) await post(server, "/room", bytesOf(size), octets);
  const all = await json.firstJson(sizes.length);
  all.forEach(({ base64, text }, i) => {
    assert.equal(base64, bytesOf(sizes[i]).toString("base64"));
    assert.equal(text, undefined);
  });
  assert.deepEqual((await events.first(sizes.length)).map(({ id, type, data }) => [Number(id), type, data]),
    all.map(({ id, base64 }) => [id, "binary", base64]));
});

test("hub: an event has a data: line for each line, and no text makes a field or an event of its own", async (t) => {
  const server = await startHub(t);
  const events = await EventReader.open(t, server, "/room");
  const talker = await Subscriber.open(t, server, "/room?echo=no");
  const texts = ["a\nb", "a\rb", "a\r\nb", "a\n\rb", "\n", "\r", "\r\n", "\r\n\r\n", "a\n", "", " a", "  a", "id: 1", "x\nid: 1\nevent: forged\n\ndata: forged",
    "x\rid: 1\r\rdata: forged", "data", ":", ": comment", "retry: 1", "a\u2028b\u0085c\u000bd", "\0", "x".repeat(70_000)];
  for (const text of texts) talker.send(text);
  await events.first(texts.length);
  const { id: lastId } = await post(server, "/room", "the end");
  const all = await events.first(texts.length + 1);
  assert.deepEqual(all.slice(0, -1).map(({ type, data }) => [type, data]), texts.map((text) => ["message", text.replace(/\r\n?/g, "\n")]));
  assert.deepEqual(events.received.at(-1), { id: String(lastId), type: "message", data: "the end" });
  assert.ok(all.every(({ id }) => /^\d{16}$/.test(id)));
});

test("hub: an event stream says what it is, may not be stored, and has a sign of life every 15 seconds", async (t) => {
  const server = await startHub(t);
  const events = await EventReader.open(t, server, "/room");
  assert.match(events.fields["content-type"], /^text\/event-stream\b/);
  assert.match(events.fields["cache-control"], /no-store|no-cache/);
  const began = Date.now();
  const early = events.comments.length;
  await eventually(() => events.comments.length > early, "a comment");
  assert.ok(Date.now() - began > 5_000, `after ${Date.now() - began} ms`);
  await post(server, "/room", "still there");
  assert.equal((await events.first(1))[0].data, "still there");
});

for (const how of ["shared", "dedicated"]) {
  test(`hub: who takes compressed messages (${how}) and who doesn't get the same`, async (t) => {
    const server = await startHub(t, "--compress", how, "--compress-threshold", "10");
    const compressing = [];
    for (const target of ["/room", "/room", "/room?format=json"]) {
      compressing.push(await Subscriber.open(t, server, target, { perMessageDeflate: { threshold: 0 } }));
    }
    for (const { socket } of compressing) assert.match(socket.extensions, /permessage-deflate/);
    const plain = await Subscriber.open(t, server, "/room");
    const texts = ["short", textOf(5_000), textOf(60_000), "x".repeat(1_000)];
    for (const text of texts.slice(0, 2)) await post(server, "/room", text);
    await plain.first(2);
    for (const text of texts.slice(2)) compressing[0].send(text);
    for (const one of [plain, compressing[0], compressing[1]]) assert.deepEqual(await one.first(4), texts);
    assert.deepEqual((await compressing[2].firstJson(4)).map(({ text }) => text), texts);
  });
}

// ----------------------------------------------------------------------------------------------- HTTP

test("hub: a plain GET tells a topic's state", async (t) => {
  const server = await startHub(t, "--history", "3");
  const answer = await request(server, "GET", "/room");
  assert.equal(answer.text, '{"topic":"room","subscribers":0,"published":0,"last_id":null,"kept":0,"oldest_id":null}\n');
  assert.match(answer.fields["content-type"], /^application\/json\b/);
  assert.equal(answer.fields["cache-control"], "no-store");
  assert.match(answer.fields.vary, /\baccept\b/i);
  await Subscriber.open(t, server, "/room");
  await EventReader.open(t, server, "/room");
  const ids = [];
  for (let i = 0; i < 5; i += 1) ids.push((await post(server, "/room", `${i}`)).id);
  assert.equal((await request(server, "GET", "/room")).text,
    `{"topic":"room","subscribers":2,"published":5,"last_id":${ids[4]},"kept":3,"oldest_id":${ids[2]}}\n`);
  const head = await request(server, "HEAD", "/room");
  assert.deepEqual([head.status, head.text], [200, ""]);
  assert.equal((await request(server, "GET", "/other")).text.includes('"published":0'), true);
});

test("hub: / is the page, with its files beside it", async (t) => {
  const server = await startHub(t);
  for (const [target, file, type] of [["/", "chat.html", /^text\/html/], ["/?topic=room", "chat.html", /^text\/html/],
    ["/-/chat.css", "chat.css", /^text\/css/], ["/-/chat.js", "chat.js", /^text\/javascript/]]) {
    const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
    client.write(`GET ${target} HTTP/1.1\r\nHost: ${server.host}\r\n\r\n`);
    const { status, fields, body } = await client.response();
    assert.equal(status, 200, target);
    assert.match(fields["content-type"], type);
    assert.equal(fields["content-security-policy"], "default-src 'self'; frame-ancestors 'none'");
    assert.ok(gunzipSync(body).equals(readFileSync(path.join(repository, "app/page", file))));
    const head = await request(server, "HEAD", target);
    assert.deepEqual([head.status, head.fields["content-length"], head.text], [200, String(body.length), ""]);
  }
  assert.ok([400, 404].includes((await request(server, "GET", "/-/none")).status));
});

test("hub: another method is 405, and names those that are allowed (RFC 9110 §15.5.6)", async (t) => {
  const server = await startHub(t);
  for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const { status, fields } = await request(server, method, "/room", { fields: { "Content-Length": "0" } });
    assert.equal(status, 405, method);
    for (const allowed of ["GET", "HEAD", "POST"]) assert.match(fields.allow, new RegExp(`\\b${allowed}\\b`));
  }
});

test("hub: a body that is too large is refused with 413 before it came", async (t) => {
  const server = await startHub(t);
  const subscriber = await Subscriber.open(t, server, "/room");
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write(`POST /room HTTP/1.1\r\nHost: ${server.host}\r\nContent-Length: 100000000000\r\n\r\nabc`);
  assert.equal((await client.response()).status, 413);
  await client.end();
  assert.deepEqual(await until(server, "room", subscriber), []);
});

// Each way to name a topic, as a request whose status says whether it is one.
const ways = [
  ["GET", (server, target) => request(server, "GET", target), 200],
  ["POST", (server, target) => request(server, "POST", target, { body: "x" }), 200],
  ["an event stream", (server, target) => request(server, "GET", target, { fields: eventStream }), 200],
  ["WebSocket", (server, target) => request(server, "GET", target, { fields: upgrade }), 101],
];
const good = ["a", "Z9", "a.b-c_d~e", "_", "~", "0", "a/b", "a/b/c", "a.", "a-", "a/b.", "metrics/a", "metrics2", "a/metrics", "Healthz", "x".repeat(128),
  `${"x".repeat(63)}/${"y".repeat(64)}`];
const bad = [".", "..", ".a", "-a", "-/a", "a/.b", "a/-b", "a/..", "a//b", "/a", "//", "a/", "a/b/", "a:b", "a,b", "a+b", "a*", "a@b", "a%zz",
  "a%00", "a\\b", "a;b", "a=b", "'a'", "metrics", "healthz", "x".repeat(129), `${"x".repeat(64)}/${"y".repeat(64)}`];

for (const [way, ask, taken] of ways) {
  test(`hub: names of topics: ${way}`, async (t) => {
    const server = await startHub(t);
    for (const name of good) {
      assert.equal((await ask(server, `/${name}`)).status, taken, name);
      if (way !== "GET") assert.equal((await ask(server, `/?topic=${name}`)).status, taken, `topic=${name}`);
    }
    for (const name of bad) {
      const isOwn = /^(metrics|healthz|-\/a)$/.test(name);  // which may be something, or be missing
      const { status } = await ask(server, `/${name}`);
      assert.ok(status === 400 || (isOwn && (status > 400 || way === "GET")), `${name}: ${status}`);
      if (way !== "GET") assert.equal((await ask(server, `/?topic=${name}`)).status, 400, `topic=${name}`);
      if (way !== "GET") assert.equal((await ask(server, `/a?topic=b&topic=${name}`)).status, 400, `and topic=${name}`);
    }
    if (way !== "GET") assert.equal((await ask(server, "/?topic=")).status, 400);
    // A query is decoded, as scripts encode "/" there; a path isn't, so that a topic has one URL.
    for (const name of ["a%62", "%61", "a%2Fb"]) {
      assert.equal((await ask(server, `/${name}`)).status, 400, name);
      if (way !== "GET") assert.equal((await ask(server, `/?topic=${name}`)).status, taken, `topic=${name}`);
    }
  });
}

test("hub: without a topic there is nothing to connect or to publish to", async (t) => {
  const server = await startHub(t);
  for (const target of ["/", "/?", "/?format=json", "/?topics=a"]) {
    assert.equal((await request(server, "GET", target, { fields: upgrade })).status, 400, target);
    assert.ok([400, 405].includes((await request(server, "POST", target, { body: "x" })).status), target);
  }
});

test("hub: pages of another origin may not publish, by POST or by WebSocket", async (t) => {
  const server = await startHub(t);
  const subscriber = await Subscriber.open(t, server, "/room");
  const origins = ["http://example.com", "null", `https://${server.host}.example.com`, `http://${server.hostname}:1`];
  for (const Origin of origins) {
    assert.equal((await request(server, "POST", "/room", { body: "forged", fields: { Origin } })).status, 403, Origin);
    assert.equal((await request(server, "GET", "/room", { fields: { ...upgrade, Origin } })).status, 403, Origin);
  }
  assert.equal((await request(server, "POST", "/room", { body: "own", fields: { Origin: `http://${server.host}` } })).status, 200);
  assert.deepEqual(await until(server, "room", subscriber), ["own"]);
  const open = await startHub(t, "--origin", "http://example.com");
  assert.equal((await request(open, "POST", "/room", { body: "x", fields: { Origin: "http://example.com" } })).status, 200);
});

// ---------------------------------------------------------------------------------------- who may what

function tokenFile(t, ...tokens) {
  const file = path.join(scratchFolder(t), "tokens");
  writeFileSync(file, tokens.map((token) => `${token}\n`).join(""));
  return file;
}

const wrong = ["", "on", "one-", "one2", "One", "one two", "one\ttwo"];

test("hub: who publishes needs a token, where there is a file of them", async (t) => {
  const server = await startHub(t, "--publish-token", tokenFile(t, "one", "b64+/="));
  const subscriber = await Subscriber.open(t, server, "/room");
  const publish = (target, fields = {}) => request(server, "POST", target, { body: target, fields });
  for (const token of ["one", "b64+/="]) {
    assert.equal((await publish("/room", { Authorization: `Bearer ${token}` })).status, 200, token);
    assert.equal((await publish("/room", { Authorization: `bearer ${token}` })).status, 200, token);  // RFC 9110 §11.1
    assert.equal((await publish(`/room?token=${encodeURIComponent(token)}`)).status, 200, token);
  }
  const refused = [await publish("/room"), await publish("/room?token"), await publish("/room", { Authorization: "Bearer" }),
    await publish("/room", { Authorization: "Basic one" })];
  for (const token of wrong) refused.push(await publish("/room", { Authorization: `Bearer ${token}` }));
  for (const token of wrong) refused.push(await publish(`/room?token=${encodeURIComponent(token)}`));
  for (const { status, fields } of refused) {
    assert.equal(status, 401);
    assert.match(fields["www-authenticate"], /^Bearer\b/);
  }
  // Whoever listens without one may go on, until it sends.
  const talker = await Subscriber.open(t, server, "/room?token=one");
  talker.send("allowed");
  await subscriber.first(7);
  const stranger = await Subscriber.open(t, server, "/room?token=two");
  stranger.send("not allowed");
  assert.equal((await within(stranger.closed, "a close")).code, 1008);
  assert.deepEqual(subscriber.received.slice(6), ["allowed"]);
  assert.deepEqual((await stateOf(server, "room")).published, 7);
});

test("hub: who listens needs a token, where there is a file of them", async (t) => {
  const server = await startHub(t, "--subscribe-token", tokenFile(t, "one", "two"));
  const listenings = [
    ["WebSocket", (target, fields) => request(server, "GET", target, { fields: { ...upgrade, ...fields } }), 101],
    ["an event stream", (target, fields) => request(server, "GET", target, { fields: { ...eventStream, ...fields } }), 200],
    ["a topic's state", (target, fields) => request(server, "GET", target, { fields }), 200],
  ];
  for (const [what, ask, taken] of listenings) {
    for (const token of ["one", "two"]) {
      assert.equal((await ask("/room", { Authorization: `Bearer ${token}` })).status, taken, what);
      assert.equal((await ask(`/room?token=${token}`)).status, taken, what);
    }
    const refused = [await ask("/room"), await ask("/room?token=")];
    for (const token of wrong) refused.push(await ask("/room", { Authorization: `Bearer ${token}` }));
    for (const { status, fields } of refused) {
      assert.equal(status, 401, what);
      assert.match(fields["www-authenticate"], /^Bearer\b/);
    }
  }
  assert.equal((await request(server, "GET", "/")).status, 200);  // the page asks by itself
  assert.equal((await request(server, "POST", "/room", { body: "x" })).status, 200);
});

test("hub: a token to listen is none to publish", async (t) => {
  const server = await startHub(t, "--subscribe-token", tokenFile(t, "listen", "both"), "--publish-token", tokenFile(t, "both", "publish"));
  const post = (token) => request(server, "POST", `/room?token=${token}`, { body: "x" });
  const listen = (token) => request(server, "GET", `/room?token=${token}`, { fields: upgrade });
  assert.deepEqual([(await post("listen")).status, (await post("publish")).status, (await post("both")).status], [401, 200, 200]);
  assert.deepEqual([(await listen("listen")).status, (await listen("publish")).status, (await listen("both")).status], [101, 401, 101]);
  const listener = await Subscriber.open(t, server, "/room?token=listen");
  const both = await Subscriber.open(t, server, "/room?token=both");
  both.send("allowed");
  assert.deepEqual(await listener.first(1), ["allowed"]);
  listener.send("not allowed");
  assert.equal((await within(listener.closed, "a close")).code, 1008);
});

test("hub: with --receive-only, WebSockets only listen", async (t) => {
  const server = await startHub(t, "--receive-only");
  const listener = await Subscriber.open(t, server, "/room");
  const talker = await Subscriber.open(t, server, "/room");
  talker.send("not allowed");
  const { code, reason } = await within(talker.closed, "a close");
  assert.equal(code, 1008);
  assert.notEqual(reason, "");
  assert.deepEqual(await until(server, "room", listener), []);  // and POST publishes
});

// --------------------------------------------------------------------------------------------- limits

test("hub: there are only so many topics at a time", async (t) => {
  const server = await startHub(t, "--max-topics", "2", "--history", "5");
  const [a] = [await Subscriber.open(t, server, "/a"), await EventReader.open(t, server, "/b")];
  const third = async () => [
    (await request(server, "GET", "/c", { fields: upgrade })).status,
    (await request(server, "GET", "/c", { fields: eventStream })).status,
    (await request(server, "POST", "/c", { body: "to be kept" })).status,
  ];
  assert.deepEqual(await third(), [503, 503, 503]);
  assert.equal((await request(server, "GET", "/a?topic=c", { fields: upgrade })).status, 503);
  assert.equal((await request(server, "GET", "/b", { fields: upgrade })).status, 101);
  assert.equal((await stateOf(server, "c")).subscribers, 0);  // to ask makes none
  await a.close();
  await eventually(async () => (await request(server, "GET", "/c", { fields: upgrade })).status === 101, "room for a topic");
});

test("hub: a connection has only so many topics", async (t) => {
  const server = await startHub(t, "--max-topics-per-connection", "3");
  for (const [, ask, taken] of ways.slice(2)) {
    assert.equal((await ask(server, "/a?topic=b&topic=c")).status, taken);
    assert.equal((await ask(server, "/a?topic=b&topic=c&topic=d")).status, 400);
    assert.equal((await ask(server, "/?topic=a&topic=b&topic=c&topic=d")).status, 400);
  }
  const usual = await startHub(t);
  const many = (count) => `/?${Array.from({ length: count }, (_, i) => `topic=t${i}`).join("&")}`;
  assert.equal((await request(usual, "GET", many(16), { fields: upgrade })).status, 101);
  assert.equal((await request(usual, "GET", many(17), { fields: upgrade })).status, 400);
});

test("hub: a topic has only so many subscribers", async (t) => {
  const server = await startHub(t, "--max-subscribers", "2");
  const [first] = [await Subscriber.open(t, server, "/room"), await EventReader.open(t, server, "/room")];
  assert.equal((await request(server, "GET", "/room", { fields: upgrade })).status, 503);
  assert.equal((await request(server, "GET", "/room", { fields: eventStream })).status, 503);
  assert.equal((await request(server, "GET", "/other?topic=room", { fields: upgrade })).status, 503);
  assert.equal((await request(server, "GET", "/other", { fields: upgrade })).status, 101);
  assert.equal((await post(server, "/room", "x")).subscribers, 2);
  await first.close();
  await eventually(async () => (await request(server, "GET", "/room", { fields: upgrade })).status === 101, "room for a subscriber");
});

test("hub: an address publishes only so often: 429, or 1008", async (t) => {
  const server = await startHub(t, "--publish-rate", "5");
  const subscriber = await Subscriber.open(t, server, "/room");
  const publish = (localAddress) => request(server, "POST", "/room", { body: "x", localAddress });
  const statuses = [];
  for (let i = 0; i < 40; i += 1) statuses.push((await publish("127.0.0.1")).status);
  const taken = statuses.filter((status) => status === 200).length;
  assert.equal(statuses[0], 200);
  assert.equal(taken + statuses.filter((status) => status === 429).length, 40);
  assert.ok(taken <= 30, `${taken} of 40 at once, and 5 a second are allowed`);
  assert.equal((await publish("127.0.0.2")).status, 200, "another address has its own");
  const talker = await Subscriber.open(t, server, "/room?echo=no");
  for (let i = 0; i < 40; i += 1) talker.send("x");
  assert.equal((await within(talker.closed, "a close")).code, 1008);
  await eventually(async () => (await publish("127.0.0.1")).status === 200, "another second");
  await eventually(async () => (await stateOf(server, "room")).published === subscriber.received.length, "all that were taken");
});

// --------------------------------------------------------------------------- what is kept, and its ids

test("hub: a newcomer gets what is kept: the newest messages, in order", async (t) => {
  const server = await startHub(t, "--history", "3");
  const ids = [];
  for (let i = 1; i <= 5; i += 1) ids.push((await post(server, "/room", i === 4 ? Buffer.from([255]) : `${i}`)).id);
  await post(server, "/other", "elsewhere");
  const plain = await Subscriber.open(t, server, "/room");
  assert.deepEqual(await until(server, "room", plain), ["3", Buffer.from([255]), "5"]);
  const both = await Subscriber.open(t, server, "/room?topic=other&format=json");
  assert.deepEqual((await both.firstJson(4)).map(({ topic, text }) => `${topic} ${text}`).sort(),
    ["other elsewhere", "room 5", "room the end", "room undefined"]);
  const json = await Subscriber.open(t, server, "/room?format=json");
  assert.deepEqual((await json.firstJson(2)).map(({ id }) => id), ids.slice(3));
  const events = await EventReader.open(t, server, "/room");
  assert.deepEqual((await events.first(3)).map(({ data }) => data), ["/w==", "5", "the end"]);
});

test("hub: who comes back with an id gets what came after it", async (t) => {
  const server = await startHub(t, "--history", "10");
  const ids = [0];
  for (let i = 1; i <= 12; i += 1) ids.push((await post(server, "/room", `${i}`)).id);
  const texts = (from) => ids.map((_, i) => `${i}`).slice(from);
  let ends = 0;
  const follows = async (target, fields, expected) => {
    const json = fields ? await EventReader.open(t, server, target, fields) : await Subscriber.open(t, server, target);
    const all = await until(server, "room", json, `end ${ends += 1}`);
    assert.deepEqual(all.map((one) => one.data ?? one).filter((text) => !text.startsWith("end")), expected, target);
    // Each of these tests adds a message, and pushes the oldest one out.
    for (const one of all) assert.ok(!one.id || Number(one.id) > 0);
  };
  await follows(`/room?after=${ids[11]}`, undefined, ["12"]);
  await follows(`/room?after=${ids[12]}`, undefined, []);
  await follows(`/room?after=${ids[8]}`, undefined, texts(9));
  await follows(`/room?after=${ids[8]}`, {}, texts(9));
  await follows("/room", { "Last-Event-ID": String(ids[9]) }, texts(10));
  await follows(`/room?after=${ids[2]}`, { "Last-Event-ID": String(ids[11]) }, ["12"]);  // the field wins
  await follows(`/room?after=${ids[11]}`, { "Last-Event-ID": String(ids[9]) }, texts(10));
  await follows(`/room?after=${Number.MAX_SAFE_INTEGER}`, undefined, []);
  await follows(`/room?after=${ids[1]}`, undefined, texts(11));  // what isn't kept is gone: 9 and 10, too, by now
});

test("hub: nothing is kept unless told to, and nobody gets what came before", async (t) => {
  const server = await startHub(t);
  await post(server, "/room", "before");
  const subscriber = await Subscriber.open(t, server, "/room?after=0");
  const events = await EventReader.open(t, server, "/room", { "Last-Event-ID": "1" });
  assert.deepEqual(await until(server, "room", subscriber), []);
  assert.deepEqual((await events.first(1))[0].data, "the end");
  assert.equal((await stateOf(server, "room")).kept, 0);
});

test("hub: messages are kept for so many seconds", async (t) => {
  const server = await startHub(t, "--history", "100", "--history-seconds", "2");
  const began = Date.now();
  const { id } = await post(server, "/room", "soon gone");
  const subscriber = await Subscriber.open(t, server, "/room");
  if (Date.now() - began < 1_500) assert.deepEqual(await subscriber.first(1), ["soon gone"]);
  await eventually(async () => (await stateOf(server, "room")).kept === 0, "its end");
  assert.ok(Date.now() - began >= 1_500, `after ${Date.now() - began} ms`);
  const { last_id: last, oldest_id: oldest } = await stateOf(server, "room");
  assert.deepEqual([last, oldest], [id, null]);
  const late = await Subscriber.open(t, server, "/room");
  assert.deepEqual(await until(server, "room", late), []);
});

test("hub: ids are the server's own, begin with the time, and go on increasing after a restart", async (t) => {
  const before = Date.now() * 1_000;
  const server = await startHub(t, "--history", "10");
  const began = Date.now() * 1_000;
  const ids = [];
  for (const topic of ["a", "b", "a", "c"]) ids.push((await post(server, `/${topic}`, topic)).id);
  const talker = await Subscriber.open(t, server, "/a?format=json&after=" + ids[2]);
  talker.send("x");
  ids.push((await talker.firstJson(1))[0].id);
  await server.stop();
  const again = await startHub(t, "--history", "10", "--port", String(server.port));
  for (const topic of ["b", "a"]) ids.push((await post(again, `/${topic}`, `${topic} again`)).id);
  assert.deepEqual(ids, [...new Set(ids)].sort((one, other) => one - other));
  assert.ok(ids[0] >= before - 1_000 && ids[0] <= began + 1_000_000, `${ids[0]} at ${began}`);
  assert.ok(ids.every((id) => Number.isSafeInteger(id)));
  const back = await Subscriber.open(t, again, `/a?after=${ids[2]}`);
  assert.deepEqual(await back.first(1), ["a again"]);
});

// ------------------------------------------------------------------------------------ the other options

test("hub: a server that stops closes WebSockets with 1001, and ends event streams", async (t) => {
  const server = await startHub(t);
  const subscriber = await Subscriber.open(t, server, "/room");
  const events = await EventReader.open(t, server, "/room");
  await server.stop();
  assert.equal((await within(subscriber.closed, "a close")).code, 1001);
  await within(events.ended, "the stream's end");
  assert.equal(await server.status(), 0);
});

test("hub: --trace shows what is published and what goes to whom", async (t) => {
  const file = path.join(scratchFolder(t), "trace.txt");
  const server = await startHub(t, `--trace=${file}`);
  const listener = await Subscriber.open(t, server, "/room");
  const talker = await Subscriber.open(t, server, "/room?echo=no");
  talker.send("Hello");
  await listener.first(1);
  await talker.close();
  await listener.close();
  const trace = await eventually(() => {
    const text = readFileSync(file, "utf8");
    return text.match(/^# the socket is closed$/gm)?.length >= 2 && text;
  }, "two closed in the trace");
  assert.match(trace, /^> "GET \/room\?echo=no HTTP\/1\.1/m);
  assert.match(trace, /^= text "Hello"$/m);
  assert.match(trace, /^< 81 05 .*\n< "Hello"$/m);
});

test("hub: --inspect tells of what is published, and to whom it goes", async (t) => {
  const server = await startHub(t, "--inspect");
  const page = new WebSocket(server.url, "sockeye-inspect");
  atEnd(t, () => page.terminate());
  const records = [];
  page.on("message", (data) => records.push(JSON.parse(data)));
  page.on("error", () => {});
  await eventually(() => records.some(({ type }) => type === "hello"), "the greeting");
  page.send("all on");
  const listener = await Subscriber.open(t, server, "/room");
  const hex = Buffer.from("Hello").toString("hex");
  await eventually(async () => {
    await post(server, "/room", "Hello");
    return records.some(({ type, from, unmasked }) => type === "frame" && from === "server" && unmasked === hex);
  }, "the frame");
  assert.equal((await listener.first(1))[0], "Hello");
});
