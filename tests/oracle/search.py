"""Look for a way to get money out: uphill to large approvals, and through every pair of values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations
from math import log2
from random import Random
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, settings, target
from hypothesis import strategies as st

from returns.words import Verdict
from tests.oracle.cases import (
    BUYER,
    COLLECTIONS,
    COUNTRIES,
    MOST,
    MOVES,
    REMEDIES,
    STRANGER,
    ZERO,
    Case,
    a_policy,
    approvable,
    one_step,
    shipped,
)
from tests.oracle.policy_oracle import terms_of
from tests.oracle.promises import decided

_POLICIES = 40
_SEEDS = st.integers(0, 2**16)


@cache
def _texts() -> list[str]:
    rng = Random(99)
    return [*shipped(), *(a_policy(rng) for _ in range(_POLICIES))]


@cache
def _read(text: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def search(examples: int) -> None:
    """Go uphill for so many examples; raises `AssertionError` where a promise is broken.

    The objective prefers an approval to a review, fewer rules that count, and more money.
    """

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.target, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(
        number=st.integers(0, _POLICIES + 5),
        seed=_SEEDS,
        moves=st.lists(st.tuples(st.sampled_from(MOVES), _SEEDS), max_size=6),
        steps=st.lists(_SEEDS, max_size=3),
    )
    def uphill(number: int, seed: int, moves: list[Any], steps: list[int]) -> None:
        text = _texts()[number]
        policy = _read(text)
        facts = approvable(Random(seed), policy)
        for move, chance in moves:
            move(Random(chance), policy, terms_of(policy, facts), facts)
        for chance in steps:
            facts = one_step(Random(chance), policy, facts)
        target(_worth(Case(text, policy, facts)))

    uphill()


def _worth(case: Case) -> float:
    decision = decided(case)
    if decision.verdict is Verdict.APPROVE:
        return 100 + log2(decision.amount + decision.bonus)
    return -float(len(decision.hits))


def approved_case(text: str, seed: int = 1) -> Case:
    """A line that the policy approves: where every pair of values starts from."""
    policy, rng = _read(text), Random(seed)
    for _ in range(200):
        case = Case(text, policy, approvable(rng, policy))
        if decided(case).verdict is Verdict.APPROVE:
            return case
    raise AssertionError(f"nothing is approved by {policy['name']}")


def pairs(text: str) -> Iterator[Case]:
    """Every two values, of two different facts, put into a line that is approved."""
    base = approved_case(text)
    values = [(name, value) for name, some in _values(base).items() for value in some]
    for (one, first), (other, second) in combinations(values, 2):
        if one != other:
            yield Case(base.text, base.policy, {**base.facts, one: first, other: second})


def _values(base: Case) -> dict[str, tuple[Any, ...]]:
    """For each fact the values at the limits of the line, without the one that it has."""
    found = {**_sums(base), **_times(base), **_counts(base), **_words(base)}
    return {
        name: tuple(value for value in dict.fromkeys(some) if value != base.facts[name])
        for name, some in found.items()
    }


def _sums(base: Case) -> dict[str, tuple[Any, ...]]:
    facts = base.facts
    cap = int(terms_of(base.policy, facts)["caps"][facts["currency"]])
    paid, asked = facts["paid"], facts["requested"]
    return {
        "paid": (0, asked - 1, asked, cap + 1, MOST),
        "requested": (0, 1, paid, paid + 1, cap, cap + 1, MOST),
        "already_refunded": (1, paid - asked, paid - asked + 1, paid, MOST),
        "royalty": (None, 0, MOST),
        "gas_cost": (None, asked),
        "token_id": (0, 1, 900),
    }


def _times(base: Case) -> dict[str, tuple[Any, ...]]:
    bought, asked = base.facts["purchased_at"], base.facts["requested_at"]
    far = asked.replace(year=2999)
    return {
        "purchased_at": (asked.replace(year=1970), far),
        "requested_at": (bought, bought.replace(year=1970), far),
        "delivered_at": (None, far),
        "revealed_at": (None, bought.replace(year=1970)),
        "valid_until": (None, bought, far),
        "purchased_block": (None, 10**15),
        "requested_block": (None, 10**15),
    }


def _counts(base: Case) -> dict[str, tuple[Any, ...]]:
    names = ("returns_7d", "wallet_returns_30d", "cluster_returns_365d", "perks_claimed")
    return {
        **dict.fromkeys(names, (None, 1, 10**15)),
        "returns_365d": (1, 10**15),
        "moves_since_purchase": (None, 1),
        "goodwill_365d": (10**15,),
        "stopped_before": (None, 1),
    }


def _words(base: Case) -> dict[str, tuple[Any, ...]]:
    flags = ("purchase_proven", "revealed", "listed", "transferable", "paused", "dispute_open")
    wallets = ("holder", "buyer_wallet", "requester_wallet", "recipient")
    return {
        **dict.fromkeys(flags, (True, False, None)),
        **dict.fromkeys(("consumer", "withdrawal_waived"), (True, False, None)),
        **dict.fromkeys(wallets, (None, BUYER, STRANGER, ZERO)),
        "on_lists": (None, ("sanctions/holder",), ("phishing/holder",), ("block/customer",)),
        "lists_searched": (None, ("sanctions",)),
        "billing_country": tuple(COUNTRIES[i] for i in (0, 6, 8, 10)),
        "remedy": (*REMEDIES, "nothing"),
        "tender": ("card", "wallet"),
        "currency": ("USD", "EUR", "JPY"),
        "reason": ("counterfeit",),
        "collection": COLLECTIONS,
        "channel": ("agent",),
    }
