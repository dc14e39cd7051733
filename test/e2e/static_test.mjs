// --static: files beside WebSocket, and nothing but those.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync,
  truncateSync, utimesSync, writeFileSync,
} from "node:fs";
import net from "node:net";
import path from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { NodeClient } from "./support/node_client.mjs";
import { isSanitized } from "./support/process.mjs";
import { RawClient, TEXT, frame, upgradeRequest } from "./support/raw_client.mjs";
import { atEnd, binary, eventually, run, scratchFolder, serving, start, startEcho } from "./support/sockeye.mjs";

const SECRET = "nobody is to read this";
const large = randomBytes(24 * 1024 * 1024);

// A folder to serve, beside one with a secret.
function site(t) {
  const root = scratchFolder(t);
  chmodSync(root, 0o755);
  const folder = path.join(root, "site");
  mkdirSync(path.join(folder, "docs/deep"), { recursive: true });
  mkdirSync(path.join(folder, "bare"));
  mkdirSync(path.join(root, "outside"));
  writeFileSync(path.join(root, "outside/secret.txt"), SECRET);
  writeFileSync(path.join(root, "outside/index.html"), SECRET);
  writeFileSync(path.join(folder, "a.txt"), "0123456789");
  writeFileSync(path.join(folder, "empty.txt"), "");
  writeFileSync(path.join(folder, "docs/index.html"), "<p>docs");
  writeFileSync(path.join(folder, "docs/deep/sp ace.css"), "p {}");
  writeFileSync(path.join(folder, ".hidden"), SECRET);
  return { root, folder };
}

async function serve(t, ...args) {
  const { root, folder } = site(t);
  const server = await startEcho(t, "--static", folder, ...args);
  const url = (target) => `http://${server.host}${target}`;
  return { root, folder, server, get: (target, options) => fetch(url(target), { redirect: "manual", ...options }) };
}

const request = (server, target, more = "", method = "GET") =>
  `${method} ${target} HTTP/1.1\r\nHost: ${server.host}\r\n${more}\r\n`;

// One whose target fetch() would have made tidy.
async function raw(t, server, target, more, options) {
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write(request(server, target, more, options?.method));
  return { client, ...(await client.response({ hasBody: options?.method !== "HEAD" })) };
}

test("static: a file as it is, with its type, its tag, and what else belongs to it", async (t) => {
  const { get } = await serve(t);
  const response = await get("/a.txt");
  assert.equal(response.status, 200);
  assert.equal(await response.text(), "0123456789");
  assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.match(response.headers.get("etag"), /^"[!-~]+"$/);
  assert.equal(response.headers.get("accept-ranges"), "bytes");
  assert.equal(response.headers.get("vary"), "Accept-Encoding");
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  assert.equal(await (await get("/docs/deep/sp%20ace.css")).text(), "p {}");
  assert.equal(await (await get("/empty.txt")).text(), "");
});

test("static: files come before the page, the page before 404, and WebSocket before all", async (t) => {
  const { folder, server, get } = await serve(t);
  assert.match((await get("/")).headers.get("content-security-policy"), /self/);
  writeFileSync(path.join(folder, "index.html"), "mine");
  assert.equal(await (await get("/")).text(), "mine");
  assert.equal((await get("/nothing")).status, 404);
  const client = await NodeClient.open(t, `${server.url}a.txt`);
  assert.equal(String((await client.echo("hello")).data), "hello");
  assert.equal((await get("/a.txt", { method: "POST", body: "x" })).status, 405);
});

test("static: a hub has files, too, before its topics", async (t) => {
  const { folder } = site(t);
  const hub = await serving(start(t, binary, ["hub", "--listen", "127.0.0.1:0", "--static", folder]));
  const get = async (target) => (await fetch(`http://${hub.host}${target}`)).text();
  assert.equal(await get("/a.txt"), "0123456789");
  assert.equal(JSON.parse(await get("/room")).topic, "room");
});

test("static: a folder is its index.html; without its slash it is redirected, within this host", async (t) => {
  const { server, folder, get } = await serve(t);
  const redirected = await get("/docs");
  assert.equal(redirected.status, 301);
  assert.equal(redirected.headers.get("location"), "./docs/");
  assert.equal(await (await get("/docs/")).text(), "<p>docs");
  assert.equal(await (await get("/docs", { redirect: "follow" })).text(), "<p>docs");
  for (const target of ["/bare", "/bare/", "/docs/deep", "/docs/index.html/", "/a.txt/"]) {
    assert.equal((await get(target)).status, 404, target);
  }
  mkdirSync(path.join(folder, "x:y"));
  writeFileSync(path.join(folder, "x:y/index.html"), "a colon");
  assert.equal(await (await get("/x:y", { redirect: "follow" })).text(), "a colon");
  mkdirSync(path.join(folder, "evil.example"));
  writeFileSync(path.join(folder, "evil.example/index.html"), "not evil");
  for (const target of ["//evil.example", "/docs/..//evil.example", "/%2fevil.example", "/\\evil.example"]) {
    assert.equal((await raw(t, server, target)).status, 404, target);
  }
});

test("static: no path leads out of the folder, or to what begins with a dot", async (t) => {
  const { server, root } = await serve(t);
  const up = "outside/secret.txt";
  for (const target of [
    `/../${up}`, `/docs/../../${up}`, `/%2e%2e/${up}`, `/%2E%2e%2f${up}`, `/..%2f${up}`, `/.%2e/${up}`,
    `/%252e%252e/${up}`, `/%c0%ae%c0%ae/${up}`, `/%c0%ae%c0%ae%c0%af${up}`, `/%e0%80%ae%e0%80%ae/${up}`,
    `/..\\${up}`, `/..%5c${up}`, `/%uff0e%uff0e/${up}`, `/docs/..`, `/.`, `/..`, `/./a.txt`, `/docs/../a.txt`,
    `/.hidden`, `/%2ehidden`, `/%2Ehidden`, `/docs/../.hidden`, `//${root}/${up}`, `/%2f${root}/${up}`,
    `${root}/${up}`, `/a.txt%00`, `/a.txt%00.html`, `/%00`, `/a.txt%`, `/a.txt%4`, `/%zz`, `//a.txt`, `/docs//index.html`,
    `/a.txt/../../${up}`, `/${"a/".repeat(2000)}`, `/${"x".repeat(5000)}`, "/a.txt%0d%0aX:%20y",
  ]) {
    const { status, body, fields } = await raw(t, server, target);
    assert.equal(status, 404, target);
    assert.ok(!body.includes(SECRET), target);
    assert.equal(fields.x, undefined);
  }
  for (const target of ["/a.txt\0", "/<a>"]) {
    const { status } = await raw(t, server, target);
    assert.equal(status, 400, target);
  }
});

test("static: links within the folder are followed, and none that leads out of it", async (t) => {
  const { root, folder, server, get } = await serve(t);
  const link = (to, name) => symlinkSync(to, path.join(folder, name));
  link("a.txt", "inside.txt");
  link("../docs/deep", "bare/deep");
  link("docs", "current");
  assert.equal(await (await get("/inside.txt")).text(), "0123456789");
  assert.equal(await (await get("/bare/deep/sp%20ace.css")).text(), "p {}");
  assert.equal(await (await get("/current/")).text(), "<p>docs");
  assert.equal((await get("/current")).status, 301);

  link("../outside/secret.txt", "relative.txt");
  link(path.join(root, "outside/secret.txt"), "absolute.txt");
  link("../outside", "folder");
  link(path.join(root, "outside"), "absolute");
  link("..", "up");
  link("/", "root");
  link("docs/../../outside/secret.txt", "winding.txt");
  link("relative.txt", "twice.txt");
  link("/proc/self/cwd", "magic");
  link("/proc/self/fd", "descriptors");
  link("loop", "loop");
  link(path.join(folder, "a.txt"), "absolute_inside.txt");
  link("nothing", "dangling");
  writeFileSync(path.join(folder, "zip.txt"), "plain");
  link("../outside/secret.txt", "zip.txt.gz");
  for (const target of [
    "/relative.txt", "/absolute.txt", "/folder/secret.txt", "/folder/", "/folder", "/absolute/secret.txt", "/absolute",
    "/up/outside/secret.txt", "/up/site/a.txt", "/up", "/root/etc/passwd", "/root", "/winding.txt", "/twice.txt",
    "/magic/README.md", "/magic", "/descriptors/0", "/loop", "/loop/a", "/absolute_inside.txt", "/dangling",
  ]) {
    const { status, body } = await raw(t, server, target);
    assert.equal(status, 404, target);
    assert.ok(!body.includes(SECRET), target);
  }
  assert.equal(await (await get("/zip.txt")).text(), "plain");
});

test("static: a link that is swapped while it is asked for never leads out", async (t) => {
  const { folder, server } = await serve(t);
  mkdirSync(path.join(folder, "inner"));
  writeFileSync(path.join(folder, "inner/secret.txt"), "this is for all");
  symlinkSync("inner", path.join(folder, "one"));
  symlinkSync("../outside", path.join(folder, "two"));
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  const seen = new Set();
  for (let i = 0; i < 300; i += 1) {
    client.write(request(server, "/one/secret.txt"));
    for (const [from, to] of [["one", "x"], ["two", "one"], ["x", "two"]]) {
      renameSync(path.join(folder, from), path.join(folder, to));
    }
    const { status, body } = await client.response();
    seen.add(status);
    assert.ok(!body.includes(SECRET));
    if (status === 200) assert.equal(String(body), "this is for all");
  }
  assert.ok(seen.has(200) && seen.has(404));
});

test("static: what isn't a regular file is never opened, and keeps nobody waiting", async (t) => {
  const { folder, get } = await serve(t);
  const pipe = path.join(folder, "pipe.txt");
  execFileSync("mkfifo", [pipe]);
  // Who opens a FIFO for writing waits for a reader: that must not be the server.
  const writer = execFile("sh", ["-c", `echo waiting; echo through > '${pipe}'`]);
  atEnd(t, () => writer.kill());
  let said = "";
  writer.stdout.on("data", (text) => (said += text));
  await eventually(() => said === "waiting\n", "the writer");
  const socket = net.createServer().listen(path.join(folder, "socket"));
  atEnd(t, () => new Promise((done) => socket.close(done)));
  await eventually(() => existsSync(path.join(folder, "socket")), "the socket");
  for (const target of [...Array(50).fill("/pipe.txt"), "/socket", "/pipe.txt/"]) {
    assert.equal((await get(target)).status, 404, target);
  }
  if (process.getuid() === 0) {
    execFileSync("mknod", [path.join(folder, "zero"), "c", "1", "5"]);
    assert.equal((await get("/zero")).status, 404);
  }
  const { stdout } = await promisify(execFile)("timeout", ["10", "cat", pipe]);
  assert.equal(stdout, "through\n");
});

test("static: a file that its user may not read is 404, and the log says why", async (t) => {
  if (process.getuid() !== 0) return t.skip("only root can become another user");
  const { folder, server, get } = await serve(t, "--user", "1234", "--log-level", "info");
  assert.equal((await get("/a.txt")).status, 200);
  chmodSync(path.join(folder, "a.txt"), 0o600);
  assert.equal((await get("/a.txt")).status, 404);
  await eventually(() => /a file can't be served.*a\.txt.*Permission denied/.test(server.stderr), "a line in the log");
});

// ── Conditions, ranges, encodings ────────────────────────────────────────────────────────────

test("static: If-None-Match has 304 for the tag, weak, among others, or a star (RFC 9110 §13.1.2)", async (t) => {
  const { server, folder, get } = await serve(t);
  const tag = (await get("/a.txt")).headers.get("etag");
  for (const [value, expected] of [
    [tag, 304], [`W/${tag}`, 304], [`"x", ${tag}`, 304], ["*", 304], ['"x"', 200], [tag.slice(1), 200], ["", 200],
  ]) {
    for (const method of ["GET", "HEAD"]) {
      const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
      client.write(request(server, "/a.txt", `If-None-Match: ${value}\r\n`, method));
      const { status, fields } = await client.response({ hasBody: method === "GET" && expected === 200 });
      assert.equal(status, expected, value);
      assert.equal(fields.etag, tag);
      assert.equal(fields.vary, "Accept-Encoding");
      if (expected === 304) assert.equal(fields["content-length"], undefined);
      client.write(request(server, "/a.txt"));
      assert.equal((await client.response()).status, 200);
    }
  }
  const file = path.join(folder, "a.txt");
  appendFileSync(file, "x");
  const longer = (await get("/a.txt")).headers.get("etag");
  utimesSync(file, 1, 1.5);
  const older = (await get("/a.txt")).headers.get("etag");
  writeFileSync(`${file}.new`, readFileSync(file));
  utimesSync(`${file}.new`, 1, 1.5);
  renameSync(`${file}.new`, file);
  const renamed = (await get("/a.txt")).headers.get("etag");
  assert.equal(new Set([tag, longer, older, renamed]).size, 4, "another tag for each change");
});

test("static: one range is 206 with that part, of GET alone (RFC 9110 §14.2)", async (t) => {
  const { server, get } = await serve(t);
  for (const [range, body, contentRange] of [
    ["bytes=0-0", "0", "bytes 0-0/10"], ["bytes=2-5", "2345", "bytes 2-5/10"], ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=-3", "789", "bytes 7-9/10"], ["bytes=5-99", "56789", "bytes 5-9/10"], ["bytes=-99", "0123456789", "bytes 0-9/10"],
  ]) {
    const response = await get("/a.txt", { headers: { Range: range } });
    assert.equal(response.status, 206, range);
    assert.equal(await response.text(), body);
    assert.equal(response.headers.get("content-range"), contentRange);
    assert.equal(response.headers.get("content-length"), String(body.length));
  }
  for (const range of ["bytes=0-1,3-4", "bytes=5-2", "bytes=x", "lines=0-1", "bytes=-"]) {
    const response = await get("/a.txt", { headers: { Range: range } });
    assert.equal(response.status, 200, range);
    assert.equal(await response.text(), "0123456789");
    assert.equal(response.headers.get("content-range"), null);
  }
  for (const range of ["bytes=10-", "bytes=-0", "bytes=99999999999999999999-"]) {
    const response = await get("/a.txt", { headers: { Range: range } });
    assert.equal(response.status, 416, range);
    assert.equal(response.headers.get("content-range"), "bytes */10");
  }
  const head = await raw(t, server, "/a.txt", "Range: bytes=0-0\r\n", { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.equal(head.fields["content-length"], "10");
  const twice = await raw(t, server, "/a.txt", "Range: bytes=0-0\r\nRange: bytes=1-1\r\n");
  assert.equal(twice.status, 200);
});

test("static: If-Range has the range for this very tag, and else the whole file (RFC 9110 §13.1.5)", async (t) => {
  const { get } = await serve(t);
  const tag = (await get("/a.txt")).headers.get("etag");
  for (const [value, expected] of [
    [tag, 206], [`W/${tag}`, 200], ['"x"', 200], ["Mon, 23 Nov 2026 10:00:00 GMT", 200],
  ]) {
    const response = await get("/a.txt", { headers: { Range: "bytes=2-3", "If-Range": value } });
    assert.equal(response.status, expected, value);
    assert.equal(await response.text(), expected === 206 ? "23" : "0123456789");
  }
  const outside = await get("/a.txt", { headers: { Range: "bytes=99-", "If-Range": '"x"' } });
  assert.equal(outside.status, 200);
});

test("static: NAME.gz in place of NAME where gzip is accepted, with a tag of its own", async (t) => {
  const { server, folder, get } = await serve(t);
  const text = "compressed ".repeat(100);
  writeFileSync(path.join(folder, "page.js"), text);
  writeFileSync(path.join(folder, "page.js.gz"), gzipSync(text));
  writeFileSync(path.join(folder, "only.txt.gz"), gzipSync(text));

  const plain = await raw(t, server, "/page.js");
  const packed = await raw(t, server, "/page.js", "Accept-Encoding: br, gzip\r\n");
  assert.equal(plain.fields["content-encoding"], undefined);
  assert.equal(String(plain.body), text);
  assert.equal(packed.fields["content-encoding"], "gzip");
  assert.equal(packed.fields["content-type"], "text/javascript; charset=utf-8");
  assert.ok(packed.body.equals(gzipSync(text)));
  assert.notEqual(packed.fields.etag, plain.fields.etag);
  assert.equal(await (await get("/page.js")).text(), text, "fetch says that it accepts gzip");

  for (const [more, encoding] of [
    ["Accept-Encoding: gzip;q=0\r\n"], ["Accept-Encoding: identity\r\n"], ["Accept-Encoding: *;q=0\r\n"],
    ["Accept-Encoding: *\r\n", "gzip"], ["Accept-Encoding: br\r\nAccept-Encoding: gzip;q=0.1\r\n", "gzip"],
  ]) {
    assert.equal((await raw(t, server, "/page.js", more)).fields["content-encoding"], encoding, more);
  }
  const other = await raw(t, server, "/page.js", `If-None-Match: ${plain.fields.etag}\r\nAccept-Encoding: gzip\r\n`);
  assert.equal(other.status, 200);
  const part = await raw(t, server, "/page.js", "Accept-Encoding: gzip\r\nRange: bytes=0-1\r\n");
  assert.deepEqual([...part.body], [0x1f, 0x8b]);
  assert.equal((await raw(t, server, "/a.txt", "Accept-Encoding: gzip\r\n")).fields["content-encoding"], undefined);
  assert.equal((await raw(t, server, "/only.txt", "Accept-Encoding: gzip\r\n")).status, 404);
  assert.equal((await raw(t, server, "/only.txt.gz")).fields["content-type"], "application/gzip");
});

test("static: curl resumes a download, and asks whether a file is another one", async (t) => {
  const { folder, server } = await serve(t);
  writeFileSync(path.join(folder, "large.bin"), large);
  const curl = (...args) => promisify(execFile)("curl", ["-sS", "--fail", "--max-time", "20", ...args]);
  const target = path.join(folder, "../copy");
  const url = `http://${server.host}/large.bin`;
  writeFileSync(target, large.subarray(0, 1_000_000));
  await curl("-C", "-", "-o", target, url);
  assert.ok(readFileSync(target).equals(large));
  const tags = path.join(folder, "../tags");
  await curl("--etag-save", tags, "-o", target, url);
  const { stdout } = await curl("--etag-compare", tags, "-w", "%{http_code}", "-o", target, url);
  assert.equal(stdout, "304");
});

// ── Large files ──────────────────────────────────────────────────────────────────────────────

// A socket that collects as much as it is let; `done` is when the other end has ended.
async function reader(t, server) {
  const socket = net.connect({ host: server.hostname, port: server.port });
  atEnd(t, () => socket.destroy());
  const pieces = [];
  const state = { socket, size: 0, ended: false, all: () => Buffer.concat(pieces) };
  socket.on("data", (data) => {
    pieces.push(data);
    state.size += data.length;
  });
  for (const event of ["end", "close", "error"]) socket.on(event, () => (state.ended = true));
  await new Promise((done) => socket.once("connect", done));
  return state;
}

const bodyOf = (bytes) => bytes.subarray(bytes.indexOf("\r\n\r\n") + 4);

for (const args of [[], ["--trace=/dev/null"], ["--threads", "2"]]) {
  test(`static: a large file to slow readers ${args.join(" ")}: all of it, no memory, and others are served`, async (t) => {
    const { folder, server, get } = await serve(t, ...args);
    writeFileSync(path.join(folder, "large.bin"), large);
    const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "latin1"))[1]);
    await get("/a.txt");
    const before = resident();
    const readers = [];
    for (let i = 0; i < 4; i += 1) {
      const one = await reader(t, server);
      one.socket.pause();
      one.socket.write(request(server, "/large.bin"));
      readers.push(one);
    }
    const client = await NodeClient.open(t, server.url);
    for (let i = 0; i < 20; i += 1) assert.equal(String((await client.echo("hello")).data), "hello");
    const fresh = resident() - before;
    if (!isSanitized(server.child.pid)) assert.ok(fresh < 8 * 1024, `${fresh} KiB more`);
    for (const one of readers) one.socket.resume();
    await eventually(() => readers.every(({ size }) => size > large.length), "all of the file");
    for (const one of readers) assert.ok(bodyOf(one.all()).equals(large));
  });
}

test("static: pipelined requests for large files are answered in order, and then a WebSocket opens", async (t) => {
  const { folder, server } = await serve(t);
  const part = large.subarray(0, 3_000_000);
  writeFileSync(path.join(folder, "part.bin"), part);
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write(request(server, "/part.bin") + request(server, "/a.txt") + request(server, "/part.bin", "", "HEAD") +
    request(server, "/part.bin", "Range: bytes=1000-\r\n") + upgradeRequest(server.host));
  assert.ok((await client.response()).body.equals(part));
  assert.equal(String((await client.response()).body), "0123456789");
  assert.equal((await client.response({ hasBody: false })).fields["content-length"], "3000000");
  assert.ok((await client.response()).body.equals(part.subarray(1000)));
  assert.equal((await client.response()).status, 101);
  client.write(frame(TEXT, "after all that"));
  assert.equal(String((await client.frame()).payload), "after all that");
});

test("static: a file that shrinks while it is sent ends the connection, short of what was promised", async (t) => {
  const { folder, server, get } = await serve(t);
  const file = path.join(folder, "large.bin");
  writeFileSync(file, large);
  const one = await reader(t, server);
  one.socket.pause();
  one.socket.write(request(server, "/large.bin"));
  await get("/a.txt");
  truncateSync(file, 1_000_000);
  one.socket.resume();
  await eventually(() => one.ended, "the connection's end");
  const body = bodyOf(one.all());
  assert.ok(body.length < large.length);
  // What the kernel had taken and not sent may be zeros by now, from the new end on.
  const common = Math.min(body.length, 1_000_000);
  assert.ok(body.subarray(0, common).equals(large.subarray(0, common)), "what came is the file's");
  assert.equal((await get("/a.txt")).status, 200);
});

test("static: of a file that grows, what was promised is sent, and the connection goes on", async (t) => {
  const { folder, server, get } = await serve(t);
  const file = path.join(folder, "large.bin");
  writeFileSync(file, large);
  const one = await reader(t, server);
  one.socket.pause();
  one.socket.write(request(server, "/large.bin") + request(server, "/a.txt"));
  await get("/a.txt");
  appendFileSync(file, "more");
  one.socket.resume();
  await eventually(() => one.all().subarray(-10).toString() === "0123456789", "the next response");
  assert.ok(bodyOf(one.all()).subarray(0, large.length).equals(large));
});

test("static: who goes away early costs the server nothing: no signal, no descriptor", async (t) => {
  const { folder, server, get } = await serve(t);
  writeFileSync(path.join(folder, "large.bin"), large);
  const descriptors = () => readdirSync(`/proc/${server.child.pid}/fd`).length;
  await get("/a.txt");
  const before = descriptors();
  for (let i = 0; i < 30; i += 1) {
    const one = await reader(t, server);
    one.socket.write(request(server, "/large.bin"));
    if (i % 3 === 0) await eventually(() => one.size > 0, "the first bytes");
    if (i % 2 === 0) one.socket.destroy();
    else one.socket.resetAndDestroy();
  }
  await eventually(() => descriptors() <= before, "all descriptors are closed");
  assert.equal((await get("/a.txt")).status, 200);
});

// ── Start ────────────────────────────────────────────────────────────────────────────────────

test("static: a folder that isn't there, or is a file, is one line on stderr, exit status 1", async (t) => {
  for (const folder of ["/nowhere/at/all", "/etc/passwd"]) {
    const { status, stdout, stderr } = await run(t, ["echo", "--listen", "127.0.0.1:0", "--static", folder]);
    assert.equal(status, 1);
    assert.equal(stdout, "");
    assert.match(stderr, new RegExp(`^sockeye: [^\\n]*${folder}[^\\n]*\\n$`));
  }
});

test("static: the folder is the one that was there at the start, whoever takes its name", async (t) => {
  const { root, folder, get } = await serve(t);
  renameSync(folder, path.join(root, "moved"));
  symlinkSync("outside", folder);
  assert.equal((await get("/secret.txt")).status, 404);
  assert.equal(await (await get("/a.txt")).text(), "0123456789");
  rmSync(path.join(root, "moved"), { recursive: true });
  assert.equal((await get("/a.txt")).status, 404);
});
