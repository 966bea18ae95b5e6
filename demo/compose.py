"""Turns chosen purchases into requests: what is asked, by which wallet, and what an agent says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from demo.book import Book
from demo.keys import wallet_of
from demo.kinds import CREDIT, CRYPTO, FIAT, Kind
from demo.requests import Request
from demo.sales import CARD, Purchase

#: Of the reviews of such a kind, in turn: approved, denied, left waiting (twice).
_AGENTS = ("approve", "deny", None, None)
_REVIEWED = (Kind.LARGE, Kind.FREQUENT, Kind.OTHER_TENDER, Kind.OTHER_PAYEE)


def compose(book: Book, chosen: Sequence[tuple[Kind, Purchase]]) -> list[Request]:
    """One request per chosen purchase, in the same order."""
    reviews: Counter[str] = Counter()
    requests = []
    for place, (kind, purchase) in enumerate(chosen):
        wish = _wish(book, kind, purchase)
        if kind in _REVIEWED:
            # Each kind starts elsewhere, so that a few requests already see every decision.
            wish |= _agent(kind, _REVIEWED.index(kind) + reviews[kind])
            reviews[kind] += 1
        requests.append(Request(place=place, kind=kind, purchase=purchase, **wish))
    return requests


def _wish(book: Book, kind: Kind, purchase: Purchase) -> dict[str, Any]:
    own = FIAT if purchase.tender == CARD else CRYPTO
    other = CRYPTO if purchase.tender == CARD else FIAT
    wish: dict[str, Any] = {"remedy": own, "signer": purchase.customer}
    if kind is Kind.AS_CREDIT:
        wish["remedy"] = CREDIT
    if kind is Kind.OTHER_TENDER:
        wish["remedy"] = other
    if kind is Kind.IN_PART:
        wish["amount"] = max(1, purchase.price // 2)
    if kind is Kind.OTHER_PAYEE:
        wish["recipient"] = wallet_of(f"friend of {purchase.customer}")
    if kind is Kind.NEW_HOLDER:
        holder = book.holder_name(purchase)
        wish |= {"remedy": CREDIT, "signer": holder, "wallet": wallet_of(holder)}
    return wish


def _agent(kind: Kind, number: int) -> dict[str, Any]:
    """What a person does about the review with this number."""
    agent = _AGENTS[number % len(_AGENTS)]
    if agent == "approve" and kind is Kind.OTHER_TENDER:
        # Nobody can be paid back through a tender that did not pay: the agent grants credit.
        return {"agent": agent, "agent_remedy": CREDIT}
    return {"agent": agent}
