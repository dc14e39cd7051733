// Where the server can be reached: ports, IPv6, Unix sockets, inherited descriptors; with threads.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { NodeClient } from "./support/node_client.mjs";
import { binary, eventually, scratchFolder, start, startEcho } from "./support/sockeye.mjs";

async function serves(t, url) {
  const client = await NodeClient.open(t, url);
  assert.equal(String((await client.echo("hello")).data), "hello");
}

async function freePort(host = "127.0.0.1") {
  const server = net.createServer();
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, host, resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const hasIPv6 = await freePort("::1").then(() => true, () => false);
const withoutIPv6 = hasIPv6 ? false : "this machine has no IPv6";

test("listen: --port N", async (t) => {
  const port = await freePort();
  await startEcho(t, "--port", String(port));
  await serves(t, `ws://127.0.0.1:${port}/`);
});

test("listen: --listen :PORT takes any address", async (t) => {
  const port = await freePort();
  await startEcho(t, "--listen", `:${port}`);
  await serves(t, `ws://127.0.0.1:${port}/`);
  if (hasIPv6) await serves(t, `ws://[::1]:${port}/`);
});

test("listen: --listen [::1]:PORT", { skip: withoutIPv6 }, async (t) => {
  const server = await startEcho(t, "--listen", "[::1]:0");
  assert.match(server.url, /^ws:\/\/\[::1\]:\d+\//);
  await serves(t, server.url);
});

test("listen: --listen unix:PATH", async (t) => {
  const socket = path.join(scratchFolder(t), "sockeye.sock");
  const server = await startEcho(t, "--listen", `unix:${socket}`);
  await serves(t, `ws+unix:${socket}:/`);
  server.signal("SIGTERM");
  assert.equal(await server.status(), 0);
  assert.equal(existsSync(socket), false, "the socket's file is removed");
});

test("listen: several addresses at once", async (t) => {
  const socket = path.join(scratchFolder(t), "sockeye.sock");
  const server = await startEcho(t, "--listen", "127.0.0.1:0", "--listen", `unix:${socket}`, "--listen", "127.0.0.1:0");
  const urls = server.addresses.filter((address) => address.startsWith("ws://"));
  assert.equal(urls.length, 2);
  for (const url of [...urls, `ws+unix:${socket}:/`]) await serves(t, url);
});

const inherit = fileURLToPath(new URL("inherit.py", import.meta.url));

async function startInheriting(t, listen, ...args) {
  const port = await freePort();
  const program = start(t, "/usr/bin/python3", ["-B", inherit, "127.0.0.1", String(port), binary, "echo", ...args],
    { env: { ...process.env, LISTEN: listen } });
  await eventually(() => /listening/.test(program.stdout) || !program.running, "the server");
  assert.equal(program.running, true, program.stderr);
  return port;
}

test("listen: a socket handed over with LISTEN_FDS is served, without --listen", async (t) => {
  const port = await startInheriting(t, "yes");
  await serves(t, `ws://127.0.0.1:${port}/`);
});

test("listen: --listen fd:3 serves descriptor 3", async (t) => {
  const port = await startInheriting(t, "no", "--listen", "fd:3");
  await serves(t, `ws://127.0.0.1:${port}/`);
});

test("listen: LISTEN_FDS meant for another process is left alone (sd_listen_fds(3))", async (t) => {
  const program = start(t, binary, ["echo", "--listen", "127.0.0.1:0"],
    { env: { ...process.env, LISTEN_PID: "1", LISTEN_FDS: "1" } });
  const url = await eventually(() => /ws:\/\/\S+/.exec(program.stdout)?.[0], "the server's URL");
  await serves(t, url);
});

test("listen: --threads 2 serves many clients at once, and stops", async (t) => {
  const server = await startEcho(t, "--threads", "2");
  const clients = [];
  for (let i = 0; i < 40; i += 1) clients.push(await NodeClient.open(t, server.url));
  for (const [i, client] of clients.entries()) client.socket.send(`client ${i}`);
  for (const [i, client] of clients.entries()) assert.equal(String((await client.message()).data), `client ${i}`);
  server.signal("SIGTERM");
  for (const client of clients) assert.equal((await client.close()).code, 1001);
  assert.equal(await server.status(), 0);
});
