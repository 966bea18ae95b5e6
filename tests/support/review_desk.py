"""Lines that wait for a person, people who decide, files that are given."""

from __future__ import annotations

import base64
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from desk import ADDRESSES, Desk

from returns.tables import Proposal, ReturnCase, ReturnLine
from settlement import approvals
from settlement.commands import reviews
from settlement.commands.access import Caller
from settlement.commands.review_inputs import (
    AppealIn,
    ConfirmationIn,
    EvidenceIn,
    FileIn,
    ReviewIn,
)

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
#: A request's window has passed: the policy denies it.
TOO_LATE_DAYS = 31


def waiting(desk: Desk, **purchase: Any) -> str:
    """The case of a token that its buyer moved to another wallet: a person has to look."""
    order = desk.buy(**purchase)
    for line in order.lines:
        desk.chain.give(line.token_id, ADDRESSES[1])
    rma: str = desk.ask(order, wallet=ADDRESSES[1])["rma"]
    assert desk.states(rma)[-1] == "in_review"
    return rma


def denied(desk: Desk) -> str:
    """A case that the policy denied; its token can still be returned by a person's word."""
    order = desk.buy()
    desk.clock.move(days=TOO_LATE_DAYS)
    rma: str = desk.ask(order)["rma"]
    assert desk.states(rma)[-1] == "denied"
    return rma


def person(desk: Desk, name: str) -> Caller:
    """Somebody else of the staff."""
    return replace(desk.staff, name=f"key:{name}")


def browser(desk: Desk, rma: str) -> Caller:
    """The browser of the case's buyer."""
    (case,) = desk.rows(ReturnCase, ReturnCase.rma == rma)
    scopes = frozenset({"returns:read", "returns:write"})
    return Caller(desk.merchant.id, "customer", scopes, case.order_id)


def decide(desk: Desk, rma: str, decision: str, by: str = "staff", **more: Any) -> dict[str, Any]:
    given = {"line": str(desk.line(rma).id), "decision": decision, "reason": "looked at it"}
    review = ReviewIn.model_validate(given | more)
    return reviews.decide_review(desk.runtime, person(desk, by), rma, review)


def ask_for_more(desk: Desk, rma: str, by: str = "staff", **more: Any) -> dict[str, Any]:
    return decide(desk, rma, "ask", by, **{"question": "Why is it elsewhere?"} | more)


def confirm(desk: Desk, rma: str, by: str, decision: str = "confirm") -> dict[str, Any]:
    line = str(desk.line(rma).id)
    given = ConfirmationIn(line=line, decision=decision, reason="seen as well")
    return reviews.confirm(desk.runtime, person(desk, by), rma, given)


def file_json(data: bytes = PNG, **changes: Any) -> dict[str, Any]:
    content = base64.b64encode(data).decode()
    return {"name": "wallet.png", "media_type": "image/png", "content": content} | changes


def answer(
    desk: Desk, rma: str, text: str = "It is my cold wallet", file: Any = None
) -> EvidenceIn:
    given = None if file is None else FileIn.model_validate(file)
    return EvidenceIn(line=str(desk.line(rma).id), text=text, file=given)


def objection(desk: Desk, rma: str, statement: str = "You were late, not I") -> AppealIn:
    return AppealIn(line=str(desk.line(rma).id), statement=statement)


def limit_approvals(monkeypatch: pytest.MonkeyPatch, limits: dict[str, int] | None) -> None:
    """The policy in force says how much one person approves alone."""
    policy = SimpleNamespace(approval_limits=limits)
    limit_for = approvals.limit_for
    monkeypatch.setattr(reviews, "limit_for", lambda _, currency: limit_for(policy, currency))


def books(desk: Desk) -> dict[str, Any]:
    """Everything that a refusal must leave as it is."""
    rows = [desk.rows(table) for table in (ReturnCase, ReturnLine, Proposal)]
    return {"rows": desk.count_all(), "state": [[one.model_dump() for one in r] for r in rows]}
