// The tiny program, and what the tests of images need beside it.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { bytesOf, textOf } from "../../e2e/support/messages.mjs";
import { NodeClient } from "../../e2e/support/node_client.mjs";
import { repository } from "../../e2e/support/sockeye.mjs";

export const tiny = path.resolve(repository, process.env.SOCKEYE_TINY ?? "build/tiny/sockeye");

// Has test/support/need see to Debian packages. False, or why they are missing: a reason to skip. Test
// files run side by side, and apt does one thing at a time.
export function lacking(...items) {
  try {
    execFileSync("flock", ["/tmp/sockeye-need.lock", path.join(repository, "test/support/need"), ...items],
                 { stdio: ["ignore", "inherit", "pipe"] });
    return false;
  } catch (error) {
    return String(error.stderr || error.message).trim();
  }
}

// False, or why namespaces and chroot can't be had.
export const notRoot = () => process.getuid() !== 0 && "only root may do this";

// Text, and a message that no buffer holds.
export async function checkEcho(t, url, options) {
  const client = await NodeClient.open(t, url, [], options);
  const text = textOf(1000);
  assert.equal(String((await client.echo(text)).data), text);
  const bytes = bytesOf(1024 * 1024);
  const echo = await client.echo(bytes);
  assert.ok(echo.isBinary && bytes.equals(echo.data), "1 MiB comes back as it went");
  return client;
}
