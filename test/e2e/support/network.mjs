// Two machines in one, to part them without a word: a server's and its clients', each a network
// namespace (network_namespaces(7)), joined by a cable (veth(4)). Only root can make them.
//
// Nothing is left behind: a namespace ends with the last process in it, and its cable with it.
//
// SPDX-License-Identifier: MIT
import { execFileSync } from "node:child_process";
import { existsSync, readlinkSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, scratchFolder, start } from "./sockeye.mjs";

export const SERVER = "10.77.0.1";
export const STAYING = "10.77.0.2";    // this address of the clients' machine stays
export const VANISHING = "10.77.0.3";  // until vanish()

const CLIENTS_END = "02:00:00:00:00:02";  // of the cable
const relayProgram = fileURLToPath(new URL("relay.mjs", import.meta.url));

// Why this machine can't do it, or false if it can.
export function cannotSplitNetwork() {
  try {
    execFileSync("unshare", ["--net", "ip", "link", "add", "one", "type", "veth", "peer"], { stdio: "pipe" });
    return false;
  } catch (error) {
    return `no network namespaces here: ${String(error.stderr ?? error.message).trim()}`;
  }
}

// A namespace, as a function: of a command, the command line that runs it there (without a process in
// between, so that who starts it knows its process id). `pid` is a process that keeps the namespace.
async function namespace(t) {
  const { pid } = start(t, "unshare", ["--net", "sleep", "infinity"]).child;
  const file = (process) => readlinkSync(`/proc/${process}/ns/net`);
  await eventually(() => file(pid) !== file("self"), "a network namespace");
  const within = (...command) => ["nsenter", `--net=/proc/${pid}/ns/net`, ...command];
  return Object.assign(within, { pid });
}

export async function splitNetwork(t) {
  const onServer = await namespace(t);
  const onClients = await namespace(t);
  const ip = (where, line) => {
    const [file, ...args] = where("ip", ...line.split(" "));
    execFileSync(file, args);
  };
  ip(onServer, `link add cable type veth peer name cable address ${CLIENTS_END} netns ${onClients.pid}`);
  ip(onServer, `address add ${SERVER}/24 dev cable`);
  ip(onServer, "link set cable up");
  for (const address of [STAYING, VANISHING]) ip(onClients, `address add ${address}/24 dev cable`);
  ip(onClients, "link set cable up");
  // Without it, the server's kernel would ask who has the address, and nobody's answer would tell.
  ip(onServer, `neighbour replace ${VANISHING} lladdr ${CLIENTS_END} nud permanent dev cable`);

  const folder = scratchFolder(t);
  return {
    onServer,
    // From here on packets to and from VANISHING are dropped, and neither side is told.
    vanish: () => ip(onClients, `address delete ${VANISHING}/24 dev cable`),
    // A URL that leads to the server's `port` over the cable, from `address`.
    relay: async (address, port) => {
      const socket = path.join(folder, address);
      const [file, ...args] = onClients(process.execPath, relayProgram, socket, address, SERVER, String(port));
      start(t, file, args);
      await eventually(() => existsSync(socket), "a relay");
      return `ws+unix:${socket}:/`;
    },
  };
}
