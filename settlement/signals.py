"""What a marketplace tells about tokens, customers, wallets and orders, kept for later requests.

A signal is a few facts about one subject, by the very names that decisions know. What our own
books and the chain know goes before what was told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from returns.errors import FieldInvalid
from returns.tables import Order, OrderLine, Signal
from returns.words import SignalAbout
from triage.facts import read_facts, write_facts

#: What may be told about whom.
TELLABLE: Mapping[SignalAbout, frozenset[str]] = {
    SignalAbout.TOKEN: frozenset(
        {
            "revealed",
            "revealed_at",
            "perks_claimed",
            "listed",
            "locked",
            "rented",
            "transferable",
            "paused",
            "rarity_rank",
            "supply",
            "valid_from",
            "valid_until",
            "price_now",
        }
    ),
    SignalAbout.CUSTOMER: frozenset(
        {
            "customer_since",
            "chargebacks_365d",
            "nonreceipt_365d",
            "identity_verified",
            "consumer",
            "billing_country",
            "delivery_country",
            "connection_country",
            "shared_payout",
            "shared_device",
            "shared_ip",
        }
    ),
    SignalAbout.WALLET: frozenset({"wallet_since", "wallet_moves", "shared_funder"}),
    SignalAbout.ORDER: frozenset(
        {
            "delivered_at",
            "royalty",
            "platform_fee",
            "gas_cost",
            "consumer",
            "withdrawal_waived",
            "billing_country",
            "delivery_country",
            "dispute_open",
            "tender_expired",
            "valid_from",
            "valid_until",
            "price_then",
        }
    ),
}


def token_key(collection: str, token_id: int) -> str:
    """How a signal names a token."""
    return f"{collection}/{token_id}"


def store(
    session: Session,
    merchant_id: UUID,
    about_whom: SignalAbout,
    key: str,
    facts: Mapping[str, Any],
    now: datetime,
) -> Signal:
    """Lay what is told now over what was told before; null takes a fact back.

    Raises `FieldInvalid`, `AmountInvalid` for a value that cannot be that fact, and for one that is
    not told about such a subject.
    """
    foreign = sorted(facts.keys() - TELLABLE[about_whom])
    if foreign:
        known = ", ".join(sorted(TELLABLE[about_whom]))
        problem = f"{foreign[0][:60]!r} is not told about a {about_whom.value}; these are: {known}"
        raise FieldInvalid(field="facts", problem=problem)
    told = write_facts(read_facts(facts))
    row = session.get(Signal, (merchant_id, about_whom, key))
    if row is None:
        row = Signal(merchant_id=merchant_id, about=about_whom, key=key, facts="{}", told_at=now)
        session.add(row)
    kept = {name: value for name, value in json.loads(row.facts).items() if name not in facts}
    row.facts, row.told_at = json.dumps({**kept, **told}, sort_keys=True), now
    session.flush()
    return row


def about(session: Session, order: Order, line: OrderLine, claimant: str | None) -> dict[str, Any]:
    """What was told about a purchase: of the customer, over it the wallet, token and order."""
    wallet = claimant or order.buyer_wallet
    subjects = [
        (SignalAbout.CUSTOMER, order.customer),
        (SignalAbout.WALLET, wallet or ""),
        (SignalAbout.TOKEN, token_key(line.collection, line.token_id)),
        (SignalAbout.ORDER, order.number),
    ]
    found = {(row.about, row.key): row.facts for row in _rows(session, order.merchant_id, subjects)}
    told: dict[str, Any] = {}
    for subject in subjects:
        told |= json.loads(found.get(subject, "{}"))
    return read_facts(told)


def _rows(
    session: Session, merchant_id: UUID, subjects: Iterable[tuple[SignalAbout, str]]
) -> Iterable[Signal]:
    named = [sa.and_(col(Signal.about) == kind, col(Signal.key) == key) for kind, key in subjects]
    return session.exec(select(Signal).where(Signal.merchant_id == merchant_id, sa.or_(*named)))
