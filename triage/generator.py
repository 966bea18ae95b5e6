"""Composes return requests with labels, so that there is a model before there is a history.

No public set of token returns with outcomes exists. What follows are assumptions, not observations:

- 12 % of requests are abusive, of six kinds. Serial returners send most of what they buy back.
  Option takers keep a token for weeks and return it when its price has fallen. Hit-and-runs are new
  customers with a large order and a payout to another wallet. Rings are several accounts of one
  person: few returns each, but the same payout, device or first funder. Wardrobers claim a token's
  perks and return the rest. Washers send a token round between wallets at prices far above the
  collection's and ask for the refund of the last sale.
- The other 88 % are ordinary customers (half), newcomers with their first to third order (a good
  third), and collectors with many orders and few returns (the rest). They also share connections
  (households, offices), devices and first funders, travel, miss a token, have a chargeback or a
  perk claimed, only less often. Exchanges as first funders are taken not to count. What anybody
  pays lies up to a hundred times above the collection's floor: rare tokens cost that.
- Amounts run over the same orders of magnitude for all (10 to 500,000 dollars), higher for
  hit-and-runs and washers. Regret about the price is the given reason of 15 % of honest and of a
  quarter of abusive requests: most who abuse returns give another reason.
- 2 % of the labels are wrong, as a person's labels are.
- Half of all requests come from marketplaces that know no more than order, customer and wallet;
  of the others each knows some of the rest (`_KNOWN`). What is known does not depend on who asks:
  a model must not learn that silence is honest. Prices are unknown for a quarter of requests, the
  customer's first day for a tenth.

A figure from it says that the machinery works, not how well it would do at a shop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

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
#: In doublings: a rare token costs many times what its collection's floor is.
_RARITY_SPREAD = 1.5
_REASONS = [reason for reason in Reason if reason is not Reason.PRICE_REGRET]
_TENDERS = list(Tender)
_UNIT = {"USD": 100, "ETH": 5 * 10**14}  # minor units of about one US dollar
_COUNTRIES = ("US", "DE", "GB", "JP", "BR", "IN")
_SUPPLY = 10_000

#: Share of requests whose marketplace knows little, and what each of the others knows how often.
_PLAIN = 0.5
_KNOWN = {
    "wallet": 0.9,
    "cluster": 0.7,
    "device": 0.6,
    "funder": 0.5,
    "countries": 0.6,
    "lists": 0.6,
    "perks": 0.5,
    "traits": 0.7,
    "disputes": 0.8,
    "usual": 0.8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A kind of requester. Pairs are low and high of an even draw unless they say otherwise.

    Single numbers are chances, unless they say otherwise; the defaults are those of the honest.
    """

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
    price_drop: tuple[float, float] = (0.05, 0.25)
    #: Medians of log-normals with a spread of one.
    age_days: float
    wallet_days: float = 300
    wallet_moves: float = 40
    regret: float = 0.15
    third_party: float = 0.02
    #: Powers of ten of dollars.
    amount: tuple[float, float] = (1.0, 5.7)
    #: Mean doublings above the usual amount and above the collection's price (spread 0.8, 1.5).
    over_usual: float = 0.0
    premium: float = 0.2
    #: Shares payout, device and funder with accounts of the same person.
    ring: float = 0.0
    round_trips: float = 0.003
    perks: float = 0.06
    chargebacks: float = 0.015
    nonreceipt: float = 0.03
    abroad: float = 0.04
    phishing: float = 0.003
    anonymiser: float = 0.04


PERSONAS: dict[str, Persona] = {
    "ordinary": Persona(
        weight=0.44,
        abusive=0,
        orders=(1, 8),
        return_rate=(0.0, 0.25),
        recent=0.3,
        hold_days=6,
        hold_spread=1.2,
        age_days=200,
    ),
    "collector": Persona(
        weight=0.13,
        abusive=0,
        orders=(10, 60),
        return_rate=(0.0, 0.15),
        recent=0.3,
        hold_days=6,
        hold_spread=1.0,
        age_days=500,
        wallet_moves=300,
    ),
    "newcomer": Persona(
        weight=0.31,
        abusive=0,
        orders=(1, 3),
        return_rate=(0.0, 0.5),
        recent=0.8,
        hold_days=5,
        hold_spread=1.3,
        age_days=3,
        wallet_days=60,
        wallet_moves=10,
    ),
    "serial": Persona(
        weight=0.045,
        abusive=1,
        orders=(5, 40),
        return_rate=(0.55, 1.0),
        recent=0.5,
        hold_days=6,
        hold_spread=1.0,
        price_drop=(0.2, 0.2),
        age_days=300,
        regret=0.25,
        third_party=0.1,
        nonreceipt=0.25,
        chargebacks=0.1,
    ),
    "option": Persona(
        weight=0.025,
        abusive=1,
        orders=(2, 20),
        return_rate=(0.2, 0.6),
        recent=0.4,
        hold_days=25,
        hold_spread=0.3,
        price_drop=(0.4, 0.15),
        age_days=200,
        regret=0.25,
        third_party=0.1,
    ),
    "hit_and_run": Persona(
        weight=0.015,
        abusive=1,
        orders=(1, 3),
        return_rate=(0.0, 0.3),
        recent=0.8,
        hold_days=4,
        hold_spread=1.0,
        price_drop=(0.1, 0.2),
        age_days=5,
        wallet_days=4,
        wallet_moves=4,
        regret=0.25,
        third_party=0.6,
        amount=(2.0, 5.7),
        over_usual=2.0,
        chargebacks=0.2,
        nonreceipt=0.15,
        abroad=0.35,
        phishing=0.1,
        anonymiser=0.35,
    ),
    "ring": Persona(
        weight=0.015,
        abusive=1,
        orders=(1, 4),
        return_rate=(0.3, 0.8),
        recent=0.8,
        hold_days=6,
        hold_spread=1.0,
        price_drop=(0.15, 0.2),
        age_days=20,
        wallet_days=15,
        wallet_moves=8,
        regret=0.25,
        third_party=0.3,
        ring=0.95,
        abroad=0.2,
        anonymiser=0.3,
    ),
    "wardrober": Persona(
        weight=0.01,
        abusive=1,
        orders=(2, 12),
        return_rate=(0.3, 0.7),
        recent=0.5,
        hold_days=10,
        hold_spread=0.6,
        price_drop=(0.15, 0.2),
        age_days=100,
        regret=0.25,
        perks=0.95,
    ),
    "washer": Persona(
        weight=0.01,
        abusive=1,
        orders=(3, 20),
        return_rate=(0.2, 0.6),
        recent=0.5,
        hold_days=5,
        hold_spread=0.8,
        age_days=60,
        wallet_days=40,
        regret=0.2,
        third_party=0.2,
        amount=(2.5, 5.7),
        over_usual=1.5,
        premium=2.5,
        ring=0.5,
        round_trips=0.95,
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


#: What else is known of a request, by name of the fact.
Known = dict[str, Any]
Chance = Callable[[Random, Persona], Known]


def _request(rng: Random, kind: Persona, number: int) -> Facts:
    tender = rng.choice(_TENDERS)
    currency = "USD" if tender is Tender.CARD else "ETH"
    amount = _round(rng, kind, 10 ** rng.uniform(*kind.amount) * _UNIT[currency])
    hold = timedelta(days=min(45.0, _about(rng, kind.hold_days, kind.hold_spread)))
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
        reason=Reason.PRICE_REGRET if rng.random() < kind.regret else rng.choice(_REASONS),
        message="",
        channel=rng.choices(("web", "agent", "market"), (80, 8, 12))[0],
        purchase_proven=True,
        purchased_at=_NOW - hold,
        requested_at=_NOW,
        buyer_wallet=_BUYER,
        recipient=_OTHER if rng.random() < kind.third_party else None,
        customer_since=_since(rng, kind, hold),
        **_holder(rng),
        **_prices(rng, kind, amount),
        **_history(rng, kind),
        **_more(rng, kind, amount),
    )


def _more(rng: Random, kind: Persona, amount: int) -> Known:
    """What a plain marketplace never knows, in the parts that each of the others knows."""
    found: Known = {}
    if rng.random() >= _PLAIN:
        for name, draw in _PARTS.items():
            if rng.random() < _KNOWN[name]:
                found |= draw(rng, kind)
        if rng.random() < _KNOWN["usual"] and kind.orders[1] > 1:
            found["usual_price"] = round(amount / 2 ** rng.gauss(kind.over_usual, 0.8))
    return found


def _about(rng: Random, median: float, spread: float = 1.0) -> float:
    return median * math.exp(rng.gauss(0, spread))


def _round(rng: Random, kind: Persona, amount: float) -> int:
    """People set round prices, unless they are converted; who washes often lets a program bid."""
    if rng.random() < (0.5 if kind.premium > 1 else 0.2):
        return int(amount)
    return int(float(f"{amount:.{rng.choice((1, 1, 2, 2, 3, 5))}g}"))


def _remedy(rng: Random, tender: Tender) -> Remedy:
    money = Remedy.FIAT_REFUND if tender is Tender.CARD else Remedy.CRYPTO_REFUND
    return rng.choice([money, money, Remedy.STORE_CREDIT])


def _holder(rng: Random) -> Known:
    """Now and then, abusive or not, a token was moved to another wallet of its buyer."""
    wallet = _OTHER if rng.random() < 0.02 else _BUYER
    return {"holder": wallet, "requester_wallet": wallet}


def _history(rng: Random, kind: Persona) -> Known:
    """Orders in a year with this one, and earlier returns within ever shorter spans."""
    orders = rng.randint(*kind.orders)
    year = _successes(rng, orders - 1, rng.uniform(*kind.return_rate))
    quarter = _successes(rng, year, kind.recent)
    found = {"orders_365d": orders, "returns_365d": year, "returns_90d": quarter}
    if rng.random() < 0.5:
        month = _successes(rng, quarter, 0.45)
        found |= {"returns_30d": month, "returns_7d": _successes(rng, month, 0.35)}
    if rng.random() < 0.3:
        found["wallet_returns_90d"] = quarter + (rng.random() < kind.ring) * rng.randint(1, 4)
    return found


def _successes(rng: Random, trials: int, chance: float) -> int:
    return sum(rng.random() < chance for _ in range(trials))


def _prices(rng: Random, kind: Persona, amount: int) -> Known:
    drop = max(-2.0, min(0.95, rng.gauss(*kind.price_drop)))
    then = round(amount / 2 ** rng.gauss(kind.premium, _RARITY_SPREAD))
    if rng.random() < 0.25:
        return {}
    return {"price_then": then, "price_now": round(then * (1 - drop))}


def _since(rng: Random, kind: Persona, hold: timedelta) -> datetime | None:
    """Nobody is a customer for a shorter time than the token was held."""
    days = _about(rng, kind.age_days)
    return None if rng.random() < 0.1 else _NOW - max(hold, timedelta(days=min(days, 3000.0)))


def _wallet(rng: Random, kind: Persona) -> Known:
    trips = rng.randint(1, 3) if rng.random() < kind.round_trips else 0
    moved = rng.randint(1, 2) if rng.random() < 0.05 else 0
    return {
        "wallet_since": _NOW - timedelta(days=min(3000.0, _about(rng, kind.wallet_days))),
        "wallet_moves": int(_about(rng, kind.wallet_moves)),
        "round_trips": trips,
        "moves_since_purchase": 2 * trips + moved,
    }


def _others(rng: Random, kind: Persona, chance: float, most: int) -> int:
    """How many share something: of a ring, or by chance as many as `most`."""
    if rng.random() < kind.ring * 0.8:
        return rng.randint(1, 6)
    return rng.randint(1, most) if rng.random() < chance else 0


def _cluster(rng: Random, kind: Persona) -> Known:
    payout, wallet = _others(rng, kind, 0.015, 1), _others(rng, kind, 0.01, 1)
    returns = sum(rng.random() < 0.1 + kind.ring * 0.5 for _ in range(3 * max(payout, wallet)))
    known = {"shared_payout": payout, "shared_wallet": wallet}
    return known | {"cluster_returns_365d": returns + rng.randint(0, 1)}


def _device(rng: Random, kind: Persona) -> Known:
    return {
        "shared_device": _others(rng, kind, 0.03, 2),
        "shared_ip": _others(rng, kind, 0.15, 20),
    }


def _funder(rng: Random, kind: Persona) -> Known:
    return {"shared_funder": _others(rng, kind, 0.05, 3)}


def _countries(rng: Random, kind: Persona) -> Known:
    home = rng.choice(_COUNTRIES)
    return {
        "billing_country": home,
        "delivery_country": rng.choice(_COUNTRIES) if rng.random() < kind.abroad else home,
        "connection_country": rng.choice(_COUNTRIES) if rng.random() < kind.abroad else home,
    }


def _lists(rng: Random, kind: Persona) -> Known:
    hits = {"phishing/holder": kind.phishing, "anonymiser/connection": kind.anonymiser}
    return {"on_lists": tuple(name for name, chance in hits.items() if rng.random() < chance)}


def _perks(rng: Random, kind: Persona) -> Known:
    return {"perks_claimed": rng.randint(1, 3) if rng.random() < kind.perks else 0}


def _traits(rng: Random, _: Persona) -> Known:
    return {"rarity_rank": rng.randint(1, _SUPPLY), "supply": _SUPPLY}


def _disputes(rng: Random, kind: Persona) -> Known:
    return {
        "chargebacks_365d": rng.randint(1, 2) if rng.random() < kind.chargebacks else 0,
        "nonreceipt_365d": rng.randint(1, 3) if rng.random() < kind.nonreceipt else 0,
    }


_PARTS: dict[str, Chance] = {
    "wallet": _wallet,
    "cluster": _cluster,
    "device": _device,
    "funder": _funder,
    "countries": _countries,
    "lists": _lists,
    "perks": _perks,
    "traits": _traits,
    "disputes": _disputes,
}
