// What the kernel says about a process: its descriptors, its memory, its time.
//
// SPDX-License-Identifier: MIT
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { eventually } from "./sockeye.mjs";

const TICKS_PER_SECOND = 100;  // USER_HZ, proc(5): the same on every Linux that Node runs on

export const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;

// The same for a server that has just said where it listens: the signalfd comes after that, and last.
export async function firstDescriptors(pid) {
  const folder = `/proc/${pid}/fd`;
  const complete = () => readdirSync(folder).some((fd) => readlinkSync(`${folder}/${fd}`).includes("signalfd"));
  await eventually(complete, "the server's own descriptors");
  return descriptors(pid);
}

// What it has written to itself: heap, stacks, data. Pages of files come and go as the system likes.
export function anonymousBytes(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return 1024 * Number(/^Anonymous: +(\d+)/m.exec(rollup)[1]);
}

// The most memory that it has ever had.
export function peakBytes(pid) {
  return 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]);
}

// Whether it runs with one of the compiler's sanitizers (libasan.so, libtsan.so).
export const isSanitized = (pid) => /lib[a-z]+san\.so/.test(readFileSync(`/proc/${pid}/maps`, "latin1"));

// User and system time of all threads. The second field is the name, which may hold spaces.
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

// After SIGSTOP: whether all threads have been stopped.
export const isStopped = (pid) => readdirSync(`/proc/${pid}/task`).every((thread) =>
  /^.*\) T/s.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1")));

// A column of /proc/net/tcp, summed up over the sockets of `port`, on the process's side of the network.
function queuedBytes(pid, port, column) {
  const [, ...rows] = readFileSync(`/proc/${pid}/net/tcp`, "latin1").trim().split("\n");
  const hex = (text) => Number.parseInt(text, 16);
  return rows.map((row) => row.trim().split(/[\s:]+/))
    .filter(([, , localPort]) => hex(localPort) === port)
    .reduce((sum, fields) => sum + hex(fields[column]), 0);
}
// What they have sent and seen no acknowledgement of; what they have received and nobody has read.
export const unacknowledgedBytes = (pid, port) => queuedBytes(pid, port, 6);
export const unreadBytes = (pid, port) => queuedBytes(pid, port, 7);
