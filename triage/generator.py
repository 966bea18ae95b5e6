"""Composes return requests with labels, so that there is a model before there is a history.

No public set of token returns with outcomes exists. What follows are assumptions, not observations:

- 12 % of requests are abusive, of three kinds: serial returners (half), who send most of what they
  buy back; option takers (a third), who keep a token for weeks and return it when its price has
  fallen; hit-and-runs (a sixth), new customers with a large order and a payout to another wallet.
- The other 88 % are ordinary customers (half), newcomers with their first to third order (a good
  third), and collectors with many orders and few returns (the rest).
- Amounts run over the same orders of magnitude for all (10 to 500,000 dollars), higher for
  hit-and-runs. Regret about the price is the given reason of 15 % of honest and of a third of
  abusive requests: most who abuse returns give another reason.
- 2 % of the labels are wrong, as a person's labels are. Prices are unknown for a quarter of
  requests, the customer's first day for a tenth.

A figure from it says that the machinery works, not how well it would do at a shop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from returns.words import Reason, Remedy, Tender
from triage.facts import Facts
from triage.features import features

SOURCE = (
    "Generated data only: requests composed from documented assumptions by the generator that "
    "ships with the product. The figures say nothing about real customers."
)

_NOW = datetime(2024, 1, 1, tzinfo=UTC)
_BUYER, _OTHER = "0x" + "b" * 40, "0x" + "c" * 40
_COLLECTION = "0x" + "a" * 40
_WRONG_LABELS = 0.02
_OTHER_REASONS = [reason for reason in Reason if reason is not Reason.PRICE_REGRET]
_UNIT = {"USD": 100, "ETH": 5 * 10**14}  # minor units of about one US dollar


@dataclass(frozen=True, slots=True)
class Persona:
    """A kind of requester. Pairs are low and high of an even draw unless they say otherwise."""

    weight: float
    abusive: int
    orders: tuple[int, int]
    #: Chance that an earlier order was returned, and share of those returns in the last 90 days.
    return_rate: tuple[float, float]
    recent: float
    #: Median of a log-normal with a spread of `hold_spread`.
    hold_days: float
    hold_spread: float
    #: Mean and standard deviation.
    price_drop: tuple[float, float]
    #: Median of a log-normal with a spread of one.
    age_days: float
    regret: float
    third_party: float
    #: Powers of ten of dollars.
    amount: tuple[float, float]


_ALL = (1.0, 5.7)
PERSONAS: dict[str, Persona] = {
    "ordinary": Persona(
        0.44, 0, (1, 8), (0.0, 0.25), 0.3, 5, 1.2, (0.05, 0.25), 200, 0.15, 0.02, _ALL
    ),
    "collector": Persona(
        0.13, 0, (10, 60), (0.0, 0.15), 0.3, 6, 1.0, (0.05, 0.25), 500, 0.15, 0.02, _ALL
    ),
    "newcomer": Persona(
        0.31, 0, (1, 3), (0.0, 0.5), 0.8, 4, 1.4, (0.05, 0.25), 3, 0.15, 0.02, _ALL
    ),
    "serial": Persona(0.06, 1, (5, 40), (0.55, 1.0), 0.5, 8, 0.9, (0.2, 0.2), 120, 0.3, 0.1, _ALL),
    "option": Persona(
        0.04, 1, (2, 20), (0.2, 0.6), 0.4, 20, 0.4, (0.4, 0.15), 150, 0.35, 0.1, _ALL
    ),
    "hit_and_run": Persona(
        0.02, 1, (1, 3), (0.0, 0.3), 0.8, 4, 1.0, (0.1, 0.2), 5, 0.3, 0.6, (2.0, 5.7)
    ),
}


def compose(count: int, seed: int) -> tuple[list[Facts], list[int]]:
    """Return `count` composed requests and their labels (1 abusive, 0 not); a seed fixes them."""
    rng = Random(seed)  # noqa: S311  reproducible on purpose; nothing secret is drawn
    kinds = rng.choices(list(PERSONAS.values()), [p.weight for p in PERSONAS.values()], k=count)
    facts = [_request(rng, kind, number) for number, kind in enumerate(kinds)]
    return facts, [_label(rng, kind) for kind in kinds]


def training_table(count: int, seed: int) -> tuple[list[dict[str, float | None]], list[int]]:
    """Return rows of features and labels, made by the very function that decisions use."""
    facts, labels = compose(count, seed)
    return [features(fact) for fact in facts], labels


def _label(rng: Random, kind: Persona) -> int:
    return 1 - kind.abusive if rng.random() < _WRONG_LABELS else kind.abusive


def _request(rng: Random, kind: Persona, number: int) -> Facts:
    tender = rng.choice(list(Tender))
    currency = "USD" if tender is Tender.CARD else "ETH"
    amount = int(10 ** rng.uniform(*kind.amount) * _UNIT[currency])
    hold = timedelta(days=min(45.0, kind.hold_days * math.exp(rng.gauss(0, kind.hold_spread))))
    orders, year, quarter = _history(rng, kind)
    then, now = _prices(rng, kind, amount)
    return Facts(
        merchant="generated",
        order=f"G{number}",
        collection=_COLLECTION,
        token_id=number,
        currency=currency,
        paid=amount,
        already_refunded=0,
        requested=amount,
        remedy=_remedy(rng, tender),
        tender=tender,
        reason=Reason.PRICE_REGRET if rng.random() < kind.regret else rng.choice(_OTHER_REASONS),
        purchased_at=_NOW - hold,
        requested_at=_NOW,
        buyer_wallet=_BUYER,
        holder=_BUYER,
        requester_wallet=_BUYER,
        recipient=_OTHER if rng.random() < kind.third_party else None,
        returns_90d=quarter,
        returns_365d=year,
        orders_365d=orders,
        customer_since=_since(rng, kind, hold),
        price_then=then,
        price_now=now,
        message="",
    )


def _remedy(rng: Random, tender: Tender) -> Remedy:
    money = Remedy.FIAT_REFUND if tender is Tender.CARD else Remedy.CRYPTO_REFUND
    return rng.choice([money, money, Remedy.STORE_CREDIT])


def _history(rng: Random, kind: Persona) -> tuple[int, int, int]:
    """Return orders in a year with this one, earlier returns in a year, and those in 90 days."""
    orders = rng.randint(*kind.orders)
    rate = rng.uniform(*kind.return_rate)
    year = _successes(rng, orders - 1, rate)
    return orders, year, _successes(rng, year, kind.recent)


def _successes(rng: Random, trials: int, chance: float) -> int:
    return sum(rng.random() < chance for _ in range(trials))


def _prices(rng: Random, kind: Persona, amount: int) -> tuple[int | None, int | None]:
    drop = max(-2.0, min(0.95, rng.gauss(*kind.price_drop)))
    if rng.random() < 0.25:
        return None, None
    return amount, round(amount * (1 - drop))


def _since(rng: Random, kind: Persona, hold: timedelta) -> datetime | None:
    """Nobody is a customer for a shorter time than the token was held."""
    days = kind.age_days * math.exp(rng.gauss(0, 1))
    return None if rng.random() < 0.1 else _NOW - max(hold, timedelta(days=min(days, 3000.0)))
