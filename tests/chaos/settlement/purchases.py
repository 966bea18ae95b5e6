"""What was bought and how it is returned, drawn from a seed: orders, charges, wallets."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak

from tests.chaos.settlement import deck

#: Where a policy lets customers keep what they return, and where it is burned.
KEPT, BURNED = "keepsake", "art"
_CHANNELS = {"card_kept": KEPT, "card_and_credit_kept": KEPT, "card_burned": BURNED}
_REMEDIES = {"crypto": "crypto_refund", "card_for_credit": "store_credit"}
_REMEDIES |= {"gift_card": "store_credit"}
_TENDERS = {
    "two_cards": ("card", "card"),
    "card_and_gift_card": ("card", "gift_card"),
    "card_and_credit_kept": ("card", "store_credit"),
    "gift_card": ("gift_card",),
    "crypto": ("wallet",),
}
_PROCESSORS = {"card": "sandbox", "wallet": "chain"}


@dataclass
class Purchase:
    """One token of one customer, whose wallet has no other. `price`, `asked`: minor units."""

    index: int
    kind: str
    price: int
    asked: int
    shares: tuple[int, ...]
    key: str
    #: Seconds from the beginning until it is asked for; from the offer until it is signed.
    at: float
    sign_after: float
    rma: str = ""
    #: What the customer signed last: the arguments of a reclaim.
    message: dict[str, Any] = field(default_factory=dict)

    @property
    def token_id(self) -> int:
        """Of the demo collection."""
        return 1_000 + self.index

    @property
    def wallet(self) -> str:
        """The holder's address."""
        return str(Account.from_key(self.key).address).lower()

    @property
    def number(self) -> str:
        """The order's."""
        return f"chaos-{self.index}"

    @property
    def customer(self) -> str:
        """As the shop calls the buyer."""
        return f"customer-{self.index}"

    @property
    def remedy(self) -> str:
        """What is asked for."""
        return _REMEDIES.get(self.kind, "fiat_refund")

    @property
    def tenders(self) -> tuple[str, ...]:
        """What it was paid with."""
        return _TENDERS.get(self.kind, ("card",))

    @property
    def currency(self) -> str:
        """Of the payments."""
        return "ETH" if self.kind == "crypto" else "USD"

    def payments(self) -> list[dict[str, Any]]:
        """As the marketplace tells them."""
        return [
            {
                "tender": tender,
                "processor": _PROCESSORS.get(tender, "shop"),
                "reference": f"{tender}-{self.index}-{place}",
                "currency": self.currency,
                "captured": str(amount),
            }
            for place, (tender, amount) in enumerate(zip(self.tenders, self.shares, strict=True))
        ]

    def charges(self) -> list[dict[str, str]]:
        """What the processor took."""
        return [
            {"id": one["reference"], "amount": one["captured"], "currency": one["currency"]}
            for one in self.payments()
            if one["processor"] == "sandbox"
        ]

    def order(self, collection: str) -> dict[str, Any]:
        """As the marketplace tells it."""
        placed = datetime.now(UTC) - timedelta(days=2)
        line = {"collection": collection, "token_id": str(self.token_id), "price": str(self.price)}
        return {
            "number": self.number,
            "placed_at": placed.isoformat(),
            "customer": self.customer,
            "buyer_wallet": self.wallet,
            "channel": _CHANNELS.get(self.kind, "web"),
            "lines": [line],
            "payments": self.payments(),
        }

    def request(self, collection: str) -> dict[str, Any]:
        """The return that is asked for."""
        line = {"collection": collection, "token_id": str(self.token_id), "amount": str(self.asked)}
        return {
            "order": self.number,
            "lines": [line],
            "reason": "accidental",
            "remedy": self.remedy,
        }


def drawn(seed: int, cases: int, over_s: float, sign_within: float) -> list[Purchase]:
    """So many, asked for within `over_s` seconds. A racer signs shortly before it is too late."""
    draw = random.Random(f"{seed}:purchases")
    kinds = deck.returns(draw, cases)
    return [_one(draw, n, kind, over_s, sign_within) for n, kind in enumerate(kinds)]


def _one(draw: random.Random, index: int, kind: str, over_s: float, sign_within: float) -> Purchase:
    price = draw.randint(10**15, 10**17) if kind == "crypto" else draw.randint(100, 50_000)
    races = kind == "racer"
    return Purchase(
        index=index,
        kind=kind,
        price=price,
        asked=draw.randint(1, price - 1) if kind in ("card_in_part", "card_kept") else price,
        shares=_shares(draw, price, len(_TENDERS.get(kind, ("card",)))),
        key="0x" + keccak(text=f"{draw.random()}:{index}").hex(),
        # Who races has to have waited long enough before everything comes to an end.
        at=draw.uniform(0, 0.3 if races else 1.0) * over_s,
        sign_after=sign_within - draw.uniform(1.5, 6) if races else draw.uniform(0, 2),
    )


def _shares(draw: random.Random, price: int, tenders: int) -> tuple[int, ...]:
    if tenders == 1:
        return (price,)
    first = draw.randint(1, price - 1)
    return (first, price - first)
