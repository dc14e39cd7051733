// /metrics and /healthz: known traffic, and what the page says of it; and who may see the page where.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import http from "node:http";
import path from "node:path";
import test from "node:test";
import { BINARY, CLOSE, RawClient, TEXT, frame, openRaw, upgradeRequest } from "./support/raw_client.mjs";
import { eventually, run, scratchFolder, startEcho, within } from "./support/sockeye.mjs";

// Asks at `where` (of net.connect), on a connection of its own: { status, headers, body }.
function ask(where, target, { method = "GET", headers = {} } = {}) {
  return within(new Promise((resolve, reject) => {
    const request = http.request({ ...where, path: target, method, headers, agent: false }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => {
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() });
      });
    });
    request.on("error", reject);
    request.end();
  }), `an answer to ${method} ${target}`);
}

const portOf = (server) => ({ host: server.hostname, port: server.port });

// Where --admin listens.
function adminOf(server) {
  const address = /metrics on (\S+)\n/.exec(server.stdout)[1];
  if (address.startsWith("unix:")) return { socketPath: address.slice("unix:".length) };
  const { hostname, port } = new URL(address);
  return { host: hostname, port: Number(port) };
}

// The page's samples: their text up to the value, with their labels, to the value.
async function samples(where) {
  const { status, body } = await ask(where, "/metrics");
  assert.equal(status, 200);
  const lines = body.trimEnd().split("\n").filter((line) => !line.startsWith("#"));
  const values = new Map(lines.map((line) => /^(\S+(?:\{.*\})?) (\S+)$/.exec(line).slice(1)).map(([k, v]) => [k, Number(v)]));
  assert.equal(values.size, lines.length, "each sample is there once");
  return values;
}

// What all loops have counted of `name`.
function total(values, name) {
  const own = [...values].filter(([key]) => key === name || key.startsWith(`${name}{`));
  assert.ok(own.length > 0, `the page has ${name}`);
  return own.reduce((sum, [, value]) => sum + value, 0);
}

const refused = (values, reason) => values.get(`sockeye_requests_refused_total{reason="${reason}"}`);
const closed = (values, code) => values.get(`sockeye_closes_total{code="${code}"}`);

function promtool(page) {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: page, encoding: "utf8" });
  return `${status} ${stdout}${stderr}`;
}

for (const threads of ["1", "3"]) {
  test(`metrics: after known traffic they say what it was, with --threads ${threads}`, async (t) => {
    const server = await startEcho(t, "--admin", "127.0.0.1:0", "--threads", threads);
    const admin = adminOf(server);
    const clients = [];
    for (let i = 0; i < 6; i += 1) clients.push(await openRaw(t, server));
    for (const [i, client] of clients.entries()) {
      for (let k = 0; k <= i; k += 1) client.write(frame(TEXT, "Hello"));
      for (let k = 0; k <= i; k += 1) await client.frame();
    }
    let values = await samples(admin);
    assert.equal(total(values, "sockeye_connections"), 6);
    assert.equal(total(values, "sockeye_websockets"), 6);
    assert.equal(total(values, "sockeye_handshakes_total"), 6);
    assert.equal(total(values, "sockeye_messages_received_total"), 21);
    assert.equal(total(values, "sockeye_messages_sent_total"), 21);
    assert.equal(total(values, "sockeye_messages_dropped_total"), 0);
    assert.equal(total(values, "sockeye_buffered_bytes"), 0);
    assert.ok(total(values, "sockeye_received_bytes_total") > 21 * 11, "bytes of frames, and of handshakes");
    assert.ok(total(values, "sockeye_sent_bytes_total") > 21 * 7);
    const loops = [...values.keys()].filter((key) => key.startsWith("sockeye_connections{"));
    assert.equal(loops.length, Number(threads), "a sample for each loop");

    // With the codes that they choose, without a Close frame, and against a rule.
    for (const [i, code] of [1000, 1001, 3000, 4321].entries()) {
      clients[i].write(frame(CLOSE, Buffer.from([code >> 8, code & 255])));
      assert.equal((await clients[i].closeFrame()).code, code);
    }
    clients[4].socket.destroy();
    clients[5].write(frame(BINARY, "", { masked: false }));
    assert.equal((await clients[5].closeFrame()).code, 1002);
    values = await eventually(async () => {
      const now = await samples(admin);
      return total(now, "sockeye_websockets") === 0 && now;
    }, "the closes");
    for (const code of ["1000", "1001", "1002", "1006", "3000-3999", "4000-4999"]) assert.equal(closed(values, code), 1, code);
    assert.equal(total(values, "sockeye_closes_total"), 6);

    // Handshakes and requests that are refused.
    const refusals = [
      [{ Origin: "http://evil.example" }, "origin_not_allowed"],
      [{ "Sec-WebSocket-Version": "12" }, "websocket_version_unsupported"],
      [{ "Sec-WebSocket-Key": null }, "websocket_key_missing"],
    ];
    for (const [fields, reason] of refusals) {
      const client = await RawClient.connect(t, portOf(server));
      client.write(upgradeRequest(server.host, fields));
      await client.response();
      assert.equal(refused(await samples(admin), reason), 1, reason);
    }
    for (const target of ["/nothing", "/metrics", "/healthz"]) {
      assert.equal((await ask(portOf(server), target)).status, 404, "with --admin they are there, and only there");
    }
    values = await samples(admin);
    assert.equal(refused(values, "not_found"), 3);
    assert.equal(total(values, "sockeye_requests_refused_total"), 6);
    assert.equal(total(values, "sockeye_handshakes_total"), 6);
    assert.equal(total(values, "sockeye_connections_accepted_total"), 12);
  });
}

test("metrics: what a peer leaves unread is seen, and gone with the peer", async (t) => {
  const server = await startEcho(t, "--metrics");
  const client = await openRaw(t, server);
  client.socket.pause();
  const message = frame(BINARY, Buffer.alloc(8_000_000));
  client.write(message);
  client.write(message);
  await eventually(async () => total(await samples(portOf(server)), "sockeye_buffered_bytes") > 100_000, "bytes that wait");
  assert.ok(total(await samples(portOf(server)), "sockeye_memory_bytes") > 100_000);
  client.socket.destroy();
  await eventually(async () => total(await samples(portOf(server)), "sockeye_buffered_bytes") === 0, "their end");
});

test("metrics: the page is as Prometheus wants it, says promtool", async (t) => {
  const server = await startEcho(t, "--metrics", "--threads", "2");
  const { body, headers } = await ask(portOf(server), "/metrics");
  assert.equal(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(promtool(body), "0 ");
  assert.notEqual(promtool(body.replace("# HELP sockeye_topics", "# HELP sockeye_others")), "0 ", "it does look");
  const { stdout } = await run(t, ["--version"]);
  assert.ok(body.includes(`sockeye_build_info{version="${stdout.trim().split(" ")[1]}"} 1\n`));
  const values = await samples(portOf(server));
  const started = values.get("process_start_time_seconds");
  assert.ok(Math.abs(Date.now() / 1000 - started) < 60, `started at ${started}`);
});

test("metrics: each loop's lag is measured, some ten times a second", async (t) => {
  const server = await startEcho(t, "--metrics", "--threads", "2");
  for (const loop of ["0", "1"]) {
    const values = await eventually(async () => {
      const now = await samples(portOf(server));
      return now.get(`sockeye_loop_lag_seconds_count{loop="${loop}"}`) >= 5 && now;
    }, "measurements");
    const count = values.get(`sockeye_loop_lag_seconds_count{loop="${loop}"}`);
    assert.equal(values.get(`sockeye_loop_lag_seconds_bucket{loop="${loop}",le="+Inf"}`), count);
  }
});

test("metrics: a process that was stopped was late, by so much", async (t) => {
  const server = await startEcho(t, "--metrics");
  await samples(portOf(server));
  server.signal("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 700));  // how long it is to be late
  server.signal("SIGCONT");
  await eventually(async () => {
    const values = await samples(portOf(server));
    const within250 = values.get('sockeye_loop_lag_seconds_bucket{loop="0",le="0.25"}');
    return values.get('sockeye_loop_lag_seconds_count{loop="0"}') > within250
      && values.get('sockeye_loop_lag_seconds_sum{loop="0"}') > 0.5;
  }, "a lag of half a second");
});

for (const own of [true, false]) {
  test(`metrics: methods, paths and health ${own ? "on the server's own port" : "with --admin"}`, async (t) => {
    const server = await startEcho(t, ...(own ? ["--metrics"] : ["--admin", "127.0.0.1:0"]));
    const where = own ? portOf(server) : adminOf(server);
    const health = await ask(where, "/healthz");
    assert.deepEqual([health.status, health.body], [200, "ok\n"]);
    assert.equal(health.headers["cache-control"], "no-store");
    for (const target of ["/healthz", "/metrics", "/metrics?x=y"]) {
      const head = await ask(where, target, { method: "HEAD" });
      assert.deepEqual([head.status, head.body], [200, ""], target);
      assert.ok(Number(head.headers["content-length"]) > 0);
      for (const method of ["POST", "DELETE", "OPTIONS"]) {
        assert.equal((await ask(where, target, { method })).status, 405, `${method} ${target}`);
      }
    }
    for (const target of ["/metrics/", "/healthz/x", "/Metrics"]) assert.equal((await ask(where, target)).status, 404, target);
    if (!own) assert.equal((await ask(where, "/")).status, 404);
  });
}

test("metrics: without being asked for they aren't there", async (t) => {
  const server = await startEcho(t);
  for (const target of ["/metrics", "/healthz"]) assert.equal((await ask(portOf(server), target)).status, 404);
});

test("admin: no WebSocket there", async (t) => {
  const server = await startEcho(t, "--admin", "127.0.0.1:0", "--origin", "any");
  const client = await RawClient.connect(t, adminOf(server));
  client.write(upgradeRequest("127.0.0.1"));
  assert.equal((await client.response()).status, 404);
  await client.end();
});

test("admin: on a Unix socket, which is gone when the server is", async (t) => {
  const file = path.join(scratchFolder(t), "admin.sock");
  const server = await startEcho(t, "--admin", `unix:${file}`, "--quiet");
  assert.deepEqual(adminOf(server), { socketPath: file });
  assert.equal((await ask({ socketPath: file }, "/healthz")).body, "ok\n");
  assert.equal(promtool((await ask({ socketPath: file }, "/metrics")).body), "0 ");
  server.signal("SIGTERM");
  assert.equal(await server.status(), 0);
  await assert.rejects(ask({ socketPath: file }, "/healthz"), /ENOENT/);
});

test("admin: no limit, proxy, host or origin of the server's is its own", async (t) => {
  const server = await startEcho(t, "--admin", "127.0.0.1:0", "--max-connections", "1", "--host", "a.example",
    "--proxy", "protocol", "--max-connections-per-address", "1");
  const admin = adminOf(server);
  const holder = await RawClient.connect(t, portOf(server));
  await eventually(async () => total(await samples(admin), "sockeye_connections") === 1, "the server is full");
  const late = await RawClient.connect(t, portOf(server));
  assert.equal((await late.response()).status, 503);
  const answers = await Promise.all([1, 2, 3].map(() => ask(admin, "/healthz", { headers: { Origin: "http://b.example" } })));
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200]);
  assert.equal(refused(await samples(admin), "overloaded"), 1);
  late.socket.destroy();
  holder.socket.destroy();
  await eventually(async () => total(await samples(admin), "sockeye_connections") === 0, "nobody of the admin's counts");
});

test("admin: while the server lets go of its clients, it answers 503, and then ends with it", async (t) => {
  for (const threads of ["1", "3"]) {
    const server = await startEcho(t, "--admin", "127.0.0.1:0", "--threads", threads, "--stop-timeout", "20",
      "--close-timeout", "20");
    const admin = adminOf(server);
    const clients = [];
    for (let i = 0; i < 4; i += 1) clients.push(await openRaw(t, server));
    assert.equal((await ask(admin, "/healthz")).status, 200);
    const kept = await RawClient.connect(t, admin);  // a connection of its own doesn't keep the server
    server.signal("SIGTERM");
    for (const client of clients) assert.equal((await client.closeFrame()).code, 1001);
    const health = await ask(admin, "/healthz");
    assert.deepEqual([health.status, health.body], [503, "stopping\n"]);
    assert.equal(total(await samples(admin), "sockeye_websockets"), 4);
    for (const client of clients) client.write(frame(CLOSE, Buffer.from([1001 >> 8, 1001 & 255])));
    assert.equal(await server.status(8_000), 0);
    await kept.end();
    await assert.rejects(ask(admin, "/healthz"), /ECONNREFUSED/);
  }
});

test("admin: a taken port is one line on stderr, exit status 1; nonsense is 2", async (t) => {
  const first = await startEcho(t, "--admin", "127.0.0.1:0");
  const { port } = adminOf(first);
  const taken = await run(t, ["echo", "--port", "0", "--admin", `127.0.0.1:${port}`]);
  assert.match(taken.stderr, /^sockeye: [^\n]+\n$/);
  assert.equal(taken.status, 1);
  for (const args of [["--admin", "nowhere"], ["--admin", "127.0.0.1:0", "--metrics"],
    ["--admin", "127.0.0.1:0", "--admin", "127.0.0.1:0"]]) {
    const { status, stderr } = await run(t, ["echo", "--port", "0", ...args]);
    assert.match(stderr, /^sockeye: [^\n]+\n$/);
    assert.equal(status, 2, args.join(" "));
  }
});
