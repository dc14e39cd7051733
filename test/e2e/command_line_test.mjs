// The command line: help, and one clear line for every mistake.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import net from "node:net";
import test from "node:test";
import { NodeClient } from "./support/node_client.mjs";
import { TEXT, frame, openRaw } from "./support/raw_client.mjs";
import { atEnd, run, startEcho } from "./support/sockeye.mjs";

test("command line: help is printed, exit status 0", async (t) => {
  const general = await run(t, ["help"]);
  assert.equal(general.status, 0);
  assert.match(general.stdout, /\becho\b[^]*\bcat\b/);
  for (const command of ["echo", "cat"]) {
    const { status, stdout, stderr } = await run(t, ["help", command]);
    assert.equal(status, 0, command);
    assert.equal(stderr, "");
    for (const line of stdout.split("\n")) assert.ok(line.length <= 100, `too wide: ${line}`);
  }
});

test("command line: help echo and help cat name every option", async (t) => {
  const options = {
    echo: ["--listen", "--port", "--threads", "--origin", "--host", "--subprotocol", "--max-message", "--max-fragments",
      "--max-buffered", "--max-memory", "--max-connections", "--max-connections-per-address", "--head-timeout",
      "--keep-alive-timeout", "--ping-interval", "--idle-timeout", "--message-timeout", "--max-lifetime",
      "--close-timeout", "--stop-timeout", "--proxy", "--trust", "--user", "--no-sandbox", "--metrics", "--admin", "--log-level", "--log-format", "--quiet"],
    cat: ["--binary", "-1", "--header", "--subprotocol", "--origin", "--ping"],
  };
  for (const [command, names] of Object.entries(options)) {
    const { stdout } = await run(t, ["help", command]);
    for (const name of names) assert.ok(stdout.includes(name), `help ${command} names ${name}`);
  }
});

test("command line: --version prints one line", async (t) => {
  const { status, stdout } = await run(t, ["--version"]);
  assert.equal(status, 0);
  assert.match(stdout, /^sockeye \S+\n$/);
});

// Mistakes in the command line itself: exit status 2.
const mistakes = [
  ["sing"],
  ["help", "sing"],
  ["--loud"],
  ["echo", "--loud"],
  ["echo", "what-is-this"],
  ["echo", "--listen"],
  ["echo", "--listen", "127.0.0.1"],
  ["echo", "--listen", "127.0.0.1:99999"],
  ["echo", "--listen", "127.0.0.256:9000"],
  ["echo", "--listen", "fd:x"],
  ["echo", "--port", "http"],
  ["echo", "--port", "65536"],
  ["echo", "--max-message", "-1"],
  ["echo", "--max-message", "12x"],
  ["echo", "--max-message", "99999999999999999999"],
  ["echo", "--max-connections", "many"],
  ["echo", "--idle-timeout", "soon"],
  ["echo", "--max-buffered", "1000"],  // less than twice --max-message
  ["echo", "--max-memory", "1000"],
  ["echo", "--max-memory", "33554431"],  // the default message may need twice its size
  ["echo", "--idle-timeout", "30"],  // no longer than --ping-interval
  ["echo", "--origin", "*"],
  ["echo", "--origin", "same,a.example"],
  ["echo", "--host", "*.example"],
  ["echo", "--origin", "a.example", "--origin", "b.example"],
  ["echo", "--host", "a.example", "--host", "b.example"],
  ["echo", "--proxy", "protocol", "--trust", "10.0.0.1", "--trust", "10.0.0.2"],
  ["echo", "--close-timeout", "0"],
  ["echo", "--proxy", "nonsense"],
  ["echo", "--trust", "10.0.0.0/8"],  // without --proxy
  ["echo", "--proxy", "protocol", "--trust", "localhost"],
  ["echo", "--proxy", "protocol", "--trust", "10.0.0.1/8"],
  ["echo", "--threads", "0"],
  ["echo", "--user", ""],
  ["echo", "--user", "1000:"],
  ["echo", "--user", "1000:users"],
  ["echo", "--user", "www-data:33"],
  ["echo", "--log-level", "loud"],
  ["echo", "--log-format", "xml"],
  ["echo", "--subprotocol", "not a token"],
  ["cat"],
  ["cat", "127.0.0.1:9000"],
  ["cat", "http://127.0.0.1/"],
  ["cat", "wss://127.0.0.1/"],
  ["cat", "ws://127.0.0.1:1/", "ws://127.0.0.1:2/"],
  ["cat", "--header", "no colon", "ws://127.0.0.1/"],
  ["cat", "--ping", "often", "ws://127.0.0.1/"],
];
for (const args of mistakes) {
  test(`command line: sockeye ${args.join(" ")} is one line on stderr, exit status 2`, async (t) => {
    const { status, stdout, stderr } = await run(t, args);
    assert.match(stderr, /^sockeye: [^\n]+\n$/);
    assert.equal(status, 2);
    assert.equal(stdout, "");
  });
}

test("command line: a taken port is one line on stderr, exit status 1, with threads too", async (t) => {
  const taken = net.createServer();
  await new Promise((resolve) => taken.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => taken.close());
  const address = `127.0.0.1:${taken.address().port}`;
  for (const threads of ["1", "2"]) {
    const { status, stdout, stderr } = await run(t, ["echo", "--listen", address, "--threads", threads]);
    assert.match(stderr, /^sockeye: [^\n]+\n$/);
    assert.ok(stderr.includes(address), stderr);
    assert.equal(status, 1);
    assert.equal(stdout, "");
  }
});

test("command line: a second server on the first one's port is refused", async (t) => {
  const first = await startEcho(t);
  const { status } = await run(t, ["echo", "--listen", first.host]);
  assert.equal(status, 1);
});

test("command line: a Unix socket in a folder that is not there is one line on stderr, exit status 1", async (t) => {
  const { status, stderr } = await run(t, ["echo", "--listen", "unix:/nowhere/at/all.sock"]);
  assert.match(stderr, /^sockeye: [^\n]*\/nowhere\/at\/all\.sock[^\n]*\n$/);
  assert.equal(status, 1);
});

// Has one client behave and one break a rule, stops the server, and gives the lines of its log.
async function logOf(t, ...args) {
  const server = await startEcho(t, ...args);
  const client = await NodeClient.open(t, server.url);
  await client.echo("hello");
  const raw = await openRaw(t, server);
  raw.write(frame(TEXT, "no mask", { masked: false }));
  await raw.closeFrame();
  server.signal("SIGTERM");
  assert.equal(await server.status(), 0);
  return server.stderr.split("\n").filter(Boolean);
}

test("log: --log-format json prints one JSON object a line, and names the rule that was broken", async (t) => {
  const entries = (await logOf(t, "--log-format", "json", "--log-level", "debug")).map((line) => JSON.parse(line));
  assert.ok(entries.length > 0);
  for (const { time, level } of entries) {
    assert.ok(!Number.isNaN(Date.parse(time)), `time ${time}`);
    assert.match(level, /^(error|warn|info|debug)$/);
  }
  assert.ok(entries.some((entry) => /§5\.1/.test(JSON.stringify(entry))), "the rule's section");
});

test("log: text names the rule that was broken too", async (t) => {
  const lines = await logOf(t, "--log-level", "info");
  assert.ok(lines.some((line) => /§5\.1/.test(line)), lines.join("\n"));
});

test("log: --quiet says nothing about what peers do", async (t) => {
  assert.deepEqual(await logOf(t, "--quiet"), []);
});
