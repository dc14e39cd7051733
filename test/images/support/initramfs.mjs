// An initramfs: files, packed as the kernel unpacks them at its start (its
// Documentation/driver-api/early-userspace/buffer-format.rst, the format "newc").
//
// SPDX-License-Identifier: MIT

const REGULAR = 0o100000;
const FOLDER = 0o040000;

const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

function entry(number, name, mode, content) {
  const nameSize = Buffer.byteLength(name) + 1;
  // Inode, mode, owner, group, links, time, size, four device numbers, size of the name, checksum.
  const fields = [number, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, nameSize, 0];
  const head = "070701" + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  return Buffer.concat([padded(Buffer.from(`${head}${name}\0`)), padded(content)]);
}

// `files`: [path, content] each, content a Buffer, or null for a folder. All can be executed.
export function initramfs(files) {
  const entries = files.map(([name, content], i) => (content === null
    ? entry(i + 1, name, FOLDER | 0o755, Buffer.alloc(0))
    : entry(i + 1, name, REGULAR | 0o755, content)));
  return Buffer.concat([...entries, entry(0, "TRAILER!!!", 0, Buffer.alloc(0))]);
}
