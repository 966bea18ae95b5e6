"""Several intents in one transaction of the escrow (`Operated.batch`), each isolated on chain.

A batch is simulated as a whole, which is enough where it does exactly what its intents say.
Otherwise each of them is looked at by itself. An item that would fail only in company is left out
and goes alone; a batch that fails altogether is cut in halves until what fails is alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from uuid import UUID

from chain.client import ChainClient
from chain.contracts import decode_event, encode_call, event_topic, item_reason
from chain.relay.simulation import Call, Outlook, moves_from_json, outlooks, same_moves

#: Room above what a simulation used: state may change, and gas that is given back (at most a
#: fifth, EIP-3529) or kept back at each call (1/64, EIP-150) has to be there first.
_MARGIN = (3, 2)
_ITEM_MARGIN = (13, 10)
#: What an item is promised before anybody knows how much it needs. Few of ours need half of it.
_PROMISE = 500_000
#: A payment of coin asks for gas to be there that it hardly uses: 90,794 (MerchantFloat, PUSH_GAS).
_ROOM = 100_000
#: The most gas of one transaction (EIP-7825): room is not worth being refused for.
_MOST_GAS = 2**24


@dataclass(frozen=True, slots=True)
class Owed:
    """An intent that a lane has taken up; `gas` is what its own simulation used."""

    id: UUID
    merchant_id: UUID | None
    to: str
    data: bytes
    value: int
    facts: str
    moves: str | None
    case_id: UUID | None
    customer: str | None
    batch_limit: int
    expires_at: Any
    gas: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What one nonce is to carry: a call with its gas limit, and the intents behind it."""

    rows: tuple[Owed, ...]
    call: Call

    @property
    def gas(self) -> int:
        """The gas limit."""
        return self.call.gas or 0


def alone(row: Owed) -> Plan:
    """A nonce of its own."""
    return Plan((row,), Call(row.to, row.data, row.value, with_margin(row.gas)))


def with_margin(gas: int, extra: int = 0) -> int:
    """The gas limit for what a simulation used, and for what has to be there besides."""
    return max(gas + extra, min(_with_room(gas, _MARGIN) + extra, _MOST_GAS))


def _with_room(gas: int, margin: tuple[int, int]) -> int:
    """What was used at most before a fifth came back, and then the room; or simply more."""
    return max(gas * margin[0] // margin[1], gas * 5 // 4 + _ROOM)


def hopeful(rows: Sequence[Owed]) -> tuple[list[Plan], list[Owed]]:
    """Batches that are worth a look as they are, and the intents that are looked at one by one."""
    willing = [row for row in rows if row.batch_limit >= 2 and not row.value and row.moves]
    batches = [_promised(group) for group in _groups(willing, 0) if len(group) > 1]
    taken = {row.id for plan in batches for row in plan.rows}
    return batches, [row for row in rows if row.id not in taken]


def confirmed(plan: Plan, outlook: Outlook, batch_gas: int) -> Plan | None:
    """A hopeful batch with its gas limit; None where it does anything else than its intents say."""
    if item_failures(outlook.logs, plan.call.to) or not _as_stated(plan, outlook):
        return None
    if outlook.gas > batch_gas:
        return None
    return replace(plan, call=replace(plan.call, gas=with_margin(outlook.gas, _whole(_PROMISE))))


def plans(
    client: ChainClient, lane: str, rows: Sequence[Owed], batch_gas: int
) -> tuple[list[Plan], list[Owed]]:
    """Nonces for these intents, and the intents that must go alone next time."""
    single = [alone(row) for row in rows if row.batch_limit < 2 or row.value]
    companions = [row for row in rows if row.batch_limit >= 2 and not row.value]
    groups = list(_groups(companions, batch_gas))
    ready, left_out = _checked(client, lane, groups)
    return [*single, *ready], left_out


def together(rows: Sequence[Owed]) -> Plan:
    """One transaction of the escrow for several intents; for one intent its own call."""
    if len(rows) == 1:
        return alone(rows[0])
    each = _with_room(max(row.gas for row in rows), _ITEM_MARGIN)
    limit = with_margin(sum(row.gas for row in rows) + 21_000, _whole(each))
    return Plan(tuple(rows), _batch(rows, each, limit))


def _promised(rows: Sequence[Owed]) -> Plan:
    return Plan(tuple(rows), _batch(rows, _PROMISE, None))


def _batch(rows: Sequence[Owed], each: int, limit: int | None) -> Call:
    data = encode_call("ReturnEscrow", "batch", [row.data for row in rows], each)
    return Call(rows[0].to, data, gas=limit)


def _whole(promise: int) -> int:
    """What has to be there before an item for its promise to be: EIP-150 keeps a 64th back."""
    return promise * 64 // 63


def item_failures(logs: Sequence[dict[str, Any]], escrow: str) -> dict[int, str]:
    """Which items of a batch did nothing, by their index, and why."""
    topic = event_topic("ReturnEscrow", "ItemFailed")
    failed = (
        decode_event("ReturnEscrow", log)
        for log in logs
        if log["topics"][:1] == [topic] and log["address"].lower() == escrow
    )
    return {int(event.args["index"]): item_reason(event) for event in failed if event is not None}


def _groups(rows: Sequence[Owed], batch_gas: int) -> Iterator[list[Owed]]:
    """Intents of one contract, as many as the smallest of their limits and their gas allow."""
    for _, same in groupby(sorted(rows, key=lambda row: row.to), key=lambda row: row.to):
        group: list[Owed] = []
        for row in same:
            size = min(one.batch_limit for one in (*group, row))
            gas = sum(one.gas for one in (*group, row))
            if group and (len(group) >= size or gas > batch_gas):
                yield group
                group = []
            group.append(row)
        yield group


def _checked(
    client: ChainClient, lane: str, groups: list[list[Owed]]
) -> tuple[list[Plan], list[Owed]]:
    ready: list[Plan] = []
    left_out: list[Owed] = []
    while groups:
        tried = [together(group) for group in groups]
        found = outlooks(client, lane, [plan.call for plan in tried])
        groups = []
        for plan, outlook in zip(tried, found, strict=True):
            keep, out = _kept(plan, outlook)
            left_out += out
            if keep is plan.rows:
                ready.append(plan)
            else:
                groups += _halves(keep) if not out else [list(keep)]
        groups = [group for group in groups if group]
    return ready, left_out


def _kept(plan: Plan, outlook: Outlook) -> tuple[Sequence[Owed], list[Owed]]:
    """The rows that may stay together (the plan's own tuple: as it is), and those left out."""
    failing = item_failures(outlook.logs, plan.call.to)
    if failing:
        keep = [row for index, row in enumerate(plan.rows) if index not in failing]
        return keep, [row for index, row in enumerate(plan.rows) if index in failing]
    if len(plan.rows) == 1 or _as_stated(plan, outlook):
        return plan.rows, []
    return list(plan.rows), []


def _as_stated(plan: Plan, outlook: Outlook) -> bool:
    if not outlook.is_clear:
        return False
    stated = [row.moves for row in plan.rows]
    if None in stated:
        return False
    expected = [move for text in stated for move in moves_from_json(text or "[]")]
    return same_moves(expected, outlook.moves)


def _halves(rows: Sequence[Owed]) -> list[list[Owed]]:
    middle = math.ceil(len(rows) / 2)
    return [list(rows[:middle]), list(rows[middle:])]


def with_gas(row: Owed, gas: int) -> Owed:
    """The intent with what its simulation used."""
    return replace(row, gas=gas)
