"""Events over HTTP: of a case by sequence, and all of a merchant as a stream (Server-Sent Events).

The stream asks the database from time to time and holds nothing while it waits. It ends after a
while, and the client comes again with its Last-Event-ID: keys that were withdrawn end with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from api.door import CallerDep, RuntimeDep
from returns.errors import StreamsBusy
from returns.event_reads import Placed
from settlement.commands import events
from settlement.commands.access import Caller
from settlement.runtime import Runtime

router = APIRouter(prefix="/v1", tags=["events"])

#: Seconds between two looks, between two signs of life, and of a whole stream.
LOOK_S, SIGN_S, LIFE_S = 1.0, 15.0, 600.0
#: Streams of one process.
MAX_STREAMS = 100
#: Milliseconds after which a client should come again.
_AGAIN_MS = 1000


class Streams:
    """Counts the streams that a process serves. One event loop: no lock is needed."""

    def __init__(self) -> None:
        self._open = 0

    def enter(self) -> None:
        """Raise `StreamsBusy` where there are too many."""
        if self._open >= MAX_STREAMS:
            raise StreamsBusy(limit=MAX_STREAMS)
        self._open += 1

    def leave(self) -> None:
        """A stream has ended."""
        self._open -= 1


@router.get("/returns/{rma}/events")
def get_events(
    runtime: RuntimeDep,
    caller: CallerDep,
    rma: Annotated[str, Path(max_length=32)],
    after: Annotated[int, Query(ge=0, lt=2**31, description="a sequence number")] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> dict[str, Any]:
    """What happened to a case, behind a sequence number, without gaps; as often as you like."""
    caller.require("events:read")
    return events.of_case(runtime, caller, rma, after, limit)


@router.get("/events/stream", response_class=StreamingResponse)
async def get_stream(
    request: Request,
    runtime: RuntimeDep,
    caller: CallerDep,
    last_event_id: Annotated[str | None, Header(max_length=32)] = None,
) -> StreamingResponse:
    """All your events as they happen; with Last-Event-ID (0: the first) those behind it before.

    `id` numbers your events without gaps; `data` is what a thin webhook carries.
    """
    caller.require("events:read")
    streams: Streams = request.app.state.streams
    after = await run_in_threadpool(events.start_of_stream, runtime, caller, last_event_id)
    return _Stream(_told(runtime, caller, after), streams)


class _Stream(StreamingResponse):
    """An answer that counts as open until it has ended, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, told: AsyncIterator[bytes], streams: Streams) -> None:
        super().__init__(told, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._streams = streams
        streams.enter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave()


async def _told(runtime: Runtime, caller: Caller, after: int) -> AsyncIterator[bytes]:
    began = heard = time.monotonic()
    yield format_sse_event(retry=_AGAIN_MS)
    while time.monotonic() - began < LIFE_S:
        page = await run_in_threadpool(events.stream_page, runtime, caller, after)
        for event in page:
            after = event.position
            yield _as_sse(event)
        if page:
            heard = time.monotonic()
            continue
        if time.monotonic() - heard >= SIGN_S:
            heard = time.monotonic()
            yield KEEPALIVE_COMMENT
        await anyio.sleep(LOOK_S)


def _as_sse(event: Placed) -> bytes:
    data = json.dumps(event.said, separators=(",", ":"))
    return format_sse_event(data_str=data, event=event.kind, id=str(event.position))
