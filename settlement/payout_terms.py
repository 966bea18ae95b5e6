"""How a line is paid back: by the policy that it was decided under, not by a later one."""

from __future__ import annotations

from functools import lru_cache

from sqlmodel import Session

from returns import reads
from returns.tables import PolicyRow, ReturnLine
from triage.policy import parse_policy
from triage.schema import Payouts


def of(session: Session, line: ReturnLine) -> Payouts:
    """Split and fallback of a line's refund."""
    decision = reads.newest_decision(session, line.id)
    if decision is None:
        return Payouts()
    return _read(session.get_one(PolicyRow, decision.policy_id).text)


@lru_cache(64)
def _read(text: str) -> Payouts:
    return parse_policy(text).payouts
