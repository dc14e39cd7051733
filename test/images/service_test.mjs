// Sockeye as a service, and as a package: what `make install` and `make deb` put into a system is tried
// there. systemd and OpenRC run for real, in namespaces of their own; so does BusyBox's init script.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { DEADLINE_MS, atEnd, binary, eventually, repository, run, scratchFolder, start } from "../e2e/support/sockeye.mjs";

const support = fileURLToPath(new URL("support/", import.meta.url));
const isRoot = process.getuid() === 0;

// Why a test can't run here, or false: where another program than the Makefile's is under test, where a
// tool is missing, or where only root may do it.
const isThere = (tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0;
function unlessThere(tools, { root = false, namespaces = false } = {}) {
  if (binary !== path.join(repository, "build/sockeye")) return "another program is under test";
  const missing = tools.filter((tool) => !isThere(tool));
  if (missing.length > 0) return `${missing.join(", ")} not found`;
  if ((root || namespaces) && !isRoot) return "only root can";
  return namespaces && spawnSync("unshare", ["--mount", "true"]).status !== 0 ? "namespaces can't be made" : false;
}

// Runs a command to its end; gives its output, or fails with what it said.
async function output(t, file, args, { status = 0, ...options } = {}) {
  const program = start(t, file, args, options);
  program.child.stdin.end();
  assert.equal(await program.status(120_000), status, `${file} ${args.join(" ")}: ${program.stdout}${program.stderr}`);
  return program.stdout + program.stderr;
}

const make = (t, ...args) => output(t, "make", args);

// The trees that were installed, by service manager. Others than root may go in.
const trees = mkdtempSync(path.join(tmpdir(), "sockeye-images-"));
chmodSync(trees, 0o755);
after(() => rmSync(trees, { recursive: true }));
const tree = (service) => path.join(trees, service);
const program = path.join(tree("systemd"), "bin/sockeye");
const read = (...parts) => readFileSync(path.join(...parts), "utf8");

before(async (t) => {
  if (unlessThere([])) return;
  for (const service of ["systemd", "openrc", "busybox"]) {
    await make(t, "install", `PREFIX=${tree(service)}`, `SYSCONFDIR=${tree(service)}/etc`, `SERVICE=${service}`);
  }
});

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// What the program says of its options: { echo: Map { "--port" => "short for ... (default: ...)" } }.
async function helpTexts(t) {
  const texts = {};
  for (const [, command] of (await run(t, ["help"])).stdout.matchAll(/^ {2}([a-z]+) {2}/gm)) {
    if (command === "help") continue;
    const { stdout } = await run(t, ["help", command]);
    const options = stdout.matchAll(/^ {2}(-\S+)(.*\n(?: {4,}.*\n)*)/gm);
    texts[command] = new Map([...options].map(([, name, text]) => [name, text.replace(/\s+/g, " ")]));
  }
  assert.ok(texts.echo.size > 20);
  return texts;
}

async function defaultOf(t, option) {
  const [, value] = /\(default: (\d+)\)/.exec((await helpTexts(t)).echo.get(option));
  return Number(value);
}

// `sockeye cat` sends a line and prints the echo.
async function echoes(t, url) {
  const { status, stdout, stderr } = await run(t, ["cat", "-1", url], "Hello\n");
  assert.equal(stdout, "Hello\n", stderr);
  assert.equal(status, 0);
}

// --------------------------------------------------------------------------------------------- systemd

const unitFolder = path.join(tree("systemd"), "lib/systemd/system");
const units = ["sockeye.service", "sockeye.socket"].map((name) => path.join(unitFolder, name));
const settingOf = (unit, name) => new RegExp(`^${name}=(.*)$`, "m").exec(unit)[1];

test("systemd: the units are well-formed", { skip: unlessThere(["systemd-analyze"]) }, async (t) => {
  assert.equal(await output(t, "systemd-analyze", ["verify", "--man=no", ...units]), "");
});

test("systemd: the service has few rights", { skip: unlessThere(["systemd-analyze"]) }, async (t) => {
  const text = await output(t, "systemd-analyze", ["security", "--no-pager", "--offline=yes", units[0]]);
  const [, exposure] = /exposure level .*: ([\d.]+)/.exec(text);
  assert.ok(Number(exposure) <= 1.0, text);
});

test("systemd: its limits leave room for the program's own", { skip: unlessThere([]) }, async (t) => {
  const unit = read(units[0]);
  assert.ok(Number(settingOf(unit, "LimitNOFILE")) > await defaultOf(t, "--max-connections"));
  assert.ok(Number(settingOf(unit, "TimeoutStopSec")) > await defaultOf(t, "--stop-timeout"));
});

test("systemd: sockets are handed over as systemd does it, by systemd-socket-activate",
  { skip: unlessThere(["systemd-socket-activate"]) }, async (t) => {
    const [file, ...args] = settingOf(read(units[0]), "ExecStart").replace("$SOCKEYE_OPTIONS", "--threads 2").split(" ");
    const port = await freePort();
    const socket = path.join(scratchFolder(t), "sockeye.sock");
    const server = start(t, "systemd-socket-activate", ["-l", `127.0.0.1:${port}`, "-l", socket, file, ...args]);
    await eventually(() => /Listening on .*sockeye.sock/.test(server.stderr), "systemd-socket-activate");
    await echoes(t, `ws://127.0.0.1:${port}/`);
    const told = new RegExp(`listening on ws://127.0.0.1:${port}/\\n.*listening on unix:${socket}\n`);
    await eventually(() => told.test(server.stdout), "lines that say where it listens");
    assert.doesNotMatch(server.stdout, /:9000/, "not on the default address, too");

    server.signal("SIGTERM");
    assert.equal(await server.status(), 0);
    assert.ok(existsSync(socket), "the socket's file is its owner's");
  });

// A booted systemd with our units; `systemctl` calls it. Skips the test where systemd doesn't boot, or
// where its kernel has no part of what it needs.
async function bootSystemd(t, port) {
  const folder = scratchFolder(t);
  chmodSync(folder, 0o755);
  mkdirSync(path.join(folder, "units"));
  mkdirSync(path.join(folder, "bin"));
  for (const unit of units) {
    const text = read(unit).replace("127.0.0.1:9000", `127.0.0.1:${port}`).replaceAll(tree("systemd"), "/usr/local");
    writeFileSync(path.join(folder, "units", path.basename(unit)), text);
  }
  spawnSync("cp", [program, path.join(folder, "bin")]);

  const machine = start(t, "unshare", ["--mount", path.join(support, "boot_systemd"), folder]);
  const pidFile = path.join(folder, "pid");
  const inside = (...command) => spawnSync("nsenter", ["-t", read(pidFile).trim(), "-m", "-p", ...command], { encoding: "utf8" });
  const systemctl = (...args) => inside("systemctl", ...args).stdout.trim();
  const isUp = () => existsSync(pidFile) && /^(active|failed)$/.test(systemctl("is-active", "sockeye.socket"));
  await eventually(() => isUp() || !machine.running, "systemd").catch(() => {});
  if (machine.running && isUp()) return { systemctl, inside };
  t.skip(`systemd doesn't boot here: ${machine.stderr.trim()}`);
  return {};
}

const bootable = unlessThere(["/lib/systemd/systemd", "unshare", "nsenter"], { namespaces: true });

test("systemd: booted, it starts the service at the first connection, with the rights of nobody", { skip: bootable }, async (t) => {
  const port = await freePort();
  const url = `ws://127.0.0.1:${port}/`;
  const { systemctl, inside } = await bootSystemd(t, port);
  if (!systemctl) return;
  const show = (name) => systemctl("show", "--value", "--property", name, "sockeye.service");
  assert.equal(show("ActiveState"), "inactive", "nobody has come yet");
  await echoes(t, url);
  assert.equal(show("ActiveState"), "active");

  const status = inside("cat", `/proc/${show("MainPID")}/status`).stdout;
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  assert.match(status, /^Seccomp:\s+2$/m);
  assert.match(status, /^CapBnd:\s+0+$/m);
  assert.doesNotMatch(status, /^Uid:.*\b0\b/m);

  inside("kill", "-SEGV", show("MainPID"));
  await eventually(() => show("NRestarts") === "1" && show("ActiveState") === "active", "the service, anew");
  await echoes(t, url);

  systemctl("stop", "sockeye.service");
  assert.equal(show("Result"), "success");
  await echoes(t, url);  // the socket stays, and starts it again

  systemctl("stop", "sockeye.socket");
  assert.equal(show("ActiveState"), "inactive");
  assert.equal((await run(t, ["cat", "-1", url], "Hello\n")).status, 1);
});

test("systemd: booted, it passes the operator's options on, and doesn't repeat a mistake in them", { skip: bootable }, async (t) => {
  const port = await freePort();
  const { systemctl, inside } = await bootSystemd(t, port);
  if (!systemctl) return;
  const show = (name) => systemctl("show", "--value", "--property", name, "sockeye.service");
  const setOptions = (options) => {
    inside("sh", "-c", `mkdir -p /run/systemd/system/sockeye.service.d && cat > /run/systemd/system/sockeye.service.d/a.conf << END
[Service]
Environment="SOCKEYE_OPTIONS=${options}"
END`);
    systemctl("daemon-reload");
    systemctl("restart", "sockeye.service");
  };
  setOptions("--threads 3 --compress dedicated --log-level debug");
  await echoes(t, `ws://127.0.0.1:${port}/`);
  assert.match(inside("cat", `/proc/${show("MainPID")}/status`).stdout, /^Threads:\s+3$/m);

  setOptions("--no-such-option");
  await eventually(() => show("ActiveState") === "failed", "the end of the service");
  assert.equal(show("ExecMainStatus"), "2");
  assert.equal(show("NRestarts"), "0");
});

// ------------------------------------------------------------------------------------- OpenRC, BusyBox

test("init scripts: shellcheck finds nothing", { skip: unlessThere(["shellcheck"]) }, async (t) => {
  const scripts = ["openrc", "busybox"].map((service) => path.join(tree(service), "etc/init.d/sockeye"));
  // SC2034: variables that openrc-run reads.
  assert.equal(await output(t, "shellcheck", ["--shell=sh", "--exclude=SC2034", ...scripts]), "");
  assert.equal(await output(t, "shellcheck", ["--shell=bash", "app/install/sockeye.bash"]), "");
  assert.equal(await output(t, "shellcheck", ["app/install/manual", "app/install/deb"]), "");
});

test("OpenRC: it starts the service, again after a crash, and stops it", { skip: unlessThere(["openrc-run", "unshare"], { namespaces: true }) }, async (t) => {
  const script = path.join(tree("openrc"), "etc/init.d/sockeye");
  const folder = scratchFolder(t);
  chmodSync(folder, 0o755);
  const log = path.join(folder, "log");
  const port = await freePort();
  mkdirSync(path.join(tree("openrc"), "etc/conf.d"));
  writeFileSync(path.join(tree("openrc"), "etc/conf.d/sockeye"), `sockeye_options="--port ${port}"\nsockeye_log=${log}\n`);
  const client = path.join(tree("openrc"), "bin/sockeye");
  const text = await output(t, "unshare", ["--mount", "--pid", "--fork", "--kill-child", path.join(support, "openrc_scenario"),
                                           script, client, `ws://127.0.0.1:${port}/`]);
  const seen = text.split("\n").filter((line) => /^(after|user|status|no server| \* status)/.test(line));
  assert.deepEqual(seen, ["after start", "user nobody", " * status: started", "after a crash", " * status: stopped",
                          "status 3", "no server"], text);
  assert.match(readFileSync(log, "utf8"), /listening on/);
});

// The script under `shell`, with what it finds in `folder`/bin, and a configuration with `settings`.
function initScript(t, shell, settings = "") {
  const folder = scratchFolder(t);
  const config = path.join(folder, "config");
  writeFileSync(config, `options="--listen 127.0.0.1:0"\npidfile=${folder}/pid\nlog=${folder}/log\n${settings}`);
  const file = path.join(tree("busybox"), "etc/init.d/sockeye");
  const call = (action, env = {}) => spawnSync(shell.file, [...shell.args, file, action],
    { encoding: "utf8", timeout: DEADLINE_MS, env: { PATH: shell.path ?? process.env.PATH, SOCKEYE_CONFIG: config, ...env } });
  atEnd(t, () => call("stop"));
  return { call, folder, config };
}

// BusyBox's commands alone.
function busybox() {
  const applets = path.join(trees, "applets");
  mkdirSync(applets, { recursive: true });
  spawnSync("busybox", ["--install", "-s", applets]);
  return { file: path.join(applets, "ash"), args: [], path: applets };
}

for (const [name, shell, tools] of [["BusyBox", busybox, ["busybox"]],
                                    ["dpkg's start-stop-daemon", () => ({ file: "sh", args: [] }), ["start-stop-daemon"]]]) {
  test(`init script: with ${name}, it starts, restarts, tells its state and stops`, { skip: unlessThere(tools, { root: true }) }, async (t) => {
    const { call, folder } = initScript(t, shell());
    assert.equal(call("status").status, 3);
    const started = call("start");
    assert.equal(started.status, 0, started.stderr);
    const [, url] = /listening on (ws:\S+)/.exec(started.stdout);  // it serves when it says so
    await echoes(t, url);
    const pid = read(folder, "pid").trim();
    assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), /^Uid:\s+65534\s/m);
    assert.equal(call("status").status, 0);
    assert.match(call("start").stdout, /already/);
    assert.equal(read(folder, "pid").trim(), pid);

    const again = call("restart");
    assert.equal(again.status, 0, again.stderr);
    assert.equal(existsSync(`/proc/${pid}`), false);
    await echoes(t, /listening on (ws:\S+)/.exec(again.stdout)[1]);

    assert.equal(call("stop").status, 0);
    assert.equal(call("status").status, 3);
    assert.equal(call("stop").status, 0, "what isn't running may be stopped");
    assert.deepEqual(readdirSync(folder).sort(), ["config", "log"]);
  });

  test(`init script: with ${name}, a server that doesn't start says why`, { skip: unlessThere(tools, { root: true }) }, async (t) => {
    const { call, folder } = initScript(t, shell(), 'options="--port nonsense"\n');
    const { status, stderr } = call("start");
    assert.equal(status, 1);
    assert.match(stderr, /doesn't start: .*--port nonsense/);
    assert.deepEqual(readdirSync(folder).sort(), ["config", "log"]);
    assert.equal(call("nonsense").status, 2);
  });
}

test("init scripts: their limits leave room for the program's own", { skip: unlessThere([]) }, async (t) => {
  const busyboxScript = read(tree("busybox"), "etc/init.d/sockeye");
  const openrcScript = read(tree("openrc"), "etc/init.d/sockeye");
  const connections = await defaultOf(t, "--max-connections");
  const stopSeconds = await defaultOf(t, "--stop-timeout");
  for (const [script, descriptors, seconds] of [[busyboxScript, /^descriptors=(\d+)/m, /^stop_seconds=(\d+)/m],
                                                [openrcScript, /^rc_ulimit=.*-n (\d+)/m, /^retry="TERM\/(\d+)/m]]) {
    assert.ok(Number(descriptors.exec(script)[1]) > connections);
    assert.ok(Number(seconds.exec(script)[1]) > stopSeconds);
  }
});

// ----------------------------------------------------------------------- the manual page, and completion

const manual = path.join(tree("systemd"), "share/man/man1/sockeye.1");

test("manual: it is well-formed", { skip: unlessThere(["mandoc", "groff"]) }, async (t) => {
  assert.equal(await output(t, "mandoc", ["-T", "lint", "-W", "warning", manual]), "");
  assert.equal(await output(t, "groff", ["-k", "-mandoc", "-Tutf8", "-ww", "-z", manual]), "");
});

test("manual: every option of every command is in it, and no other", { skip: unlessThere(["mandoc", "col"]) }, async (t) => {
  const page = await output(t, "sh", ["-c", 'mandoc -T utf8 -O width=200 "$0" | col -bx', manual]);
  const texts = await helpTexts(t);
  const sections = [...page.matchAll(/^ {3}sockeye ([a-z]+).*\n([^]*?)(?=^ {0,3}\S)/gm)];
  assert.deepEqual(sections.map(([, command]) => command), Object.keys(texts));
  for (const [, command, text] of sections) {
    const options = [...text.matchAll(/^ {5}(-\S+)/gm)].map(([, option]) => option);
    assert.deepEqual(options, [...texts[command].keys()], command);
    // What is said of each is what the help says.
    const words = text.replace(/\s+/g, "");
    for (const [option, said] of texts[command]) assert.ok(words.includes(said.replace(/\s+/g, "")), option);
  }
  // What the prose names exists.
  const known = new Set(Object.values(texts).flatMap((options) => [...options.keys()].map((option) => option.replace(/\[.*/, ""))));
  for (const option of ["--version", "--now"]) known.add(option);  // and systemctl's
  for (const [option] of page.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)) assert.ok(known.has(option), option);
});

// What bash offers for the last of `words`.
async function complete(t, ...words) {
  const script = `. app/install/sockeye.bash
    complete -p sockeye > /dev/null || exit
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _sockeye
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return (await output(t, "bash", ["-c", script, "bash", ...words])).split("\n").filter(Boolean);
}

test("completion: commands, and the options of each as its help has them", { skip: unlessThere(["bash"]) }, async (t) => {
  const texts = await helpTexts(t);
  assert.deepEqual(await complete(t, binary, ""), [...Object.keys(texts), "help", "--help", "--version"]);
  assert.deepEqual(await complete(t, binary, "be"), ["bench"]);
  assert.deepEqual(await complete(t, binary, "help", "c"), ["cat"]);
  for (const [command, options] of Object.entries(texts)) {
    assert.deepEqual(await complete(t, binary, command, "-"), [...options.keys()], command);
  }
  assert.deepEqual(await complete(t, binary, "cat", ""), ["ws://127.0.0.1:9000/"]);
});

test("completion: values, where there are some to choose from", { skip: unlessThere(["bash"]) }, async (t) => {
  const folder = scratchFolder(t);
  writeFileSync(path.join(folder, "latency.svg"), "");
  for (const [words, offered] of [
    [["echo", "--compress", ""], ["off", "shared", "dedicated"]],
    [["echo", "--compress", "=", "s"], ["shared"]],
    [["echo", "--compress", "="], ["off", "shared", "dedicated"]],
    [["echo", "--compress-level", ""], ["fast", "small"]],
    [["echo", "--proxy", "f"], ["forwarded-for"]],
    [["echo", "--log-level", ""], ["off", "error", "warn", "info", "debug"]],
    [["echo", "--port", ""], []],
    [["echo", "--listen", ""], []],
    [["echo", "--origin", ""], []],
    [["echo", "--subprotocol", ""], []],
    [["cat", "--header", ""], []],
    [["cat", "ws://[x]/", ""], ["ws://127.0.0.1:9000/"]],
    [["bench", "--text", ""], ["ascii", "mixed", "json", "binary"]],
    [["bench", "--svg", `${folder}/l`], [`${folder}/latency.svg`]],
    [["nonsense", "-"], []],
  ]) {
    assert.deepEqual(await complete(t, binary, ...words), offered, words.join(" "));
  }
});

test("completion: asking for values starts nothing, even where any value is taken", { skip: unlessThere(["bash"]) }, async (t) => {
  const folder = scratchFolder(t);
  const stub = path.join(folder, "sockeye");
  writeFileSync(stub, `#!/bin/sh
    case "$*" in
      "help echo") printf 'usage: sockeye echo\n\n  --name ANY  anything\n' ;;
      "echo --name ? -?") echo 'unknown option -?' ; exit 2 ;;
      echo*) touch ${folder}/started ;;
    esac\n`, { mode: 0o755 });
  assert.deepEqual(await complete(t, stub, "echo", "-"), ["--name"]);
  assert.deepEqual(await complete(t, stub, "echo", "--name", ""), []);
  assert.deepEqual(readdirSync(folder), ["sockeye"]);
});

// ------------------------------------------------------------------------------------------- packages

test("make deb: packages that hold what they should, and the same when made again",
  { skip: unlessThere(["dpkg-deb", "dpkg-shlibdeps", "dpkg-architecture"]) }, async (t) => {
    const names = async () => [...(await make(t, "deb")).matchAll(/package +(\S+\.deb)/g)].map(([, name]) => name);
    const [program, library] = await names();
    const bytes = [program, library].map((name) => readFileSync(path.join(repository, name)));
    await names();
    assert.ok([program, library].every((name, i) => bytes[i].equals(readFileSync(path.join(repository, name)))), "the same bytes");

    const folder = scratchFolder(t);
    for (const name of [program, library]) {
      await output(t, "dpkg-deb", ["--raw-extract", name, folder]);
      const listed = (await output(t, "dpkg-deb", ["--contents", name])).trim().split("\n");
      for (const line of listed) assert.match(line, /^(d|-)rw[x-]r-[x-]r-[x-] root\/root /);
      await output(t, "md5sum", ["--check", "--quiet", path.join(folder, "DEBIAN/md5sums")], { cwd: folder });
      rmSync(path.join(folder, "DEBIAN"), { recursive: true });
    }
    assert.match(await output(t, "dpkg-deb", ["--field", program, "Depends"]), /^libc6 \(>= [\d.]+\)\n$/);
    const { stdout } = await run(t, ["--version"]);
    assert.equal(await output(t, path.join(folder, "usr/bin/sockeye"), ["--version"]), stdout);
    assert.equal(await output(t, "dpkg-deb", ["--field", program, "Version"]), stdout.replace("sockeye ", ""));
    const triplet = (await output(t, "dpkg-architecture", ["-qDEB_HOST_MULTIARCH"])).trim();
    for (const file of ["lib/systemd/system/sockeye.service", "share/man/man1/sockeye.1.gz", "share/doc/sockeye/copyright",
                        "share/bash-completion/completions/sockeye", "include/sockeye/ws/server.h",
                        `lib/${triplet}/libsockeye.a`, `lib/${triplet}/pkgconfig/sockeye.pc`]) {
      assert.ok(existsSync(path.join(folder, "usr", file)), file);
    }
    assert.match(read(folder, "usr/lib/systemd/system/sockeye.service"), /^ExecStart=\/usr\/bin\/sockeye /m);
  });
