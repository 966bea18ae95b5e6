"""The ledger from outside: what was booked, how it stands, its seals and their proof."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlmodel import select

from returns import ledger, ledger_reads, reads, sealing, verifying
from returns.errors import FieldInvalid
from returns.sealing import Head
from returns.tables import Merchant
from returns.verifying import Report
from settlement.commands.access import Caller, merchant_by_slug
from settlement.runtime import Runtime

#: Entries of one transaction: writers on SQLite wait for no longer.
_BATCH = 500
#: Entries that one wake-up seals; the next one goes on.
_PER_WAKE_UP = 10_000
_MAX_BALANCES = 1000
_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})\Z", re.ASCII)


def balances(
    runtime: Runtime,
    merchant_id: UUID,
    at: datetime | None = None,
    prefix: str | None = None,
    *,
    final: bool = False,
    limit: int | None = _MAX_BALANCES,
) -> dict[str, Any]:
    """Debits less credits by account and asset; the first `limit` accounts, and whether it is all.

    `at`: as it stood at that moment. `final`: without what a reorg may still undo.
    """
    with runtime.database.read() as session:
        more = None if limit is None else limit + 1
        found = ledger.balances(session, merchant_id, at=at, prefix=prefix, final=final, limit=more)
    rows = [
        {"account": account, "asset": asset, "balance": str(balance)}
        for (account, asset), balance in found.items()
    ]
    return {
        "at": None if at is None else at.isoformat(),
        "final": final,
        "balances": rows[:limit],
        "truncated": limit is not None and len(rows) > limit,
    }


def entries(runtime: Runtime, caller: Caller, rma: str) -> dict[str, Any]:
    """Everything that was booked for a case, in order; raises `NotFound`."""
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        return {"rma": case.rma, "entries": ledger_reads.entries_of_case(session, case)}


def seal(runtime: Runtime, most: int = _PER_WAKE_UP) -> int:
    """Seal what has no seal yet, in short transactions; returns how many entries were sealed."""
    with runtime.database.read() as session:
        waiting = sealing.merchants_waiting(session)
    done = 0
    for merchant_id in waiting:
        while done < most:
            with runtime.database.write() as session:
                sealed = sealing.seal_batch(session, merchant_id, runtime.clock(), _BATCH)
            done += sealed
            if sealed < _BATCH:
                break
    return done


def verify_merchants(
    runtime: Runtime, slug: str, minutes: int, expected: str = ""
) -> list[dict[str, Any]]:
    """What verifying finds, merchant by merchant; `slug` names one, empty are all.

    Entries may wait for their seal for so many minutes. `expected` is a head of the one merchant.
    Raises `NotFound`, `FieldInvalid`.
    """
    head = _parse_head(expected) if expected else None
    if head is not None and not slug:
        raise FieldInvalid(field="expect", problem="a head belongs to one merchant: name it")
    owners = [merchant_by_slug(runtime, slug)] if slug else _merchants(runtime)
    return [_view(owner.slug, verify(runtime, owner.id, minutes, head)) for owner in owners]


def verify(
    runtime: Runtime, merchant_id: UUID, minutes: int, expected: Head | None = None
) -> Report:
    """Recompute a merchant's ledger."""
    sealed_by = runtime.clock() - timedelta(minutes=minutes)
    with runtime.database.read() as session:
        return verifying.verify(session, merchant_id, sealed_by, expected)


def _merchants(runtime: Runtime) -> list[Merchant]:
    with runtime.database.read() as session:
        return list(session.exec(select(Merchant).order_by(Merchant.slug)))


def _view(merchant: str, report: Report) -> dict[str, Any]:
    return {
        "merchant": merchant,
        "head": str(report.head),
        "sealed": report.sealed,
        "unsealed": report.unsealed,
        "found": report.found,
        "findings": [asdict(finding) for finding in report.findings],
    }


def _parse_head(text: str) -> Head:
    found = _HEAD.match(text)
    if found is None:
        raise FieldInvalid(field="expect", problem="write NUMBER:HASH as verify prints it")
    return Head(int(found[1]), found[2])
