// The examples in app/examples: each compiled, started and talked to as its opening comment says.
//
// How the comment's commands are read, which stand in lines that begin with "//   ":
//
//   g++ ...                     compiles it, in a folder that has the project's in it
//   build/STEP 9000             starts it; here on a free port
//   ... build/sockeye ... ws://127.0.0.1:9000/
//                               talks to it; here at that port, with the program under test
//
// and at the end of any line, what is entered in a browser's console: new WebSocket(...) and so on.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, symlinkSync } from "node:fs";
import { once } from "node:events";
import path from "node:path";
import test, { after, before } from "node:test";
import { launch, openPage } from "./support/chromium.mjs";
import { NodeClient } from "./support/node_client.mjs";
import {
  ACCEPT, CLOSE, KEY, PING, PONG, RawClient, TEXT, frame, openRaw, upgradeRequest,
} from "./support/raw_client.mjs";
import { binary, eventually, repository, scratchFolder, serving, start, within } from "./support/sockeye.mjs";

// A sanitized library doesn't link with what the comments say.
const skip = binary !== path.join(repository, "build/sockeye");

const examples = path.join(repository, "app/examples");
const HELLO = frame(TEXT, "Hello");  // RFC 6455 §5.7's

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

// The commands of an example's opening comment: { compile, start, talk, enter }.
function commandsOf(name) {
  const [comment] = readFileSync(path.join(examples, `${name}.cc`), "utf8").split("// SPDX");
  const commands = [...comment.matchAll(/^\/\/   (.*)$/gm)].map((match) => match[1]);
  const [compile, start, talk] = [/^g\+\+ /, /^build\/\d/, /build\/sockeye /].map(
    (pattern) => commands.find((command) => pattern.test(command)));
  assert.equal(start, `build/${name} 9000`);
  const [enter] = /(socket = )?new WebSocket\(.*/.exec(comment) ?? [];
  return { compile, start, talk, enter };
}

// An example, compiled and serving: a program with `url`, `host`, `hostname`, `port`, and what the
// comment tells its readers to do: talk(), which starts a program, and enter(page).
async function startExample(t, name) {
  const folder = scratchFolder(t);
  for (const floor of ["app", "crypto", "net", "ws"]) {
    symlinkSync(path.join(repository, floor), path.join(folder, floor));
  }
  mkdirSync(path.join(folder, "build"));
  for (const file of ["sockeye", "libsockeye.a"]) {
    symlinkSync(path.join(path.dirname(binary), file), path.join(folder, "build", file));
  }
  const commands = commandsOf(name);
  const shell = (command) => start(t, "bash", ["-c", command], { cwd: folder });
  const compiler = shell(commands.compile);
  assert.equal(await compiler.status(120_000), 0, compiler.stderr);
  assert.equal(compiler.stderr, "", "no warning");

  const program = await serving(shell(`exec ${commands.start.replace("9000", "0")}`));
  program.talk = () => shell(commands.talk.replace(/ws:\S+/, program.url));
  program.enter = (page) => page.evaluate(`${commands.enter.replace(/ws:[^"]+/, program.url)}; 0`);
  return program;
}

const says = (program, text) =>
  eventually(() => program.stdout.includes(text), `${JSON.stringify(text)} on standard output`);

async function failsWith(t, program, bytes, code) {
  const client = await openRaw(t, program);
  client.write(bytes);
  assert.equal((await client.closeFrame()).code, code);
  await client.end();
}

// A Close frame gets one with the same code.
async function closes(t, program, code) {
  const client = await NodeClient.open(t, program.url);
  client.socket.close(code);
  assert.equal((await client.close()).code, code);
}

async function pings(t, program) {
  const client = await openRaw(t, program);
  client.write(frame(PING, "are you there?"));
  const { opcode, payload } = await client.frame();
  assert.equal(opcode, PONG);
  assert.equal(String(payload), "are you there?");
  client.socket.end();  // for the next, where one is served after the other
}

test("examples: these tests know all of them", () => {
  const names = readdirSync(examples).filter((name) => name.endsWith(".cc")).sort();
  assert.deepEqual(names, ["1_accept.cc", "2_handshake.cc", "3_frame.cc", "4_event_loop.cc", "5_echo.cc", "6_chat.cc"]);
});

test("examples: 1_accept prints the request, of one connection after the other", { skip }, async (t) => {
  const program = await startExample(t, "1_accept");
  const where = { host: program.hostname, port: program.port };
  const first = await RawClient.connect(t, where);
  const request = upgradeRequest(program.host);
  first.write(request.slice(0, 10));
  first.write(request.slice(10));
  await says(program, request);

  const second = await RawClient.connect(t, where);
  second.write("GET /second HTTP/1.1\r\n");
  first.write("one more line\r\n");
  await says(program, "one more line\r\n");
  assert.ok(!program.stdout.includes("second"), "the second waits for its turn");
  first.socket.end();
  await first.end();
  await says(program, "GET /second HTTP/1.1\r\n");
  second.socket.end();

  await program.enter(await openPage(t, browser, "file:///"));
  await says(program, "User-Agent: Mozilla/");
});

test("examples: 2_handshake opens a WebSocket, and prints how Accept came about", { skip }, async (t) => {
  const program = await startExample(t, "2_handshake");
  const page = await openPage(t, browser, "file:///");
  await program.enter(page);  // Chromium checks Sec-WebSocket-Accept, and then sends Hello
  await says(program, "\n81\n85\n");
  await page.close();

  // RFC 6455 §1.3 has these values.
  const raw = await RawClient.connect(t, { host: program.hostname, port: program.port });
  raw.write(upgradeRequest(program.host).replace("Sec-WebSocket-Key:", "sec-websocket-key:"));
  const { status, fields } = await raw.response();
  assert.equal(status, 101);
  assert.equal(fields["sec-websocket-accept"], ACCEPT);
  await says(program, `key and GUID  ${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11\n`);
  await says(program, "SHA-1         b37a4f2cc0624f1690f64606cf385945b2bec4ea\n");
  await says(program, `Base64        ${ACCEPT}\n`);
  raw.socket.end();

  const plain = await RawClient.connect(t, { host: program.hostname, port: program.port });
  plain.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await plain.response()).status, 400);
});

test("examples: 3_frame sends each frame back, and prints its bits", { skip }, async (t) => {
  const program = await startExample(t, "3_frame");
  const cat = program.talk();
  assert.equal(await cat.status(), 0, cat.stderr);
  assert.equal(cat.stdout, "Hello\n");

  const raw = await openRaw(t, program);
  raw.write(HELLO);
  assert.equal(String((await raw.frame()).payload), "Hello");
  await says(program, 'FIN 1, opcode 1, MASK 1, length 5, key 37 fa 21 3d, payload 7f 9f 4d 51 58: "Hello"\n');
  raw.write(frame(CLOSE));
  assert.equal((await raw.closeFrame()).code, 1005);
  await raw.end();

  const client = await NodeClient.open(t, program.url);
  for (const size of [0, 125, 126, 65_535]) {
    assert.equal(String((await client.echo("x".repeat(size))).data), "x".repeat(size));
  }
  assert.ok((await client.echo(Buffer.from([0, 255]))).isBinary);
  client.socket.send("in two ", { fin: false });
  client.socket.send("fragments", { fin: true });
  assert.equal(String((await client.message()).data), "in two fragments");
  client.socket.close(1000);
  await client.close();

  await pings(t, program);
  await closes(t, program, 3000);
  await failsWith(t, program, frame(TEXT, "Hello", { masked: false }), 1002);
  await failsWith(t, program, frame(TEXT, "Hello", { rsv: 0x40 }), 1002);
  await failsWith(t, program, frame(TEXT, "x".repeat(65_536)), 1009);
});

test("examples: 4_event_loop serves many at once, whatever the pieces they send", { skip }, async (t) => {
  const program = await startExample(t, "4_event_loop");
  const silent = await RawClient.connect(t, { host: program.hostname, port: program.port });
  silent.write("GET / HT");
  const bench = program.talk();
  assert.equal(await bench.status(), 0, bench.stderr);
  assert.match(bench.stdout, /messages/);

  const clients = await Promise.all(Array.from({ length: 20 }, () => NodeClient.open(t, program.url)));
  for (const [i, client] of clients.entries()) {
    assert.equal(String((await client.echo(`I am ${i}`)).data), `I am ${i}`);
  }
  const large = "x".repeat(15_000_000);  // more than the kernel takes at once
  assert.equal(String((await clients[0].echo(large)).data), large);

  const raw = await openRaw(t, program);
  raw.socket.setNoDelay(true);
  for (const byte of HELLO) raw.write(Buffer.from([byte]));
  assert.equal(String((await raw.frame()).payload), "Hello");
  raw.write(Buffer.concat([HELLO, HELLO]));
  for (let i = 0; i < 2; i += 1) assert.equal(String((await raw.frame()).payload), "Hello");

  await pings(t, program);
  await closes(t, program, 3000);
  await failsWith(t, program, frame(TEXT, "Hello", { masked: false }), 1002);
  await failsWith(t, program, frame(TEXT, Buffer.from([0xff])), 1007);
  silent.write("TP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await silent.response()).status, 400);
});

test("examples: 5_echo sends messages back, with the library", { skip }, async (t) => {
  const program = await startExample(t, "5_echo");
  const cat = program.talk();
  assert.equal(await cat.status(), 0, cat.stderr);
  assert.equal(cat.stdout, "Hello\n");
  await closes(t, program, 3000);
  await says(program, "closed with code 3000\n");

  const page = await fetch(`http://${program.host}/`);
  assert.equal(page.status, 426);
  assert.match(await page.text(), /WebSocket/);
  const opens = `new Promise((resolve) => {
    const socket = new WebSocket("${program.url}");
    socket.onopen = () => resolve(true);
    socket.onclose = () => resolve(false);
  })`;
  assert.equal(await (await openPage(t, browser, `http://${program.host}/`)).evaluate(opens), true);
  assert.equal(await (await openPage(t, browser, "file:///")).evaluate(opens), false);
  program.signal("SIGTERM");
  assert.equal(await program.status(), 0);
});

test("examples: 6_chat passes on to all others what one says", { skip }, async (t) => {
  const program = await startExample(t, "6_chat");
  const anna = await NodeClient.open(t, program.url);
  const ben = await NodeClient.open(t, program.url);
  const hears = async (client, text) => assert.equal(String((await client.message()).data), text);
  await hears(anna, "guest 2 comes in");

  // Two terminals.
  const [carl, dora] = [program.talk(), program.talk()];
  for (const client of [anna, ben]) {
    await hears(client, "guest 3 comes in");
    await hears(client, "guest 4 comes in");
  }
  carl.child.stdin.write("Hello\n");
  await says(dora, ": Hello\n");
  const [said] = /guest [34]: Hello/.exec(dora.stdout);
  await hears(anna, said);
  await hears(ben, said);

  ben.socket.send("Hello, all");
  for (const program of [carl, dora]) await says(program, "guest 2: Hello, all\n");
  await hears(anna, "guest 2: Hello, all");
  anna.socket.send("and you");
  await hears(ben, "guest 1: and you");  // and nothing of what he said himself

  const leaves = once(anna.socket, "close");
  anna.socket.send(Buffer.from([1]));
  assert.equal((await within(leaves, "the end of a guest who sends binary"))[0], 1003);
  await hears(ben, "guest 1 leaves");
  assert.ok(!carl.stdout.includes(": Hello\n"), carl.stdout);
});
