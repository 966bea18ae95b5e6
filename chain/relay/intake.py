"""What is owed, looked at: claim it for a lane, simulate it, hold it to its rules, group it."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from chain.client import RpcError
from chain.relay import fees, queue
from chain.relay.batches import Owed, Plan, plans, with_gas
from chain.relay.fees import Fee
from chain.relay.guard import Rule, surprise
from chain.relay.lanes import Held
from chain.relay.parts import Parts
from chain.relay.reserve import SLOTS, Reserved, reserve
from chain.relay.rules import rules_of
from chain.relay.simulation import Call, Outlook, in_company, outlooks, requests
from returns import locks
from returns.errors import ChainMismatch, ChainUnavailable
from returns.tables import Lane, RelayTransaction
from returns.words import LaneMode, LanePurpose, RelayState, SlotState

log = logging.getLogger(__name__)

#: What nobody could simulate is looked at again after this, and does not stand in the way.
_LATER = timedelta(seconds=2)

_LANES: sa.Table = Lane.__table__  # type: ignore[attr-defined]

#: By merchant; who has none has an empty list.
Rules = Mapping[UUID | None, list[Rule]]

#: The columns of an intent as a lane takes it up.
OWED = [col(getattr(RelayTransaction, name)) for name in Owed.__dataclass_fields__ if name != "gas"]


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
    rows, rules, committed = _claim(held)
    if not rows:
        return [], None
    verdicts = _Verdicts()
    allowed = _allowed(held, rows, rules, verdicts)
    found, balance = _look(held, allowed)
    _judge(held, allowed, found, verdicts)
    fee = fees.first(_base_fee(held), held.parts.policy.tip, held.parts.policy.fee_cap)
    wanted, alone = plans(
        held.parts.client, held.address, verdicts.clear, held.parts.policy.batch_gas
    )
    affordable = _affordable(held, wanted, fee, balance - committed)
    held.alarms["coin"] = _alarm(fee, wanted, affordable)
    with held.write() as (session, lane):
        _record(session, held, verdicts, alone)
        _put_back(session, held, wanted[len(affordable) :])
        reserved = reserve(session, held, lane, affordable, fee) if fee else []
    return reserved, fee


# -- claim -----------------------------------------------------------------------------------------


def is_waiting(parts: Parts, limit: int) -> int:
    """How many intents could be taken up now, counted up to `limit`."""
    now = parts.clock()
    due = _pending(parts).where(_is_due(now), _is_time(parts, now))
    due = due.where(col(RelayTransaction.lane_id).is_(None)).limit(limit)
    with parts.database.read() as session:
        return session.exec(select(sa.func.count()).select_from(due.subquery())).one()


def _pending(parts: Parts) -> Any:
    return (
        select(RelayTransaction.id)
        .where(col(RelayTransaction.chain_id) == parts.chain_id)
        .where(col(RelayTransaction.state) == RelayState.PENDING)
    )


def _waiting(held: Held) -> Any:
    return _pending(held.parts).where(_mine(held))


def _claim(held: Held) -> tuple[list[Owed], Rules, int]:
    """Take intents up for this lane: those that wait belong to no lane until then.

    With them come the rules for them, and what bytes under way may still cost, in wei.
    """
    now, policy = held.parts.clock(), held.parts.policy
    is_time = _is_time(held.parts, now)
    due = _waiting(held).where(_is_due(now), is_time)
    due = due.order_by(col(RelayTransaction.due_at), col(RelayTransaction.id))
    with held.parts.database.write() as session:
        under_way = _under_way(session, held)
        room = min(policy.claim, policy.window - len(under_way)) if under_way is not None else 0
        if room < 1:
            return [], {}, 0
        rows = _take_up(session, held, due.limit(room))
        if rows and len(rows) < room and policy.batch_window:
            # Who waits for company need not wait longer where some are leaving.
            company = _waiting(held).where(_is_company(held, now), is_time)
            rows += _take_up(session, held, company.limit(room - len(rows)))
        rules = rules_for(session, held, rows)
    return sorted(rows, key=lambda row: row.id), rules, sum(under_way or ())


def _take_up(session: Session, held: Held, waiting: Any) -> list[Owed]:
    """Claim what a query finds, in one statement; what another lane is claiming is passed over.

    As a common table, which is looked up once: PostgreSQL may run a subquery again for each row,
    and lock more than its limit.
    """
    chosen = locks.skip_locked(waiting).cte("chosen")
    mine = sa.update(queue.TABLE).where(queue.TABLE.c.id.in_(sa.select(chosen.c.id)))
    mine = mine.values(lane_id=held.lane_id)
    return [Owed(*row) for row in session.connection().execute(mine.returning(*OWED))]


def let_go(held: Held) -> None:
    """What a lane has taken up and will not send now, since it is paused, is any lane's again."""
    if held.keeper.purpose is LanePurpose.TOP_UP:
        return
    mine = sa.update(queue.TABLE).where(queue.TABLE.c.lane_id == held.lane_id)
    with held.write() as (session, _):
        waiting = mine.where(queue.TABLE.c.state == RelayState.PENDING)
        session.connection().execute(waiting.values(lane_id=None))


def _under_way(session: Session, held: Held) -> list[int] | None:
    """What each nonce that is not mined may cost, in wei; None for a lane that is not running."""
    found = session.connection().execute(_COSTS, {"lane": held.lane_id}).all()
    if any(mode is not LaneMode.RUNNING for mode, _ in found):
        return None
    return [cost for _, cost in found if cost is not None]


_IS_UNDER_WAY = sa.and_(
    SLOTS.c.lane_id == sa.bindparam("lane"),
    SLOTS.c.state.in_([SlotState.SENT, SlotState.SUBMITTED]),
)
_COSTS = (
    sa.select(_LANES.c.mode, SLOTS.c.cost)
    .join_from(_LANES, SLOTS, _IS_UNDER_WAY, isouter=True)
    .where(_LANES.c.id == sa.bindparam("lane"))
)


def _is_company(held: Held, now: datetime) -> sa.ColumnElement[bool]:
    """Intents that wait for others to share a transaction with."""
    due_at, window = col(RelayTransaction.due_at), held.parts.policy.batch_window
    return sa.and_(col(RelayTransaction.batch_limit) > 1, due_at > now, due_at <= now + window)


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    """What was put off by a clock that ran ahead is not waited for."""
    written = col(RelayTransaction.updated_at)
    return sa.or_(col(RelayTransaction.due_at) <= now, written > now + _LATER)


def _mine(held: Held) -> sa.ColumnElement[bool]:
    """What any lane may take up; the treasury's pays for nothing but gas."""
    lane = col(RelayTransaction.lane_id)
    if held.keeper.purpose is LanePurpose.TOP_UP:
        return lane == held.lane_id
    # What a lane had taken up when its worker died, or its key was changed, goes on in another.
    left = select(Lane.id).where(
        Lane.purpose == LanePurpose.OPERATE,
        sa.or_(col(Lane.lease_until).is_(None), col(Lane.lease_until) < held.parts.clock()),
    )
    return sa.or_(lane.is_(None), lane == held.lane_id, lane.in_(left))


def _is_time(parts: Parts, now: datetime) -> sa.ColumnElement[bool]:
    """Who can wait goes in a cheap block, and at the promised time in any."""
    if parts.cheap.is_cheap(parts.canon.head().base_fee, now):
        return sa.true()
    promised = col(RelayTransaction.send_by)
    return sa.or_(promised.is_(None), promised <= now)


def _base_fee(held: Held) -> int:
    return held.parts.canon.head().base_fee


# -- look ------------------------------------------------------------------------------------------


def _allowed(held: Held, rows: Sequence[Owed], rules: Rules, verdicts: _Verdicts) -> list[Owed]:
    """What no rule forbids. The rest is not even simulated: nothing may rest on its effects."""
    allowed = []
    for row in rows:
        denied = denial(held, row, rules[row.merchant_id])
        if denied is None:
            allowed.append(row)
        else:
            verdicts.refused.append((row, denied))
    return allowed


def _look(held: Held, rows: Sequence[Owed]) -> tuple[list[Outlook], int]:
    """Simulate on the newest block; the lane's balance in wei comes with it.

    On another chain every simulation would lie: its number is asked for in the same breath.
    """
    client, calls = held.parts.client, [_call(row) for row in rows]
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
    found = in_company(client, held.address, calls, answers)
    return second_look(held, rows, found), int(balance, 16)


def second_look(held: Held, rows: Sequence[Owed], found: Sequence[Outlook]) -> list[Outlook]:
    """A surprise ends an intent: it has to be one in a second answer, about the call alone."""
    doubted = [
        index
        for index, (row, one) in enumerate(zip(rows, found, strict=True))
        if one.is_clear and _surprise(held, row, one)
    ]
    calls = [_call(rows[index]) for index in doubted]
    again = outlooks(held.parts.client, held.address, calls)
    second = dict(zip(doubted, again, strict=True))
    return [second.get(index, one) for index, one in enumerate(found)]


def _judge(held: Held, rows: Sequence[Owed], found: Sequence[Outlook], verdicts: _Verdicts) -> None:
    now = held.parts.canon.head().time
    for row, one in zip(rows, found, strict=True):
        refusal = objection(held, row, one)
        if row.expires_at is not None and row.expires_at <= now:
            verdicts.expired.append(row)
        elif refusal is not None:
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


def rules_for(session: Session, held: Held, rows: Sequence[Owed]) -> Rules:
    """The rules of merchants whose intents are not about our own contracts."""
    others = (row for row in rows if not held.parts.guard.is_ours(row.to))
    merchants = {row.merchant_id for row in others if row.merchant_id is not None}
    return rules_of(session, held.parts.chain_id, merchants) if merchants else defaultdict(list)


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
            session, [row.id], now, due_at=now + _LATER, lane_id=None, error=problem[:1000]
        )
    queue.put_off(session, [row.id for row in alone], now, batch_limit=1, lane_id=None)


def _put_back(session: Session, held: Held, unaffordable: Sequence[Plan]) -> None:
    """Another lane may have coin for them."""
    rows = [row.id for plan in unaffordable for row in plan.rows]
    now = held.parts.clock()
    queue.put_off(session, rows, now, due_at=now + _LATER, lane_id=None)
