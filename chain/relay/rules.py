"""What merchants may have relayed: rows, read as the guard's rules."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session

from chain.relay.guard import Rule, rule_of
from returns.bulk import Among, prepared
from returns.errors import RelayRuleInvalid
from returns.tables.relay import RELAY_RULES

log = logging.getLogger(__name__)


def rules_of(
    session: Session, chain_id: int, merchants: Collection[UUID]
) -> Mapping[UUID | None, list[Rule]]:
    """The rules of each merchant on a chain; who has none gets an empty list."""
    found: dict[UUID | None, list[Rule]] = defaultdict(list)
    if not merchants:
        return found
    values = {"chain": chain_id, "merchants": list(merchants)}
    for row in session.connection().execute(_of_merchants(session), values):
        try:
            rule = rule_of(row.contract, row.function, row.where, row.max_value)
        except RelayRuleInvalid as problem:
            # It allows nothing, and must not keep a lane from its other work.
            log.error("relay.rule_unreadable rule=%s problem=%s", row.id, problem)
            continue
        found[row.merchant_id].append(rule)
    return found


@prepared
def _of_merchants(among: Among) -> Any:
    of_chain = sa.select(RELAY_RULES).where(RELAY_RULES.c.chain_id == sa.bindparam("chain"))
    return of_chain.where(among(RELAY_RULES.c.merchant_id, "merchants"))
