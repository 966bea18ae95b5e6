"""The life of a policy: drafted by one person, put in force by another, never changed.

A version stays as it was written, and a decision names the version that it was made under. What is
in force at a moment follows from activations alone, which may lie ahead but never behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlmodel import Session

from returns import locks
from returns import policies as books
from returns.errors import (
    FieldInvalid,
    NotFound,
    PolicyNoPredecessor,
    PolicyOvertaken,
    PolicyOwnDraft,
)
from returns.tables import AuditRow, PolicyActivation, PolicyRow
from returns.words import ActivationKind
from settlement.people import is_same_person
from settlement.runtime import Runtime
from triage.policy import Policy, parse_policy
from triage.policy_diff import Change, diff
from triage.policy_form import json_schema

_MAX_NAME, _MAX_REASON = 100, 1000
#: Versions that are read again and again: those in force, and those of what is decided anew.
_PARSED = 256


def check(text: str) -> tuple[str, str]:
    """Name and hash of a policy; raises `PolicyInvalid` with the lines of its mistakes."""
    policy = parse_policy(text)
    return policy.name, policy.policy_hash


def schema() -> dict[str, Any]:
    """What a policy file may say, as a JSON Schema for editors."""
    return json_schema()


def draft(runtime: Runtime, merchant_id: UUID, text: str, actor: str) -> PolicyRow:
    """Store a version, which is not in force yet. What says the same as an earlier one is that one.

    Raises `PolicyInvalid`, `FieldInvalid` for a name that cannot stand in the books.
    """
    _check_actor(actor)
    policy = parse_policy(text)
    with runtime.database.write() as session:
        locks.lock_policies(session, merchant_id)
        return _stored(session, merchant_id, text, policy, actor, runtime.clock())


def begin(runtime: Runtime, merchant_id: UUID, text: str, actor: str) -> PolicyRow:
    """A merchant's first policy, put in force by one: there is nothing that it could loosen.

    Returns what is in force already if it says the same. Raises `PolicyInvalid`, and
    `PolicyOwnDraft` as soon as any version was ever activated.
    """
    _check_actor(actor)
    policy = parse_policy(text)
    with runtime.database.write() as session:
        locks.lock_policies(session, merchant_id)
        now = runtime.clock()
        found = books.in_force(session, merchant_id, now)
        if found is not None and found[1].policy_hash == policy.policy_hash:
            return found[1]
        row = _stored(session, merchant_id, text, policy, actor, now)
        if books.newest_activation(session, merchant_id):
            raise PolicyOwnDraft(actor=actor, version=row.version)
        _activated(session, row, ActivationKind.ACTIVATE, now, now, actor, "the first policy")
        return row


def have_begun(runtime: Runtime, merchant_id: UUID) -> bool:
    """Whether any version was ever activated, be it for a moment ahead."""
    with runtime.database.read() as session:
        return books.newest_activation(session, merchant_id) > 0


def activate(
    runtime: Runtime,
    merchant_id: UUID,
    version: int,
    actor: str,
    effective_from: datetime | None = None,
    reason: str = "",
) -> dict[str, Any]:
    """Put a version in force, now or from a moment ahead; the second person's consent.

    Returns the activation; what the same request wrote before is not written again. Raises
    `NotFound`, `PolicyOwnDraft` for whoever drafted it, `FieldInvalid` for what has passed,
    `PolicyInvalid` for what this release cannot read.
    """
    _check_actor(actor)
    _check_reason(reason)
    with runtime.database.write() as session:
        locks.lock_policies(session, merchant_id)
        # Read under the lock: of two that activate at once, the later one also begins later.
        now = runtime.clock()
        begins = now if effective_from is None else _ahead(effective_from, now)
        row = books.version_of(session, merchant_id, version)
        if is_same_person(actor, row.created_by):
            raise PolicyOwnDraft(actor=actor, version=version)
        found = books.in_force(session, merchant_id, begins)
        if found is None or not _is_so(*found, row, effective_from):
            kind = ActivationKind.ACTIVATE
            found = _activated(session, row, kind, begins, now, actor, reason), row
        return {"version": version, **_activation_view(found[0])}


def roll_back(
    runtime: Runtime, merchant_id: UUID, actor: str, reason: str, leaving: int | None = None
) -> dict[str, Any]:
    """Go back at once to the version that was in force before; again, to the one before that.

    One person suffices: two had agreed to that version, or it was the first; its own author is not
    that person. `leaving` is the version that the person wants to leave, so that a request which is
    sent twice goes back once. Raises `PolicyOwnDraft`, `PolicyNoPredecessor`, `PolicyOvertaken`
    where `leaving` is not in force, `FieldInvalid`, `PolicyInvalid` for a version that this release
    cannot read.
    """
    _check_actor(actor)
    _check_reason(reason, least=1)
    with runtime.database.write() as session:
        locks.lock_policies(session, merchant_id)
        now = runtime.clock()
        current = _current(session, merchant_id, now)
        if leaving not in (None, current.version):
            raise PolicyOvertaken(version=leaving, current=current.version)
        stack = books.standing(books.activations(session, merchant_id), now)
        if len(stack) < 2:
            raise PolicyNoPredecessor(problem=f"version {current.version} is the first")
        row = session.get_one(PolicyRow, stack[-2])
        if is_same_person(actor, row.created_by):
            raise PolicyOwnDraft(actor=actor, version=row.version)
        activation = _activated(session, row, ActivationKind.ROLLBACK, now, now, actor, reason)
        return {"version": row.version, **_activation_view(activation)}


def in_force(session: Session, merchant_id: UUID, at: datetime) -> tuple[PolicyRow, Policy]:
    """The version that counts at a moment, read; raises `NotFound` where there is none."""
    row = _current(session, merchant_id, at)
    return row, read(row)


def read(row: PolicyRow) -> Policy:
    """What a version says. Reading takes milliseconds and a version never changes: kept.

    Raises `PolicyInvalid` for a version that this release cannot read any more.
    """
    return _read(row.text)


def versions(runtime: Runtime, merchant_id: UUID) -> list[dict[str, Any]]:
    """Every version, the newest first: who wrote it, who put it in force, from when."""
    now = runtime.clock()
    with runtime.database.read() as session:
        rows = books.versions(session, merchant_id)
        begun = books.activations(session, merchant_id)
        found = books.in_force(session, merchant_id, now)
    current = None if found is None else found[1].id
    return [_view(row, begun, is_current=row.id == current) for row in rows]


def version(runtime: Runtime, merchant_id: UUID, number: int | None = None) -> dict[str, Any]:
    """One version with its text, by default the one in force; raises `NotFound`."""
    now = runtime.clock()
    with runtime.database.read() as session:
        found = books.in_force(session, merchant_id, now)
        row = _version(session, merchant_id, number, now)
        begun = books.activations(session, merchant_id)
    is_current = found is not None and found[1].id == row.id
    return {**_view(row, begun, is_current=is_current), "text": row.text}


def difference(
    runtime: Runtime, merchant_id: UUID, old: int | None = None, new: int | None = None
) -> list[dict[str, Any]]:
    """What the version `new` (the newest) changes of `old` (the one in force).

    Raises `NotFound`.
    """
    with runtime.database.read() as session:
        newest = books.newest_version(session, merchant_id)
        base = _version(session, merchant_id, old, runtime.clock())
        other = books.version_of(session, merchant_id, newest if new is None else new)
    return [change_view(change) for change in diff(read(base), read(other))]


def difference_of_texts(old: str, new: str) -> list[dict[str, Any]]:
    """The same for two texts; raises `PolicyInvalid`."""
    return [change_view(change) for change in diff(parse_policy(old), parse_policy(new))]


def change_view(change: Change) -> dict[str, Any]:
    """A change as the API and the command line show it."""
    return {
        "path": change.path,
        "old": change.old,
        "new": change.new,
        "effect": change.effect.value,
        "sentence": change.sentence,
    }


def _activation_view(row: PolicyActivation) -> dict[str, Any]:
    return {
        "kind": row.kind.value,
        "effective_from": row.effective_from.isoformat(),
        "proposed_by": row.proposed_by,
        "approved_by": row.approved_by,
        "reason": row.reason,
        "at": row.at.isoformat(),
    }


def _view(row: PolicyRow, begun: Sequence[PolicyActivation], *, is_current: bool) -> dict[str, Any]:
    return {
        "version": row.version,
        "name": row.name,
        "hash": row.policy_hash,
        "drafted_by": row.created_by,
        "drafted_at": row.created_at.isoformat(),
        "in_force": is_current,
        "activations": [_activation_view(one) for one in begun if one.policy_id == row.id],
    }


@lru_cache(_PARSED)
def _read(text: str) -> Policy:
    return parse_policy(text)


def _current(session: Session, merchant_id: UUID, at: datetime) -> PolicyRow:
    found = books.in_force(session, merchant_id, at)
    if found is None:
        raise NotFound(what="policy")
    return found[1]


def _version(session: Session, merchant_id: UUID, number: int | None, now: datetime) -> PolicyRow:
    if number is None:
        return _current(session, merchant_id, now)
    return books.version_of(session, merchant_id, number)


def _stored(
    session: Session, merchant_id: UUID, text: str, policy: Policy, actor: str, now: datetime
) -> PolicyRow:
    row = books.version_with(session, merchant_id, policy.policy_hash)
    if row is not None:
        return row
    row = PolicyRow(
        merchant_id=merchant_id,
        version=books.newest_version(session, merchant_id) + 1,
        name=policy.name,
        text=text,
        policy_hash=policy.policy_hash,
        created_by=actor,
        created_at=now,
    )
    session.add(row)
    _audit(session, row, actor, "policy.draft", "", now)
    session.flush()
    return row


def _activated(
    session: Session,
    row: PolicyRow,
    kind: ActivationKind,
    begins: datetime,
    now: datetime,
    actor: str,
    reason: str,
) -> PolicyActivation:
    # A version of an earlier release may be unreadable here: in force, it would stop every return.
    read(row)
    found = books.in_force(session, row.merchant_id, begins)
    activation = PolicyActivation(
        merchant_id=row.merchant_id,
        number=books.newest_activation(session, row.merchant_id) + 1,
        policy_id=row.id,
        kind=kind,
        effective_from=begins,
        proposed_by=actor if kind is ActivationKind.ROLLBACK else row.created_by,
        approved_by=actor,
        reason=reason,
        at=now,
    )
    session.add(activation)
    before = "" if found is None else f"version {found[1].version}"
    _audit(session, row, actor, f"policy.{kind.value}", reason, now, before)
    return activation


def _audit(
    session: Session,
    row: PolicyRow,
    actor: str,
    action: str,
    reason: str,
    now: datetime,
    before: str = "",
) -> None:
    session.add(
        AuditRow(
            merchant_id=row.merchant_id,
            subject_id=row.id,
            actor=actor,
            action=action,
            before=before,
            after=f"version {row.version}",
            reason=reason,
            at=now,
        )
    )


def _ahead(moment: datetime, now: datetime) -> datetime:
    if moment < now:
        problem = f"{moment.astimezone(UTC).isoformat()} has passed, and what is past stays decided"
        raise FieldInvalid(field="effective_from", problem=problem)
    return moment


def _is_so(
    activation: PolicyActivation, version: PolicyRow, wanted: PolicyRow, since: datetime | None
) -> bool:
    return version.id == wanted.id and since in (None, activation.effective_from)


def _check_actor(actor: str) -> None:
    if not actor.isprintable() or not actor.strip() or len(actor) > _MAX_NAME:
        problem = f"write 1 to {_MAX_NAME} printable characters"
        raise FieldInvalid(field="name", problem=problem)


def _check_reason(reason: str, least: int = 0) -> None:
    if "\0" in reason or not least <= len(reason.strip()) <= _MAX_REASON:
        problem = f"write {least} to {_MAX_REASON} characters"
        raise FieldInvalid(field="reason", problem=problem)
