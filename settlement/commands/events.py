"""Merchants read their events: those of a case, and all of them in one stream."""

from __future__ import annotations

from typing import Any

from returns import event_reads, fan_out, reads
from returns.errors import FieldInvalid
from returns.event_reads import Placed
from settlement.commands.access import Caller
from settlement.runtime import Runtime

#: Events of one page of the stream.
STREAM_PAGE = 200


def of_case(runtime: Runtime, caller: Caller, rma: str, after: int, limit: int) -> dict[str, Any]:
    """A case's events behind a sequence number; `next` is the number to go on from, or null."""
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        found = event_reads.of_case(session, case, after, limit + 1)
    shown = found[:limit]
    more = len(found) > limit
    return {
        "rma": case.rma,
        "events": shown,
        "next": shown[-1]["data"]["sequence"] if more else None,
    }


def start_of_stream(runtime: Runtime, caller: Caller, last_seen: str | None) -> int:
    """The position to go on from: that of the last event seen, or the newest without one.

    Raises `FieldInvalid` for what is no position of this merchant's: events would be missed.
    """
    with runtime.database.read() as session:
        newest = fan_out.last_position(session, caller.merchant_id)
    if last_seen is None:
        return newest
    known = last_seen.isascii() and last_seen.isdigit() and len(last_seen) <= 18
    if not known or int(last_seen) > newest:
        problem = "it is not the id of an event of this stream"
        raise FieldInvalid(field="Last-Event-ID", problem=problem)
    return int(last_seen)


def stream_page(runtime: Runtime, caller: Caller, after: int) -> list[Placed]:
    """The next events of the stream; none where nothing has happened."""
    with runtime.database.read() as session:
        return event_reads.of_merchant(session, caller.merchant_id, after, STREAM_PAGE)
