// The server that everyone starts with: greets, and prints what it is told. Prints its URL first.
//
// SPDX-License-Identifier: MIT
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });

server.on("listening", () => console.log("ws://127.0.0.1:%d/", server.address().port));

server.on("connection", (socket) => {
  socket.on("message", (data) => console.log("received: %s", data));
  socket.send("something");
});
