"""The message of each line goes out to its holder, and its signature comes back."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session, col, select

from custody.authorizations import check_signature, prompt
from returns import cases, locks, reads
from returns.errors import AuthorizationExpired, AuthorizationReplayed, NothingToSign
from returns.tables import Authorization, ReturnCase, ReturnLine
from returns.words import LineState
from settlement import legs
from settlement.commands.access import Caller
from settlement.commands.inputs import SignatureIn
from settlement.runtime import Runtime


def offered(runtime: Runtime, caller: Caller, rma: str) -> dict[str, Any]:
    """What is to be signed, line by line; empty while nothing is granted."""
    with runtime.database.read() as session:
        case = reads.find_case(session, caller.merchant_id, rma, caller.order_id)
        rows = [_newest(session, line) for line in cases.lines_of(session, case.id)]
    return {"rma": case.rma, "authorizations": [_view(runtime, row) for row in rows if row]}


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
    legs.begin(session, runtime.terms, line, "holder", now)


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


def _view(runtime: Runtime, row: Authorization) -> dict[str, Any]:
    return {
        "line": str(row.line_id),
        "holder": row.holder,
        "deadline": row.deadline.isoformat(),
        "signed": row.signature is not None,
        "typed_data": prompt(row, runtime.deployment),
    }
