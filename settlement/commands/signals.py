"""A marketplace tells facts about tokens, customers, wallets and orders, in bulk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chain.addresses import parse_address
from returns import locks
from returns.errors import FieldInvalid, UndropError
from returns.money import parse_amount
from returns.tables import AuditRow
from returns.words import SignalAbout
from settlement import signals
from settlement.commands.signal_inputs import SignalIn
from settlement.runtime import Runtime


@dataclass(frozen=True, slots=True)
class SignalResult:
    """What became of one signal of a bulk."""

    key: str
    error: UndropError | None = None


def tell(
    runtime: Runtime, merchant_id: UUID, told: list[SignalIn], actor: str
) -> list[SignalResult]:
    """Store each signal or refuse it on its own; results in order.

    A signal can change what is decided: who told it stands in the audit.
    """
    now = runtime.clock()
    results = []
    with runtime.database.write() as session:
        locks.lock_signals(session, merchant_id)
        for one in told:
            try:
                key = _key(one)
                signals.store(session, merchant_id, one.about, key, one.facts, now)
                session.add(_audit(merchant_id, one, key, actor, now))
            except UndropError as refused:
                results.append(SignalResult(one.key, refused))
            else:
                results.append(SignalResult(one.key))
    return results


def _audit(merchant_id: UUID, told: SignalIn, key: str, actor: str, now: datetime) -> AuditRow:
    said = json.dumps(told.facts, sort_keys=True, default=str)
    return AuditRow(
        merchant_id=merchant_id,
        subject_id=merchant_id,
        actor=actor,
        action="signal.tell",
        reason=f"{told.about.value} {key}: {said}"[:1000],
        at=now,
    )


def _key(told: SignalIn) -> str:
    """The one spelling of a subject: addresses in lower case."""
    if told.about is SignalAbout.WALLET:
        return parse_address(told.key)
    if told.about is not SignalAbout.TOKEN:
        return told.key
    collection, slash, token_id = told.key.partition("/")
    if not slash:
        raise FieldInvalid(field="key", problem="a token is written collection/id")
    return signals.token_key(parse_address(collection), parse_amount(token_id))
