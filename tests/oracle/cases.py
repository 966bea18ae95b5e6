"""Policies and facts that lie at the limits: exactly at one, a step below, a step above.

A case starts as a line that its policy would approve, and is then moved in a few places, each time
to a value next to a limit of that very policy, or to "not known". Everything comes from the
`random.Random` that is passed in: the same seed, the same cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.oracle.policy_oracle import offer, right_ends, terms_of

SHIPPED = sorted((Path(__file__).parents[2] / "triage" / "policies").glob("*.yaml"))

COLLECTIONS = tuple("0x" + digit * 40 for digit in "1234")
BUYER, STRANGER, FRIEND, ZERO = ("0x" + digits * 20 for digits in ("ab", "cd", "ef", "00"))
REMEDIES = ("fiat_refund", "crypto_refund", "store_credit")
CHANNELS = ("web", "agent", "market")
CURRENCIES = ("USD", "EUR", "ETH", "JPY", "TUSD")
REASONS = ("accidental", "counterfeit", "unauthorised", "price_regret", "other")
COUNTRIES = ("DE", "FR", "NO", "IS", "LI", "GR", "GB", "CH", "US", "BR", None)
MOST = 2**256 - 1

_US = timedelta(microseconds=1)
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_CONDITIONS = {
    "unrevealed": "revealed",
    "perks_unclaimed": "perks_claimed",
    "unlisted": "listed",
    "unlocked": "locked",
    "not_rented": "rented",
    "not_moved": "moves_since_purchase",
}
_FLAGS = (
    *(
        "purchase_proven",
        "tender_expired",
        "dispute_open",
        "revealed",
        "listed",
        "locked",
        "rented",
    ),
    *("transferable", "paused", "identity_verified", "consumer", "withdrawal_waived"),
)
_COUNTS = (
    *("returns_7d", "returns_30d", "returns_90d", "returns_365d", "wallet_returns_7d"),
    *("wallet_returns_30d", "wallet_returns_90d", "wallet_returns_365d", "cluster_returns_365d"),
    *("goodwill_365d", "perks_claimed", "moves_since_purchase", "stopped_before"),
    *("purchased_block", "requested_block"),
)
_AMOUNTS = (
    *("paid", "already_refunded", "requested", "token_id", "royalty", "platform_fee", "gas_cost"),
)
_TIMES = (
    *("purchased_at", "requested_at", "delivered_at", "revealed_at", "valid_from", "valid_until"),
)
_WALLETS = ("holder", "buyer_wallet", "requester_wallet", "recipient")
_NEVER_UNKNOWN = frozenset(
    (
        *("paid", "already_refunded", "requested", "token_id", "purchased_at", "requested_at"),
        *("returns_90d", "returns_365d"),
    )
)
_LISTED = (
    *("sanctions/holder", "phishing/recipient", "block/customer", "allow/customer"),
    *("sanction/holder", "blocks/customer"),
)


@dataclass(frozen=True)
class Case:
    """A policy as text, as PyYAML reads it, and the facts of one line."""

    text: str
    policy: dict[str, Any]
    facts: dict[str, Any]


# -- policies --------------------------------------------------------------------------------------


def shipped() -> list[str]:
    """The texts of the policies that ship, with the risk band wide open: the gate is compared."""
    texts = []
    for path in SHIPPED:
        content = yaml.safe_load(path.read_text())
        content["risk"] = {"review_from": 1.0, "confidence_below": 0.0}
        content.get("rules", {}).pop("reason_disputed", None)
        texts.append(written(content))
    return texts


def written(content: dict[str, Any]) -> str:
    """A policy as YAML, every table in full: a policy may hold no aliases."""
    return yaml.dump(content, Dumper=_Plain, sort_keys=False)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def a_policy(rng: Random) -> str:
    """A policy that may use any key; the base is in full, so that every override of it holds."""
    base = {
        "version": 1,
        "name": "composed",
        "window_days": rng.choice((0, 1, 2, 14, 30, 365, 3660)),
        "caps": _caps(rng, 3),
        "remedies": rng.sample(REMEDIES, rng.randint(1, 3)),
        "risk": {"review_from": 1.0, "confidence_below": 0.0, "score_from": 100},
        **_words(rng, 0.35),
        **_whole(rng),
        "dispositions": dict.fromkeys(REMEDIES, "vault"),
    }
    profiles = {name: _words(rng, 0.2) for name in ("far", "near", "other")}
    profiles["near"]["extends"] = "far"
    if rng.random() < 0.5:
        base["profiles"] = profiles
        profiles["other"]["extends"] = rng.choice(("near", "far"))
    for table, names in (("channels", CHANNELS[1:]), ("collections", COLLECTIONS[:3])):
        if rng.random() < 0.5:
            base[table] = {name: _override(rng, "profiles" in base) for name in names}
    return written(base)


def _override(rng: Random, profiles: bool) -> dict[str, Any]:
    words = _words(rng, 0.2)
    if profiles and rng.random() < 0.5:
        words["extends"] = rng.choice(("far", "near", "other"))
    return words


def _caps(rng: Random, most: int) -> dict[str, str]:
    chosen = rng.sample(CURRENCIES, rng.randint(1, most))
    return {code: str(rng.choice((0, 1, 999, 10_000, 10**18, MOST))) for code in chosen}


def _words(rng: Random, share: float) -> dict[str, Any]:
    """Some of the words that the base, a profile, a channel or a collection may have."""
    some = {
        "window_days": lambda: rng.choice((0, 1, 3, 10, 45, 400)),
        "windows": lambda: {rng.choice(REMEDIES): rng.choice((0, 2, 20, 90))},
        "window_from": lambda: rng.choice(("purchase", "delivery", "reveal")),
        "window_blocks": lambda: rng.choice((0, 1, 100, 100_800)),
        "caps": lambda: _caps(rng, 2),
        "final_sale": lambda: rng.choice((True, False, False, [7], [0, 5, 6], [MOST])),
        "condition": lambda: rng.sample(list(_CONDITIONS), rng.randint(0, 4)),
        "remedies": lambda: rng.sample(REMEDIES, rng.randint(1, 3)),
        "dispositions": lambda: {"fiat_refund": "burn"},
        "tenders": lambda: {
            rng.choice(("card", "wallet")): rng.sample(REMEDIES, rng.randint(1, 2))
        },
        "alternatives": lambda: rng.sample(REMEDIES, rng.randint(0, 3)),
        "person_for": lambda: rng.sample(REASONS, rng.randint(0, 2)),
        "fees": lambda: _fees(rng),
        "credit_bonus_bps": lambda: rng.choice((0, 1, 500, 10_000)),
        "prorate": lambda: rng.random() < 0.5,
    }
    return {key: make() for key, make in some.items() if rng.random() < share}


def _fees(rng: Random) -> dict[str, Any]:
    fees: dict[str, Any] = {
        name: rng.choice(("customer", "merchant"))
        for name in ("gas", "royalty", "platform_fee")
        if rng.random() < 0.6
    }
    if rng.random() < 0.6:
        fees["restocking_bps"] = rng.choice((0, 1, 250, 9_999, 10_000))
    return fees


def _whole(rng: Random) -> dict[str, Any]:
    """What belongs to the whole policy."""
    chosen: dict[str, Any] = {}
    if rng.random() < 0.5:
        chosen["limits"] = [_limit(rng) for _ in range(rng.randint(0, 4))]
    if rng.random() < 0.5:
        chosen["rules"] = _choices(rng)
    if rng.random() < 0.3:
        chosen["identity_above"] = _caps(rng, 3)
    if rng.random() < 0.2:
        chosen["approval_limits"] = _caps(rng, 2)
    if rng.random() < 0.3:
        chosen["lists_required"] = rng.random() < 0.8
    return chosen


def _limit(rng: Random) -> dict[str, Any]:
    limit = {
        "of": rng.choice(("customer", "wallet", "cluster")),
        "what": rng.choice(("returns", "returns", "goodwill")),
        "days": rng.choice((7, 30, 90, 365)),
        "most": rng.choice((0, 1, 2, 5, 1_000_000)),
        "then": rng.choice(("review", "deny")),
    }
    if limit["what"] == "goodwill":
        limit["of"] = "customer"
    if limit["what"] == "goodwill" or limit["of"] == "cluster":
        limit["days"] = 365
    return limit


def _choices(rng: Random) -> dict[str, str]:
    some = {
        "holder_not_buyer": ("review", "deny"),
        "third_party_payout": ("review", "deny"),
        "tender_mismatch": ("review", "deny"),
        "purchase_unproven": ("review", "deny"),
        "sanctions_match": ("review", "deny"),
        "phishing_match": ("review", "deny", "off"),
        "blocked": ("deny", "review"),
    }
    return {code: rng.choice(verdicts) for code, verdicts in some.items() if rng.random() < 0.5}


# -- facts that a policy would approve -------------------------------------------------------------


def approvable(rng: Random, policy: dict[str, Any]) -> dict[str, Any]:
    """Facts of a line that the policy approves where it approves any."""
    facts: dict[str, Any] = {
        "merchant": "m",
        "order": "o-1",
        "channel": rng.choice(CHANNELS),
        "collection": rng.choice(COLLECTIONS),
        "message": "",
        "orders_365d": 9,
        **_known_good(),
    }
    terms = terms_of(policy, facts)
    facts |= _wishes(rng, terms) | _sums(rng, policy, terms, facts) | _dates(rng, terms, facts)
    facts["token_id"] = rng.choice((0, 7, 8, 41, MOST))
    return facts


def _known_good() -> dict[str, Any]:
    """Everything is known, and nothing speaks against a return."""
    flags = dict.fromkeys(_FLAGS, False) | {
        "purchase_proven": True,
        "transferable": True,
        "identity_verified": True,
    }
    return {
        **flags,
        **dict.fromkeys(_COUNTS, 0),
        "holder": BUYER,
        "buyer_wallet": BUYER,
        "requester_wallet": None,
        "recipient": None,
        "on_lists": (),
        "lists_searched": ("phishing", "sanctions"),
    }


def _wishes(rng: Random, terms: dict[str, Any]) -> dict[str, Any]:
    fits = [
        (remedy, tender)
        for tender in ("card", "wallet")
        for remedy in (terms.get("tenders") or {}).get(tender, REMEDIES)
        if remedy in terms["remedies"]
        and (tender, remedy) not in (("card", "crypto_refund"), ("wallet", "fiat_refund"))
    ]
    remedy, tender = rng.choice(fits or [(terms["remedies"][0], "card")])
    calm = [reason for reason in REASONS if reason not in (terms.get("person_for") or ())]
    return {
        "remedy": remedy,
        "tender": tender,
        "reason": rng.choice(calm or REASONS),
        "billing_country": rng.choice(COUNTRIES),
    }


def _sums(
    rng: Random, policy: dict[str, Any], terms: dict[str, Any], facts: dict[str, Any]
) -> dict[str, Any]:
    payable = {code: int(cap) for code, cap in terms["caps"].items()}
    currency = rng.choice(sorted(payable))
    cap = payable[currency]
    paid = max(1, min(cap // 3, rng.choice((1, 100, 3_333, 10**17))))
    return {
        "currency": currency,
        "paid": paid,
        "already_refunded": 0,
        "requested": rng.choice((paid, max(1, paid // 2))),
        "royalty": paid // 10,
        "platform_fee": paid // 40,
        "gas_cost": paid // 100,
    }


def _dates(rng: Random, terms: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    bought = datetime(2026, 1, 1, tzinfo=UTC) + _DAY * rng.randrange(120)
    bought += _SECOND * rng.choice((0, 75_599, 75_600, rng.randrange(86_400)))
    bought += _US * rng.choice((0, 0, 999_999, rng.randrange(1_000_000)))
    window = _DAY * _window(terms, facts)
    asked = bought + min(window, window // 2 + _SECOND)
    return {
        "purchased_at": bought,
        "delivered_at": bought,
        "revealed_at": bought,
        "requested_at": asked,
        "valid_from": asked,
        "valid_until": asked + _DAY * rng.choice((1, 30, 365)),
    }


def _window(terms: dict[str, Any], facts: dict[str, Any]) -> int:
    return int((terms.get("windows") or {}).get(facts.get("remedy"), terms["window_days"]))


# -- moves to a limit ------------------------------------------------------------------------------

Move = Callable[[Random, dict[str, Any], dict[str, Any], dict[str, Any]], None]
MOVES: list[Move] = []


def _move(move: Move) -> Move:
    MOVES.append(move)
    return move


@_move
def _to_the_window(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    since = {"delivery": "delivered_at", "reveal": "revealed_at"}.get(
        terms.get("window_from", "purchase"), "purchased_at"
    )
    if since != "purchased_at" and rng.random() < 0.5:
        late = rng.choice((_DAY, -_US, timedelta(0), None))
        facts[since] = None if late is None else facts["purchased_at"] + late
    begin = facts[since] or facts["purchased_at"]
    facts["requested_at"] = begin + _DAY * _window(terms, facts) + _US * rng.choice((-1, 0, 1))


@_move
def _to_the_blocks(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    blocks = terms.get("window_blocks") or 5
    facts["purchased_block"] = rng.choice((0, 17_000_000))
    facts["requested_block"] = facts["purchased_block"] + blocks + rng.choice((0, 1))
    if rng.random() < 0.2:
        facts[rng.choice(("purchased_block", "requested_block"))] = None


@_move
def _to_the_end_of_a_right(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    end = right_ends(facts["purchased_at"]) + _DAY * rng.choice((0, 0, 4))
    facts["requested_at"] = end + _US * rng.choice((-1, 0, 1))
    _to_a_right(rng, policy, terms, facts)


@_move
def _to_a_right(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts["billing_country"] = rng.choice(COUNTRIES)
    facts["consumer"] = rng.choice((True, True, None, False))
    facts["withdrawal_waived"] = rng.choice((False, False, None, True))
    facts["remedy"] = {"card": "fiat_refund", "wallet": "crypto_refund"}[facts["tender"]]


@_move
def _to_the_purchase(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts["requested_at"] = facts["purchased_at"] + _US * rng.choice((-1, 0))


@_move
def _to_the_cap(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    limits = [int(cap) for cap in terms["caps"].values()]
    limits += [int(above) for above in (policy.get("identity_above") or {}).values()]
    limit = rng.choice(limits)
    facts["currency"] = rng.choice((facts["currency"], *CURRENCIES))
    facts["identity_verified"] = rng.choice((True, False, None))
    facts["paid"] = min(MOST, limit * rng.choice((1, 2)) + 2)
    facts["requested"] = rng.choice(_crossing(terms, facts, limit))


def _crossing(terms: Any, facts: Any, limit: int) -> tuple[int, ...]:
    """The last amount asked whose offer is within the limit, and the next."""
    low, high = 0, facts["paid"]
    while low < high:
        middle = (low + high + 1) // 2
        offered = offer(terms, {**facts, "requested": middle}, "none")
        low, high = (middle, high) if offered.amount + offered.bonus <= limit else (low, middle - 1)
    return low, min(MOST, low + 1)


@_move
def _to_the_remainder(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts["already_refunded"] = rng.choice((0, 1, max(0, facts["paid"] - 1), facts["paid"], MOST))
    left = max(0, facts["paid"] - facts["already_refunded"])
    facts["requested"] = rng.choice((0, 1, left, min(MOST, left + 1), MOST))


@_move
def _to_nothing(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts[rng.choice(("paid", "requested"))] = rng.choice((0, 1))


@_move
def _to_the_fees(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    name = rng.choice(("royalty", "platform_fee", "gas_cost"))
    asked = facts["requested"]
    facts[name] = rng.choice((0, 1, max(0, asked - 1), asked, facts["paid"], None))


@_move
def _to_the_end_of_a_pass(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    asked, span = facts["requested_at"], _DAY * rng.choice((1, 30)) + _US
    begin, end = rng.choice(
        (
            *((asked - span, asked), (asked - span, asked + _US), (asked - span, asked - _US)),
            *((asked, asked + span), (asked + _US, asked + span), (asked - _US, asked + span)),
            *((asked, asked), (asked + span, asked), (None, asked + span), (asked, None)),
        )
    )
    facts["valid_from"], facts["valid_until"] = begin, end


@_move
def _to_a_limit(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    limits = policy.get("limits") or ()
    if limits:
        limit = rng.choice(limits)
        name = _counted(limit)
        near = max(0, limit["most"] + rng.choice((-1, 0)))
        facts[name] = rng.choice((near, near, near, None))
        if facts[name] is None and name in _NEVER_UNKNOWN:
            facts[name] = near


def _counted(limit: dict[str, Any]) -> str:
    if limit.get("what") == "goodwill":
        return "goodwill_365d"
    of = {"wallet": "wallet_", "cluster": "cluster_"}.get(limit.get("of", "customer"), "")
    return f"{of}returns_{limit['days']}d"


@_move
def _to_a_condition(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    words = terms.get("condition") or list(_CONDITIONS)
    name = _CONDITIONS[rng.choice(list(words))]
    facts[name] = rng.choice((0, 1, None) if name in _COUNTS else (False, True, None))


@_move
def _to_another_wallet(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    for name in rng.sample(_WALLETS, rng.randint(1, 3)):
        facts[name] = rng.choice((BUYER, BUYER, STRANGER, FRIEND, ZERO, None))


@_move
def _to_cold_storage(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts["holder"] = facts["requester_wallet"] = rng.choice((STRANGER, BUYER, ZERO))


@_move
def _to_the_lists(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    named = tuple(sorted(rng.sample(_LISTED, rng.randint(0, 2))))
    facts["on_lists"] = rng.choice((named, named, None))


@_move
def _to_a_final_token(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    final = terms.get("final_sale", False)
    ids = final if isinstance(final, list) and final else [7]
    facts["token_id"] = min(MOST, max(0, rng.choice(ids) + rng.choice((-1, 0, 1))))


@_move
def _to_another_flag(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts[rng.choice(_FLAGS)] = rng.choice((True, False, None))


@_move
def _to_another_remedy(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts["remedy"] = rng.choice((*REMEDIES, *REMEDIES, "nothing"))


@_move
def _to_another_tender(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts["tender"] = rng.choice(("card", "wallet"))


@_move
def _to_another_place(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts["collection"], facts["channel"] = rng.choice(COLLECTIONS), rng.choice(CHANNELS)


@_move
def _to_another_reason(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts["reason"] = rng.choice((*REASONS, *(terms.get("person_for") or ())))


@_move
def _to_another_currency(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    facts["currency"] = rng.choice(CURRENCIES)


@_move
def _to_what_is_not_known(rng: Random, policy: Any, terms: Any, facts: Any) -> None:
    names = (*_FLAGS, *_COUNTS, *_AMOUNTS, *_TIMES, *_WALLETS, "on_lists")
    facts[rng.choice([name for name in names if name not in _NEVER_UNKNOWN])] = None


_OTHER_WORDS: dict[str, tuple[Any, ...]] = {
    "remedy": (*REMEDIES, "nothing"),
    "tender": ("card", "wallet"),
    "currency": CURRENCIES,
    "reason": REASONS,
    "collection": COLLECTIONS,
    "channel": CHANNELS,
    "billing_country": COUNTRIES,
    "lists_searched": (("phishing", "sanctions"), ("block", "sanctions"), ("phishing",), None),
}
_WORDS: dict[str, tuple[Any, ...]] = {
    **_OTHER_WORDS,
    **dict.fromkeys(_FLAGS, (True, False, None)),
    **dict.fromkeys(_WALLETS, (BUYER, STRANGER, ZERO, None)),
}


def one_step(rng: Random, policy: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The same facts, one of them a step away: a unit, a microsecond, another word, not known."""
    name = rng.choice((_a_fact, _a_word, _a_counted))(rng, policy)
    return {**facts, name: _stepped(rng, name, facts.get(name))}


def _a_fact(rng: Random, policy: dict[str, Any]) -> str:
    return rng.choice((*_FLAGS, *_COUNTS, *_AMOUNTS, *_TIMES, *_WALLETS))


def _a_word(rng: Random, policy: dict[str, Any]) -> str:
    often = ("on_lists", "on_lists", "on_lists", "identity_verified", "identity_verified")
    return rng.choice((*often, *_OTHER_WORDS))


def _a_counted(rng: Random, policy: dict[str, Any]) -> str:
    return rng.choice([_counted(limit) for limit in policy.get("limits") or ()] or _AMOUNTS)


def _stepped(rng: Random, name: str, value: Any) -> Any:
    if name == "on_lists":
        return (rng.choice(_LISTED),) if value is None else None if not value else ()
    words = _WORDS.get(name)
    if words:
        return rng.choice([word for word in words if word != value])
    if value is None:
        return 0 if name in _COUNTS + _AMOUNTS else datetime(2026, 3, 1, tzinfo=UTC)
    if name not in _NEVER_UNKNOWN and rng.random() < 0.2:
        return None
    step = rng.choice((1, -1))
    if name in _TIMES:
        return value + _US * step
    return min(MOST if name in _AMOUNTS else 10**15, max(0, value + step))


# -- cases -----------------------------------------------------------------------------------------

#: How many moves away from what is approved; most of what a shop sees is close to it.
_FAR = (0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 5)


def cases(rng: Random, count: int, each: int = 400) -> Iterator[tuple[Case, Case]]:
    """Pairs of neighbours, `count` cases in all: `each` from every policy, one in ten a shipped."""
    texts = shipped()
    for number in range((count + each - 1) // each):
        text = texts[number // 10 % len(texts)] if number % 10 == 0 else a_policy(rng)
        policy = yaml.safe_load(text)
        for _ in range(min(each, count - number * each) // 2):
            facts = a_line(rng, policy)
            yield Case(text, policy, facts), Case(text, policy, one_step(rng, policy, facts))


def a_line(rng: Random, policy: dict[str, Any]) -> dict[str, Any]:
    """Facts some moves away from what the policy approves."""
    facts = approvable(rng, policy)
    for _ in range(rng.choice(_FAR)):
        rng.choice(MOVES)(rng, policy, terms_of(policy, facts), facts)
    return facts
