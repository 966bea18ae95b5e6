"""Versions of policies and their activations, as the books keep them: rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from returns.errors import NotFound
from returns.tables import PolicyActivation, PolicyRow
from returns.words import ActivationKind


def version_of(session: Session, merchant_id: UUID, version: int) -> PolicyRow:
    """One version by its number; raises `NotFound`."""
    query = select(PolicyRow).where(
        PolicyRow.merchant_id == merchant_id, PolicyRow.version == version
    )
    row = session.exec(query).first()
    if row is None:
        raise NotFound(what=f"version {version} of the policy")
    return row


def version_with(session: Session, merchant_id: UUID, policy_hash: str) -> PolicyRow | None:
    """The version that says exactly this, if there is one."""
    query = select(PolicyRow).where(
        PolicyRow.merchant_id == merchant_id, PolicyRow.policy_hash == policy_hash
    )
    return session.exec(query.order_by(col(PolicyRow.version))).first()


def versions(session: Session, merchant_id: UUID) -> Sequence[PolicyRow]:
    """All versions, the newest first."""
    query = select(PolicyRow).where(PolicyRow.merchant_id == merchant_id)
    return session.exec(query.order_by(col(PolicyRow.version).desc())).all()


def newest_version(session: Session, merchant_id: UUID) -> int:
    """The highest number that a version has; 0 where there is none."""
    query = select(func.max(PolicyRow.version)).where(PolicyRow.merchant_id == merchant_id)
    return session.exec(query).one() or 0


def newest_activation(session: Session, merchant_id: UUID) -> int:
    """The highest number that an activation has; 0 where nothing was ever activated."""
    query = select(func.max(PolicyActivation.number))
    return session.exec(query.where(PolicyActivation.merchant_id == merchant_id)).one() or 0


def activations(session: Session, merchant_id: UUID) -> Sequence[PolicyActivation]:
    """All activations in the order in which they begin; those that counted for no moment too."""
    query = select(PolicyActivation).where(PolicyActivation.merchant_id == merchant_id)
    order = (col(PolicyActivation.effective_from), col(PolicyActivation.number))
    return session.exec(query.order_by(*order)).all()


def in_force(
    session: Session, merchant_id: UUID, at: datetime
) -> tuple[PolicyActivation, PolicyRow] | None:
    """What counts at a moment: the activation that has begun last, and its version."""
    query = (
        select(PolicyActivation, PolicyRow)
        .join(PolicyRow, col(PolicyRow.id) == PolicyActivation.policy_id)
        .where(
            PolicyActivation.merchant_id == merchant_id, col(PolicyActivation.effective_from) <= at
        )
        .order_by(col(PolicyActivation.effective_from).desc(), col(PolicyActivation.number).desc())
    )
    return session.exec(query.limit(1)).first()


def standing(found: Sequence[PolicyActivation], at: datetime) -> list[UUID]:
    """The versions one above the other that led to what is in force at `at`, which is the last.

    An activation lays its version on top; going back takes the top away, so that going back twice
    leads further back, never to what was just left. What was overruled at its own beginning never
    counted and is left out.
    """
    begun = {one.effective_from: one for one in found if one.effective_from <= at}
    stack: list[UUID] = []
    for one in begun.values():
        if one.kind is ActivationKind.ROLLBACK and one.policy_id in stack:
            while stack[-1] != one.policy_id:
                stack.pop()
        elif stack[-1:] != [one.policy_id]:
            stack.append(one.policy_id)
    return stack
