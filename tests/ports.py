"""Ports for servers that cannot report which one they chose."""

import random
import socket

_RANDOM = random.SystemRandom()  # hypothesis seeds the other one, so parallel tests would choose equal ports


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free, and that no other program gets before a server listens on it.

    Linux gives the ports from 32768 on to connections and to servers that listen on port 0 (ip(7),
    "ip_local_port_range"), many per second while tests run. So this port is lower.
    """
    while True:
        port = _RANDOM.randrange(15_000, 32_768)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
