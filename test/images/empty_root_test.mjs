// The tiny program in a root folder that holds nothing else and can't be written to, as nobody.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { scratchFolder, serving, start } from "../e2e/support/sockeye.mjs";
import { checkEcho, lacking, notRoot, tiny } from "./support/tiny.mjs";

const NOBODY = 65534;

// $1: a folder to mount the root on. $2: the program. The others: its arguments.
const enter = `set -e
mount -t tmpfs root "$1"
cp "$2" "$1/sockeye"
mount -o remount,ro "$1"
root=$1
shift 2
exec chroot --userspec=${NOBODY}:${NOBODY} --groups= "$root" /sockeye "$@"`;

async function serveInEmptyRoot(t, { before = "", args = [] } = {}) {
  const folder = scratchFolder(t);
  const line = ["--mount", "sh", "-c", `${before}${enter}`, "sh", folder, tiny,
                "echo", "--listen", "127.0.0.1:0", ...args];
  const server = start(t, "unshare", line);
  return serving(server);
}

const options = { skip: notRoot() };

test("empty root: one file, read-only, as nobody: it echoes, and stops with status 0", options, async (t) => {
  const server = await serveInEmptyRoot(t);
  const { pid } = server.child;
  assert.deepEqual(readdirSync(`/proc/${pid}/root`), ["sockeye"]);
  assert.match(readFileSync(`/proc/${pid}/mounts`, "latin1"), /^root \/ tmpfs ro,/m);
  assert.match(readFileSync(`/proc/${pid}/status`, "latin1"), new RegExp(`^Uid:(\\s${NOBODY}){4}$`, "m"));

  await checkEcho(t, server.url);
  const page = await fetch(server.url.replace("ws", "http"));
  assert.equal(page.status, 200);
  assert.match(await page.text(), /^<!doctype html>/);

  server.signal("SIGTERM");
  assert.equal(await server.status(), 0);
  assert.equal(server.stderr, "");
});

test("empty root: with two threads and compression", options, async (t) => {
  const server = await serveInEmptyRoot(t, { args: ["--threads", "2", "--compress", "dedicated"] });
  for (let i = 0; i < 8; i += 1) {  // the kernel spreads them over the threads
    const client = await checkEcho(t, server.url);
    assert.match(client.extensions, /^permessage-deflate/);
  }
  assert.equal(readdirSync(`/proc/${server.child.pid}/task`).length, 2);
  server.signal("SIGTERM");
  assert.equal(await server.status(), 0);
  assert.equal(server.stderr, "");
});

test("empty root: without a standard input, and without a standard error", options, async (t) => {
  for (const closed of ["exec <&-\n", "exec <&- 2>&-\n"]) {
    const server = await serveInEmptyRoot(t, { before: closed });
    await checkEcho(t, server.url);
    server.signal("SIGTERM");
    assert.equal(await server.status(), 0);
    assert.equal(server.stderr, "");
  }
});

const packages = ["iproute2:ip"];

test("empty root: its listening socket has as long a backlog as the kernel allows",
     { skip: notRoot() || lacking(...packages) }, async (t) => {
  const server = await serveInEmptyRoot(t);
  const row = execFileSync("ss", ["-Hltn", `sport = :${server.port}`], { encoding: "latin1" });
  const [, , backlog] = row.trim().split(/\s+/);
  assert.equal(Number(backlog), Number(readFileSync("/proc/sys/net/core/somaxconn", "latin1")));
});
