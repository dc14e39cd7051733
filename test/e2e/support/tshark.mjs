// Reads captures with tshark, which is Wireshark without windows.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { DEADLINE_MS } from "./sockeye.mjs";

// A packet's flags.
export const FIN = 0x01;
export const RST = 0x04;

const CUT_SHORT = /cut short in the middle of a packet/;

// Without what a user has set. Checksums are checked, which Wireshark leaves out unless told: many
// network cards fill them in after the capture.
async function tshark(file, ...args) {
  const checks = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"];
  const options = {
    env: { ...process.env, HOME: "/nonexistent", XDG_CONFIG_HOME: "/nonexistent" },
    maxBuffer: 256 * 1024 * 1024, timeout: DEADLINE_MS,
  };
  const run = promisify(execFile)("tshark", ["-n", "-r", file, ...checks, ...args], options);
  // A file whose last packet is cut off is shown up to there, and then is a failure.
  const { stdout, stderr } = await run.catch((error) => {
    if (CUT_SHORT.test(error.stderr)) return error;
    throw error;
  });
  return { stdout, isWhole: !CUT_SHORT.test(stderr) };
}

// From "note" on; what it calls "chat" is said of good connections, too, and so is this note.
const NOTE = 0x400000;
const ORDINARY = /^This frame (initiates|undergoes) the connection closing$/;

// What tshark finds fault with, each with the number of the packet.
async function complaints(file) {
  const fields = ["frame.number", "_ws.expert.severity", "_ws.expert.message"].flatMap((field) => ["-e", field]);
  const { stdout, isWhole } = await tshark(file, "-T", "fields", "-E", "aggregator=|", ...fields);
  const found = stdout.split("\n").filter(Boolean).flatMap((line) => {
    const [packet, severities, messages] = line.split("\t").map((values) => values.split("|"));
    const grave = messages.filter((message, i) => Number(severities[i]) >= NOTE && !ORDINARY.test(message));
    return grave.map((message) => `${packet}: ${message}`);
  });
  return isWhole ? found : [...found, "cut short"];
}

function readPacket({ tcp, ip, ipv6, http, frame, pkt_comment: comments }) {
  const line = Object.keys(http ?? {}).find((key) => key.endsWith("\\r\\n"));
  return {
    stream: Number(tcp["tcp.stream"]),
    from: `${ip?.["ip.src"] ?? ipv6["ipv6.src"]} ${tcp["tcp.srcport"]}`,
    to: `${ip?.["ip.dst"] ?? ipv6["ipv6.dst"]} ${tcp["tcp.dstport"]}`,
    time: Number(frame["frame.time_epoch"]),
    flags: Number(tcp["tcp.flags"]),
    http: line?.slice(0, -"\\r\\n".length),
    comment: comments?.["frame.comment"],
  };
}

// The payload is unmasked.
function readFrame(websocket) {
  const field = (name) => websocket[`websocket.${name}`];
  const payload = Buffer.from(field("payload_raw")?.[0] ?? "", "hex");
  const length = field("payload_length_ext_64") ?? field("payload_length_ext_16") ?? field("payload_length");
  assert.equal(payload.length, Number(length));
  return { fin: field("fin") === "1", opcode: Number(field("opcode")), masked: field("mask") === "1", payload };
}

// The capture `file` as tshark takes it apart: { packets, frames, complaints }. All packets, those of
// WebSocket as `frames`. Both say which `stream` they belong to, counted from 0, and whether they come
// `fromClient`, which is who sent the first packet.
export async function dissect(file) {
  const { stdout } = await tshark(file, "-T", "json", "-x", "--no-duplicate-keys");
  const clients = [];
  const packets = [];
  const frames = [];
  for (const { _source: { layers } } of JSON.parse(stdout)) {
    const packet = readPacket(layers);
    const { stream } = packet;
    clients[stream] ??= packet.from;
    const fromClient = packet.from === clients[stream];
    packets.push({ ...packet, fromClient });
    const websockets = [layers.websocket ?? []].flat();
    frames.push(...websockets.map((websocket) => ({ ...readFrame(websocket), stream, fromClient })));
  }
  return { packets, frames, complaints: await complaints(file) };
}
