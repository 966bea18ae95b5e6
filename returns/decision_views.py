"""A decision as one object that an agent or a help desk can use, straight from the books."""

from __future__ import annotations

import json
from typing import Any

from sqlmodel import Session, col, select

from returns.cases import lines_of
from returns.ids import token_asset
from returns.reads import amount_view
from returns.tables import DecisionRow, Order, OrderLine, PolicyRow, ReturnCase, ReturnLine
from returns.words import Verdict

_WORDS = {
    Verdict.APPROVE.value: "APPROVE",
    Verdict.DENY.value: "DENY",
    Verdict.REVIEW.value: "ESCALATE",
}

#: Codes by what they say about eligibility: broken, or not known.
_ELIGIBILITY = {
    "window": ({"window_passed"}, {"window_unknown", "dates_disagree"}),
    "condition": ({"condition_broken", "not_transferable"}, {"condition_unknown", "token_paused"}),
    "cap": ({"above_cap"}, {"cap_missing"}),
}


def decisions_of(session: Session, case: ReturnCase) -> dict[str, Any]:
    """The newest decision about each line of a case."""
    order = session.get_one(Order, case.order_id)
    return {
        "rma": case.rma,
        "order": order.number,
        "authority": "/v1/authority",
        "lines": [_line(session, line) for line in lines_of(session, case.id)],
    }


def automatic_rows(session: Session, line: ReturnLine) -> list[DecisionRow]:
    """What was decided about a line without a person, the oldest first."""
    query = select(DecisionRow).where(
        DecisionRow.line_id == line.id, DecisionRow.decided_by == "undrop"
    )
    return list(session.exec(query.order_by(col(DecisionRow.id))))


def _line(session: Session, line: ReturnLine) -> dict[str, Any]:
    rows = select(DecisionRow).where(DecisionRow.line_id == line.id)
    newest = session.exec(rows.order_by(col(DecisionRow.id).desc()).limit(1)).one()
    automatic = automatic_rows(session, line)[-1]
    bought = session.get_one(OrderLine, line.order_line_id)
    body, facts = json.loads(automatic.body), json.loads(automatic.facts)
    requested = amount_view(int(facts["requested"]), line.currency)
    return {
        "line": str(line.id),
        "token": token_asset(bought.chain_id, bought.collection, bought.token_id),
        "ownership_verified": facts.get("purchase_proven", False),
        "request": {
            "remedy": facts["remedy"],
            "reason": facts["reason"],
            "reason_read": body["reading"] and body["reading"]["reason"],
            "wants": body["reading"] and body["reading"]["want"],
            "amount": requested,
        },
        "eligibility": _eligibility(body),
        "decision": _WORDS[newest.verdict],
        "decided_by": newest.decided_by,
        "decided_at": newest.decided_at.isoformat(),
        "remedy": line.remedy.value,
        "disposition": line.disposition.value,
        "amount": _granted(line, newest, line.amount),
        "bonus": _granted(line, newest, line.bonus),
        "deductions": body["deductions"],
        "reply": json.loads(newest.body).get("explanation", ""),
        "alternatives": body["alternatives"],
        "abuse": _of_ground(body, "risk"),
        "escalation": _escalation(body),
        "rules": body["hits"],
        "risk": {name: body[name] for name in ("score", "points", "basis", "right")},
        "versions": _versions(session, automatic, body),
    }


def _granted(line: ReturnLine, newest: DecisionRow, amount: int) -> dict[str, str]:
    given = 0 if newest.verdict == Verdict.DENY.value else amount
    return amount_view(given, line.currency)


def _eligibility(body: dict[str, Any]) -> dict[str, Any]:
    codes = {hit["code"] for hit in body["hits"] if hit["set_aside"] is None}
    parts = {
        name: "broken" if codes & broken else "unknown" if codes & unknown else "kept"
        for name, (broken, unknown) in _ELIGIBILITY.items()
    }
    return {"eligible": body["verdict"] != Verdict.DENY.value, **parts}


def _of_ground(body: dict[str, Any], ground: str) -> dict[str, Any]:
    found = [
        {"code": hit["code"], "sentence": hit["sentence"]}
        for hit in body["hits"]
        if hit["ground"] == ground and hit["set_aside"] is None
    ]
    return {"flag": bool(found), "reasons": found}


def _escalation(body: dict[str, Any]) -> dict[str, Any]:
    held = [
        {"code": hit["code"], "sentence": hit["sentence"]}
        for hit in body["hits"]
        if hit["verdict"] == Verdict.REVIEW.value and hit["set_aside"] is None
    ]
    needed = body["verdict"] == Verdict.REVIEW.value
    return {"needed": needed, "reasons": held if needed else []}


def _versions(session: Session, row: DecisionRow, body: dict[str, Any]) -> dict[str, Any]:
    names = ("policy_hash", "model_hash", "reader_hash", "facts_hash", "engine")
    policy = session.get_one(PolicyRow, row.policy_id)
    return {
        "policy": policy.name,
        "policy_version": policy.version,
        **{name: body[name] for name in names},
    }
