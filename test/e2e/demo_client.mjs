// The client that everyone starts with: says something once it is connected, and prints what it hears.
//
// SPDX-License-Identifier: MIT
import WebSocket from "ws";

const socket = new WebSocket(process.argv[2]);

socket.on("error", console.error);

socket.on("open", () => socket.send("something"));

socket.on("message", (data) => {
  console.log("received: %s", data);
  socket.close(1000);
});
