"""What is owed, looked at: claim it for a lane, simulate it, hold it to its rules, group it."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from chain.client import RpcError
from chain.relay import fees, queue
from chain.relay.batches import Owed, Plan, confirmed, hopeful, plans, with_gas
from chain.relay.claims import LATER, Rules, claim
from chain.relay.fees import Fee
from chain.relay.guard import Rule, surprise
from chain.relay.lanes import Held
from chain.relay.reserve import Reserved, reserve
from chain.relay.simulation import Call, Outlook, confirm_refusals, in_company, outlooks, requests
from returns import locks
from returns.errors import ChainMismatch, ChainUnavailable
from returns.words import RelayState

log = logging.getLogger(__name__)

#: An intent, and what its simulation shows.
_Look = tuple[Owed, Outlook]


@dataclass
class _Verdicts:
    """What a look at claimed intents has shown."""

    clear: list[Owed] = field(default_factory=list)
    refused: list[tuple[Owed, str]] = field(default_factory=list)
    later: list[tuple[Owed, str]] = field(default_factory=list)
    expired: list[Owed] = field(default_factory=list)


def take(held: Held) -> tuple[list[Reserved], Fee | None]:
    """Give nonces to what is due, as many as have room; the fee that they are signed with.

    Raises `ChainUnavailable`, `ChainMismatch` and `LeaseLost`; what was claimed is then looked at
    again in the next round.
    """
    rows, rules, committed = claim(held)
    if not rows:
        return [], None
    verdicts = _Verdicts()
    allowed = _allowed(held, rows, rules, verdicts)
    ready, others, balance = _look(held, allowed)
    _judge(held, others, verdicts)
    fee = fees.first(_base_fee(held), held.parts.policy.tip, held.parts.policy.fee_cap)
    checked, alone = plans(
        held.parts.client, held.address, verdicts.clear, held.parts.policy.batch_gas
    )
    wanted = [*ready, *checked]
    affordable = _affordable(held, wanted, fee, balance - committed)
    held.alarms["coin"] = _alarm(fee, wanted, affordable)
    with held.write() as session:
        _record(session, held, verdicts, alone)
        _put_back(session, held, wanted[len(affordable) :])
        reserved = reserve(session, held, affordable, fee) if fee else []
    return reserved, fee


def _base_fee(held: Held) -> int:
    return held.parts.canon.head().base_fee


# -- look ------------------------------------------------------------------------------------------


def _allowed(held: Held, rows: Sequence[Owed], rules: Rules, verdicts: _Verdicts) -> list[Owed]:
    """What is in time and no rule forbids.

    The rest is not even simulated: nothing may rest on its effects.
    """
    allowed, now = [], held.parts.canon.head().time
    for row in rows:
        denied = denial(held, row, rules[row.merchant_id])
        if row.expires_at is not None and row.expires_at <= now:
            verdicts.expired.append(row)
        elif denied is not None:
            verdicts.refused.append((row, denied))
        else:
            allowed.append(row)
    return allowed


def _look(held: Held, rows: Sequence[Owed]) -> tuple[list[Plan], list[_Look], int]:
    """Simulate on the newest block: batches that are fine as they are, and every other intent.

    The lane's balance in wei comes with it. On another chain every simulation would lie: its number
    is asked for too.
    """
    ready, others = _together(held, rows)
    client, calls = held.parts.client, [_call(row) for row in others]
    chain_id, balance, *answers = client.batch(
        [
            ("eth_chainId", ()),
            ("eth_getBalance", (held.address, "latest")),
            *requests(held.address, calls),
        ]
    )
    if isinstance(chain_id, RpcError) or isinstance(balance, RpcError):
        raise ChainUnavailable(problem="it tells neither its number nor a balance")
    if int(chain_id, 16) != held.parts.chain_id:
        raise ChainMismatch(actual=int(chain_id, 16), expected=held.parts.chain_id)
    found = second_look(held, others, in_company(client, held.address, calls, answers))
    return ready, list(zip(others, found, strict=True)), int(balance, 16)


def _together(held: Held, rows: Sequence[Owed]) -> tuple[list[Plan], list[Owed]]:
    """Batches that do exactly what their intents say, and the intents to be looked at alone."""
    batches, others = hopeful(rows)
    found = outlooks(held.parts.client, held.address, [plan.call for plan in batches])
    ready = []
    for plan, one in zip(batches, found, strict=True):
        sure = confirmed(plan, one, held.parts.policy.batch_gas)
        if sure is None:
            others += plan.rows
        else:
            ready.append(sure)
    return ready, others


def second_look(held: Held, rows: Sequence[Owed], found: Sequence[Outlook]) -> list[Outlook]:
    """A surprise ends an intent: it has to be one in a second answer, about the call alone."""
    doubted = [
        index
        for index, (row, one) in enumerate(zip(rows, found, strict=True))
        if one.is_clear and _surprise(held, row, one)
    ]
    calls = [_call(rows[index]) for index in doubted]
    client, lane = held.parts.client, held.address
    again = confirm_refusals(client, lane, calls, outlooks(client, lane, calls))
    second = dict(zip(doubted, again, strict=True))
    return [second.get(index, one) for index, one in enumerate(found)]


def _judge(held: Held, looks: Sequence[_Look], verdicts: _Verdicts) -> None:
    for row, one in looks:
        refusal = objection(held, row, one)
        if refusal is not None:
            verdicts.refused.append((row, refusal))
        elif one.unclear is not None:
            verdicts.later.append((row, one.unclear))
        else:
            verdicts.clear.append(with_gas(row, one.gas))


def denial(held: Held, row: Owed, rules: Sequence[Rule]) -> str | None:
    """Why the rules do not let an intent be signed; None if they do."""
    facts = json.loads(row.facts)
    return held.parts.guard.refusal(row.merchant_id, row.to, row.data, row.value, facts, rules)


def objection(held: Held, row: Owed, one: Outlook) -> str | None:
    """Why an intent must not be signed, by its simulation; None if it may, or nobody can tell."""
    return _surprise(held, row, one) if one.is_clear else one.refusal


def _surprise(held: Held, row: Owed, one: Outlook) -> str | None:
    return surprise(one, row.moves, held.address, row.to, row.value)


def _call(row: Owed) -> Call:
    return Call(row.to, row.data, row.value)


def _affordable(held: Held, wanted: Sequence[Plan], fee: Fee | None, coin: int) -> list[Plan]:
    """As many as the lane's coin pays for at their worst, above what it must keep."""
    left, chosen = coin - held.parts.policy.floor, []
    for plan in wanted if fee else ():
        worst = plan.gas * fee.max_fee + plan.call.value  # type: ignore[union-attr]
        if worst > left:
            break
        left -= worst
        chosen.append(plan)
    return chosen


def _alarm(fee: Fee | None, wanted: Sequence[Plan], affordable: Sequence[Plan]) -> str | None:
    if wanted and fee is None:
        return "the base fee is above the cap: nothing new is sent"
    if len(affordable) < len(wanted):
        return "low balance: nothing new is sent"
    return None


# -- record ----------------------------------------------------------------------------------------


def _record(session: Session, held: Held, verdicts: _Verdicts, alone: Sequence[Owed]) -> None:
    now = held.parts.clock()
    endings = [(row, RelayState.FAILED, reason) for row, reason in verdicts.refused]
    endings += [(row, RelayState.EXPIRED, "its time was over") for row in verdicts.expired]
    for row, state, reason in endings:
        found = locks.lock_relay(session, row.id)
        if found.state is RelayState.PENDING:
            queue.end(session, found, state, reason, now)
    for row, problem in verdicts.later:
        log.warning("relay.unclear relay=%s problem=%s", row.id, problem)
        queue.put_off(
            session, [row.id], now, due_at=now + LATER, lane_id=None, error=problem[:1000]
        )
    queue.put_off(session, [row.id for row in alone], now, batch_limit=1, lane_id=None)


def _put_back(session: Session, held: Held, unaffordable: Sequence[Plan]) -> None:
    """Another lane may have coin for them."""
    rows = [row.id for plan in unaffordable for row in plan.rows]
    now = held.parts.clock()
    queue.put_off(session, rows, now, due_at=now + LATER, lane_id=None)
