// sockeye cat, the client: against Node's ws, and against sockeye echo.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { bytesOf } from "./support/messages.mjs";
import { atEnd, eventually, run, sockeye, start, startEcho, within } from "./support/sockeye.mjs";

// A ws server for one test; `serve` is called with each connection and its request.
async function nodeServer(t, serve, options = {}) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, maxPayload: 64 * 1024 * 1024, ...options });
  await once(server, "listening");
  server.on("connection", (socket, request) => {
    socket.on("error", () => {});
    serve(socket, request);
  });
  atEnd(t, () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${server.address().port}/`;
}

const echo = (socket) => socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));

// Both servers under one name.
const servers = [
  ["Node's ws", (t) => nodeServer(t, echo)],
  ["sockeye echo", async (t) => (await startEcho(t)).url],
];
for (const [name, serve] of servers) {
  test(`cat: lines go to ${name} as text messages, and come back as lines`, async (t) => {
    const { status, stdout, stderr } = await run(t, ["cat", await serve(t)], "one\n\nfür Bäche 🐟\nfour");
    assert.equal(stderr, "");
    assert.equal(stdout, "one\n\nfür Bäche 🐟\nfour\n");
    assert.equal(status, 0);
  });

  test(`cat: answers of ${name} are printed while the input is still open`, async (t) => {
    const cat = sockeye(t, "cat", await serve(t));
    for (const line of ["first", "second"]) {
      cat.child.stdin.write(`${line}\n`);
      await eventually(() => cat.stdout.endsWith(`${line}\n`), `the echo of ${line}`);
    }
    cat.child.stdin.end();
    assert.equal(await cat.status(), 0);
  });

  test(`cat: -1 ends after one message of ${name}`, async (t) => {
    const { status, stdout } = await run(t, ["cat", "-1", await serve(t)], "one\n");
    assert.equal(stdout, "one\n");
    assert.equal(status, 0);
  });

  test(`cat: --binary sends bytes to ${name} and prints them as they are`, async (t) => {
    const sent = Buffer.from([0, 255, 1, 128, 254, 13]);
    const { status, bytes } = await run(t, ["cat", "--binary", await serve(t)], sent);
    assert.deepEqual([...bytes], [...sent]);
    assert.equal(status, 0);
  });

  test(`cat: a line of 1 MiB goes to ${name} and back`, async (t) => {
    const line = "x".repeat(1024 * 1024);
    const { status, stdout } = await run(t, ["cat", await serve(t)], `${line}\n`);
    assert.ok(stdout === `${line}\n`);
    assert.equal(status, 0);
  });

  test(`cat: 10,000 lines go to ${name} and come back in order`, async (t) => {
    const lines = Array.from({ length: 10_000 }, (_, i) => `line ${i}\n`).join("");
    const { status, stdout } = await run(t, ["cat", await serve(t)], lines);
    assert.ok(stdout === lines);
    assert.equal(status, 0);
  });
}

test("cat: lines are text messages, --binary makes binary ones", async (t) => {
  const kinds = [];
  const url = await nodeServer(t, (socket) => socket.on("message", (data, isBinary) => kinds.push(isBinary)));
  await run(t, ["cat", url], "text\n");
  await run(t, ["cat", "--binary", url], "binary");
  assert.deepEqual(kinds, [false, true]);
});

test("cat: a line that is not UTF-8 is a failure, and is not sent (RFC 6455 §5.6)", async (t) => {
  const sent = [];
  const url = await nodeServer(t, (socket) => socket.on("message", (data) => sent.push(data.toString())));
  const { status, stderr } = await run(t, ["cat", url], Buffer.from([...Buffer.from("café\n"), 0xe9, 0x0a, ...Buffer.from("more\n")]));
  assert.equal(status, 1);
  assert.match(stderr, /^sockeye: [^\n]*not UTF-8[^\n]*\n$/);
  assert.deepEqual(sent, ["café"]);
});

test("cat: a fragmented message is one line", async (t) => {
  const url = await nodeServer(t, (socket) => {
    socket.send("in ", { fin: false });
    socket.ping();
    socket.send("three ", { fin: false });
    socket.send("pieces", { fin: true });
  });
  const { stdout } = await run(t, ["cat", "-1", url]);
  assert.equal(stdout, "in three pieces\n");
});

test("cat: a ping is answered (RFC 6455 §5.5.2)", async (t) => {
  const pong = new Promise((resolve) => {
    nodeServer(t, (socket) => {
      socket.on("pong", (data) => resolve(String(data)));
      socket.ping("are you there?");
    }).then((url) => sockeye(t, "cat", url));
  });
  assert.equal(await within(pong, "a pong"), "are you there?");
});

test("cat: --ping SECONDS sends pings", async (t) => {
  let pings = 0;
  const url = await nodeServer(t, (socket) => socket.on("ping", () => (pings += 1)));
  sockeye(t, "cat", "--ping", "1", url);
  await eventually(() => pings >= 2, "two pings");
});

test("cat: --header, --origin and --subprotocol are in the request (RFC 6455 §4.1)", async (t) => {
  let seen;
  const url = await nodeServer(t, (socket, { headers }) => {
    seen = { headers, protocol: socket.protocol };
    socket.send("done");
  });
  const args = ["--header", "X-One: 1", "--header", "X-Two: two words", "--origin", "http://a.example",
    "--subprotocol", "chat"];
  const { status } = await run(t, ["cat", "-1", ...args, url]);
  assert.equal(status, 0);
  assert.equal(seen.headers["x-one"], "1");
  assert.equal(seen.headers["x-two"], "two words");
  assert.equal(seen.headers.origin, "http://a.example");
  assert.equal(seen.protocol, "chat");
});

test("cat: path and query of the URL are asked for", async (t) => {
  let target;
  const url = await nodeServer(t, (socket, request) => {
    target = request.url;
    socket.send("done");
  });
  await run(t, ["cat", "-1", `${url}a/b?c=d%20e`]);
  assert.equal(target, "/a/b?c=d%20e");
});

test("cat: localhost is found, IPv4 or IPv6", async (t) => {
  const server = await startEcho(t);
  const { status, stdout } = await run(t, ["cat", `ws://localhost:${server.port}/`], "hello\n");
  assert.equal(stdout, "hello\n");
  assert.equal(status, 0);
});

for (const [code, reason] of [[1000, ""], [1000, "that is all"], [3000, "für heute"], [4999, "x".repeat(123)]]) {
  test(`cat: a close with ${code} and ${reason.length} characters is answered with ${code} (RFC 6455 §5.5.1)`, async (t) => {
    let answer;
    const url = await nodeServer(t, (socket) => {
      socket.on("close", (received) => (answer = received));
      socket.close(code, reason);
    });
    const cat = sockeye(t, "cat", url);
    await cat.status();
    await eventually(() => answer, "the client's Close frame");
    assert.equal(answer, code);
  });
}

test("cat: a clean close by the server is exit status 0", async (t) => {
  const url = await nodeServer(t, (socket) => socket.close(1000));
  assert.equal(await sockeye(t, "cat", url).status(), 0);
});

test("cat: the end of the input closes with 1000 (RFC 6455 §7.4.1)", async (t) => {
  let answer;
  const url = await nodeServer(t, (socket) => socket.on("close", (code) => (answer = code)));
  const { status } = await run(t, ["cat", url], "");
  assert.equal(status, 0);
  await eventually(() => answer, "the client's Close frame");
  assert.equal(answer, 1000);
});

// Failures: exit status 1, and one line that says what happened.
async function fails(t, url, pattern) {
  const cat = sockeye(t, "cat", url);
  assert.equal(await cat.status(), 1);
  assert.match(cat.stderr, /^sockeye: [^\n]+\n$/);
  if (pattern) assert.match(cat.stderr, pattern);
}

test("cat: a server that is not there is a failure", async (t) => {
  const listener = net.createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  await fails(t, `ws://127.0.0.1:${port}/`, /refused/i);
});

test("cat: a connection lost without a Close frame is a failure (RFC 6455 §7.1.5)", async (t) => {
  await fails(t, await nodeServer(t, (socket) => socket.terminate()));
});

test("cat: a refused handshake is a failure that names the status", async (t) => {
  await fails(t, await nodeServer(t, () => {}, { verifyClient: () => false }), /401/);
});

test("cat: a foreign origin is refused by sockeye echo", async (t) => {
  const { status, stderr } = await run(t, ["cat", "--origin", "http://example.com", (await startEcho(t)).url]);
  assert.equal(status, 1);
  assert.match(stderr, /403/);
});

test("cat: a server whose accept value is wrong is a failure (RFC 6455 §4.1)", async (t) => {
  const liar = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
      "Connection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"));
  }).listen(0, "127.0.0.1");
  await once(liar, "listening");
  atEnd(t, () => liar.close());
  await fails(t, `ws://127.0.0.1:${liar.address().port}/`, /accept/i);
});

test("cat: a server that masks its frames is told 1002 (RFC 6455 §5.1)", async (t) => {
  let answer;
  const url = await nodeServer(t, (socket) => {
    socket.on("close", (code) => (answer = code));
    socket._socket.write(Buffer.from([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]));
  });
  await fails(t, url);
  await eventually(() => answer, "the client's Close frame");
  assert.equal(answer, 1002);
});

test("cat: SIGINT says goodbye before it goes", async (t) => {
  let answer;
  const url = await nodeServer(t, (socket) => {
    socket.on("close", (code) => (answer = code));
    socket.send("ready");
  });
  const cat = sockeye(t, "cat", url);
  await eventually(() => cat.stdout === "ready\n", "the greeting");
  cat.signal("SIGINT");
  await cat.status();
  await eventually(() => answer, "the client's Close frame");
  assert.ok(answer === 1000 || answer === 1001, `closed with ${answer}`);
});

const demo = (name) => fileURLToPath(new URL(name, import.meta.url));

test("demo: the server that greets, in Node, and sockeye cat", async (t) => {
  const server = start(t, process.execPath, [demo("demo_server.mjs")]);
  const url = await eventually(() => /ws:\/\/\S+/.exec(server.stdout)?.[0], "the server's URL");
  const cat = sockeye(t, "cat", url);
  await eventually(() => cat.stdout === "something\n", "the greeting");
  cat.child.stdin.end("hello from sockeye\n");
  assert.equal(await cat.status(), 0);
  await eventually(() => server.stdout.endsWith("received: hello from sockeye\n"), "the server's line");
});

test("demo: the client that says something, in Node, and sockeye echo", async (t) => {
  const client = start(t, process.execPath, [demo("demo_client.mjs"), (await startEcho(t)).url]);
  assert.equal(await client.status(), 0);
  assert.equal(client.stdout, "received: something\n");
});
