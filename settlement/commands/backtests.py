"""What a policy or a model would have decided about the requests of a time, and how well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from returns.errors import FieldInvalid, ModelInvalid
from returns.tables import DecisionRow, ReturnCase, ReturnLine
from returns.words import LineState, Verdict
from settlement.commands import policies
from settlement.importer import read_text
from settlement.runtime import Runtime
from triage.backtest import Past, Report, backtest
from triage.facts import Facts
from triage.model import Model
from triage.policy import parse_policy
from triage.schema import Policy

#: Ends of a line that say what its request came to.
_ENDS = {
    LineState.SETTLED: Verdict.APPROVE,
    LineState.DENIED: Verdict.DENY,
}
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried on which requests; None: what is in force, and from the first to the last."""

    since: datetime | None = None
    until: datetime | None = None
    policy: Path | None = None
    model: Path | None = None


def run(runtime: Runtime, merchant_id: UUID, trial: Trial) -> Report:
    """Decide a time's requests anew. Raises `PolicyInvalid`, `ModelInvalid`, `FieldInvalid` for a
    time without requests; nothing is stored."""
    policy, model = _policy(runtime, merchant_id, trial), _model(runtime, trial)
    with runtime.database.read() as session:
        pasts = list(_pasts(session, merchant_id, trial))
    if not pasts:
        raise FieldInvalid(field="from", problem="no request was decided in this time")
    return backtest(pasts, policy, model, runtime.reader)


def _policy(runtime: Runtime, merchant_id: UUID, trial: Trial) -> Policy:
    if trial.policy is not None:
        return parse_policy(read_text(trial.policy))
    with runtime.database.read() as session:
        return policies.in_force(session, merchant_id, runtime.clock())[1]


def _model(runtime: Runtime, trial: Trial) -> Model | None:
    if trial.model is None:
        return runtime.model
    try:
        return Model.from_json(trial.model.read_text(encoding="utf-8"))
    except UnicodeDecodeError as bad:
        raise ModelInvalid(problem="it is not text") from bad


def _pasts(session: Session, merchant_id: UUID, trial: Trial) -> Iterator[Past]:
    """Every line's automatic decision with what became of it, and those without a case."""
    query = (
        select(DecisionRow, ReturnLine, ReturnCase.rma)
        .join(ReturnLine, col(ReturnLine.id) == DecisionRow.line_id, isouter=True)
        .join(ReturnCase, col(ReturnCase.id) == ReturnLine.case_id, isouter=True)
        .where(DecisionRow.merchant_id == merchant_id, DecisionRow.decided_by == "undrop")
        .order_by(col(DecisionRow.id))
        .execution_options(yield_per=_AT_ONCE)
    )
    if trial.since is not None:
        query = query.where(col(DecisionRow.decided_at) >= trial.since)
    if trial.until is not None:
        query = query.where(col(DecisionRow.decided_at) < trial.until)
    for row, line, rma in session.exec(query):
        yield _past(row, line, rma)


def _past(row: DecisionRow, line: ReturnLine | None, rma: str | None) -> Past:
    body: dict[str, Any] = json.loads(row.body)
    facts = Facts.from_json(row.facts)
    ended = None if line is None else _ENDS.get(line.state)
    granted = None
    if line is not None and ended is not None:
        granted = line.amount if ended is Verdict.APPROVE else 0
    return Past(
        name=f"{rma or row.id} token {facts.token_id}",
        facts=facts,
        said=Verdict(row.verdict),
        offered=int(body["amount"]),
        ended=ended,
        granted=granted,
    )
