// Behind the proxies that people use, with the very configurations of README.md: TLS, PROXY protocol,
// X-Forwarded-For.
//
// Each ```nginx and ```haproxy block of the README is run as it stands there, but for ports, the
// certificate's place and what a proxy needs to run without a system around it.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, connect } from "node:net";
import https from "node:https";
import path from "node:path";
import test from "node:test";
import { bytesOf } from "./support/messages.mjs";
import { NodeClient } from "./support/node_client.mjs";
import { RawClient, upgradeRequest } from "./support/raw_client.mjs";
import { atEnd, eventually, repository, scratchFolder, start, startEcho } from "./support/sockeye.mjs";

const readme = readFileSync(path.join(repository, "README.md"), "utf8");
const blocks = [...readme.matchAll(/^```(nginx|haproxy)\n([^]*?)^```$/gm)].map(([, kind, text]) => ({ kind, text }));

// A port that was free a moment ago: proxies can't be asked which one they took.
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const replaced = (text, from, to) => {
  assert.match(text, from);
  return text.replaceAll(new RegExp(from.source, "g"), to);
};

function certificate(folder) {
  const key = path.join(folder, "key.pem");
  const certificate = path.join(folder, "certificate.pem");
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], { stdio: "pipe" });
  const both = path.join(folder, "both.pem");
  writeFileSync(both, readFileSync(certificate, "utf8") + readFileSync(key, "utf8"));
  return { key, certificate, both };
}

const commands = {
  nginx(folder, text, pem) {
    text = replaced(text, /ssl_certificate .*;/, `ssl_certificate ${pem.certificate};`);
    text = replaced(text, /ssl_certificate_key .*;/, `ssl_certificate_key ${pem.key};`);
    const isStream = /^stream/m.test(text);
    const http = `http { access_log off; client_body_temp_path ${folder}/1; proxy_temp_path ${folder}/2;
      fastcgi_temp_path ${folder}/3; uwsgi_temp_path ${folder}/4; scgi_temp_path ${folder}/5;\n${text}}`;
    const file = path.join(folder, "nginx.conf");
    writeFileSync(file, `daemon off; pid ${folder}/pid; error_log stderr; user root;
      ${isStream ? "load_module /usr/lib/nginx/modules/ngx_stream_module.so;" : ""}
      events {}\n${isStream ? text : http}`);
    return ["nginx", "-p", folder, "-c", file, "-e", "stderr"];
  },
  haproxy(folder, text, pem) {
    text = replaced(text, /crt \S+/, `crt ${pem.both}`);
    const file = path.join(folder, "haproxy.cfg");
    writeFileSync(file, text);
    return ["haproxy", "-db", "-f", file];
  },
};

// Starts the proxy of one block in front of a server that is started as the block's first line says.
// "# build/sockeye echo --proxy protocol".
async function behind(t, { kind, text }, ...more) {
  const [, options] = text.match(/^ *# build\/sockeye echo *(.*)$/m);
  const server = await startEcho(t, ...options.split(" ").filter(Boolean), ...more);
  const folder = scratchFolder(t);
  const port = await freePort();
  text = replaced(text, /127\.0\.0\.1:9000/, `127.0.0.1:${server.port}`);
  text = replaced(text, /(listen |bind :)443/, `${kind === "nginx" ? "listen" : "bind"} 127.0.0.1:${port}`);
  const [command, ...args] = commands[kind](folder, text, certificate(folder));
  const proxy = start(t, command, args);
  const isUp = () => new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
  await eventually(async () => (await isUp()) || !proxy.running, `${kind} listens`);
  assert.ok(proxy.running, proxy.stderr);
  return { server, port, proxy };
}

const open = (t, port, options = {}) =>
  NodeClient.open(t, `wss://127.0.0.1:${port}/`, [], { rejectUnauthorized: false, ...options });

const nameOf = ({ kind, text }) => {
  const how = /proxy_protocol|send-proxy/.test(text) ? "with PROXY protocol" : "with X-Forwarded-For";
  return `README's ${kind} ${how}`;
};

test("README has nginx and haproxy, each with PROXY protocol and without", () => {
  assert.deepEqual(blocks.map(nameOf).sort(), [
    "README's haproxy with PROXY protocol", "README's haproxy with X-Forwarded-For",
    "README's nginx with PROXY protocol", "README's nginx with X-Forwarded-For",
  ]);
});

for (const block of blocks) {
  test(`${nameOf(block)}: messages of every size, and the closing handshake, through TLS`, async (t) => {
    const { port } = await behind(t, block);
    const client = await open(t, port);
    assert.equal(String((await client.echo("Hello")).data), "Hello");
    for (const size of [0, 125, 126, 65_535, 65_536, 3_000_000]) {
      assert.deepEqual((await client.echo(bytesOf(size))).data, bytesOf(size));
    }
    client.socket.close(4321, "enough");
    assert.deepEqual(await client.close(), { code: 4321, reason: "" });
  });

  test(`${nameOf(block)}: a broken rule's code and reason come through`, async (t) => {
    const { port } = await behind(t, block, "--max-message", "1000");
    const client = await open(t, port);
    client.socket.send(bytesOf(1001));
    const { code, reason } = await client.close();
    assert.equal(code, 1009);
    assert.notEqual(reason, "");
  });

  test(`${nameOf(block)}: the page, and pages of its own origin alone`, async (t) => {
    const { port } = await behind(t, block);
    const status = await new Promise((resolve, reject) => {
      https.get({ host: "127.0.0.1", port, path: "/", rejectUnauthorized: false }, (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode));
      }).once("error", reject);
    });
    assert.equal(status, 200);
    await open(t, port, { origin: `https://127.0.0.1:${port}` });
    await assert.rejects(open(t, port, { origin: "https://elsewhere.example" }), { statusCode: 403 });
  });

  test(`${nameOf(block)}: the client's address counts, not the proxy's`, async (t) => {
    const { port } = await behind(t, block, "--max-connections-per-address", "1", "--trust", "127.0.0.1");
    const first = await open(t, port, { localAddress: "127.0.0.2" });
    await assert.rejects(open(t, port, { localAddress: "127.0.0.2" }), { statusCode: 429 });
    await open(t, port, { localAddress: "127.0.0.3" });
    // A field of the client's own changes nothing.
    await assert.rejects(
      open(t, port, { localAddress: "127.0.0.2", headers: { "X-Forwarded-For": "192.0.2.1" } }), { statusCode: 429 });
    first.socket.close(1000);
    await first.close();
    await eventually(() => open(t, port, { localAddress: "127.0.0.2" }).catch(() => null), "a place for the next");
  });

  test(`${nameOf(block)}: SIGTERM says 1001 to clients behind it`, async (t) => {
    const { server, port } = await behind(t, block);
    const client = await open(t, port);
    server.signal("SIGTERM");
    assert.equal((await client.close()).code, 1001);
    assert.equal(await server.status(), 0);
  });
}

test("README's haproxy with X-Forwarded-For: slow heads end there", async (t) => {
  const block = blocks.find((one) => nameOf(one) === "README's haproxy with X-Forwarded-For");
  const text = replaced(replaced(block.text, /http-request 10s/, "http-request 1s"), / ssl crt \S+/, "  # crt x");
  const { port } = await behind(t, { ...block, text });
  const raw = await RawClient.connect(t, { host: "127.0.0.1", port });
  const drip = setInterval(() => raw.write("x"), 100);
  atEnd(t, () => clearInterval(drip));
  assert.equal((await raw.response()).status, 408);
});

test("--proxy protocol: who doesn't come through the proxy is refused", async (t) => {
  const server = await startEcho(t, "--proxy", "protocol", "--trust", "192.0.2.1");
  const raw = await RawClient.connect(t, { host: server.hostname, port: server.port });
  raw.write(`PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n${upgradeRequest(server.host)}`);
  assert.equal((await raw.response()).status, 403);
});
