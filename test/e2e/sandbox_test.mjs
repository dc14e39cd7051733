// What the server gives up when it listens: other users' rights, files, system calls.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { NodeClient } from "./support/node_client.mjs";
import { isSanitized } from "./support/process.mjs";
import { RawClient } from "./support/raw_client.mjs";
import { binary, eventually, run, scratchFolder, serving, start, startEcho } from "./support/sockeye.mjs";

const unlessRoot = process.getuid() === 0 ? false : "only root can become another user";
const withoutSeccomp = existsSync("/proc/sys/kernel/seccomp/actions_avail") ? false : "this kernel has no seccomp";
const sanitized = "a sanitizer makes calls of its own";

// The fields of /proc/PID/status that say what a thread may do, for each thread.
function rights(pid) {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/status`, "latin1");
    const field = (name) => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, "m").exec(text)[1].replaceAll("\t", " ");
    return Object.fromEntries(["Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp"].map((name) => [name, field(name)]));
  });
}

async function serves(t, url) {
  const client = await NodeClient.open(t, url);
  assert.equal(String((await client.echo("hello")).data), "hello");
}

for (const threads of ["1", "3"]) {
  test(`sandbox: each of ${threads} threads is filtered, without new privileges`, { skip: withoutSeccomp }, async (t) => {
    const server = await startEcho(t, "--threads", threads);
    if (isSanitized(server.child.pid)) return t.skip(sanitized);
    await serves(t, server.url);
    const all = rights(server.child.pid);
    assert.equal(all.length, Number(threads));
    for (const { Seccomp, NoNewPrivs } of all) assert.deepEqual({ Seccomp, NoNewPrivs }, { Seccomp: "2", NoNewPrivs: "1" });
  });
}

test("sandbox: --no-sandbox leaves the server as it was started", async (t) => {
  const server = await startEcho(t, "--no-sandbox", "--threads", "2");
  await serves(t, server.url);
  const [own] = rights("self");
  for (const { Seccomp, NoNewPrivs } of rights(server.child.pid)) {
    assert.deepEqual({ Seccomp, NoNewPrivs }, { Seccomp: own.Seccomp, NoNewPrivs: own.NoNewPrivs });
  }
});

// ── A server in which a peer runs code ─────────────────────────────────────────────────────────

// Starts a server that makes the call that a request names, and sends it that request. Undefined
// where there is nothing to see, and the test is skipped.
async function hijack(t, call, ...args) {
  const plain = await startEcho(t);
  const isStatic = !readFileSync(`/proc/${plain.child.pid}/maps`, "latin1").includes("/libc.so");
  if (isStatic || isSanitized(plain.child.pid)) {
    t.skip(isStatic ? "a static program loads no library" : sanitized);
    return undefined;
  }
  const library = path.join(scratchFolder(t), "hijack.so");
  execFileSync("g++", ["-shared", "-fPIC", "-o", library, fileURLToPath(new URL("hijack.cc", import.meta.url))]);
  const server = await serving(start(t, binary, ["echo", "--listen", "127.0.0.1:0", ...args],
    { env: { ...process.env, LD_PRELOAD: library } }));
  const raw = await RawClient.connect(t, { host: server.hostname, port: server.port });
  raw.write(`GET /${call} HTTP/1.1\r\nHost: ${server.host}\r\n\r\n`);
  return { server, raw };
}

for (const call of ["execve", "fork", "socket", "ptrace"]) {
  test(`sandbox: code in the server that calls ${call} ends it by SIGSYS`, { skip: withoutSeccomp }, async (t) => {
    const hijacked = await hijack(t, call);
    if (hijacked) assert.equal(await hijacked.server.status(), "SIGSYS");
  });
}

test("sandbox: code in the server can't read a file", { skip: withoutSeccomp }, async (t) => {
  const hijacked = await hijack(t, "open");
  if (!hijacked) return;
  const { status } = await hijacked.raw.response();
  assert.equal(status, 404, "the request's own answer, and nothing before");
});

test("sandbox: with --no-sandbox it may read files and start programs", async (t) => {
  const reads = await hijack(t, "open", "--no-sandbox");
  if (!reads) return;
  await eventually(() => reads.raw.received.includes("root:"), "the beginning of /etc/passwd");
  const starts = await hijack(t, "execve", "--no-sandbox");
  assert.equal(await starts.server.status(), 0, "/bin/true's");
});

// ── --user ─────────────────────────────────────────────────────────────────────────────────────

// The user "nobody", whom every system has.
const [, id, group] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "latin1"));
const four = (number) => Array(4).fill(number).join(" ");

for (const [user, uid, gid] of [["nobody", id, group], ["1234", "1234", "1234"], ["1234:567", "1234", "567"]]) {
  test(`sandbox: --user ${user}: each thread is that user, in that group alone`, { skip: unlessRoot }, async (t) => {
    const server = await startEcho(t, "--user", user, "--threads", "2");
    await serves(t, server.url);
    for (const { Uid, Gid, Groups } of rights(server.child.pid)) {
      assert.deepEqual({ Uid, Gid, Groups }, { Uid: four(uid), Gid: four(gid), Groups: "" });
    }
  });
}

test("sandbox: --user with a name that isn't there is one line on stderr, exit status 1", async (t) => {
  const { status, stdout, stderr } = await run(t, ["echo", "--listen", "127.0.0.1:0", "--user", "no-such-user"]);
  assert.match(stderr, /^sockeye: [^\n]*no-such-user[^\n]*\n$/);
  assert.equal(status, 1);
  assert.equal(stdout, "");
});

test("sandbox: root without --user is told so at info", { skip: unlessRoot }, async (t) => {
  for (const [args, told] of [[[], true], [["--user", "nobody"], false]]) {
    const server = await startEcho(t, "--log-level", "info", ...args);
    server.signal("SIGTERM");
    assert.equal(await server.status(), 0);
    assert.equal(/serving as root/.test(server.stderr), told, args.join(" "));
  }
});

test("sandbox: who isn't root is sandboxed, and can't become another user", { skip: unlessRoot }, async (t) => {
  const folder = scratchFolder(t);
  chmodSync(folder, 0o755);
  const program = path.join(folder, "sockeye");
  copyFileSync(binary, program);
  const asNobody = (...args) => start(t, program, ["echo", "--listen", "127.0.0.1:0", ...args],
    { uid: Number(id), gid: Number(group), cwd: "/" });

  const refused = asNobody("--user", "1234");
  assert.equal(await refused.status(), 1);
  assert.match(refused.stderr, /^sockeye: [^\n]*Operation not permitted\n$/);

  const server = await serving(asNobody());
  await serves(t, server.url);
  if (!withoutSeccomp && !isSanitized(server.child.pid)) assert.equal(rights(server.child.pid)[0].Seccomp, "2");
});

for (const threads of ["1", "2"]) {
  test(`sandbox: a Unix socket's file is removed by its user at the end, ${threads} threads`, { skip: unlessRoot }, async (t) => {
    const folder = scratchFolder(t);
    chownSync(folder, 1234, 1234);
    const socket = path.join(folder, "sockeye.sock");
    const server = await startEcho(t, "--user", "1234", "--threads", threads, "--listen", `unix:${socket}`);
    await serves(t, `ws+unix:${socket}:/`);
    server.signal("SIGTERM");
    assert.equal(await server.status(), 0);
    assert.equal(existsSync(socket), false);
  });
}

test("sandbox: a Unix socket's file that its user may not remove is left, and the next server takes its place",
  { skip: unlessRoot }, async (t) => {
    const socket = path.join(scratchFolder(t), "sockeye.sock");
    for (let i = 0; i < 2; i += 1) {
      const server = await startEcho(t, "--user", "1234", "--listen", `unix:${socket}`);
      await serves(t, `ws+unix:${socket}:/`);
      server.signal("SIGTERM");
      assert.equal(await server.status(), 0);
      assert.equal(existsSync(socket), true);
    }
  });
