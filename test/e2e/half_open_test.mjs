// Half-open peers (RFC 1122 §4.2.3.6, RFC 6455 §5.5.2): gone without a FIN or RST, as when a cable is
// pulled or a NAT forgets. The network between server and client drops their packets, and pings are
// all that can tell.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import test from "node:test";
import { SERVER, STAYING, VANISHING, cannotSplitNetwork, splitNetwork } from "./support/network.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { anonymousBytes, descriptors, unacknowledgedBytes } from "./support/process.mjs";
import { binary, eventually, serving, start } from "./support/sockeye.mjs";

const skip = cannotSplitNetwork();
const MIB = 1024 * 1024;

// A server with a client that stays; `vanishing` is the URL for one that will be cut off.
async function startScene(t) {
  const network = await splitNetwork(t);
  const [file, ...args] = network.onServer(binary, "echo", "--listen", `${SERVER}:0`,
    "--ping-interval", "1", "--idle-timeout", "3", "--close-timeout", "1", "--log-level", "info");
  const server = await serving(start(t, file, args));
  const living = await NodeClient.open(t, await network.relay(STAYING, server.port));
  return { network, server, living, vanishing: await network.relay(VANISHING, server.port) };
}

// The server lets go of the client that was cut off, says why, and serves the other one.
async function expectFound({ server, living }, before) {
  await eventually(() => descriptors(server.child.pid) === before, "the dead peer's descriptor closed");
  assert.match(server.stderr, new RegExp(`${VANISHING}.*idle_timeout`));
  assert.doesNotMatch(server.stderr, new RegExp(`${STAYING}.*idle_timeout`));
  assert.equal(String((await living.echo("still here")).data), "still here");
}

test("half-open: a peer whose packets are dropped is found by a Ping, and the others live on", { skip }, async (t) => {
  const scene = await startScene(t);
  const before = descriptors(scene.server.child.pid);
  const dead = await NodeClient.open(t, scene.vanishing);
  await dead.echo("last words");
  scene.network.vanish();
  await expectFound(scene, before);
  assert.equal(dead.socket.readyState, dead.socket.OPEN, "it was never told");
});

test("half-open: a peer that vanishes while data waits for it is let go of, data and all", { skip }, async (t) => {
  const scene = await startScene(t);
  const { pid } = scene.server.child;
  const before = descriptors(pid);
  const quiet = anonymousBytes(pid);
  const dead = await NodeClient.open(t, scene.vanishing);
  dead.socket.pause();
  dead.socket.send(Buffer.alloc(16 * MIB));  // more than all sockets on the way hold
  const waits = () => unacknowledgedBytes(pid, scene.server.port) > MIB / 4 && anonymousBytes(pid) > quiet + 4 * MIB;
  await eventually(waits, "an echo that waits in the server");
  scene.network.vanish();
  await expectFound(scene, before);
});
