// What the system can do to a server: signals, lost log readers, closed descriptors, taken ports.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { NodeClient } from "./support/node_client.mjs";
import { TEXT, frame, openRaw, upgradeRequest } from "./support/raw_client.mjs";
import { binary, eventually, run, serving, start, startEcho } from "./support/sockeye.mjs";

// Starts `sockeye echo` by a line of shell in which "$@" is the server's command.
const startBy = async (t, line, ...args) =>
  serving(start(t, "/bin/bash", ["-c", line, "bash", binary, "echo", "--listen", "127.0.0.1:0", ...args]));

const breakRule = async (t, server) => {
  const raw = await openRaw(t, server);
  raw.write(frame(TEXT, "no mask", { masked: false }));
  await raw.closeFrame();
};

test("system: with --threads, a port that another server has is an error, too", async (t) => {
  const first = await startEcho(t, "--threads", "2");
  const { status, stderr } = await run(t, ["echo", "--listen", first.host, "--threads", "2"]);
  assert.equal(status, 1);
  assert.match(stderr, /in use/);
});

test("system: with --threads, a second signal ends what the first one left", async (t) => {
  for (let i = 0; i < 4; i += 1) {
    const server = await startEcho(t, "--threads", "2");
    await openRaw(t, server);  // which answers no Close frame
    server.signal("SIGTERM");
    await eventually(() => NodeClient.open(t, server.url).then(() => false, () => true), "a closed listener");
    server.signal("SIGTERM");
    assert.equal(await server.status(3_000), 0);
  }
});

test("system: SIGHUP ends the server, but not under nohup", async (t) => {
  const plain = await startEcho(t);
  plain.signal("SIGHUP");
  assert.equal(await plain.status(), 0);
  const kept = await startBy(t, 'trap "" HUP; exec "$@"');
  kept.signal("SIGHUP");
  const client = await NodeClient.open(t, kept.url);
  assert.equal(String((await client.echo("still here")).data), "still here");
});

test("system: a log whose reader is gone doesn't end the server", async (t) => {
  const server = await startBy(t, 'exec "$@" 2> >(exec true)', "--log-level", "info");
  for (let i = 0; i < 3; i += 1) await breakRule(t, server);
  const client = await NodeClient.open(t, server.url);
  assert.equal(String((await client.echo("still here")).data), "still here");
});

test("system: a log that nobody reads doesn't stop the server", async (t) => {
  const unread = 'f=$(mktemp -u); mkfifo "$f"; exec 3<> "$f"; rm "$f"; exec "$@" 2>&3';
  const server = await startBy(t, unread, "--log-level", "debug");
  const client = await NodeClient.open(t, server.url);
  for (let i = 0; i < 1_000; i += 1) {  // each leaves two lines, and 64 KiB hold less than that
    const one = net.connect(server.port, "127.0.0.1");
    one.end(upgradeRequest(server.host)).on("error", () => {}).resume();
    await once(one, "close");
  }
  assert.equal(String((await client.echo("still here")).data), "still here");
});

test("system: closed standard descriptors are not taken for sockets", async (t) => {
  const server = await startBy(t, 'exec "$@" <&- 2>&-', "--log-level", "info");
  await breakRule(t, server);
  const client = await NodeClient.open(t, server.url);
  assert.equal(String((await client.echo("still here")).data), "still here");
});

test("system: cat without a standard input sends nothing and closes", async (t) => {
  const server = await startEcho(t);
  const cat = start(t, "/bin/bash", ["-c", 'exec "$@" <&-', "bash", binary, "cat", server.url]);
  assert.equal(await cat.status(), 0);
});
