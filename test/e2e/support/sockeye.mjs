// Starts the program under test and makes sure that nothing of it is left behind.
//
// A server started here is stopped, by its process id, when the test that started it ends; one that
// does not go fails that test. Every wait in these tests has a deadline.
//
// SPDX-License-Identifier: MIT
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../../../", import.meta.url));
export const binary = path.resolve(repository, process.env.SOCKEYE ?? "build/sockeye");

// Options that every echo server and every hub gets ahead of a test's own.
const echoOptions = (process.env.SOCKEYE_ECHO_OPTIONS ?? "").split(" ").filter(Boolean);

// Generous, since it is only ever waited out by a failure.
export const DEADLINE_MS = 20_000;

// `promise`, or a failure that says `what` did not happen in time.
export async function within(promise, what, deadlineMs = DEADLINE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms: ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Calls `check` until it returns something truthy, which is the result.
export async function eventually(check, what, deadlineMs = DEADLINE_MS) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(20);
  }
}

const cleanUps = new WeakMap();

// Has `action` called when the test `t` ends: the last one first, so that clients go before the
// server that they are connected to.
export function atEnd(t, action) {
  if (!cleanUps.has(t)) {
    const actions = [];
    cleanUps.set(t, actions);
    t.after(async () => {
      const errors = [];
      while (actions.length) {
        try {
          await actions.pop()();
        } catch (error) {  // which must not keep the others from their turn
          errors.push(error);
        }
      }
      if (errors.length) throw errors[0];
    });
  }
  cleanUps.get(t).push(action);
}

// A folder of the test's own, removed when the test `t` ends.
export function scratchFolder(t) {
  const folder = mkdtempSync(path.join(tmpdir(), "sockeye-e2e-"));
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

// A child process with its output collected. `exited` resolves to { code, signal }.
export class Program {
  stdout = "";
  stderr = "";

  constructor(file, args, options = {}) {
    this.child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], cwd: repository, ...options });
    this.bytes = [];  // standard output, unread as text
    this.child.stdout.on("data", (data) => {
      this.bytes.push(data);
      this.stdout += data;
    });
    this.child.stderr.on("data", (data) => (this.stderr += data));
    this.child.stdin.on("error", () => {});  // it may exit without reading
    const failedToStart = once(this.child, "error").then(([error]) => Promise.reject(error));
    const closed = once(this.child, "close").then(([code, signal]) => ({ code, signal }));
    this.exited = Promise.race([closed, failedToStart]);
    this.exited.catch(() => {});
  }

  get running() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(name) {
    this.child.kill(name);
  }

  // How it ended: its exit status, or the name of the signal that ended it.
  async status(deadlineMs = DEADLINE_MS) {
    const { code, signal } = await within(this.exited, `end of ${this.child.spawnargs.join(" ")}`, deadlineMs);
    return signal ?? code;
  }

  async stop() {
    if (!this.running) return;
    this.signal("SIGTERM");
    try {
      await this.status(8_000);
    } catch (error) {
      this.signal("SIGKILL");
      await this.exited;
      throw error;
    }
  }

  // What a sanitizer found in it: test/e2e/run says where that is written.
  checkReport() {
    const report = `${process.env.SOCKEYE_REPORTS}.${this.child.pid}`;
    if (existsSync(report)) throw new Error(readFileSync(report, "utf8"));
  }
}

// Starts a program that lives as long as the test `t`.
export function start(t, file, args, options) {
  const program = new Program(file, args, options);
  atEnd(t, () => program.stop().finally(() => program.checkReport()));
  return program;
}

// Starts `sockeye cat` and the like; its input stays open until the test ends it.
export const sockeye = (t, ...args) => start(t, binary, args);

// Runs `sockeye` to its end with `input`, and gives its status and what it printed.
export async function run(t, args, input = "") {
  const program = sockeye(t, ...args);
  program.child.stdin.end(input);
  const status = await program.status();
  return { status, stdout: program.stdout, stderr: program.stderr, bytes: Buffer.concat(program.bytes) };
}

// Starts `sockeye echo` or `sockeye hub` on a free port and waits until it serves. A test gives its own
// addresses by naming --listen or --port.
export const startEcho = (t, ...args) => startServer(t, "echo", args);
export const startHub = (t, ...args) => startServer(t, "hub", args);

async function startServer(t, command, args) {
  const own = args.some((argument) => argument === "--listen" || argument === "--port");
  const program = sockeye(t, command, ...echoOptions, ...(own ? [] : ["--listen", "127.0.0.1:0"]), ...args);
  return serving(program, Math.max(1, args.filter((argument) => argument === "--listen").length));
}

// Waits for `count` lines that say where the server listens, which go to `addresses`; the first
// WebSocket URL among them goes to `url`, its parts to `host`, `hostname` and `port`.
export async function serving(program, count = 1) {
  const announcements = () => [...program.stdout.matchAll(/listening on (\S+)\n/g)].map((match) => match[1]);
  await eventually(() => announcements().length >= count || !program.running, "a line that says where it listens");
  if (!program.running) throw new Error(`the server ended at once: ${program.stderr}`);
  program.addresses = announcements();
  const url = program.addresses.find((address) => address.startsWith("ws://"));
  if (url) {
    const { hostname, port, host } = new URL(url);
    Object.assign(program, { url, host, hostname: hostname.replace(/[[\]]/g, ""), port: Number(port) });
  }
  return program;
}
