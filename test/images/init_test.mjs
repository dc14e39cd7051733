// Sockeye as process 1 of a namespace: of a container as it is, and as if of a machine with --init,
// where reboot(2) ends the namespace as it would end the machine.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync, symlinkSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { cannotSplitNetwork } from "../e2e/support/network.mjs";
import { eventually, scratchFolder, serving, start } from "../e2e/support/sockeye.mjs";
import { childrenOf, startOrphan, startProcessOne } from "./support/process_one.mjs";
import { checkEcho, lacking, notRoot, tiny } from "./support/tiny.mjs";

const options = { skip: notRoot() };

const echo = [tiny, "echo", "--listen", "127.0.0.1:0"];

async function serveAsProcessOne(t, ...more) {
  const one = await startProcessOne(t, [...echo, ...more]);
  await serving(one.program);
  return { ...one, url: one.program.url };
}

async function checkOrphan(t, pid) {
  const orphan = await startOrphan(t, pid);
  process.kill(orphan);
  await eventually(() => !existsSync(`/proc/${orphan}`), "the orphan's end, and nothing left of it");
}

test("container: SIGTERM ends process 1 with status 0, after goodbye", options, async (t) => {
  const { pid, program, url } = await serveAsProcessOne(t);
  assert.deepEqual(childrenOf(pid), []);
  const client = await checkEcho(t, url);
  process.kill(pid, "SIGTERM");
  assert.equal((await client.close()).code, 1001);
  assert.equal(await program.status(), 0);
  assert.equal(program.stderr, "");
});

test("container: orphans are reaped", options, async (t) => {
  const { pid } = await serveAsProcessOne(t);
  await checkOrphan(t, pid);
});

test("init: anybody but process 1 is told that it is none", async (t) => {
  const program = start(t, tiny, ["echo", "--init"]);
  assert.equal(await program.status(), 2);
  assert.match(program.stderr, /^sockeye: --init is for process 1.*\n$/);
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`init: ${signal} ends the server, then powers off`, options, async (t) => {
    const { pid, program, url } = await serveAsProcessOne(t, "--init");
    const client = await checkEcho(t, url);
    process.kill(pid, signal);
    assert.equal((await client.close()).code, 1001);
    assert.equal(await program.status(), "SIGINT");  // reboot(2): what a namespace is powered off by
    assert.equal(program.stderr, "");
  });
}

test("init: a server that crashes is started again, after a growing pause", options, async (t) => {
  const { pid, program, url } = await serveAsProcessOne(t, "--init");
  let last = 0;
  for (const [signal, pause] of [["SIGSEGV", 100], ["SIGKILL", 200], ["SIGABRT", 400]]) {
    const [server] = childrenOf(pid);
    assert.notEqual(server, last);
    last = server;
    const starts = program.stdout.split("listening").length;
    process.kill(server, signal);
    await eventually(() => program.stdout.split("listening").length > starts, "another server");
    assert.match(program.stderr.trim().split("\n").at(-1),
                 new RegExp(` error the server crashed.* signal=\\d+ after_ms=${pause}$`));
  }
  assert.notEqual(program.stdout.match(/listening on (\S+)/g).at(-1), url);  // its port was any
  assert.equal(program.running, true);
  process.kill(pid, "SIGTERM");
  assert.equal(await program.status(), "SIGINT");
});

test("init: SIGTERM during the pause powers off", options, async (t) => {
  const { pid, program } = await serveAsProcessOne(t, "--init");
  for (let crashes = 1; crashes <= 4; crashes += 1) {  // so that the pause is one of 800 ms
    await eventually(() => program.stdout.split("listening").length > crashes, "a server");
    process.kill(childrenOf(pid)[0], "SIGKILL");
    await eventually(() => program.stderr.split("\n").length > crashes, "a line about the crash");
  }
  process.kill(pid, "SIGTERM");
  assert.equal(await program.status(), "SIGINT");
  assert.equal(program.stdout.split("listening").length, 5);
});

test("init: orphans are reaped", options, async (t) => {
  const { pid } = await serveAsProcessOne(t, "--init");
  await checkOrphan(t, pid);
  assert.equal(childrenOf(pid).length, 1);
});

test("init: what can't be served is told, and the machine powered off", options, async (t) => {
  const first = start(t, tiny, echo.slice(1));
  await serving(first);
  const cases = [
    [["--port", "ninety"], /^sockeye: --port ninety: must be a number from 0 to 65535.*\n$/],
    [["--listen", first.host], /^sockeye: .*in use\n$/],
    [["--no-such"], /^sockeye: unknown option --no-such.*\n$/],
  ];
  for (const [args, message] of cases) {
    const { program } = await startProcessOne(t, [tiny, "echo", "--init", ...args]);
    assert.equal(await program.status(), "SIGINT");
    assert.match(program.stderr, message);
  }
});

test("init: where reboot(2) is forbidden, it ends with the server's status", options, async (t) => {
  const command = (...args) => ["setpriv", "--bounding-set=-sys_boot", "--inh-caps=-sys_boot", ...echo, "--init", ...args];
  const bad = await startProcessOne(t, command("--no-such"));
  assert.equal(await bad.program.status(), 2);
  const good = await startProcessOne(t, command());
  await serving(good.program);
  process.kill(good.pid, "SIGTERM");
  assert.equal(await good.program.status(), 0);
});

test("init: a program named init needs no arguments, and takes options", options, async (t) => {
  const name = path.join(scratchFolder(t), "init");
  symlinkSync(tiny, name);
  for (const [args, addresses] of [[[], [":9000"]], [["--listen", ":80", "--port", "81"], [":80", "127.0.0.1:81"]]]) {
    const { pid, program } = await startProcessOne(t, [name, ...args], { unshare: ["--net"] });
    await serving(program, addresses.length);
    assert.deepEqual(program.addresses, addresses.map((address) => `ws://${address.replace(/^:/, "127.0.0.1:")}/`));
    assert.equal(program.stdout.includes("reachable at every address"), addresses[0].startsWith(":"));
    process.kill(pid, "SIGTERM");
    assert.equal(await program.status(), "SIGINT");
  }
});

function mayRaiseLimits() {
  return spawnSync("prlimit", ["--nofile=1048576", "true"]).status === 0;
}

test("init: as many descriptors as the kernel allows",
     { skip: notRoot() || (!mayRaiseLimits() && "this machine's root may not raise its limits") }, async (t) => {
  const { pid } = await serveAsProcessOne(t, "--init");
  const limits = readFileSync(`/proc/${childrenOf(pid)[0]}/limits`, "latin1");
  assert.match(limits, /^Max open files +1048576 +1048576 /m);
});

test("init: without standard descriptors, there is a console", options, async (t) => {
  // No device of this folder can be opened, so that nothing is written to this machine's own console.
  const root = scratchFolder(t);
  const enter = 'mount -t tmpfs -o nodev root "$1" && cp "$2" "$1/init" && exec chroot "$1" /init <&- >&- 2>&-';
  const { pid } = await startProcessOne(t, ["sh", "-c", enter, "sh", root, tiny], { unshare: ["--mount", "--net"] });
  const inside = `/proc/${pid}/root`;  // which is this machine's own, at first
  await eventually(() => readdirSync(inside).join(" ") === "dev init" && existsSync(`${inside}/dev/console`), "a console");
  const status = statSync(`${inside}/dev/console`);
  assert.ok(status.isCharacterDevice());
  assert.equal(status.rdev, (5 << 8) | 1);
});

const network = { skip: notRoot() || lacking("iproute2:ip") || cannotSplitNetwork() };

test("init: the network, as ip= says, on an interface that comes late", network, async (t) => {
  const ip = "10.77.0.5::10.77.0.1:255.255.255.0::eth7:off";
  const { pid, program } = await startProcessOne(t, [tiny, "echo", "--init"], { unshare: ["--net"], env: { ip } });
  const inside = (...args) => execFileSync("nsenter", [`--net=/proc/${pid}/ns/net`, "ip", ...args], { encoding: "latin1" });
  await eventually(() => inside("address", "show", "lo").includes("127.0.0.1/8"), "the loopback interface");
  assert.equal(program.stdout, "", "it waits for the interface");
  inside("link", "add", "eth7", "type", "veth", "peer", "cable");
  inside("link", "set", "cable", "up");
  await serving(program);
  assert.match(inside("address", "show", "eth7"), /[<,]UP[,>][^]*inet 10\.77\.0\.5\/24 brd 10\.77\.0\.255 /);
  assert.match(inside("route"), /^default via 10\.77\.0\.1 dev eth7/m);
  assert.equal(program.stderr, "");
});

test("init: what can't be set up is told, and the server serves", network, async (t) => {
  const cases = [
    ["dhcp", /: must be ip=ADDRESS::GATEWAY:NETMASK::DEVICE:off \(there is no DHCP here\)\n$/],
    ["10.77.0.5:::::eth9:off", /: No such device\n$/],  // which is waited for, ten seconds
    ["10.77.0.5:::255.0.255.0::lo:off", /: Invalid argument\n$/],
    ["10.77.0.5::10.88.0.1:255.255.255.0::lo:off", /: Network (is )?unreachable\n$/],
  ];
  for (const [ip, why] of cases) {
    const { program } = await startProcessOne(t, [tiny, "echo", "--init"], { unshare: ["--net"], env: { ip } });
    await serving(program);
    assert.ok(program.stderr.startsWith(`sockeye: ip=${ip}: `), program.stderr);
    assert.match(program.stderr, why);
  }
});
