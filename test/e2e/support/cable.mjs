// The way to a server, which a test can cut and mend, or on which it can lose what goes one way.
//
// SPDX-License-Identifier: MIT
import { once } from "node:events";
import net from "node:net";
import { atEnd } from "./sockeye.mjs";

export class Cable {
  #sockets = new Set();
  #isCut = false;
  #loses = {};

  // Its `url`, `host`, `hostname` and `port` are as a server's, and lead to that one over the cable.
  static async lay(t, server) {
    const cable = new Cable(server);
    cable.listener.listen(0, "127.0.0.1");
    await once(cable.listener, "listening");
    atEnd(t, () => {
      cable.cut();
      cable.listener.close();
    });
    const { address: hostname, port } = cable.listener.address();
    const host = `${hostname}:${port}`;
    Object.assign(cable, { hostname, port, host, url: `ws://${host}/` });
    return cable;
  }

  constructor(server) {
    this.carried = 0;  // connections that there were
    this.listener = net.createServer((near) => {
      if (this.#isCut) return near.destroy();
      this.carried += 1;
      const far = net.connect({ host: server.hostname, port: server.port });
      for (const [from, to, way] of [[near, far, "up"], [far, near, "down"]]) {
        this.#sockets.add(from);
        from.on("data", (data) => this.#loses[way] || to.write(data)).on("end", () => to.end());
        from.on("error", () => {}).on("close", () => to.destroy() && this.#sockets.delete(from));
      }
    });
  }

  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend() {
    this.#isCut = false;
    this.#loses = {};
  }

  // From now on, what goes "up" to the server or "down" from it is lost.
  lose(way) {
    this.#loses[way] = true;
  }
}
