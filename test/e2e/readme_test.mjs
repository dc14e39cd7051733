// What README.md says is so: its programs compile and do what they say, its commands work.
//
// How blocks and commands are read:
//
//   ```cpp           a whole program: compiled by the g++ command that the README names, then run
//   ```sh            commands, one a line; a comment may follow after "  # "
//     make run                   stays up for all the commands, which may use its port
//     make ...                   make -n: the target exists (CI runs test, e2e and gate itself)
//     build/sockeye echo ...     is started, says where it listens, and stops
//     build/sockeye ..., echo ..., printf ..., readelf ..., taskset ...
//                                exit status 0, some output, no complaint
//     git clone ..., cd ..., apt-get ..., sudo ...             what is done to a machine; not run
//   ```nginx, ```haproxy   run by proxy_test.mjs
//   ```Dockerfile    what test/images/empty_root_test.mjs does without Docker
//   ``` or ```text   a picture
//   `...` in a line or a table, where it begins with make, build/sockeye or readelf: as in sh
//
// Anything else fails: a block that no test runs is a block that will be wrong one day.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { NodeClient } from "./support/node_client.mjs";
import { binary, eventually, repository, scratchFolder, serving, start } from "./support/sockeye.mjs";

// Where another program is under test, the README has nothing to say about it.
const skip = binary !== path.join(repository, "build/sockeye");

const readme = readFileSync(path.join(repository, "README.md"), "utf8");

// Fenced blocks: { language, text, line }.
const blocks = [...readme.matchAll(/^```(.*)\n([^]*?)^```$/gm)].map((match) => ({
  language: match[1].trim(),
  text: match[2],
  line: readme.slice(0, match.index).split("\n").length,
}));

const inline = [...readme.replace(/^```[^]*?^```$/gm, "").matchAll(/`([^`\n]+)`/g)].map((match) => match[1]);

// The commands of a block, with continued lines joined and comments gone.
const commandsOf = (text) =>
  text.replaceAll("\\\n", "").split("\n").map((line) => line.replace(/(^|\s+)#\s.*$/, "").trim()).filter(Boolean);

const commands = [...new Set([
  ...blocks.filter(({ language }) => language === "sh").flatMap(({ text }) => commandsOf(text)),
  ...inline.filter((code) => /^(make|build\/sockeye|readelf) /.test(code)),
])];

const shell = (t, command, options) => start(t, "bash", ["-o", "pipefail", "-c", command], options);

async function succeeds(t, command) {
  const program = shell(t, command);
  program.child.stdin.end();
  assert.equal(await program.status(), 0, program.stderr);
  assert.equal(program.stderr, "");
  assert.notEqual(program.stdout, "");
}

async function targetExists(t, command) {
  const program = shell(t, command.replace(/^make/, "make -n"));
  assert.equal(await program.status(60_000), 0, program.stderr);
}

async function listensAndStops(t, command) {
  const program = await serving(shell(t, `exec ${command}`));
  program.signal("SIGTERM");
  assert.equal(await program.status(), 0);
}

const staysUp = () => {};  // the test of all commands started it
const notRun = () => {};

const treatments = [
  [/^make run$/, staysUp],
  [/^make(\s|$)/, targetExists],
  [/^build\/sockeye (echo|hub)\b/, listensAndStops],
  [/^(build\/sockeye|echo|printf|readelf|taskset)\s/, succeeds],
  [/^(git clone|cd|mkdir|(sudo )?(apt-get|dpkg|systemctl)|\(cd)\s/, notRun],
];

test("README: every block is one that these tests know", { skip }, () => {
  for (const { language, line } of blocks) {
    assert.ok(["cpp", "sh", "nginx", "haproxy", "Dockerfile", "text", ""].includes(language), `line ${line}: a block of "${language}"`);
  }
  assert.ok(blocks.some(({ language }) => language === "cpp"), "there is a program to compile");
  assert.equal((readme.match(/^```/gm) ?? []).length, 2 * blocks.length, "every block ends");
});

test("README: every command works", { skip }, async (t) => {
  if (commands.includes("make run")) {
    const server = start(t, "make", ["run"]);
    await eventually(() => /listening on \S+\n/.test(server.stdout) || !server.running, "make run's server", 300_000);
    assert.ok(server.running, server.stderr);
  }
  for (const command of commands) {
    await t.test(`README: ${command}`, async (t) => {
      const [, treat] = treatments.find(([pattern]) => pattern.test(command)) ?? [];
      assert.ok(treat, "this test doesn't know what to do with it");
      await treat(t, command);
    });
  }
});

// Compiles a program as the README tells its readers to, and gives its path.
async function compile(t, source) {
  const command = inline.find((code) => code.startsWith("g++ "));
  assert.ok(command, "the README says how to compile a program");
  const [, sourceName] = /(\S+\.cc)/.exec(command);
  const [, programName] = /-o (\S+)/.exec(command) ?? [null, "a.out"];
  const folder = scratchFolder(t);
  for (const name of ["crypto", "net", "ws", "build"]) {
    symlinkSync(path.join(repository, name), path.join(folder, name));
  }
  writeFileSync(path.join(folder, sourceName), source);
  const compiler = shell(t, command, { cwd: folder });
  assert.equal(await compiler.status(120_000), 0, compiler.stderr);
  assert.equal(compiler.stderr, "", "no warning");
  return path.join(folder, programName);
}

// A server greets with what it sends, prints what it receives, and stops on SIGTERM.
async function checkServer(t, program, source, address) {
  const [, greeting] = /send_text\("([^"]*)"\)/.exec(source) ?? [];
  const [, prefix] = /printf\("([^"%\\]*)%/.exec(source) ?? [];
  let client;
  await eventually(async () => (client = await NodeClient.open(t, `ws://${address}/`).catch(() => null)), "the server");
  if (greeting !== undefined) assert.equal(String((await client.message()).data), greeting);
  client.socket.send("hello from the test");
  client.socket.close(1000);
  assert.equal((await client.close()).code, 1000);
  program.signal("SIGTERM");
  assert.equal(await program.status(), 0, program.stderr);
  if (prefix !== undefined) assert.equal(program.stdout, `${prefix}hello from the test\n`);
}

for (const { language, text, line } of blocks) {
  if (language !== "cpp") continue;
  test(`README: the program in line ${line} compiles as it is printed, and does what it says`, { skip }, async (t) => {
    const program = start(t, await compile(t, text), []);
    const [, address] = /listen\("([^"]+)"\)/.exec(text) ?? [];
    if (address) await checkServer(t, program, text, address);
    else assert.equal(await program.status(), 0, program.stderr);
  });
}
