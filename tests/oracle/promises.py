"""What is true of every approval, as plain statements about facts and the words that bind the line.

Written neither from the engine's rules nor from the oracle's: what a merchant would say who is
asked how money may never leave.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

from returns.words import Verdict
from tests.oracle.cases import ZERO, Case
from tests.oracle.compare import facts_of, policy_of
from tests.oracle.policy_oracle import answer, terms_of
from triage.decide import Decision, decide

_DAY = timedelta(days=1)
#: From eight in the evening, UTC, when the Saturday before a fortnight begins by a clock four hours
#: ahead, to four in the morning of the Tuesday after it.
_LONGEST_RIGHT = timedelta(days=17, hours=8)
_EU_27 = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
_COUNTRIES = frozenset([*_EU_27.split(), "IS", "LI", "NO", "GB"])
_GOOD_WORDS = {
    "unrevealed": ("revealed", False),
    "perks_unclaimed": ("perks_claimed", 0),
    "unlisted": ("listed", False),
    "unlocked": ("locked", False),
    "not_rented": ("rented", False),
    "not_moved": ("moves_since_purchase", 0),
}
_BEGINS = {"purchase": "purchased_at", "delivery": "delivered_at", "reveal": "revealed_at"}
_COUNTED = {"customer": "returns", "wallet": "wallet_returns", "cluster": "cluster_returns"}


class Paid(Protocol):
    """What an approval gives: minor units of a currency, by a remedy."""

    @property
    def amount(self) -> int: ...
    @property
    def bonus(self) -> int: ...
    @property
    def remedy(self) -> str: ...
    @property
    def currency(self) -> str: ...


def decided(case: Case) -> Decision:
    """The engine's decision, once it has kept every promise and the oracle approves it too."""
    decision = decide(facts_of(case.facts), policy_of(case.text), None)
    if decision.verdict is Verdict.APPROVE:
        keeps_promises(case, decision)
        assert answer(case.policy, case.facts).verdict == "approve"
    return decision


def keeps_promises(case: Case, paid: Paid) -> None:
    """Raise `AssertionError` where money would leave that must not."""
    terms = terms_of(case.policy, case.facts)
    _pays_no_more(paid, case.facts, terms)
    _pays_the_right_one(case.facts)
    _is_not_forbidden(case.policy, case.facts)
    _is_known_enough(case, terms, paid)
    # By a right that may hold the whole is owed; whatever else is paid has to be within the terms.
    if not (_owed(case.facts) and paid.amount == case.facts["requested"]):
        _is_within_terms(case, terms, paid)


def _owed(facts: dict[str, Any]) -> bool:
    """Whether the law may say that this is paid back, whatever the policy says."""
    pays_back = {"card": "fiat_refund", "wallet": "crypto_refund"}[facts["tender"]]
    return (
        facts["remedy"] == pays_back
        and facts["billing_country"] in _COUNTRIES
        and facts["consumer"] is True
        and facts["withdrawal_waived"] is False
        and facts["purchase_proven"] is True
        and facts["requested_at"] - facts["purchased_at"] <= _LONGEST_RIGHT
    )


def _pays_no_more(paid: Paid, facts: dict[str, Any], terms: dict[str, Any]) -> None:
    assert 0 < paid.amount <= facts["requested"] <= facts["paid"] - facts["already_refunded"]
    assert facts["currency"] in terms["caps"]
    assert paid.amount + paid.bonus <= int(terms["caps"][facts["currency"]])
    assert paid.bonus * 10_000 <= paid.amount * terms.get("credit_bonus_bps", 0)
    assert paid.bonus == 0 or facts["remedy"] == "store_credit"
    assert (paid.remedy, paid.currency) == (facts["remedy"], facts["currency"])


def _pays_the_right_one(facts: dict[str, Any]) -> None:
    buyer = facts["buyer_wallet"]
    assert facts["purchase_proven"] is True
    assert facts["holder"] == buyer
    assert buyer not in (None, ZERO)
    assert facts["requester_wallet"] in (None, buyer)
    assert facts["recipient"] in (None, buyer)
    assert (facts["tender"], facts["remedy"]) not in (
        ("card", "crypto_refund"),
        ("wallet", "fiat_refund"),
    )
    assert not (facts["remedy"] == "fiat_refund" and facts["tender_expired"])


def _is_not_forbidden(policy: dict[str, Any], facts: dict[str, Any]) -> None:
    kinds = {entry.partition("/")[0] for entry in facts["on_lists"] or ()}
    ignored = policy.get("rules", {}).get("phishing_match") == "off"
    assert not kinds & ({"sanctions", "block"} if ignored else {"sanctions", "phishing", "block"})
    searched = set(facts["lists_searched"] or ())
    assert {"sanctions", "phishing"} <= searched or not policy.get("lists_required")
    assert not facts["stopped_before"]
    assert facts["transferable"] is not False
    assert not facts["paused"]
    assert not facts["dispute_open"]


def _is_known_enough(case: Case, terms: dict[str, Any], paid: Paid) -> None:
    policy, facts = case.policy, case.facts
    begin = facts[_BEGINS[terms.get("window_from", "purchase")]]
    assert begin or (terms.get("window_from") == "reveal" and facts["revealed"] is False)
    assert facts["purchased_at"] <= (begin or facts["purchased_at"]) <= facts["requested_at"]
    if terms.get("window_blocks") is not None:
        assert None not in (facts["purchased_block"], facts["requested_block"])
    most = policy.get("identity_above", {}).get(facts["currency"])
    if most is not None and paid.amount + paid.bonus > int(most):
        assert facts["identity_verified"] is True
    assert facts["reason"] not in terms.get("person_for", ())
    for word in terms.get("condition", ()):
        assert facts[_GOOD_WORDS[word][0]] is not None
    for limit in policy.get("limits", ()):
        if limit.get("what", "returns") == "returns":
            count = facts[f"{_COUNTED[limit.get('of', 'customer')]}_{limit['days']}d"]
            assert count is not None
            assert count < limit["most"] or (limit["then"] == "deny" and _owed(facts))


def _is_within_terms(case: Case, terms: dict[str, Any], paid: Paid) -> None:
    facts = case.facts
    assert facts["remedy"] in terms["remedies"]
    assert facts["remedy"] in terms.get("tenders", {}).get(facts["tender"], terms["remedies"])
    final = terms.get("final_sale", False)
    assert final is False or (final is not True and facts["token_id"] not in final)
    for word in terms.get("condition", ()):
        name, good = _GOOD_WORDS[word]
        assert facts[name] == good
    _is_in_time(facts, terms)
    _bears_the_costs(facts, terms, paid)


def _is_in_time(facts: dict[str, Any], terms: dict[str, Any]) -> None:
    begin = facts[_BEGINS[terms.get("window_from", "purchase")]] or facts["requested_at"]
    days = terms.get("windows", {}).get(facts["remedy"], terms["window_days"])
    assert facts["requested_at"] <= begin + days * _DAY
    if terms.get("window_blocks") is not None:
        last = facts["purchased_block"] + terms["window_blocks"]
        assert facts["requested_block"] <= last


def _bears_the_costs(facts: dict[str, Any], terms: dict[str, Any], paid: Paid) -> None:
    kept = facts["requested"] - paid.amount
    fees = terms.get("fees", {})
    if terms.get("prorate"):
        assert None not in (facts["valid_from"], facts["valid_until"])
        left = min(facts["valid_until"], max(facts["valid_from"], facts["requested_at"]))
        whole = facts["valid_until"] - facts["valid_from"]
        assert whole > timedelta(0)
        share = (facts["valid_until"] - left) // timedelta(microseconds=1)
        assert paid.amount * (whole // timedelta(microseconds=1)) <= facts["requested"] * share
    if fees.get("gas") == "customer":
        assert facts["gas_cost"] is not None
        assert kept >= facts["gas_cost"]
    for name in ("royalty", "platform_fee"):
        if fees.get(name) == "customer":
            assert facts[name] is not None
            assert kept >= facts[name] * facts["requested"] // facts["paid"]
    assert fees.get("restocking_bps", 0) < 10_000
