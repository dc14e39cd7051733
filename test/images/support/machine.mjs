// A machine of its own, emulated by QEMU: Debian's kernel, an initramfs, a serial console, a network
// card that one port of this machine leads to, and a keyboard.
//
// SPDX-License-Identifier: MIT
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { atEnd, eventually, repository, scratchFolder, start } from "../../e2e/support/sockeye.mjs";
import { initramfs } from "./initramfs.mjs";
import { lacking, tiny } from "./tiny.mjs";

const kernelFolder = path.join(repository, "build/images/kernel");
const fetchKernel = fileURLToPath(new URL("kernel", import.meta.url));

// A machine starts within seconds, or within a minute where others have the processors.
export const BOOT_DEADLINE_MS = 180_000;

// False, or why there are no such machines here: a reason to skip.
export function noMachines() {
  const lacks = lacking("qemu-system-x86:qemu-system-x86_64");
  if (lacks) return lacks;
  try {
    execFileSync(fetchKernel, [kernelFolder], { stdio: "pipe" });
    return false;
  } catch (error) {
    return `no kernel: ${String(error.stderr || error.message).trim()}`;
  }
}

// In the order in which each finds what it needs of the others.
const DRIVERS = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
                 "failover", "net_failover", "virtio_net"];
const driver = (name) => readFileSync(path.join(kernelFolder, "modules", `${name}.ko`));

// Sockeye as /init, the drivers as /modules/10-virtio_ring.ko and so on, and nothing else but what
// `more` holds, as initramfs() takes it.
export function sockeyeImage(more = []) {
  const modules = DRIVERS.map((name, i) => [`modules/${10 + i}-${name}.ko`, driver(name)]);
  return initramfs([["init", readFileSync(tiny)], ["modules", null], ...modules, ...more]);
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// QEMU's own control connection, its "QMP".
async function openControl(t, file) {
  const socket = net.connect(file);
  atEnd(t, () => socket.destroy());
  await once(socket, "connect");
  let lines = "";
  socket.on("data", (data) => (lines += data));
  const ask = async (execute, args = {}) => {
    const before = lines.split('"return"').length;
    socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    await eventually(() => lines.split('"return"').length > before, `an answer to ${execute}`);
  };
  await ask("qmp_capabilities");
  return ask;
}

// Boots `image` with these words on the kernel's command line, and gives QEMU, whose `stdout` is the
// console, with { port, press(...keys) }: `port` of 127.0.0.1 leads to the machine's 10.0.2.15:9000.
export async function boot(t, image, commandLine, { memory = "128M" } = {}) {
  const folder = scratchFolder(t);
  const file = (name) => path.join(folder, name);
  writeFileSync(file("initramfs"), image);
  const port = await freePort();
  // Its processor has no random numbers, and nothing else gives the kernel any.
  const qemu = start(t, "qemu-system-x86_64", [
    "-accel", "tcg", "-cpu", "qemu64", "-m", memory, "-nodefaults", "-no-reboot", "-display", "none",
    "-serial", "stdio", "-qmp", `unix:${file("qmp")},server=on,wait=off`,
    "-kernel", path.join(kernelFolder, "vmlinuz"), "-initrd", file("initramfs"),
    "-append", `console=ttyS0 loglevel=6 panic=-1 rdinit=/init ${commandLine}`,
    "-netdev", `user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:${port}-10.0.2.15:9000`,
    "-device", "virtio-net-pci,netdev=net0",
  ]);
  const press = async (...keys) => {
    const control = await openControl(t, file("qmp"));
    await control("send-key", { keys: keys.map((data) => ({ type: "qcode", data })) });
  };
  return Object.assign(qemu, { port, press });
}

// What the machine's console says, its lines ended by a newline alone.
export const consoleText = (machine) => machine.stdout.replaceAll("\r", "");
