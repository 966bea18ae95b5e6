"""The message of each line goes out to its holder, and its signature comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from chain.holdings import Holding
from custody.authorizations import check_signature, message_of, prompt
from custody.ways import Way, ways_in
from returns import cases, locks, reads
from returns.errors import (
    AuthorizationExpired,
    AuthorizationReplayed,
    ChainUnavailable,
    NothingToSign,
)
from returns.tables import Authorization, ReturnCase, ReturnLine
from returns.words import LineState
from settlement import legs
from settlement.commands.access import Caller
from settlement.commands.inputs import SignatureIn
from settlement.runtime import Runtime


def offered(runtime: Runtime, caller: Caller, rma: str) -> dict[str, Any]:
    """What is to be signed, line by line, and how each token can reach the escrow.

    Empty while nothing is granted.
    """
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        newest = [_newest(session, line) for line in cases.lines_of(session, case.id)]
    rows = [row for row in newest if row is not None]
    ways = _ways(runtime, [row for row in rows if row.signature is None])
    views = [_view(runtime, row, ways.get(row.id)) for row in rows]
    return {"rma": case.rma, "authorizations": views}


def sign(runtime: Runtime, caller: Caller, rma: str, given: SignatureIn) -> dict[str, Any]:
    """Accept a signature and start moving the token. The same signature again changes nothing.

    Raises `SignatureInvalid`, `AuthorizationExpired`, `AuthorizationReplayed`, `NothingToSign`,
    `NotFound`; nothing is stored and nothing moves then.
    """
    with runtime.database.read() as session:
        _, line, checked = _find(session, caller, rma, given.line)
        if checked is None:
            raise NothingToSign(state=line.state.value)
    signature = check_signature(runtime.client, checked, given.signature)
    with runtime.database.write() as session:
        case, line, _ = _find(session, caller, rma, given.line)
        locks.lock_line(session, line.id)
        # Read under the lock: the same signature may have come twice at once.
        row = _newest(session, line)
        if row is None or row.id != checked.id:
            raise NothingToSign(state=line.state.value)
        if row.signature != signature:
            _accept(runtime, session, line, row, signature)
        return reads.case_view(session, case)


def _accept(
    runtime: Runtime, session: Session, line: ReturnLine, row: Authorization, signature: str
) -> None:
    now = runtime.clock()
    if row.signature is not None:
        raise AuthorizationReplayed
    if line.state is not LineState.AWAITING_SIGNATURE:
        raise NothingToSign(state=line.state.value)
    if now > row.deadline:
        raise AuthorizationExpired(deadline=row.deadline.isoformat())
    row.signature, row.signed_at = signature, now
    session.flush()
    legs.begin(session, runtime.terms, line, "holder", "the holder signed", now)


def _find(
    session: Session, caller: Caller, rma: str, line_id: str
) -> tuple[ReturnCase, ReturnLine, Authorization | None]:
    case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
    line = reads.find_line(session, case, line_id)
    return case, line, _newest(session, line)


def _newest(session: Session, line: ReturnLine) -> Authorization | None:
    query = select(Authorization).where(Authorization.line_id == line.id)
    newest = query.order_by(col(Authorization.id).desc()).limit(1)
    return session.exec(newest.execution_options(populate_existing=True)).first()


def _ways(runtime: Runtime, rows: Sequence[Authorization]) -> dict[UUID, Way]:
    """How each token can reach the escrow; nothing while the node does not answer.

    Returns as Seaport orders are not offered here, so approvals for Seaport are not looked at.
    """
    messages = [message_of(row) for row in rows]
    tokens = [Holding(one.token, one.tokenId, one.holder) for one in messages]
    try:
        found = ways_in(runtime.client, tokens, runtime.deployment.escrow, None)
    except ChainUnavailable:
        return {}
    return {row.id: way for row, way in zip(rows, found, strict=True)}


def _view(runtime: Runtime, row: Authorization, way: Way | None) -> dict[str, Any]:
    return {
        "line": str(row.line_id),
        "holder": row.holder,
        "deadline": row.deadline.isoformat(),
        "signed": row.signature is not None,
        "typed_data": prompt(row, runtime.deployment),
        "way": None if way is None else asdict(way),
    }
