"""Which intents a lane takes up: those that are due, in time, and nobody else's.

The statements are built once: building them anew took longer than the database does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlmodel import Session

from chain.relay.batches import Owed
from chain.relay.guard import Rule
from chain.relay.lanes import Held
from chain.relay.parts import Parts
from chain.relay.rules import rules_of
from returns import locks
from returns.tables.relay import INTENTS, LANES, SLOTS
from returns.words import LaneMode, LanePurpose, RelayState, SlotState

#: What nobody could simulate is looked at again after this, and does not stand in the way.
LATER = timedelta(seconds=2)

#: The columns of an intent as a lane takes it up.
OWED = [INTENTS.c[name] for name in Owed.__dataclass_fields__ if name != "gas"]

#: By merchant; who has none has an empty list.
Rules = Mapping[UUID | None, list[Rule]]

_COLUMNS = INTENTS.c


def is_waiting(parts: Parts, limit: int) -> int:
    """How many intents could be taken up now, counted up to `limit`."""
    with parts.database.read() as session:
        found = session.connection().execute(_COUNT, _now(parts) | {"room": limit})
        return int(found.scalar_one())


def claim(held: Held) -> tuple[list[Owed], Rules, int]:
    """Take intents up for this lane: those that wait belong to no lane until then.

    With them come the rules for them, and what bytes under way may still cost, in wei.
    """
    policy, now = held.parts.policy, _now(held.parts)
    with held.parts.database.write() as session:
        under_way = _under_way(session, held)
        room = min(policy.claim, policy.window - len(under_way)) if under_way is not None else 0
        if room < 1:
            return [], {}, 0
        rows = _take_up(session, held, room, now)
        if rows and len(rows) < room and policy.batch_window:
            # Who waits for company need not wait longer where some are leaving.
            rows += _take_up(session, held, room - len(rows), now, company=True)
        rules = rules_for(session, held, rows)
    return sorted(rows, key=lambda row: row.id), rules, sum(under_way or ())


def rules_for(session: Session, held: Held, rows: list[Owed]) -> Rules:
    """The rules of merchants whose intents are not about our own contracts."""
    others = (row for row in rows if not held.parts.guard.is_ours(row.to))
    merchants = {row.merchant_id for row in others if row.merchant_id is not None}
    return rules_of(session, held.parts.chain_id, merchants)


def let_go(held: Held) -> None:
    """What a lane has taken up and will not send now, since it is paused, is any lane's again."""
    if held.keeper.purpose is LanePurpose.TOP_UP:
        return
    mine = sa.update(INTENTS).where(_COLUMNS.lane_id == held.lane_id)
    with held.write() as session:
        waiting = mine.where(_COLUMNS.state == RelayState.PENDING)
        session.connection().execute(waiting.values(lane_id=None))


def _now(parts: Parts) -> dict[str, Any]:
    """The moment, and whether who can wait should go: in a cheap block they do."""
    now = parts.clock()
    return {
        "chain": parts.chain_id,
        "now": now,
        "ahead": now + LATER,
        "company": now + parts.policy.batch_window,
        "cheap": parts.cheap.is_cheap(parts.canon.head().base_fee, now),
    }


def _take_up(
    session: Session, held: Held, room: int, now: dict[str, Any], *, company: bool = False
) -> list[Owed]:
    statement = _taking(held.keeper.purpose, company=company)
    values = now | {"lane": held.lane_id, "room": room}
    return [Owed(*row) for row in session.connection().execute(statement, values)]


def _under_way(session: Session, held: Held) -> list[int] | None:
    """What each nonce that is not mined may cost, in wei; None for a lane that is not running."""
    found = session.connection().execute(_COSTS, {"lane": held.lane_id}).all()
    if any(mode is not LaneMode.RUNNING for mode, _ in found):
        return None
    return [cost for _, cost in found if cost is not None]


# -- statements ------------------------------------------------------------------------------------


def _bound(name: str, like: sa.Column[Any]) -> sa.BindParameter[Any]:
    return bindparam(name, type_=like.type)


_LANE, _NOW = _bound("lane", LANES.c.id), _bound("now", _COLUMNS.due_at)

#: Who can wait goes in a cheap block, and at the promised time in any.
_IS_TIME = sa.or_(
    bindparam("cheap", type_=sa.Boolean), _COLUMNS.send_by.is_(None), _COLUMNS.send_by <= _NOW
)
#: What was put off by a clock that ran ahead is not waited for.
_IS_DUE = sa.or_(_COLUMNS.due_at <= _NOW, _COLUMNS.updated_at > _bound("ahead", _COLUMNS.due_at))
#: Intents that wait for others to share a transaction with.
_IS_COMPANY = sa.and_(
    _COLUMNS.batch_limit > 1,
    _COLUMNS.due_at > _NOW,
    _COLUMNS.due_at <= _bound("company", _COLUMNS.due_at),
)
_PENDING = (
    sa.select(_COLUMNS.id)
    .where(_COLUMNS.chain_id == bindparam("chain"), _COLUMNS.state == RelayState.PENDING)
    .where(_IS_TIME)
    .order_by(_COLUMNS.due_at, _COLUMNS.id)
    .limit(bindparam("room"))
)
_COUNT = sa.select(sa.func.count()).select_from(
    _PENDING.where(_IS_DUE, _COLUMNS.lane_id.is_(None)).order_by(None).subquery()
)
#: What a lane had taken up when its worker died, or its key was changed, goes on in another.
_LEFT = sa.select(LANES.c.id).where(
    LANES.c.purpose == LanePurpose.OPERATE,
    sa.or_(LANES.c.lease_until.is_(None), LANES.c.lease_until < _NOW),
)
#: What a lane may take up; the treasury's pays for nothing but gas.
_MINE = {
    LanePurpose.OPERATE: sa.or_(
        _COLUMNS.lane_id.is_(None), _COLUMNS.lane_id == _LANE, _COLUMNS.lane_id.in_(_LEFT)
    ),
    LanePurpose.TOP_UP: _COLUMNS.lane_id == _LANE,
}


@cache
def _taking(purpose: LanePurpose, *, company: bool) -> Any:
    """Claim what is found, in one statement; what another lane is claiming is passed over.

    As a common table, which is looked up once: PostgreSQL may run a subquery again for each row,
    and lock more than its limit.
    """
    waiting = _PENDING.where(_MINE[purpose], _IS_COMPANY if company else _IS_DUE)
    chosen = locks.skip_locked(waiting).cte("chosen")
    mine = sa.update(INTENTS).where(_COLUMNS.id.in_(sa.select(chosen.c.id)))
    return mine.values(lane_id=_LANE).returning(*OWED)


_COSTS = (
    sa.select(LANES.c.mode, SLOTS.c.cost)
    .join_from(
        LANES,
        SLOTS,
        sa.and_(SLOTS.c.lane_id == _LANE, SLOTS.c.state.in_([SlotState.SENT, SlotState.SUBMITTED])),
        isouter=True,
    )
    .where(LANES.c.id == _LANE)
)
