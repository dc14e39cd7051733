// A machine that holds a kernel and sockeye, and nothing else.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { RawClient } from "../e2e/support/raw_client.mjs";
import { eventually, scratchFolder } from "../e2e/support/sockeye.mjs";
import { BOOT_DEADLINE_MS, boot, consoleText, noMachines, sockeyeImage } from "./support/machine.mjs";
import { checkEcho } from "./support/tiny.mjs";

const NETWORK = "ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:off";

const options = { skip: noMachines() };

async function bootServer(t, image, commandLine) {
  const machine = await boot(t, image, commandLine);
  await eventually(() => consoleText(machine).includes("sockeye: listening on ") || !machine.running,
                   "a server", BOOT_DEADLINE_MS);
  assert.ok(machine.running, consoleText(machine).slice(-2000));
  return machine;
}

test("boot: it brings up the network, echoes, and powers off on ctrl-alt-del", options, async (t) => {
  const machine = await bootServer(t, sockeyeImage(), `${NETWORK} -- --compress dedicated`);

  // Whoever asks for random bytes has the kernel say this, some time later, when there are enough.
  assert.doesNotMatch(consoleText(machine), /crng init done/, "it doesn't wait for entropy");

  const client = await checkEcho(t, `ws://127.0.0.1:${machine.port}/`);
  assert.match(client.extensions, /^permessage-deflate/);
  const page = await fetch(`http://127.0.0.1:${machine.port}/`);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /^<!doctype html>/);

  await machine.press("ctrl", "alt", "delete");
  assert.equal((await client.close()).code, 1001);
  assert.equal(await machine.status(BOOT_DEADLINE_MS), 0);
  assert.match(consoleText(machine), /reboot: Power down\n$/);
  assert.doesNotMatch(consoleText(machine), /Kernel panic|^sockeye: (?!listening)/m);
});

test("boot: what is wrong is told on the console; then the machine is powered off", options, async (t) => {
  const image = sockeyeImage([["modules/00-broken.ko", Buffer.from("no module")]]);
  const machine = await boot(t, image, "ip=dhcp -- --port ninety");
  assert.equal(await machine.status(BOOT_DEADLINE_MS), 0);
  const text = consoleText(machine);
  assert.match(text, /^sockeye: 00-broken\.ko: Exec format error$/m);
  assert.match(text, /^sockeye: ip=dhcp: .*there is no DHCP here.*$/m);
  assert.match(text, /^sockeye: --port ninety: must be a number.*$/m);
  assert.match(text, /reboot: Power down\n$/);
  assert.doesNotMatch(text, /Kernel panic/);
});

// What some kernels leave to their first process: no console, and few descriptors.
const POOR_START = `
#include <sys/resource.h>
#include <unistd.h>
int main() {
  unlink("/dev/console");
  closefrom(0);
  const rlimit few{64, 64};
  setrlimit(RLIMIT_NOFILE, &few);
  execl("/init", "/init", nullptr);
}`;

function compiled(t, source) {
  const program = path.join(scratchFolder(t), "program");
  execFileSync("g++", ["-static", "-x", "c++", "-", "-o", program], { input: source });
  return readFileSync(program);
}

test("boot: process 1 opens a console where it has none, and raises its limit of descriptors", options, async (t) => {
  const image = sockeyeImage([["start", compiled(t, POOR_START)]]);
  const machine = await bootServer(t, image, `rdinit=/start ${NETWORK}`);
  for (let i = 0; i < 100; i += 1) {  // all of which stay open
    const client = await RawClient.connect(t, { host: "127.0.0.1", port: machine.port });
    client.write("GET / HTTP/1.1\r\nHost: machine\r\n\r\n");
    assert.equal((await client.response()).status, 200, `connection ${i}`);
  }
});
