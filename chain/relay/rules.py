"""What merchants may have relayed: rows, read as the guard's rules."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from sqlmodel import Session, col, select

from chain.relay.guard import Rule, rule_of
from returns.errors import RelayRuleInvalid
from returns.tables import RelayRule

log = logging.getLogger(__name__)


def rules_of(
    session: Session, chain_id: int, merchants: Collection[UUID]
) -> Mapping[UUID | None, list[Rule]]:
    """The rules of each merchant on a chain; who has none gets an empty list."""
    query = select(RelayRule).where(
        RelayRule.chain_id == chain_id, col(RelayRule.merchant_id).in_(merchants)
    )
    found: dict[UUID | None, list[Rule]] = defaultdict(list)
    for row in session.exec(query):
        try:
            rule = rule_of(row.contract, row.function, row.where, row.max_value)
        except RelayRuleInvalid as problem:
            # It allows nothing, and must not keep a lane from its other work.
            log.error("relay.rule_unreadable rule=%s problem=%s", row.id, problem)
            continue
        found[row.merchant_id].append(rule)
    return found
