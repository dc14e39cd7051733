// The library in other people's programs: `make install` puts it where they find it, by pkg-config, by
// CMake and by a plain compiler; test/images/embedding holds the programs. They are compiled as most
// are: with exceptions, type information and libstdc++.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { after, before } from "node:test";
import { promisify } from "node:util";
import { NodeClient } from "../e2e/support/node_client.mjs";
import { cpuSeconds } from "../e2e/support/process.mjs";
import { openRaw } from "../e2e/support/raw_client.mjs";
import { eventually, repository, serving, start, within } from "../e2e/support/sockeye.mjs";

const projects = path.join(repository, "test/images/embedding");
const scratch = mkdtempSync(path.join(tmpdir(), "sockeye-embedding-"));
const prefix = path.join(scratch, "usr");
const environment = { ...process.env, PKG_CONFIG_PATH: path.join(prefix, "lib/pkgconfig") };
const version = /"(.*)"/.exec(readFileSync(path.join(repository, "app/version.h"), "utf8"))[1];

// A command's standard output; it fails with what the command says.
const run = async (file, args, options = {}) =>
  (await promisify(execFile)(file, args, { cwd: scratch, env: environment, timeout: 600_000, ...options })).stdout;
const make = (...args) => run("make", args, { cwd: repository });

const files = (folder) => readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => path.relative(folder, path.join(entry.path, entry.name)));

const plainFlags = ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Wshadow", "-pedantic", "-Werror"];
const headerPath = `-I${prefix}/include/sockeye`;

// Compiles a program of test/images/embedding as a plain compiler does, and gives its path.
async function compile(source, { compiler = "g++", flags = [], libraries = [] } = {}) {
  const program = path.join(scratch, path.basename(source, ".cc"));
  await run(compiler, [...plainFlags, ...flags, headerPath, path.join(projects, source), "-o", program,
                       `${prefix}/lib/libsockeye.a`, ...libraries]);
  return program;
}

// Why a test can't run here, where Debian's packages (as in test/support/need) can't be had.
async function missing(...packages) {
  try {
    await run(path.join(repository, "test/support/need"), packages);
    return undefined;
  } catch (error) {
    return error.stderr.trim();
  }
}

// Starts a server that says where it listens, `count` times.
const serve = (t, file, args = [], count = 1) => serving(start(t, file, args), count);
// One that is to abort leaves no core file behind.
const serveWithoutCore = (t, file) => serve(t, "sh", ["-c", 'ulimit -c 0; exec "$0"', file]);

async function stops(program) {
  program.signal("SIGTERM");
  assert.equal(await program.status(), 0, program.stderr);
}

async function echoes(t, url) {
  const client = await NodeClient.open(t, url);
  assert.equal(String((await client.echo("hello")).data), "hello");
  return client;
}

before(() => make("install", `PREFIX=${prefix}`), { timeout: 900_000 });
after(() => rmSync(scratch, { recursive: true, force: true }));

// ── What is installed ────────────────────────────────────────────────────────────────────────────

test("make install: DESTDIR and LIBDIR are kept to, and uninstall leaves no file", async () => {
  const where = [`DESTDIR=${scratch}/stage`, "PREFIX=/opt/s", "LIBDIR=/opt/s/lib/some-linux-gnu"];
  await make("install", ...where);
  const installed = files(path.join(scratch, "stage"));
  for (const file of ["bin/sockeye", "include/sockeye/ws/server.h", "lib/some-linux-gnu/libsockeye.a",
                      "lib/some-linux-gnu/pkgconfig/sockeye.pc", "lib/some-linux-gnu/cmake/sockeye/sockeyeConfig.cmake",
                      "share/doc/sockeye/LICENSE"]) {
    assert.ok(installed.includes(`opt/s/${file}`), file);
  }
  assert.ok(!installed.some((file) => file.endsWith("parser.h")), "headers that nobody needs stay away");
  const settings = readFileSync(path.join(scratch, "stage/opt/s/lib/some-linux-gnu/pkgconfig/sockeye.pc"), "utf8");
  assert.ok(!settings.includes(scratch), "nothing refers to the place of the staging");
  await make("uninstall", ...where);
  assert.deepEqual(files(path.join(scratch, "stage")), []);
});

test("the installed program runs and says its version", async () => {
  assert.ok((await run(`${prefix}/bin/sockeye`, ["--version"])).includes(version));
});

// Each of the five by itself, in case it leans on what another one includes.
for (const [compiler, ...flags] of [["g++"], ["g++", "-std=c++23", "-fno-exceptions", "-fno-rtti"], ["clang++"]]) {
  test(`headers: each compiles by itself, without a warning: ${[compiler, ...flags].join(" ")}`, async (t) => {
    const reason = compiler === "clang++" && await missing("clang:clang++");
    if (reason) return t.skip(reason);
    for (const header of ["ws/client.h", "ws/prepared_message.h", "ws/server.h", "ws/server_group.h", "net/log.h"]) {
      await run(compiler, [...plainFlags, "-Wconversion", ...flags, "-fsyntax-only", headerPath, "-x", "c++",
                           "-include", header, "/dev/null"]);
    }
  });
}

test("headers: nothing in them depends on a macro, so a program's classes are the library's", () => {
  for (const file of files(`${prefix}/include`)) {
    const text = readFileSync(path.join(prefix, "include", file), "utf8");
    assert.doesNotMatch(text, /^\s*#\s*(if|ifdef|ifndef|elif)\b/m, file);
    // These have another size where _FILE_OFFSET_BITS or _TIME_BITS say so.
    assert.doesNotMatch(text, /\b(off_t|time_t|ino_t|timespec|timeval|struct stat)\b/, file);
  }
});

// ── How programs find it ─────────────────────────────────────────────────────────────────────────

test("pkg-config: a clock with a thread of its own tells the time", async (t) => {
  const reason = await missing("pkg-config:pkg-config");
  if (reason) return t.skip(reason);
  assert.equal(await run("pkg-config", ["--modversion", "sockeye"]), `${version}\n`);
  const folder = path.join(projects, "pkg_config");
  await run("make", ["-f", path.join(folder, "Makefile"), `VPATH=${folder}`]);
  const clock = await serve(t, path.join(scratch, "clock"));
  const client = await NodeClient.open(t, clock.url);
  const told = Number((await client.message()).data);
  assert.ok(Math.abs(told - Date.now() / 1000) < 60, `${told} is about now`);
  await stops(clock);
});

test("CMake: a chat, from an installed tree that was moved", async (t) => {
  const reason = await missing("cmake:cmake");
  if (reason) return t.skip(reason);
  await make("install", `PREFIX=${scratch}/first`);
  renameSync(`${scratch}/first`, `${scratch}/moved`);
  const build = path.join(scratch, "chat-build");
  await run("cmake", ["-S", path.join(projects, "cmake"), "-B", build, `-DCMAKE_PREFIX_PATH=${scratch}/moved`]);
  await run("cmake", ["--build", build]);

  const chat = await serve(t, path.join(build, "chat"));
  const ann = await NodeClient.open(t, chat.url);
  const bob = await NodeClient.open(t, chat.url);
  assert.match(String((await ann.echo("hi")).data), /^Who are you/);  // an exception, and the server lives on
  ann.socket.send("/name Ann");
  ann.socket.send("hi");
  assert.equal(String((await bob.message()).data), "Ann: hi");
  await stops(chat);
});

test("CMake: asking for a version gets that one or a later one that fits", async (t) => {
  const reason = await missing("cmake:cmake");
  if (reason) return t.skip(reason);
  const file = path.join(prefix, "lib/cmake/sockeye/sockeyeConfigVersion.cmake");
  const print = path.join(scratch, "print.cmake");
  await run("sh", ["-c", `echo 'include(${file})\nmessage("\${PACKAGE_VERSION_COMPATIBLE}")' > ${print}`]);
  const fits = async (wanted) => {
    const { stderr } = await promisify(execFile)("cmake", [`-DPACKAGE_FIND_VERSION=${wanted}`, "-P", print]);
    return stderr.trim() === "TRUE";
  };
  const [major, minor, patch] = version.split(".").map(Number);
  assert.ok(await fits(`${major}.${minor}`));
  assert.ok(await fits(version));
  assert.ok(!await fits(`${major}.${minor}.${patch + 1}`), "a later one");
  assert.ok(!await fits(`${major}.${minor + 1}`), "a later one");
  assert.ok(!await fits(`${major + 1}.${minor}`), "a later one");
  if (minor > 0) assert.ok(!await fits(`${major}.${minor - 1}`), "one with other calls");
});

// ── Exceptions ───────────────────────────────────────────────────────────────────────────────────

for (const compiler of ["g++", "clang++"]) {
  test(`exceptions, ${compiler}: caught in the handler they are the program's business`, async (t) => {
    const reason = compiler === "clang++" && await missing("clang:clang++");
    if (reason) return t.skip(reason);
    const program = await serve(t, await compile("plain/throwing.cc", { compiler }));
    const client = await NodeClient.open(t, program.url);
    for (let i = 0; i < 3; i += 1) {
      assert.equal(String((await client.echo("catch")).data), "thrown in on_message");
    }

    for (const place of ["on_message", "on_close", "on_stop", "post"]) {
      await t.test(`one that leaves ${place} ends the program, and says what it was`, async (t) => {
        const program = await serveWithoutCore(t, path.join(scratch, "throwing"));
        const client = await NodeClient.open(t, program.url);
        client.socket.send(place);
        assert.equal(await program.status(), "SIGABRT", program.stderr);
        assert.match(program.stderr, new RegExp(`thrown in ${place}\n`));
        assert.doesNotMatch(program.stderr, /caught in main/);
      });
    }
    program.signal("SIGKILL");
    await program.exited;
  });
}

// ── Other event loops, other threads, other libraries ────────────────────────────────────────────

const pings = (client) =>
  within(new Promise((resolve) => client.socket.once("ping", resolve)), "a Ping, which a timer of the server sends");

test("own loop: poll(2) drives a server beside what else the program does", async (t) => {
  const program = await serve(t, await compile("own_loop/own_loop.cc"));
  const ann = await NodeClient.open(t, program.url);
  const bob = await NodeClient.open(t, program.url);
  ann.socket.send("from Ann");
  await eventually(() => program.stdout.endsWith("from Ann\n"), "what Ann sent");
  program.child.stdin.write("typed\n");
  assert.equal(String((await ann.message()).data), "typed\n");
  assert.equal(String((await bob.message()).data), "typed\n");
  await pings(ann);
  program.child.stdin.end();
  assert.equal((await ann.close()).code, 1001);
  assert.equal((await bob.close()).code, 1001);
  assert.equal(await program.status(), 0, program.stderr);
});

test("own loop: it sleeps until there is something to do, and a client that never answers can't hold it", async (t) => {
  const program = await serve(t, path.join(scratch, "own_loop"));
  const awake = await NodeClient.open(t, program.url);
  await pings(awake);
  const cpuBefore = cpuSeconds(program.child.pid);
  const before = Date.now();
  await pings(awake);
  await pings(awake);
  const share = (cpuSeconds(program.child.pid) - cpuBefore) / ((Date.now() - before) / 1000);
  assert.ok(share < 0.1, `between Pings it takes ${share} of a processor`);

  await openRaw(t, program);
  program.child.stdin.end();
  assert.equal(await program.status(), 0, program.stderr);
});

test("own loop: libevent watches one descriptor", async (t) => {
  const reason = await missing("libevent-dev:/usr/include/event2/event.h");
  if (reason) return t.skip(reason);
  const program = await serve(t, await compile("own_loop/libevent.cc", { libraries: ["-levent"] }));
  const client = await echoes(t, program.url);
  await pings(client);
  program.signal("SIGTERM");
  assert.equal((await client.close()).code, 1001);
  assert.equal(await program.status(), 0, program.stderr);
});

test("threads: two servers in two threads share nothing", async (t) => {
  const program = await serve(t, await compile("plain/two_loops.cc"), [], 2);
  assert.notEqual(program.addresses[0], program.addresses[1]);
  const clients = await Promise.all(program.addresses.map((url) => echoes(t, url)));
  program.child.stdin.end();
  for (const client of clients) assert.equal((await client.close()).code, 1001);
  assert.equal(await program.status(), 0, program.stderr);
});

test("a shared library: a host loads it that knows nothing of C++, and sees its one function", async (t) => {
  const plugin = await compile("plugin/plugin.cc", { flags: ["-shared", "-fPIC", "-fvisibility=hidden"] });
  const symbols = await run("nm", ["-D", "--defined-only", plugin]);
  assert.deepEqual(symbols.split("\n").filter((line) => / [TDBR] /.test(line)).map((line) => line.split(" ")[2]), ["serve"]);
  await run("cc", ["-o", "host", path.join(projects, "plugin/host.c"), "-ldl"]);
  const host = await serve(t, path.join(scratch, "host"), [plugin]);
  await echoes(t, host.url);
  await stops(host);
});

test("test/images/embedding: every program in it is in a test here", () => {
  const here = readFileSync(new URL(import.meta.url), "utf8");
  for (const file of files(projects).filter((name) => name.endsWith(".cc"))) {
    const [folder, name] = file.split("/");
    assert.ok(here.includes(file) || existsSync(path.join(projects, folder, "Makefile"))
      || existsSync(path.join(projects, folder, "CMakeLists.txt")), `${folder}/${name}`);
  }
});
