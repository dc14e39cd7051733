// Those who publish to a hub, and those who listen to it.
//
// SPDX-License-Identifier: MIT
import http from "node:http";
import { StringDecoder } from "node:string_decoder";
import WebSocket from "ws";
import { KEY } from "./raw_client.mjs";
import { atEnd, eventually, within } from "./sockeye.mjs";

export const upgrade = {
  Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13",
};
export const eventStream = { Accept: "text/event-stream" };

const options = (server, method, target, fields, more) =>
  ({ host: server.hostname, port: server.port, method, path: target, headers: fields, agent: false, ...more });

// One request on a connection of its own: { status, fields, text }. What has no end (a WebSocket, an event
// stream) is ended as soon as its head is there. `target` goes out as it is.
export function request(server, method, target, { body, fields = {}, localAddress } = {}) {
  return within(new Promise((resolve, reject) => {
    const asked = http.request(options(server, method, target, fields, { localAddress }));
    asked.on("error", reject);
    asked.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode, fields: response.headers, text: "" });
    });
    asked.on("response", (response) => {
      const finish = (text) => resolve({ status: response.statusCode, fields: response.headers, text });
      if (response.headers["content-type"]?.startsWith("text/event-stream")) {
        response.on("error", () => {}).destroy();
        return finish("");
      }
      const parts = [];
      response.on("data", (part) => parts.push(part)).on("end", () => finish(String(Buffer.concat(parts)))).on("error", reject);
    });
    asked.end(body);
  }), `${method} ${target}`);
}

// Publishes as a program does that can't open a WebSocket; the answer, read.
export async function post(server, target, body, fields = {}) {
  const { status, text } = await request(server, "POST", target, { body, fields });
  if (status !== 200) throw Object.assign(new Error(`POST ${target}: ${status} ${text}`), { statusCode: status });
  return JSON.parse(text);
}

// What a plain GET of a topic tells.
export const stateOf = async (server, topic) => JSON.parse((await request(server, "GET", `/${topic}`)).text);

// A WebSocket and all that came over it: strings for text, Buffers for binary messages.
export class Subscriber {
  received = [];

  static async open(t, server, target, options) {
    const subscriber = new Subscriber(new URL(target, server.url), options);
    atEnd(t, () => subscriber.socket.terminate());
    await within(subscriber.opened, `a WebSocket at ${target}`);
    return subscriber;
  }

  constructor(url, options = { perMessageDeflate: false }) {
    this.socket = new WebSocket(url, options);
    this.socket.on("message", (data, isBinary) => this.received.push(isBinary ? data : String(data)));
    this.socket.on("error", () => {});  // the close event follows, and tells as much
    this.closed = new Promise((resolve) => this.socket.once("close", (code, reason) => resolve({ code, reason: String(reason) })));
    this.opened = new Promise((resolve, reject) => {
      this.socket.once("open", resolve);
      this.socket.once("close", (code) => reject(new Error(`closed with ${code} before it was open`)));
    });
    this.opened.catch(() => {});
  }

  send(message) {
    this.socket.send(message);
  }

  // When `count` messages are there: these.
  async first(count) {
    await eventually(() => this.received.length >= count || this.socket.readyState === WebSocket.CLOSED, `${count} messages`);
    return this.received.slice(0, count);
  }

  async firstJson(count) {
    return (await this.first(count)).map((text) => JSON.parse(text));
  }

  close() {
    this.socket.close();
    return this.closed;
  }
}

// A reader of Server-Sent Events, after the HTML standard's "parsing an event stream":
// { id, type, data } for each, and `comments`.
export class EventReader {
  received = [];
  comments = [];
  #rest = "";
  #lines = [];

  static async open(t, server, target, fields = {}) {
    const reader = new EventReader();
    const asked = http.request(options(server, "GET", target, { ...eventStream, ...fields }));
    atEnd(t, () => asked.destroy());
    const answered = new Promise((resolve, reject) => asked.on("response", resolve).on("error", reject));
    asked.end();
    const response = await within(answered, `an event stream at ${target}`);
    reader.fields = response.headers;
    reader.destroy = () => asked.destroy();
    const text = new StringDecoder("utf8");
    response.on("data", (data) => reader.feed(text.write(data)));
    reader.ended = new Promise((resolve) => response.on("close", resolve).on("error", () => {}));
    if (response.statusCode !== 200) throw new Error(`refused with ${response.statusCode}`);
    return reader;
  }

  feed(text) {
    this.#rest += text;
    // A CR at the end may be the first half of a CR LF.
    for (let end; (end = /\r\n|\n|\r(?!$)/.exec(this.#rest)); this.#rest = this.#rest.slice(end.index + end[0].length)) {
      const line = this.#rest.slice(0, end.index);
      if (line === "") this.#dispatch();
      else if (line.startsWith(":")) this.comments.push(line.slice(1));
      else this.#lines.push(line);
    }
  }

  #dispatch() {
    const event = { id: this.lastId, type: "message" };
    const data = [];
    for (const line of this.#lines) {
      const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
      if (name === "data") data.push(value);
      if (name === "id") event.id = this.lastId = value;
      if (name === "event") event.type = value;
    }
    this.#lines = [];
    if (data.length) this.received.push({ ...event, data: data.join("\n") });
  }

  async first(count) {
    await eventually(() => this.received.length >= count, `${count} events`);
    return this.received.slice(0, count);
  }
}
