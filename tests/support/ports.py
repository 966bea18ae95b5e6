"""Ports that nobody uses at this moment."""

import socket


def free_port() -> int:
    """A port of the loopback address that the operating system has just given out."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
