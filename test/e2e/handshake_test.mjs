// The opening handshake seen from outside: the accept value, subprotocols, and who may connect.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import test from "node:test";
import { NodeClient } from "./support/node_client.mjs";
import { ACCEPT, RawClient, TEXT, frame, upgradeRequest } from "./support/raw_client.mjs";
import { startEcho } from "./support/sockeye.mjs";

// The response to an upgrade request with `fields`.
async function upgrade(t, server, fields) {
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write(upgradeRequest(server.host, fields));
  return client.response();
}

test("handshake: RFC 6455 §1.3's key is answered with §1.3's accept value", async (t) => {
  const server = await startEcho(t);
  const { status, fields } = await upgrade(t, server);
  assert.equal(status, 101);
  assert.equal(fields["sec-websocket-accept"], ACCEPT);
  assert.match(fields.upgrade, /^websocket$/i);
  assert.match(fields.connection, /^upgrade$/i);
  assert.equal(fields["sec-websocket-extensions"], undefined);
  assert.equal(fields["sec-websocket-protocol"], undefined);
});

test("handshake: a first frame in the handshake's segment is read as a frame", async (t) => {
  const server = await startEcho(t);
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.write(Buffer.concat([Buffer.from(upgradeRequest(server.host)), frame(TEXT, "early")]));
  assert.equal((await client.response()).status, 101);
  const { fin, opcode, masked, payload } = await client.frame();
  assert.deepEqual([fin, opcode, masked, String(payload)], [true, TEXT, false, "early"]);
});

test("handshake: a head that comes byte by byte is understood", async (t) => {
  const server = await startEcho(t);
  const client = await RawClient.connect(t, { host: server.hostname, port: server.port });
  client.socket.setNoDelay(true);
  for (const character of upgradeRequest(server.host)) {
    client.write(character);
    await new Promise(setImmediate);
  }
  assert.equal((await client.response()).status, 101);
});

test("handshake: --subprotocol is agreed on when it is offered (RFC 6455 §4.2.2)", async (t) => {
  const server = await startEcho(t, "--subprotocol", "chat");
  const client = await NodeClient.open(t, server.url, ["soap", "chat"]);
  assert.equal(client.socket.protocol, "chat");
  assert.equal(String((await client.echo("hello")).data), "hello");
});

test("handshake: no subprotocol is named that was not offered (RFC 6455 §4.2.2)", async (t) => {
  const server = await startEcho(t, "--subprotocol", "chat");
  for (const offer of [null, "soap", "Chat", "chats, cha"]) {
    const { status, fields } = await upgrade(t, server, { "Sec-WebSocket-Protocol": offer });
    assert.equal(status, 101, `offering ${offer}`);
    assert.equal(fields["sec-websocket-protocol"], undefined, `offering ${offer}`);
  }
});

// Each row: an Origin field, or null for none, and the status it is answered with.
function originTable(name, args, rows) {
  test(`origin: ${name} (RFC 6455 §10.2)`, async (t) => {
    const server = await startEcho(t, ...args);
    for (const [origin, expected] of rows) {
      const value = origin?.replace("{host}", server.host).replace("{port}", server.port) ?? null;
      const { status, body } = await upgrade(t, server, { Origin: value });
      assert.equal(status, expected, `Origin: ${value}`);
      if (status === 403) assert.match(String(body), /origin/i);
    }
  });
}

originTable("by default the own one and none are let in, all others are refused with 403", [], [
  [null, 101],
  ["http://{host}", 101],
  ["HTTP://{host}", 101],
  ["http://example.com", 403],
  ["http://127.0.0.1", 403],
  ["http://127.0.0.1.example.com:{port}", 403],
  ["http://{host}.example.com", 403],
  ["null", 403],
]);
originTable("--origin same is the default's name", ["--origin", "same"], [
  [null, 101],
  ["http://{host}", 101],
  ["http://example.com", 403],
]);
originTable("--origin any lets in whoever comes", ["--origin", "any"], [
  [null, 101],
  ["http://example.com", 101],
  ["https://example.com:8443", 101],
  ["null", 101],
]);
originTable("--origin HOST,HOST lets in those on the list", ["--origin", "example.com,other.example"], [
  [null, 101],
  ["http://example.com", 101],
  ["http://EXAMPLE.com", 101],
  ["http://other.example", 101],
  ["http://evil.example", 403],
  ["http://sub.example.com", 403],
  ["http://example.com.evil.example", 403],
]);
