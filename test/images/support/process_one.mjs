// Process 1 of a namespace of its own (pid_namespaces(7)): what it starts, and what it inherits.
//
// SPDX-License-Identifier: MIT
import { existsSync, readFileSync } from "node:fs";
import { atEnd, eventually, start } from "../../e2e/support/sockeye.mjs";

// Starts `command` as process 1, and gives { program, pid }, the second of which is its process id out
// here. `program` ends as process 1 does, and is gone with all that is in the namespace when `t` ends.
export async function startProcessOne(t, command, { unshare = [], env = {} } = {}) {
  const program = start(t, "unshare", ["--pid", "--fork", "--kill-child=KILL", ...unshare, ...command],
                        { env: { PATH: process.env.PATH, ...env } });
  // unshare itself leaves SIGTERM to its child.
  atEnd(t, () => program.signal("SIGKILL"));
  await eventually(() => childrenOf(program.child.pid).length === 1 || !program.running, "process 1");
  return { program, pid: childrenOf(program.child.pid)[0] };
}

export function childrenOf(pid) {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? readFileSync(file, "latin1").split(" ").filter(Boolean).map(Number) : [];
}

// Leaves a process in the namespace of process 1 that nobody else waits for, and gives its process id.
export async function startOrphan(t, pid) {
  const before = childrenOf(pid);
  const own = `/proc/${pid}/ns/pid`;
  const parent = start(t, "nsenter", [`--pid=${own}`, "sh", "-c", "sleep 1000 > /dev/null 2>&1 &"]);
  await parent.status();
  const adopted = () => childrenOf(pid).filter((child) => !before.includes(child));
  await eventually(() => adopted().length === 1, "an orphan with process 1 for its parent");
  return adopted()[0];
}
