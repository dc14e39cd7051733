// How the server stops: SIGTERM and SIGINT say goodbye, a second one doesn't wait.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import net from "node:net";
import test from "node:test";
import { NodeClient } from "./support/node_client.mjs";
import { openRaw } from "./support/raw_client.mjs";
import { startEcho } from "./support/sockeye.mjs";

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`stop: ${signal} closes every client with 1001, and the exit status is 0 (RFC 6455 §7.4.1)`, async (t) => {
    const server = await startEcho(t);
    const clients = [];
    for (let i = 0; i < 20; i += 1) clients.push(await NodeClient.open(t, server.url));
    server.signal(signal);
    for (const client of clients) assert.equal((await client.close()).code, 1001);
    assert.equal(await server.status(), 0);
  });
}

test("stop: without clients it is immediate", async (t) => {
  const server = await startEcho(t);
  server.signal("SIGTERM");
  assert.equal(await server.status(2_000), 0);
});

test("stop: nobody is let in any more", async (t) => {
  const server = await startEcho(t);
  const client = await openRaw(t, server);
  server.signal("SIGTERM");
  assert.equal((await client.closeFrame()).code, 1001);
  const refused = new Promise((resolve) => {
    net.connect(server.port, server.hostname, () => resolve(false)).on("error", () => resolve(true));
  });
  assert.equal(await refused, true);
});

test("stop: a client that does not answer is given up on", async (t) => {
  const server = await startEcho(t);
  const client = await openRaw(t, server);
  server.signal("SIGTERM");
  assert.equal((await client.closeFrame()).code, 1001);
  assert.equal(await server.status(15_000), 0);
});

test("stop: a second signal doesn't wait for clients", async (t) => {
  const server = await startEcho(t);
  const client = await openRaw(t, server);
  server.signal("SIGTERM");
  assert.equal((await client.closeFrame()).code, 1001);
  assert.equal(server.running, true, "it waits for the client's Close frame");
  server.signal("SIGTERM");
  await server.status(2_000);
});
