// Python's websockets against sockeye echo: python_client.py does it, each of its lines is a test.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { start, startEcho } from "./support/sockeye.mjs";

const script = fileURLToPath(new URL("python_client.py", import.meta.url));

test("Python: every check of python_client.py was made", async (t) => {
  const server = await startEcho(t, "--subprotocol", "chat");
  const python = start(t, "/usr/bin/python3", ["-B", script, server.url]);
  const status = await python.status(120_000);
  const results = [...python.stdout.matchAll(/^(ok|failed) ([^:\n]+)(?:: (.*))?$/gm)];
  for (const [, result, name, why] of results) {
    await t.test(`Python: ${name}`, () => assert.equal(result, "ok", why));
  }
  assert.equal(status, 0, python.stderr);
  assert.ok(results.length >= 20, "python_client.py ended early");
});
