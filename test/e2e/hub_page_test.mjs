// The chat at "/" of sockeye hub, used as people would, in Chromium. Pictures of it go to screenshots/.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import test, { after, before } from "node:test";
import { gzipSync } from "node:zlib";
import { Cable } from "./support/cable.mjs";
import { launch, openPage, screenshot } from "./support/chromium.mjs";
import { bytesOf } from "./support/messages.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { atEnd, eventually, repository, scratchFolder, start, startHub } from "./support/sockeye.mjs";

const folder = path.join(repository, "app/page");
const files = readdirSync(folder).filter((name) => /^chat\.(html|css|js)$/.test(name));

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// `script` runs in the page ahead of its own. What breaks the page's policy shows in page.errors.
async function openChat(t, host, target = "/", { script, ...options } = {}) {
  const page = await openPage(t, browser, "about:blank", options);
  if (script) await page.addInitScript(script);
  await page.goto(`http://${host}${target}`);
  return page;
}

async function inRoom(t, host, target, options) {
  const page = await openChat(t, host, target, options);
  await stateIs(page, /^Connected$/);
  return page;
}

const stateIs = (page, text) => page.locator("#state", { hasText: text }).waitFor();
const message = (page) => page.getByRole("textbox", { name: "Message" });
const shown = (page) => page.locator("#messages > li");
const said = (page, text) => shown(page).filter({ hasText: text }).last().waitFor();

// Without the times.
const lines = (page) => shown(page).evaluateAll((items) =>
  items.map((item) => [...item.children].slice(1).map(({ textContent }) => textContent).join("|")));
const count = (page, wanted) => page.waitForFunction((n) => document.querySelectorAll("#messages > li").length === n, wanted);

async function say(page, text) {
  await message(page).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

async function callMyself(page, name) {
  await page.getByLabel("Name").fill(name);
}

const publish = (host, target, body, options = {}) =>
  fetch(`http://${host}${target}`, { method: "POST", body, ...options }).then(async (response) => {
    assert.equal(response.status, 200, await response.clone().text());
    return response.json();
  });

test("chat: two windows talk, and each sees who said what, and when", async (t) => {
  const server = await startHub(t);
  const [anna, ben] = [await inRoom(t, server.host), await inRoom(t, server.host)];
  await callMyself(anna, "Anna");
  await callMyself(ben, "Ben");
  await say(anna, "für Bäche 🐟");
  await said(ben, "für Bäche");
  await message(ben).fill("two");
  await message(ben).press("Shift+Enter");
  await message(ben).pressSequentially("lines: yes");
  await message(ben).press("Enter");
  await said(anna, "two");
  for (const page of [anna, ben]) {
    assert.deepEqual(await lines(page), ["Anna|für Bäche 🐟", "Ben|two\nlines: yes"]);
    for (const time of await page.locator("time").all()) {
      assert.match(await time.textContent(), /^\d\d:\d\d:\d\d$/);
      assert.ok(Math.abs(Date.now() - Date.parse(await time.getAttribute("datetime"))) < 60_000);
    }
    assert.equal(await message(page).inputValue(), "");
    assert.deepEqual(page.errors, []);
  }
});

test("chat: the line that it hints at publishes to its room; who has no name shows without", async (t) => {
  const folder = scratchFolder(t);
  const tokens = path.join(folder, "tokens");
  writeFileSync(tokens, "it's-a+token\n");
  const server = await startHub(t, "--publish-token", tokens);
  const page = await inRoom(t, server.host, `/?token=${encodeURIComponent("it's-a+token")}#den/1`);
  const hint = await page.locator("#curl").textContent();
  assert.match(hint, /^curl -d 'hello' .*\/den\/1$/);
  const curl = start(t, "sh", ["-c", hint]);
  assert.equal(await curl.status(), 0, curl.stderr);
  await said(page, "hello");
  assert.deepEqual(await lines(page), ["hello"]);
  assert.equal(await page.locator("bdi").count(), 0);
});

test("chat: the room is in the address: #ROOM, or ?topic=, or the lobby; the field changes it", async (t) => {
  const server = await startHub(t, "--history", "10");
  for (const room of ["lobby", "a", "b/c", "d"]) await publish(server.host, `/${room}`, `in ${room}`);
  for (const [target, room] of [["/", "lobby"], ["/?topic=a", "a"], ["/#b/c", "b/c"], ["/?topic=a#d", "d"]]) {
    const page = await inRoom(t, server.host, target);
    assert.equal(await page.getByLabel("Room").inputValue(), room);
    await said(page, `in ${room}`);
  }
  const page = await inRoom(t, server.host, "/#a");
  await said(page, "in a");
  await page.getByLabel("Room").fill("b/c");
  await page.getByLabel("Room").press("Enter");
  await said(page, "in b/c");
  assert.deepEqual(await lines(page), ["in b/c"]);
  assert.match(page.url(), /#b\/c$/);
  assert.match(await page.title(), /^b\/c /);
  assert.match(await page.locator("#curl").textContent(), /\/b\/c$/);
  await publish(server.host, "/a", "late");  // it has left that one
  await publish(server.host, "/b/c", "end");
  await said(page, "end");
  assert.deepEqual(await lines(page), ["in b/c", "end"]);
  await page.goBack();
  await said(page, "late");
});

test("chat: names of rooms are those that the hub takes", async (t) => {
  const server = await startHub(t);
  const page = await inRoom(t, server.host);
  const names = ["a", "A-1_2~.x", "~", "_/~", "a/b/c", "metrics/a", "healthz2", "x".repeat(128), "x".repeat(129), "metrics", "healthz",
    ".", "..", "a/../b", "a/.b", "-a", "a/-b", "/a", "a/", "a//b", "a:b", "a%20b", "a%2fb", "ä", "a b", "a?b", "//example.com", "http://example.com/"];
  for (const name of names) {
    const valid = await page.getByLabel("Room").evaluate((field, value) => {
      field.value = value;
      return field.checkValidity();
    }, name);
    const url = `http://${server.host}/${name}`;
    if (new URL(url).href !== url || url.includes("?")) assert.equal(valid, false, name);  // it can't be asked for as it is
    else assert.equal((await fetch(url)).status, valid ? 200 : 400, name);
  }
});

test("chat: a room that leads elsewhere is not entered", async (t) => {
  const server = await startHub(t);
  const sockets = [];
  const page = await openPage(t, browser, "about:blank");
  page.on("websocket", (socket) => sockets.push(socket.url()));
  for (const room of ["//example.com/x", "http://example.com/", "../x", "a?after=1"]) {
    await page.goto("about:blank");
    await page.goto(`http://${server.host}/#${room}`);
    await stateIs(page, /^No such room$/);
    await page.evaluate(() => dispatchEvent(new Event("online")));
  }
  await page.goto(`http://${server.host}/#good`);
  await stateIs(page, /^Connected$/);
  assert.deepEqual(sockets, [`${server.url}good?format=json`]);
});

const strange = [
  "<b>bold</b></script><script>document.title = 'taken over'</script>", "<img src=x onerror=alert(1)>", "&amp;",
  "quote \" and ' and \\ and \\u0041", "\u2028 and \u2029", "tab\tand\nline", "\u0001\u0008\u001f\u007f", "${1}", "🐟\ud7ff\ue000",
  "name:no space", ": no name", "\nBen: on a second line", "{\"id\":1}", "",
];

test("chat: whatever the text is, it is shown as text", async (t) => {
  const server = await startHub(t);
  const page = await inRoom(t, server.host);
  const tooLong = `${"x".repeat(41)}: a name that is too long`;
  const expected = [...strange.map((text) => [text, text]), [tooLong, tooLong], ["a: b: c", "a|b: c"], ["<i>x</i>: named", "<i>x</i>|named"],
    ...strange.map((text) => [`Anna: ${text}`, `Anna|${text}`])];
  for (const [text] of expected) await publish(server.host, "/lobby", text);
  await count(page, expected.length);
  assert.deepEqual(await lines(page), expected.map(([, line]) => line));
  assert.equal(await page.locator("#messages :is(script, img, b, i)").count(), 0);
  assert.match(await page.title(), /^lobby /);
  assert.deepEqual(page.errors, []);
});

test("chat: a binary message shows as its size", async (t) => {
  const server = await startHub(t);
  const page = await inRoom(t, server.host);
  const client = await NodeClient.open(t, `${server.url}lobby`);
  for (const size of [0, 1, 2, 3, 50_000]) client.socket.send(bytesOf(size));
  await count(page, 5);
  assert.deepEqual(await lines(page), [0, 1, 2, 3, "50,000"].map((size) => `binary, ${size} byte${size === 1 ? "" : "s"}`));
});

test("chat: who comes later sees what is kept, in order", async (t) => {
  const server = await startHub(t, "--history", "50");
  for (let i = 1; i <= 60; i += 1) await publish(server.host, "/lobby", `Anna: ${i}`);
  const page = await inRoom(t, server.host);
  await count(page, 50);
  assert.deepEqual(await lines(page), Array.from({ length: 50 }, (_, i) => `Anna|${i + 11}`));
});

test("chat: however often the connection is lost, no message is missed and none is shown twice", async (t) => {
  const server = await startHub(t, "--history", "10000");
  const cable = await Cable.lay(t, server);
  // Its pauses are there, and short.
  const page = await inRoom(t, cable.host, "/", { script: "const wait = setTimeout; setTimeout = (f, ms) => wait(f, ms / 20)" });
  let published = 0;
  for (let loss = 0; loss < 5; loss += 1) {
    for (const end = published + 40; published < end;) await publish(server.host, "/lobby", `n ${++published}`);
    cable.cut();
    for (const end = published + 10; published < end;) await publish(server.host, "/lobby", `n ${++published}`);
    await stateIs(page, /^Reconnecting/);
    cable.mend();
    if (loss % 2) await stateIs(page, /^Connected$/);
  }
  await publish(server.host, "/lobby", "end");
  await said(page, /end$/);
  assert.deepEqual(await lines(page), [...Array.from({ length: 250 }, (_, i) => `n ${i + 1}`), "end"]);
  assert.ok(cable.carried >= 5, `${cable.carried} connections`);
});

test("chat: a server that was started anew is found, and heard", async (t) => {
  const server = await startHub(t, "--history", "10");
  const page = await inRoom(t, server.host);
  for (let i = 0; i < 20; i += 1) await publish(server.host, "/lobby", `old ${i}`);
  await count(page, 20);
  await server.stop();
  await stateIs(page, /^Reconnecting/);
  const again = await startHub(t, "--port", String(server.port));
  await stateIs(page, /^Connected$/);
  await publish(again.host, "/lobby", "new");
  await count(page, 21);
  assert.equal((await lines(page)).at(-1), "new");
});

test("chat: the pauses between attempts grow up to half a minute, and no two pages' are the same", async (t) => {
  const server = await startHub(t);
  const page = await inRoom(t, server.host, "/", {
    script: "const wait = setTimeout; globalThis.pauses = []; setTimeout = (f, ms) => { pauses.push(ms); return wait(f, 1); }",
  });
  await server.stop();
  await page.waitForFunction(() => pauses.length >= 12);
  const pauses = await page.evaluate(() => pauses);
  const parts = pauses.map((pause, i) => pause / Math.min(30_000, 500 * 2 ** i));
  assert.ok(parts.every((part) => part >= 0.5 && part <= 1), pauses.join(" "));
  assert.ok(new Set(parts).size > parts.length / 2, pauses.join(" "));
});

test("chat: as soon as the browser is online again, so is the page", async (t) => {
  const server = await startHub(t, "--history", "10");
  const page = await inRoom(t, server.host, "/", { script: "setTimeout = () => {}" });  // no pause ever ends
  await server.stop();
  await stateIs(page, /^Reconnecting/);
  const again = await startHub(t, "--port", String(server.port), "--history", "10");
  assert.match(await page.locator("#state").textContent(), /^Reconnecting/);
  await page.context().setOffline(true);
  await page.context().setOffline(false);
  await stateIs(page, /^Connected$/);
  // Once more, with a connection that is still there, as far as the page knows.
  await publish(again.host, "/lobby", "one");
  await said(page, "one");
  await page.evaluate(() => dispatchEvent(new Event("online")));
  const subscribers = async () => (await (await fetch(`http://${again.host}/lobby`)).json()).subscribers;
  await stateIs(page, /^Connected$/);
  await eventually(async () => await subscribers() === 1, "the old connection's end");
  await publish(again.host, "/lobby", "two");
  await said(page, "two");
  assert.deepEqual(await lines(page), ["one", "two"]);
});

test("chat: what was sent and got lost can be sent again", async (t) => {
  const server = await startHub(t, "--history", "10");
  const cable = await Cable.lay(t, server);
  const page = await inRoom(t, cable.host);
  await callMyself(page, "Anna");
  await say(page, "first");
  await said(page, "first");
  cable.lose("up");
  await say(page, "second");
  await message(page).fill("half a thou");
  cable.cut();
  await stateIs(page, /^Reconnecting/);
  assert.equal(await message(page).inputValue(), "second\nhalf a thou");
  assert.equal(await page.getByRole("button", { name: "Send" }).isDisabled(), true);
  await message(page).press("Enter");  // does nothing now
  cable.mend();
  await stateIs(page, /^Connected$/);
  await message(page).press("Enter");
  await said(page, "half a thou");
  assert.deepEqual(await lines(page), ["Anna|first", "Anna|second\nhalf a thou"]);
  assert.equal(await message(page).inputValue(), "");
});

test("chat: what was sent, and only its coming back was lost, isn't offered again", async (t) => {
  const server = await startHub(t, "--history", "10");
  const cable = await Cable.lay(t, server);
  const page = await inRoom(t, cable.host);
  cable.lose("down");
  await say(page, "only once");
  await eventually(async () => (await (await fetch(`http://${server.host}/lobby`)).json()).published === 1, "the message");
  cable.cut();
  await stateIs(page, /^Reconnecting/);
  assert.equal(await message(page).inputValue(), "only once");
  cable.mend();
  await said(page, "only once");
  assert.equal(await message(page).inputValue(), "");
  assert.equal(await shown(page).count(), 1);
});

test("chat: keeps the newest 1,000 messages", async (t) => {
  const server = await startHub(t);
  const page = await inRoom(t, server.host);
  const client = await NodeClient.open(t, `${server.url}lobby?echo=no`);
  for (let i = 1; i <= 1_100; i += 1) client.socket.send(`n ${i}`);
  await said(page, /n 1100$/);
  const all = await lines(page);
  assert.deepEqual([all.length, all[0], all.at(-1)], [1_000, "n 101", "n 1100"]);
});

test("chat: stays at the newest message, unless one has scrolled up to read", async (t) => {
  const server = await startHub(t);
  const page = await inRoom(t, server.host);
  const inSight = (text) => page.locator("#messages > li", { hasText: text }).last().evaluate((item) => {
    const [own, log] = [item.getBoundingClientRect(), document.getElementById("log").getBoundingClientRect()];
    return own.top >= log.top - 1 && own.bottom <= log.bottom + 1;
  });
  for (let i = 1; i <= 60; i += 1) await publish(server.host, "/lobby", `n ${i}.`);
  await count(page, 60);
  assert.equal(await inSight("n 60."), true);
  await page.getByRole("log").focus();
  await page.keyboard.press("Home");
  await eventually(() => inSight("n 1."), "the first message in sight");
  await publish(server.host, "/lobby", "n 61.");
  await count(page, 61);
  assert.deepEqual([await inSight("n 1."), await inSight("n 61.")], [true, false]);
});

test("chat: a token in its address goes along; without one it says what is missing", async (t) => {
  const tokens = path.join(scratchFolder(t), "tokens");
  writeFileSync(tokens, "s3/cr+t==\n");
  const server = await startHub(t, "--publish-token", tokens, "--subscribe-token", tokens);
  const page = await inRoom(t, server.host, `/?token=${encodeURIComponent("s3/cr+t==")}`);
  await say(page, "let in");
  await said(page, "let in");
  const stranger = await openChat(t, server.host);
  await stateIs(stranger, /^Reconnecting: .*token/i);
});

test("chat: where it may only listen, what one writes comes back into the field, with the reason", async (t) => {
  const server = await startHub(t, "--receive-only");
  // Without the pauses: the reason stays to be read.
  const page = await inRoom(t, server.host, "/", { script: "setTimeout = () => {}" });
  await say(page, "may I?");
  await stateIs(page, /^Reconnecting: ./);
  assert.equal(await message(page).inputValue(), "may I?");
});

test("chat: a page of another origin can't publish by a form or a script", async (t) => {
  const server = await startHub(t);
  const other = createServer((request, response) => response.setHeader("Content-Type", "text/html").end("<p>hello"));
  other.listen(0, "127.0.0.1");
  atEnd(t, () => other.close());
  await eventually(() => other.listening, "another server");
  const page = await inRoom(t, server.host);
  const evil = await openPage(t, browser, `http://127.0.0.1:${other.address().port}/`);
  const url = `http://${server.host}/lobby`;
  const outcome = await evil.evaluate((url) => Promise.allSettled([
    fetch(url, { method: "POST", body: "forged", mode: "no-cors" }),
    new Promise((resolve, reject) => Object.assign(new WebSocket(url.replace("http", "ws")), { onopen: resolve, onerror: reject })),
  ]).then((all) => all.map(({ status }) => status)), url);
  assert.deepEqual(outcome, ["fulfilled", "rejected"]);  // no-cors: it isn't told how it went
  await evil.setContent(`<form method="post" enctype="text/plain" action="${url}"><input name="forged"><button>go</button></form>`);
  const answer = evil.waitForResponse(url);
  await evil.getByRole("button").click();
  assert.equal((await answer).status(), 403);
  await publish(server.host, "/lobby", "end");
  await said(page, "end");
  assert.deepEqual(await lines(page), ["end"]);
});

test("chat: the browser's own EventSource hears the room, and after a loss goes on where it was", async (t) => {
  const server = await startHub(t, "--history", "100");
  const cable = await Cable.lay(t, server);
  const page = await inRoom(t, cable.host);
  await page.evaluate(() => new Promise((resolve) => {
    globalThis.heard = [];
    const source = new EventSource("/lobby");
    source.onopen = resolve;
    source.onmessage = ({ data }) => heard.push(data);
    source.addEventListener("binary", ({ data }) => heard.push(`binary ${data}`));
  }));
  const sent = ["one", "two\nlines", " a space", "", "a\rb\r\nc", "\n", "data: x", "\u2028"];
  for (const text of sent) await publish(server.host, "/lobby", text);
  await publish(server.host, "/lobby", Buffer.from([0xff, 0, 10]));
  await page.waitForFunction((n) => heard.length >= n, sent.length + 1);
  cable.cut();
  await publish(server.host, "/lobby", "while it was away");
  cable.mend();
  await publish(server.host, "/lobby", "and then");
  await page.waitForFunction(() => heard.includes("and then"));
  assert.deepEqual(await page.evaluate(() => heard),
    [...sent.map((text) => text.replace(/\r\n?/g, "\n")), "binary /wAK", "while it was away", "and then"]);
});

test("chat: every control is reached and used by keyboard, and has a name", async (t) => {
  const server = await startHub(t);
  const page = await inRoom(t, server.host);
  assert.equal(await page.evaluate(() => document.activeElement.id), "text");
  await page.keyboard.type("by keyboard");
  await page.keyboard.press("Enter");
  await said(page, "by keyboard");
  await message(page).fill("x");
  await page.getByLabel("Name").focus();
  const reached = [];
  for (let i = 0; i < 6; i += 1) {
    reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent));
    await page.keyboard.press("Tab");
  }
  assert.deepEqual(reached, ["name", "room", "Enter", "log", "text", "send-button"]);
  await page.getByRole("log", { name: "Messages" }).waitFor();
  await page.getByRole("status").waitFor();
  // Without a name, nothing is sent.
  await page.getByLabel("Name").fill("");
  await message(page).press("Enter");
  assert.equal(await page.locator("#name:invalid").count(), 1);
  assert.equal(await message(page).inputValue(), "x");
  assert.equal(await shown(page).count(), 1);
});

test("chat: remembers one's name", async (t) => {
  const server = await startHub(t);
  const page = await inRoom(t, server.host);
  assert.match(await page.getByLabel("Name").inputValue(), /^guest\d+$/);
  await callMyself(page, "Anna");
  await page.getByLabel("Name").press("Tab");
  await page.reload();
  assert.equal(await page.getByLabel("Name").inputValue(), "Anna");
});

const looks = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 360, height: 640 } }],
  ["phone-dark", { colorScheme: "dark", viewport: { width: 320, height: 640 } }],
];
for (const [name, options] of looks) {
  test(`chat: nothing is wider than the window, nor the page higher (${name})`, async (t) => {
    const server = await startHub(t);
    const page = await inRoom(t, server.host, "/#harbour/pier-7", options);
    await callMyself(page, "Anna");
    await publish(server.host, "/harbour/pier-7", "Ben: The first boats are in.");
    await say(page, "How many?");
    await publish(server.host, "/harbour/pier-7", "Ben: 14 so far. What they have brought:\n  sockeye\n  coho");
    await publish(server.host, "/harbour/pier-7", "deploy finished in 12 s");
    await publish(server.host, "/harbour/pier-7", Buffer.alloc(18_432, 255));
    await publish(server.host, "/harbour/pier-7", `Chloë: ${"no-break-".repeat(40)}`);
    await publish(server.host, "/harbour/pier-7", `${"W".repeat(40)}: 紅鮭 🐟`);
    await count(page, 7);
    assert.deepEqual(await page.evaluate(() => [document.documentElement, document.getElementById("log")]
      .map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)), [0, 0]);
    assert.ok(await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight));
    await screenshot(page, `chat-${name}`);
  });
}

test("chat: its files take 5 KB at most in the program, and load nothing from elsewhere", () => {
  const sizes = files.map((name) => gzipSync(readFileSync(path.join(folder, name)), { level: 9 }).length);
  assert.equal(sizes.length, 3);
  assert.ok(sizes.reduce((sum, size) => sum + size) <= 5_000, `${sizes.join(" + ")} bytes`);
  for (const name of files) assert.doesNotMatch(readFileSync(path.join(folder, name), "utf8"), /(src|href|url\(|import)[^;]*\/\//, name);
});
