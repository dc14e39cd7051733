// Storms: connections that come by the thousand and go in every fashion, more of them than there
// are descriptors, peers that stall, and a stop in the middle of traffic. What counts is that the
// server gets over each of them, and that others are served meanwhile.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import test from "node:test";
import { NodeClient } from "./support/node_client.mjs";
import {
  anonymousBytes, cpuSeconds, descriptors, firstDescriptors, isSanitized, isStopped, unacknowledgedBytes, unreadBytes,
} from "./support/process.mjs";
import { BINARY, CLOSE, TEXT, RawClient, frame, openRaw, upgradeRequest } from "./support/raw_client.mjs";
import { atEnd, binary, eventually, serving, sleep, start, startEcho, within } from "./support/sockeye.mjs";

const MIB = 1024 * 1024;

const connect = (t, server) => RawClient.connect(t, { host: server.hostname, port: server.port });
const going = frame(CLOSE, Buffer.from([0x03, 0xe8]));  // 1000

// How connections end. Each leaves its socket for storm() to destroy.
const fashions = {
  "a clean close": async (t, server) => {
    const client = await openRaw(t, server);
    client.write(Buffer.concat([frame(TEXT, "hello"), going]));
    assert.equal((await client.closeFrame()).code, 1000);
    await client.end();
    return client;
  },
  "RST": async (t, server) => {
    const client = await openRaw(t, server);
    client.write(frame(TEXT, "hello"));
    client.socket.resetAndDestroy();
    return client;
  },
  "FIN, half-closed": async (t, server) => {
    const client = await openRaw(t, server);
    client.socket.end(frame(TEXT, "hello"));
    assert.equal(String((await client.frame()).payload), "hello");
    await client.end();
    return client;
  },
  "nothing said": connect,
  "in mid-handshake": async (t, server) => {
    const client = await connect(t, server);
    client.write(upgradeRequest(server.host).slice(0, 60));
    return client;
  },
  "in mid-frame": async (t, server) => {
    const client = await openRaw(t, server);
    client.write(frame(BINARY, Buffer.alloc(70_000)).subarray(0, 35_000));
    return client;
  },
  "never reading": async (t, server) => {
    const client = await openRaw(t, server);
    client.socket.pause();
    client.write(frame(BINARY, Buffer.alloc(400_000)));
    return client;
  },
  "a refused upgrade, then frames": async (t, server) => {
    const client = await connect(t, server);
    client.write(upgradeRequest(server.host, { "Sec-WebSocket-Version": "12" }));
    assert.equal((await client.response()).status, 426);
    client.write(frame(TEXT, "hello"));
    return client;
  },
  "a broken rule": async (t, server) => {
    const client = await openRaw(t, server);
    client.write(frame(TEXT, "hello", { masked: false }));
    assert.equal((await client.closeFrame()).code, 1002);
    return client;
  },
};

// `waves` of 16 connections of each fashion.
async function storm(t, server, waves) {
  const one = async (fashion) => (await fashion(t, server)).socket.destroy();
  const wave = Object.values(fashions).flatMap((fashion) => Array(16).fill(fashion));
  for (let i = 0; i < waves; i += 1) await Promise.all(wave.map(one));
}

test("storm: connections that end in every fashion leave no descriptor and no memory behind", async (t) => {
  const server = await startEcho(t);
  const { pid } = server.child;
  const before = await firstDescriptors(pid);
  const memory = [];
  for (let i = 0; i < 8; i += 1) {
    await storm(t, server, 4);
    await eventually(() => descriptors(pid) === before, "all descriptors closed");
    memory.push(anonymousBytes(pid));
  }
  // The heap's gaps make it waver by a megabyte or two. Some 4,000 connections that leave 2 KiB each
  // would show. A sanitizer's own memory says nothing; LeakSanitizer looks for each byte that is lost.
  const growth = Math.min(...memory.slice(-2)) - Math.max(...memory.slice(0, 2));
  assert.ok(growth < 4 * MIB || isSanitized(pid), `after each storm: ${memory}`);
  await expectCleanExit(server);
});

// With status 0, and LeakSanitizer's is another.
async function expectCleanExit(server) {
  server.signal("SIGTERM");
  assert.equal(await server.status(), 0, server.stderr);
}

// A server that can't have more than `limit` descriptors.
const startWithDescriptors = async (t, limit, ...args) => {
  const command = ["-c", `ulimit -n ${limit}; exec "$@"`, "bash", binary, "echo", "--listen", "127.0.0.1:0", ...args];
  return serving(start(t, "/bin/bash", command));
};

test("EMFILE spin: with more connections than descriptors the server rests, and gets over it", async (t) => {
  const server = await startWithDescriptors(t, 40);
  const { pid } = server.child;
  const before = await firstDescriptors(pid);
  const clients = await Promise.all(Array.from({ length: 120 }, () => connect(t, server)));
  for (const client of clients) client.write(upgradeRequest(server.host));
  const answered = (status) => clients.filter(({ received }) => received.includes(`HTTP/1.1 ${status} `));
  await eventually(() => answered(101).length + before >= 39, "all descriptors in use");

  const cpu = cpuSeconds(pid);
  await sleep(3_000);
  assert.ok(cpuSeconds(pid) - cpu < 0.3, `${cpuSeconds(pid) - cpu} s of CPU time in 3 s`);
  await eventually(() => answered(503).length > 0, "some that are turned away");
  const [served] = answered(101);
  await served.response();
  served.write(frame(TEXT, "still here"));
  assert.equal(String((await served.frame()).payload), "still here");

  for (const { socket } of clients) socket.destroy();
  await eventually(() => descriptors(pid) === before, "all descriptors closed");
  const next = await NodeClient.open(t, server.url);
  assert.equal(String((await next.echo("in")).data), "in");
  await expectCleanExit(server);
});

test("fd reuse: with descriptors passed on at once, no bytes reach the wrong connection", async (t) => {
  const server = await startWithDescriptors(t, 28, "--threads", "2");
  const { pid } = server.child;
  const before = await firstDescriptors(pid);
  // Half of the connections are reset in the middle of an echo, and their descriptor is the next
  // one's. What each gets must be its own: every byte of it tells whose it is.
  const alternate = async (worker) => {
    for (let round = 0; round < 60; round += 1) {
      const client = await openRaw(t, server);
      const mark = worker * 60 + round;
      const payload = Buffer.alloc(200_000, Buffer.from([mark & 255, mark >> 8]));
      client.write(frame(BINARY, payload));
      if (round % 2 === 0) {
        await eventually(() => client.received.length > 0, "the beginning of an echo");
        client.socket.resetAndDestroy();
      } else {
        assert.ok((await client.frame()).payload.equals(payload), `connection ${mark} got its own`);
        client.socket.destroy();
      }
    }
  };
  await Promise.all([0, 1, 2, 3, 4, 5].map(alternate));
  await eventually(() => descriptors(pid) === before, "all descriptors closed");
  await expectCleanExit(server);
});

test("unbounded output: peers that never read, and one that floods, don't keep others from their turns", async (t) => {
  const server = await startEcho(t, "--threads", "1");  // which all share
  const huge = frame(BINARY, Buffer.alloc(12 * MIB));
  for (let i = 0; i < 8; i += 1) {
    const stalled = await openRaw(t, server);
    stalled.socket.pause();
    stalled.write(huge);
  }
  const flooding = await NodeClient.open(t, server.url);
  const large = Buffer.alloc(MIB);
  const flood = () => flooding.socket.readyState === flooding.socket.OPEN && flooding.socket.send(large);
  flooding.socket.removeAllListeners("message").on("message", flood);
  for (let i = 0; i < 4; i += 1) flood();

  const clients = await Promise.all(Array.from({ length: 10 }, () => NodeClient.open(t, server.url)));
  const trips = clients.map(() => 0);
  await within(Promise.all(clients.map(async (client, i) => {
    for (; Math.max(...trips) < 60; trips[i] += 1) await client.echo(`${trips[i]}`);
  })), "60 round trips of one of them");
  assert.ok(Math.min(...trips) > 15, `round trips: ${trips}`);
});

test("slow heads: a byte now and then meets a deadline that progress doesn't move", async (t) => {
  const server = await startEcho(t, "--head-timeout", "2");
  const client = await connect(t, server);
  const request = upgradeRequest(server.host);
  let sent = 0;
  const drip = setInterval(() => client.write(request[(sent += 1) - 1]), 100);  // never done in 2 s
  atEnd(t, () => clearInterval(drip));
  assert.equal((await client.response()).status, 408);
  await client.end();
  assert.ok(sent < request.length, `after ${sent} bytes`);
});

// Stopping in the middle of traffic. The promise: a message that the server took before its Close
// frame is answered before that frame, and none after it. So echoes come in order and without a gap,
// then a Close frame with 1001, and the process ends with status 0 when all clients have answered.

// Has a client send numbers for as long as it may, and checks that they come back in order.
class Counter {
  sent = 0;
  echoed = 0;
  inOrder = true;

  constructor(client, size) {
    this.client = client;
    const { socket } = client;
    const padding = "-".repeat(size);
    const text = (n) => `${n}${padding}`;
    socket.removeAllListeners("message").on("message", (data) => {
      this.inOrder &&= String(data) === text(this.echoed);
      this.echoed += 1;
    });
    const maySend = () => socket.readyState === socket.OPEN && socket.bufferedAmount < MIB;
    const timer = setInterval(() => {
      for (let i = 0; i < 50 && maySend(); i += 1) socket.send(text((this.sent += 1) - 1));
    }, 1);
    socket.once("close", () => clearInterval(timer));
  }

  // The Close frame came, after a gapless beginning of what was sent.
  async expectGoodbye() {
    assert.equal((await this.client.close()).code, 1001);
    assert.ok(this.inOrder, "the echoes are in order, without a gap");
  }
}

for (const threads of ["1", "2"]) {
  test(`shutdown: under load and with ${threads} thread(s), echoes have no gap before the Close frame`, async (t) => {
    const server = await startEcho(t, "--threads", threads);
    const clients = await Promise.all(Array.from({ length: 16 }, () => NodeClient.open(t, server.url)));
    const counters = clients.map((client, i) => new Counter(client, i % 4 === 0 ? 20_000 : 20));
    await eventually(() => counters.every(({ echoed }) => echoed > 200), "traffic");
    server.signal("SIGTERM");
    for (const counter of counters) await counter.expectGoodbye();
    assert.equal(await server.status(10_000), 0);
  });

  test(`shutdown: with ${threads} thread(s), what had come before the signal is answered`, async (t) => {
    const server = await startEcho(t, "--threads", threads);
    const clients = await Promise.all(Array.from({ length: 16 }, () => openRaw(t, server)));
    const { pid } = server.child;
    server.signal("SIGSTOP");  // so that the messages and the signal meet in one turn
    await eventually(() => isStopped(pid), "a server that is stopped");
    const messages = Array.from({ length: 100 }, (_, n) => `message ${n}`);
    const bytes = Buffer.concat(messages.map((text) => frame(TEXT, text)));
    for (const client of clients) client.write(bytes);
    await eventually(() => unreadBytes(pid, server.port) === clients.length * bytes.length, "messages at the server");
    server.signal("SIGTERM");
    server.signal("SIGCONT");
    for (const client of clients) {
      for (const text of messages) assert.equal(String((await client.frame()).payload), text);
      assert.equal((await client.closeFrame()).code, 1001);
      client.write(frame(CLOSE, Buffer.from([0x03, 0xe9])));
      await client.end();
      client.socket.end();
    }
    assert.equal(await server.status(10_000), 0);
  });
}

test("shutdown: a slow reader gets all that waits for it, and the Close frame after it", async (t) => {
  const server = await startEcho(t);
  const client = await NodeClient.open(t, server.url);
  client.socket.pause();
  const counter = new Counter(client, 8 * MIB);  // more than the sockets hold
  await eventually(() => unacknowledgedBytes(server.child.pid, server.port) > MIB / 4, "an echo that waits");
  server.signal("SIGTERM");
  const breathe = setInterval(() => (client.socket.isPaused ? client.socket.resume() : client.socket.pause()), 10);
  atEnd(t, () => clearInterval(breathe));
  await counter.expectGoodbye();
  assert.ok(counter.echoed > 0, "what waited has come");
  assert.equal(await server.status(10_000), 0);
});
