"""Sends the same kind of request over kept connections as fast as it is answered: a process apart.

`python -m tests.bench.triage_load PORT PATH SECONDS < bodies`, one body a line; prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import cycle

_CONNECTIONS = 8
_WARM_UP = 1.0


class Load:
    """Requests that take turns on a few connections until the time is over."""

    def __init__(self, port: int, head: str, bodies: list[bytes], seconds: float) -> None:
        self._port = port
        self._requests = cycle([_request(head, body) for body in bodies])
        self._ends = time.perf_counter() + _WARM_UP + seconds
        self._counts_from = time.perf_counter() + _WARM_UP
        self.taken: list[float] = []
        self.refused = 0

    async def run(self) -> None:
        """Until the time is over."""
        await asyncio.gather(*[self._connection() for _ in range(_CONNECTIONS)])

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while (started := time.perf_counter()) < self._ends:
            writer.write(next(self._requests))
            status = await _answer(reader)
            if started >= self._counts_from:
                self.taken.append(time.perf_counter() - started)
                self.refused += status not in (200, 201)
        writer.close()


def _request(head: str, body: bytes) -> bytes:
    lines = f"{head}Host: local\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{lines}\r\n\r\n".encode() + body


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(one.split(":")[1]) for one in lines if one.startswith("content-length"))
    await reader.readexactly(length)
    return int(lines[0].split()[1])


def main() -> None:
    """Read the bodies, send them, print what came of it."""
    port, path, key, seconds = sys.argv[1:]
    bodies = sys.stdin.buffer.read().splitlines()
    head = f"POST {path} HTTP/1.1\r\nAuthorization: Bearer {key}\r\n"
    load = Load(int(port), head, bodies, float(seconds))
    asyncio.run(load.run())
    taken = sorted(load.taken)
    figures = {
        "rate": round(len(taken) / float(seconds), 1),
        "p99_ms": round(taken[len(taken) * 99 // 100] * 1000, 2),
        "refused": load.refused,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
