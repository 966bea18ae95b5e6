"""Quotes as processors look them up: by the leg that they were used for."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlmodel import col, select

from returns.db import Database
from returns.tables import RateQuote


def used_quotes(database: Database) -> Callable[[UUID], RateQuote | None]:
    """A function that finds the quote which a leg has used up, None where it has none."""

    def of_leg(leg_id: UUID) -> RateQuote | None:
        query = select(RateQuote).where(
            RateQuote.subject_id == leg_id, col(RateQuote.used_at).is_not(None)
        )
        with database.read() as session:
            return session.exec(query.order_by(col(RateQuote.number).desc()).limit(1)).first()

    return of_leg
