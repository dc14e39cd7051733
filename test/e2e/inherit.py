# Starts a program as a supervisor would: with a listening socket as descriptor 3 (sd_listen_fds(3)).
#
#   inherit.py HOST PORT PROGRAM ARGUMENT...    LISTEN=no in the environment: no LISTEN_FDS is set
#
# SPDX-License-Identifier: MIT
import os
import socket
import sys

host, port, *command = sys.argv[1:]
listener = socket.create_server((host, int(port)))
if listener.fileno() != 3:
    os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
if os.environ.pop("LISTEN", "yes") == "yes":
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = "1"
os.execv(command[0], command)
