"""Decisions without a case: about facts that are handed in; and decisions made once more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from returns import reads
from returns.cases import lines_of
from returns.decision_views import automatic_rows
from returns.errors import ModelInvalid, RequestMalformed
from returns.ids import new_id
from returns.tables import DecisionRow, PolicyRow
from settlement import model_store
from settlement.commands import policies
from settlement.commands.access import Caller, authenticate
from settlement.runtime import Runtime
from triage.decide import Decision, decide
from triage.facts import Facts, facts_schema
from triage.model import Model
from triage.reader import Reader
from triage.schema import Policy

#: How long a process may go on with a key and a policy that it has just looked up.
_FRESH = timedelta(seconds=1)
_MOST_DESKS = 1_000

_INSERT = sa.insert(DecisionRow)


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks and by which policy, as it was a moment ago: a thousand requests share it."""

    caller: Caller
    policy_id: UUID
    policy: Policy
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Opinion:
    """A decision about facts under the id by which it can be stored; `body` is its JSON."""

    id: UUID
    merchant_id: UUID
    policy_id: UUID
    decision: Decision
    body: str
    decided_at: datetime

    def to_json(self) -> str:
        """The decision's own JSON with its id."""
        return f'{{"id":"{self.id}",{self.body[1:]}'


def what_is_handed_in() -> dict[str, Any]:
    """A JSON Schema of the facts that can be decided about."""
    return facts_schema()


class Desks:
    """The desks of one process, each looked up again after a second."""

    def __init__(self) -> None:
        self._known: dict[str, Desk] = {}

    def known(self, runtime: Runtime, header: str) -> Desk | None:
        """The desk behind an Authorization header, if it was looked up within the last second."""
        found = self._known.get(header)
        if found is None or not timedelta(0) <= runtime.clock() - found.read_at < _FRESH:
            return None
        return found

    def look_up(self, runtime: Runtime, header: str | None) -> Desk:
        """Read key and policy; raises `CredentialsInvalid`, and `NotFound` without a policy."""
        caller = authenticate(runtime, header)
        now = runtime.clock()
        with runtime.database.read() as session:
            row, policy = policies.in_force(session, caller.merchant_id, now)
        if len(self._known) >= _MOST_DESKS:
            self._known.clear()
        found = Desk(caller, row.id, policy, now)
        self._known[header or ""] = found
        return found


def decide_facts(runtime: Runtime, desk: Desk, body: bytes) -> Opinion:
    """Decide about facts by the policy in force; nothing is stored.

    `body` is a JSON object of facts by name; the merchant is the caller's own. Raises
    `ScopeMissing`, `RequestMalformed`, `FieldInvalid`, `AmountInvalid`, `CurrencyUnknown`.
    """
    desk.caller.require("decisions:write")
    facts = _facts(body, desk.caller.merchant_id)
    decision = decide(facts, desk.policy, runtime.model, runtime.reader)
    body_now, now = decision.to_json(), runtime.clock()
    return Opinion(new_id(), desk.caller.merchant_id, desk.policy_id, decision, body_now, now)


def store(runtime: Runtime, opinions: Sequence[Opinion]) -> None:
    """Keep decisions with their facts, all in one transaction, as a record of what was said.

    They belong to no case: `replay` goes by case and does not make them again.
    """
    rows = [
        {
            "id": one.id,
            "merchant_id": one.merchant_id,
            "policy_id": one.policy_id,
            "verdict": one.decision.verdict.value,
            "decided_by": "undrop",
            "facts": one.decision.facts.to_json(),
            "body": one.body,
            "decided_at": one.decided_at,
        }
        for one in opinions
    ]
    with runtime.database.write() as session:
        session.connection().execute(_INSERT, rows)


def _facts(body: bytes, merchant_id: UUID) -> Facts:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as bad:
        raise RequestMalformed(problem="it is not JSON") from bad
    if not isinstance(content, dict):
        raise RequestMalformed(problem="it is not an object of facts")
    if content.setdefault("merchant", str(merchant_id)) != str(merchant_id):
        raise RequestMalformed(problem="the fact 'merchant' is not the caller's; leave it out")
    return Facts.from_content(content)


@dataclass(frozen=True, slots=True)
class Replay:
    """A decision made once more: whether the bytes are the same, and if not, where they differ."""

    line: UUID
    same: bool
    differs: tuple[str, ...]


def replay(runtime: Runtime, merchant_id: UUID, rma: str) -> list[Replay]:
    """Make every automatic decision of a case again, with its own facts, policy and models.

    Raises `NotFound` for an unknown case or a model that is not kept any more.
    """
    with runtime.database.read() as session:
        case = reads.find_case(session, merchant_id, rma)
        rows = [row for line in lines_of(session, case.id) for row in automatic_rows(session, line)]
        return [_replay(runtime, session, row) for row in rows]


def _replay(runtime: Runtime, session: Session, row: DecisionRow) -> Replay:
    stored = _content(row.body)
    policy = policies.read(session.get_one(PolicyRow, row.policy_id))
    facts = Facts.from_json(row.facts)
    again = decide(facts, policy, *_counsel(runtime, stored)).to_json()
    made: dict[str, Any] = json.loads(again)
    names = sorted(stored.keys() | made.keys())
    differs = tuple(name for name in names if stored.get(name) != made.get(name))
    if again != row.body and not differs:
        differs = ("spelling",)
    return Replay(row.line_id or row.id, again == row.body, differs)


def _content(body: str) -> dict[str, Any]:
    """A stored decision; of one that cannot be read any more everything differs."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _counsel(runtime: Runtime, stored: dict[str, Any]) -> tuple[Model | None, Reader | None]:
    model_hash, reader_hash = stored.get("model_hash"), stored.get("reader_hash")
    model = None if model_hash is None else stored_model(runtime, model_hash)
    return model, None if reader_hash is None else stored_reader(runtime, reader_hash)


def stored_model(runtime: Runtime, digest: str) -> Model:
    """The model of an earlier decision. Raises `NotFound`, and `ModelInvalid` if it was changed."""
    model = Model.from_json(model_store.get(runtime.settings, digest))
    _check_name(model.model_hash, digest)
    return model


def stored_reader(runtime: Runtime, digest: str) -> Reader:
    """The reader of an earlier decision; raises as `stored_model`."""
    reader = Reader.from_json(model_store.get(runtime.settings, digest))
    _check_name(reader.reader_hash, digest)
    return reader


def _check_name(found: str, digest: str) -> None:
    if found != digest:
        raise ModelInvalid(problem="the file that is named after it holds another model")
