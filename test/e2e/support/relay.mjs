// Joins each connection to a Unix socket with one of its own to HOST:PORT, made from ADDRESS. It
// stands on another machine (a network namespace), which the test's process is not on.
//
//   relay.mjs SOCKET ADDRESS HOST PORT
//
// SPDX-License-Identifier: MIT
import net from "node:net";

const [, , socket, localAddress, host, port] = process.argv;

net.createServer((near) => {
  const far = net.connect({ host, port: Number(port), localAddress });
  near.pipe(far).pipe(near);
  for (const [one, other] of [[near, far], [far, near]]) {
    one.on("error", () => {}).on("close", () => other.destroy());
  }
}).listen(socket);
