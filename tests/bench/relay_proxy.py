"""A pass-through in front of a node that notes when signed bytes went by: an independent clock."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from tests.support.ports import free_port

_NEW = multiprocessing.get_context("spawn")
_CHUNK = 65_536
_START_S = 30


@dataclass
class Heard:
    """What one connection's client has said so far, and when each part of it arrived."""

    said: bytearray = field(default_factory=bytearray)
    arrivals: list[tuple[int, float]] = field(default_factory=list)

    def add(self, data: bytes) -> None:
        """Note the next part."""
        self.said += data
        self.arrivals.append((len(self.said), time.perf_counter()))

    def broadcasts(self) -> Iterator[tuple[str, float]]:
        """Raw transactions as 0x-hex, each with the moment at which its request was complete."""
        end = 0
        while end < len(self.said):
            head_end = self.said.index(b"\r\n\r\n", end) + 4
            body_end = head_end + _content_length(bytes(self.said[end:head_end]))
            calls = json.loads(self.said[head_end:body_end])
            at = next(moment for length, moment in self.arrivals if length >= body_end)
            yield from ((raw, at) for raw in _raws(calls))
            end = body_end


@dataclass
class Proxy:
    """A proxy that runs in a process of its own."""

    url: str
    _control: Connection

    def broadcasts(self) -> dict[str, float]:
        """Raw transactions by the moment (`perf_counter`) at which they first went by.

        The proxy stops listening with this.
        """
        self._control.send(None)
        seen: dict[str, float] = self._control.recv()
        return seen


@contextmanager
def proxy(node_port: int) -> Iterator[Proxy]:
    """A proxy in front of the node that listens on a port of this machine."""
    ours, theirs = _NEW.Pipe()
    port = free_port()
    process = _NEW.Process(target=_serve, args=(port, node_port, theirs))
    process.start()
    try:
        if not ours.poll(_START_S):
            raise SystemExit("the proxy does not start: nothing to measure")
        ours.recv()
        yield Proxy(f"http://127.0.0.1:{port}", ours)
    finally:
        process.terminate()
        process.join()


def _serve(port: int, node_port: int, control: Connection) -> None:
    asyncio.run(_listen(port, node_port, control))


async def _listen(port: int, node_port: int, control: Connection) -> None:
    heard: list[Heard] = []

    async def connected(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        one = Heard()
        heard.append(one)
        node, on = await asyncio.open_connection("127.0.0.1", node_port)
        await asyncio.gather(_pass_on(client, on, one), _pass_on(node, back, None))

    async with await asyncio.start_server(connected, "127.0.0.1", port):
        control.send(None)
        await asyncio.to_thread(control.recv)
    control.send(_first_seen(heard))


async def _pass_on(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, heard: Heard | None
) -> None:
    """Until the source says no more; what the client says is kept."""
    while data := await source.read(_CHUNK):
        if heard is not None:
            heard.add(data)
        target.write(data)
        await target.drain()
    target.close()


def _first_seen(heard: list[Heard]) -> dict[str, float]:
    seen: dict[str, float] = {}
    for one in heard:
        for raw, at in one.broadcasts():
            seen[raw] = min(at, seen.get(raw, at))
    return seen


def _content_length(head: bytes) -> int:
    lines = head.decode().lower().split("\r\n")
    return next(int(line[15:]) for line in lines if line.startswith("content-length:"))


def _raws(calls: Any) -> list[str]:
    several = calls if isinstance(calls, list) else [calls]
    return [one["params"][0] for one in several if one["method"] == "eth_sendRawTransaction"]
