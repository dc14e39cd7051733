"""Who races: the limit, this project's server, and the libraries that people use.

SPDX-License-Identifier: MIT
"""
import dataclasses
import json
import os
import re
import subprocess

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
SOCKEYE = os.path.abspath(os.environ.get("SOCKEYE", os.path.join(ROOT, "build/sockeye")))
BUILD = os.path.dirname(SOCKEYE)
PEERS_FOLDER = os.path.join(BUILD, "bench/peers")

# What make tells its children is not meant for the makes that are started here.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
ENVIRONMENT["PEERS_FOLDER"] = PEERS_FOLDER


@dataclasses.dataclass
class Server:
    name: str
    role: str            # "limit", "ours", "again" (ours once more: the noise), "pair", or "peer"
    command: list        # the argument "PORT" stands for the port to listen on
    target: str = ""     # what make builds for it, below build/bench/peers/
    packages: tuple = () # of Debian, whose versions are told
    version: str = ""
    checks_text: bool = True  # whether it refuses text that isn't UTF-8; found out by trying


def own(name, role, *options):
    return Server(name, role, [SOCKEYE, "echo", "--quiet", "--listen", "127.0.0.1:PORT", *options])


LIMIT = Server("raw echo", "limit", [os.path.join(BUILD, "bench/raw_echo"), "PORT"])
OURS = own("Sockeye", "ours")
AGAIN = own("Sockeye again", "again")

PEERS = (
    Server("libwebsockets", "peer", ["{}/libwebsockets", "PORT"], "libwebsockets",
           ("libwebsockets-dev",)),
    Server("websocketpp", "peer", ["{}/websocketpp", "PORT"], "websocketpp",
           ("libwebsocketpp-dev", "libboost1.74-dev")),
    Server("Boost.Beast", "peer", ["{}/beast", "PORT"], "beast", ("libboost1.74-dev",)),
    Server("Node ws", "peer", ["node", "test/bench/peers/node_ws.mjs", "PORT"],
           "node_modules/.package-lock.json", ("nodejs",)),
    Server("gorilla", "peer", ["{}/gorilla", "PORT"], "gorilla",
           ("golang-github-gorilla-websocket-dev", "golang-go")),
    Server("Python websockets", "peer",
           ["/usr/bin/python3", "-B", "test/bench/peers/python_websockets.py", "PORT"],
           "speedups.so", ("python3-websockets", "python3-uvloop", "python3")),
)


def from_variable(text):
    """Servers from PEERS="name=command with PORT; name=command with PORT"."""
    servers = []
    for item in filter(None, map(str.strip, text.split(";"))):
        name, separator, command = item.partition("=")
        if not separator or "PORT" not in command:
            raise ValueError(f'PEERS wants "name=command with PORT"; this is: {item}')
        servers.append(Server(name.strip(), "peer", ["sh", "-c", "exec " + command.strip()]))
    return servers


def command_of(server, port):
    return [part.replace("{}", PEERS_FOLDER).replace("PORT", str(port)) for part in server.command]


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)


def prepare(server):
    """Installs and builds it; returns why that failed, or nothing."""
    if server.target:
        build = os.path.relpath(BUILD, ROOT)
        made = output_of("make", f"BUILD={build}", f"{build}/bench/peers/{server.target}")
        if made.returncode:
            return (made.stderr.strip() or made.stdout.strip()).splitlines()[-1]
    server.version = version_of(server)
    return None


def version_of(server):
    """As in "libwebsockets-dev 4.1.6, libuv1 1.44.2"."""
    if server.role in ("ours", "again"):
        return output_of("git", "describe", "--always", "--dirty").stdout.strip()
    versions = []
    for folder in ("ws", "bufferutil") if server.name == "Node ws" else ():
        with open(f"{PEERS_FOLDER}/node_modules/{folder}/package.json") as package:
            versions.append(f"{folder} {json.load(package)['version']}")
    for package in server.packages:
        found = output_of("dpkg-query", "--show", "--showformat=${Version}", package).stdout
        # Debian's version without its epoch and without what Debian added.
        versions.append(f"{package} {re.sub(r'^[0-9]+:|[-+~].*', '', found)}")
    return ", ".join(versions)
