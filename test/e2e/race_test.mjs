// The race (test/bench/race) on a small scale: the raw echo and Sockeye, for fractions of a second.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { binary, repository, scratchFolder, start } from "./support/sockeye.mjs";

const rawEcho = path.join(path.dirname(binary), "bench/raw_echo");
const python = (t, script, args, options) =>
  start(t, "/usr/bin/python3", ["-B", path.join(repository, "test/bench", script), ...args], options);

test("race: what it makes of its runs", async (t) => {
  const checks = python(t, "race_test.py", []);
  assert.equal(await checks.status(), 0, checks.stderr);
});

test("race: figures for those that echo, none for those that don't", async (t) => {
  const output = path.join(scratchFolder(t), "race.json");
  // The raw echo as if it were a WebSocket server: it sends masked frames.
  const env = { ...process.env, SOCKEYE: binary, PEERS: `masked=${rawEcho} PORT; broken=false PORT` };
  const race = python(t, "race", [
    "--rounds", "2", "--seconds", "0.2", "--output", output,
    "--servers", "raw echo; Sockeye; masked; broken",
    "--loads", "20 B; 64 KiB mixed; 20 B, 16 outstanding; handshake; 20 B, threads",
  ], { env });
  assert.equal(await race.status(120_000), 0, race.stderr);

  const { runs, servers, left_out: leftOut, machine } = JSON.parse(readFileSync(output, "utf8"));
  const racing = ["raw echo", "Sockeye", "Sockeye, 1 thread", "Sockeye, 2 threads"];
  assert.deepEqual(servers.map(({ name }) => name), [...racing.slice(0, 2), "masked", ...racing.slice(2)]);
  assert.match(leftOut.broken, /does not start/);
  assert.equal(runs.length, 2 * (4 * 3 + 2));
  for (const run of runs.filter(({ server }) => racing.includes(server))) {
    assert.equal(run.error, undefined, `${run.server}, ${run.load}`);
    assert.ok(run.cpu_ns > 0 && run.rate > 0 && run.p99_us >= run.p50_us, JSON.stringify(run));
  }
  for (const run of runs.filter(({ server }) => server === "masked")) assert.ok(run.error, JSON.stringify(run));
  for (const name of racing) assert.ok(race.stdout.includes(name), race.stdout);
  assert.match(race.stdout, /masked +void/);
  if (process.getuid() === 0) assert.equal(machine.congestion_control, "cubic");
});
