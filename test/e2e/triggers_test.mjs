// The servers of test/bench/triggers.cc: each way of using epoll echoes right, and costs the calls
// that it is there to show.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import path from "node:path";
import test from "node:test";
import { isStopped, unreadBytes } from "./support/process.mjs";
import { BINARY, frame, openRaw } from "./support/raw_client.mjs";
import { binary, eventually, repository, start } from "./support/sockeye.mjs";

const folder = path.join(path.dirname(binary), "bench");
const variants = ["level", "level-drain", "level-always", "edge-drain", "edge", "one-shot"];

async function startVariant(t, name) {
  const server = start(t, path.join(folder, "triggers"), [name]);
  await eventually(() => /listening on \S+\n/.test(server.stdout) || !server.running, "where it listens");
  const port = Number(/:(\d+)\n/.exec(server.stdout)[1]);
  return Object.assign(server, { hostname: "127.0.0.1", host: `127.0.0.1:${port}`, port });
}

for (const name of variants) {
  test(`triggers: ${name} echoes, waits for a client that doesn't read, and sees the end`, async (t) => {
    const server = await startVariant(t, name);
    const client = await openRaw(t, server);
    const echoed = async (bytes) => {
      await eventually(() => client.received.length >= bytes.length || client.ended, "the echo");
      assert.ok(client.received.equals(bytes));
      client.received = Buffer.alloc(0);
    };
    const small = frame(BINARY, "small");
    client.write(small);
    await echoed(small);

    client.socket.pause();
    const large = frame(BINARY, randomBytes(16 * 1024 * 1024));
    client.write(large);
    await eventually(() => unreadBytes(server.child.pid, server.port) > 0, "a server that has stopped reading");
    client.socket.resume();
    await echoed(large);

    // A message and the end after it, which one event tells of. (To TCP, the end is one byte more.)
    server.signal("SIGSTOP");
    await eventually(() => isStopped(server.child.pid), "a stopped server");
    client.write(small);
    client.socket.end();
    await eventually(() => unreadBytes(server.child.pid, server.port) === small.length + 1, "message and end");
    server.signal("SIGCONT");
    await echoed(small);
    await client.end();
  });
}

// A sanitizer's library has to be loaded first, and the counter can't be, then.
const skip = binary !== path.join(repository, "build/sockeye");

test("triggers: the calls that each way of using epoll takes", { skip }, async (t) => {
  const measuring = start(t, "/usr/bin/python3", ["-B", path.join(repository, "test/bench/triggers.py"),
    "--rounds", "0", "--seconds", "0.1", "--loads", "20 B; 1 MiB, read slowly"], { env: { ...process.env, SOCKEYE: binary } });
  assert.equal(await measuring.status(240_000), 0, measuring.stderr);
  const [head, , ...rows] = measuring.stdout.trim().split("\n").map((line) => line.split(" | "));
  const figure = (load, server, what) => {
    const row = rows.find((cells) => cells[0] === `| ${load}` && cells[1] === server);
    return Number(row[head.indexOf(what)].replaceAll(",", ""));
  };
  const small = (server, what) => figure("20 B", server, what);
  const slow = (server, what) => figure("1 MiB, read slowly", server, what);
  const is = (condition, server, what) => assert.ok(condition, `${server}, ${what}: ${measuring.stdout}`);
  const isAbout = (figure, expected, server, what) => is(Math.abs(figure - expected) < 0.1, server, what);

  for (const server of [...variants, "Sockeye", "Sockeye, level"]) {
    if (server.endsWith("-drain")) is(small(server, "recv") > 1.5, server, "recv");
    else isAbout(small(server, "recv"), 1, server, "recv");
    isAbout(small(server, "send"), 1, server, "send");
    isAbout(small(server, "epoll_ctl"), server === "one-shot" ? 1 : 0, server, "epoll_ctl");
    is(slow(server, "cut short") > 0, server, "cut short");
  }
  is(slow("level-always", "events") > 3 * slow("level", "events"), "level-always", "events");
  for (const server of ["level", "Sockeye, level"]) is(slow(server, "epoll_ctl") > 0, server, "epoll_ctl");
  for (const server of ["edge", "Sockeye"]) is(slow(server, "epoll_ctl") === 0, server, "epoll_ctl");
});
