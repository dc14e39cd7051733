// An echo server over ws for Node.js, to race against.  node node_ws.mjs PORT
//
// Settings, after ws's README ("Opt-in for performance"): bufferutil, which masks in native code,
// is installed; utf-8-validate as well, though with this Node its buffer.isUtf8 is used in its
// place. No compression, which is the default; no set of clients to keep; messages of up to 64 MiB.
// Text is checked to be UTF-8. TCP_NODELAY is set by ws.
//
// SPDX-License-Identifier: MIT
import { createRequire } from "node:module";

// Installed by the race under build/, from the package.json beside this file.
const { WebSocketServer } = createRequire(`${process.env.PEERS_FOLDER}/`)("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: false,
  clientTracking: false,
  maxPayload: 64 * 1024 * 1024,
});
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on("error", () => socket.terminate());
});
