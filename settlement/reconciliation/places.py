"""Where tokens are: the chain is asked for the owner of each that the books take for ours."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from custody import evidence
from custody.eligibility import Token
from returns.bulk import among
from returns.ids import token_asset
from returns.words import LegKind, LineState
from settlement.reconciliation import loose
from settlement.reconciliation.differences import Difference
from settlement.reconciliation.line_facts import DONE, LEGS, LINES, ORDER_LINES, OVER, pages
from settlement.runtime import Runtime

#: Legs after which the vault holds the token.
_INTO_VAULT = (LegKind.SETTLE, LegKind.SWAP)
_HELD = (LineState.IN_CUSTODY, LineState.COMMITTING)
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Claim:
    """The books have a token of a line at `holder`."""

    line_id: UUID
    chain_id: int
    token: Token
    holder: str


def misplaced(
    runtime: Runtime, merchant_id: UUID, vault: str, line_ids: Collection[UUID] | None
) -> Iterator[Difference]:
    """Tokens that are not where the books have them; `line_ids` None: of all lines.

    Raises `ChainUnavailable`.
    """
    escrow = runtime.deployment.escrow
    for claims in _claims(runtime, merchant_id, vault, escrow, line_ids):
        owners = evidence.holders(runtime.evidence_client, {claim.token for claim in claims})
        for claim in claims:
            if owners[claim.token] != claim.holder:
                yield _difference(claim, owners[claim.token])


def strays(
    runtime: Runtime, merchant_id: UUID, tokens: Collection[Token] | None
) -> list[Difference]:
    """Tokens that the escrow holds and no line explains. Raises `ChainUnavailable`."""
    contracts = runtime.deployment
    with runtime.database.read() as session:
        about = (merchant_id, contracts.chain_id, contracts.escrow)
        arrived = loose.inbound(session, *about, tokens)
    owners = evidence.holders(runtime.evidence_client, arrived)
    held = [token for token in arrived if owners[token] == contracts.escrow]
    return [loose.stray(contracts.chain_id, token) for token in held]


def _difference(claim: Claim, found: str | None) -> Difference:
    asset = token_asset(claim.chain_id, *claim.token)
    said = {"books": {"line": claim.line_id, "holder": claim.holder}, "chain": {"holder": found}}
    sides = (claim.holder, str(found), "custody")
    return Difference("chain.wrong_holder", asset, claim.line_id, *sides, said)


def _claims(
    runtime: Runtime, merchant_id: UUID, vault: str, escrow: str, ids: Collection[UUID] | None
) -> Iterator[list[Claim]]:
    if ids is None:
        yield from _all_claims(runtime, merchant_id, vault, escrow)
        return
    for part in pages(sorted(ids)):
        with runtime.database.read() as session:
            mine = _query(merchant_id).where(among(session, LEGS.c.line_id, part))
            rows = session.connection().execute(mine).all()
        yield [_claim(row, vault, escrow) for row in rows]


def _all_claims(
    runtime: Runtime, merchant_id: UUID, vault: str, escrow: str
) -> Iterator[list[Claim]]:
    """Page by page: no transaction is open while the chain is asked."""
    after = UUID(int=0)
    while rows := _page(runtime, merchant_id, after):
        yield [_claim(row, vault, escrow) for row in rows]
        after = rows[-1].id


def _page(runtime: Runtime, merchant_id: UUID, after: UUID) -> Sequence[Any]:
    query = _query(merchant_id).where(LEGS.c.id > after).order_by(LEGS.c.id).limit(_PAGE)
    with runtime.database.read() as session:
        return session.connection().execute(query).all()


def _query(merchant_id: UUID) -> sa.Select[Any]:
    """Legs that say where a token is now: in the vault, or in escrow and nothing under way."""
    other = LEGS.alias()
    moving = sa.exists().where(
        other.c.line_id == LEGS.c.line_id, other.c.state.not_in((*OVER, *DONE))
    )
    held = sa.and_(LEGS.c.kind == LegKind.DEPOSIT, LINES.c.state.in_(_HELD), ~moving)
    place = (ORDER_LINES.c.chain_id, ORDER_LINES.c.collection, ORDER_LINES.c.token_id)
    return (
        sa.select(LEGS.c.id, LEGS.c.line_id, LEGS.c.kind, *place)
        .join(LINES, LINES.c.id == LEGS.c.line_id)
        .join(ORDER_LINES, ORDER_LINES.c.id == LINES.c.order_line_id)
        .where(LEGS.c.merchant_id == merchant_id, LEGS.c.state.in_(DONE))
        .where(sa.or_(LEGS.c.kind.in_(_INTO_VAULT), held))
    )


def _claim(row: Any, vault: str, escrow: str) -> Claim:
    holder = escrow if row.kind is LegKind.DEPOSIT else vault
    return Claim(row.line_id, row.chain_id, (row.collection, row.token_id), holder)
