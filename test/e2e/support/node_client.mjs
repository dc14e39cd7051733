// Node's ws as a client, with events turned into things one can await.
//
// SPDX-License-Identifier: MIT
import WebSocket from "ws";
import { atEnd, within } from "./sockeye.mjs";

export class NodeClient {
  #messages = [];
  #waiting = [];

  // Resolves when the connection is open; fails with the HTTP status if it is refused.
  static async open(t, url, protocols = [], options = {}) {
    const client = new NodeClient(url, protocols, options);
    atEnd(t, () => client.socket.terminate());
    await within(client.opened, `connection to ${url}`);
    return client;
  }

  constructor(url, protocols, options) {
    this.socket = new WebSocket(url, protocols, { maxPayload: 64 * 1024 * 1024, ...options });
    this.socket.on("message", (data, isBinary) => this.#deliver({ data, isBinary }));
    this.socket.once("upgrade", ({ headers }) => (this.extensions = headers["sec-websocket-extensions"]));
    this.socket.on("error", () => {});  // the close event follows, and tells as much
    this.closed = new Promise((resolve) => {
      this.socket.once("close", (code, reason) => resolve({ code, reason: String(reason) }));
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once("open", resolve);
      this.socket.once("unexpected-response", (request, { statusCode }) => {
        request.destroy();
        reject(Object.assign(new Error(`refused with ${statusCode}`), { statusCode }));
      });
      this.socket.once("close", (code) => reject(new Error(`closed with ${code} before it was open`)));
    });
    this.opened.catch(() => {});
  }

  #deliver(message) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(message);
    else this.#messages.push(message);
  }

  // The next message: { data, isBinary }.
  message() {
    const next = this.#messages.length
      ? this.#messages.shift()
      : new Promise((resolve) => this.#waiting.push(resolve));
    return within(Promise.resolve(next), "a message");
  }

  async echo(data) {
    this.socket.send(data);
    return this.message();
  }

  // The Close frame that arrived: { code, reason }; 1005 and 1006 as RFC 6455 §7.4.1 has them.
  close() {
    return within(this.closed, "the connection's end");
  }
}
