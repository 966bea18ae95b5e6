"""Each rule at its boundary: the last value that passes and the first that does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from returns.words import Remedy, Tender, Verdict
from triage.hits import deny, review
from triage.policy import evaluate, verdict_of
from triage.rules import RULES

BUYER, OTHER, THIRD = ("0x" + digit * 40 for digit in "bcd")
COLLECTION, ZERO = "0x" + "a" * 40, "0x" + "0" * 40
BOUGHT = datetime(2022, 1, 1, tzinfo=UTC)
CARD = {
    "tender": Tender.CARD,
    "remedy": Remedy.FIAT_REFUND,
    "currency": "USD",
    "paid": 100,
    "requested": 100,
}


def codes(policy, facts):
    return [hit.code for hit in evaluate(policy, facts)]


def verdict(policy, facts):
    return verdict_of(evaluate(policy, facts))


def test_ordinary_request_hits_nothing(standard, facts):
    assert evaluate(standard, facts()) == []


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (timedelta(0), []),
        (timedelta(microseconds=1), ["window_passed"]),
        (timedelta(seconds=-1), []),
        (timedelta(seconds=1), ["window_passed"]),
    ],
)
def test_window_ends_with_its_last_second(standard, facts, late, expected):
    asked = BOUGHT + timedelta(seconds=30 * 86_400) + late
    assert codes(standard, facts(purchased_at=BOUGHT, requested_at=asked)) == expected


def test_window_is_measured_in_seconds_not_in_local_days(standard, facts):
    asked = (BOUGHT + timedelta(days=30)).astimezone(timezone(timedelta(hours=14)))
    assert codes(standard, facts(purchased_at=BOUGHT, requested_at=asked)) == []


def test_window_of_zero_days_allows_the_second_of_purchase_only(policy, facts):
    closed = policy(window_days=0)
    assert codes(closed, facts(purchased_at=BOUGHT, requested_at=BOUGHT)) == []
    later = facts(purchased_at=BOUGHT, requested_at=BOUGHT + timedelta(seconds=1))
    assert codes(closed, later) == ["window_passed"]


def test_request_older_than_its_purchase_goes_to_a_person(standard, facts):
    odd = facts(purchased_at=BOUGHT, requested_at=BOUGHT - timedelta(seconds=1))
    assert codes(standard, odd) == ["dates_disagree"]
    assert verdict(standard, odd) is Verdict.REVIEW


@pytest.mark.parametrize(
    ("currency", "cap"), [("USD", 50_000_000), ("TUSD", 5 * 10**11), ("ETH", 120 * 10**18)]
)
def test_cap_is_allowed_and_one_minor_unit_more_is_reviewed(standard, facts, currency, cap):
    at = facts(currency=currency, paid=cap + 1, requested=cap)
    above = facts(currency=currency, paid=cap + 1, requested=cap + 1)
    assert codes(standard, at) == []
    assert codes(standard, above) == ["above_cap"]
    assert verdict(standard, above) is Verdict.REVIEW


def test_currency_without_a_cap_goes_to_a_person(standard, facts):
    assert codes(standard, facts(currency="EUR", paid=1, requested=1)) == ["cap_missing"]


def test_exact_remainder_is_allowed_and_one_unit_more_denied(standard, facts):
    assert codes(standard, facts(paid=100, already_refunded=40, requested=60)) == []
    above = facts(paid=100, already_refunded=40, requested=61)
    assert codes(standard, above) == ["above_remainder"]
    assert verdict(standard, above) is Verdict.DENY


@pytest.mark.parametrize("refunded", [100, 101])
def test_nothing_left_is_denied_for_one_reason(standard, facts, refunded):
    spent = facts(paid=100, already_refunded=refunded, requested=1)
    assert codes(standard, spent) == ["already_refunded"]


def test_nothing_paid_and_nothing_requested_are_denied(standard, facts):
    assert codes(standard, facts(paid=0, requested=1)) == ["nothing_paid"]
    assert codes(standard, facts(requested=0)) == ["nothing_requested"]
    assert codes(standard, facts(paid=0, requested=0)) == ["nothing_paid", "nothing_requested"]


@pytest.mark.parametrize(("earlier", "expected"), [(5, []), (6, ["customer_limit"])])
def test_seventh_return_in_a_year_is_denied(standard, facts, earlier, expected):
    assert codes(standard, facts(returns_365d=earlier)) == expected


@pytest.mark.parametrize(("earlier", "expected"), [(2, []), (3, ["customer_limit"])])
def test_fourth_return_in_ninety_days_is_reviewed(standard, facts, earlier, expected):
    many = facts(returns_90d=earlier, returns_365d=earlier)
    assert codes(standard, many) == expected


def test_frequency_can_be_counted_over_a_year(policy, facts):
    limit = {"of": "customer", "what": "returns", "days": 365, "most": 2, "then": "review"}
    yearly = policy(limits=[limit])
    assert codes(yearly, facts(returns_90d=2, returns_365d=1)) == []
    assert codes(yearly, facts(returns_90d=0, returns_365d=2)) == ["customer_limit"]


@pytest.mark.parametrize(("sold", "hit"), [(True, 1), (False, 0), ([1139], 1), ([1138, 1140], 0)])
def test_final_sale_by_flag_or_token(policy, facts, sold, hit):
    assert codes(policy(final_sale=sold), facts()) == ["final_sale"] * hit


def test_remedy_that_is_not_offered_is_denied(policy, facts):
    credit_only = policy(remedies=["store_credit"])
    assert codes(credit_only, facts()) == ["remedy_not_offered"]
    assert codes(credit_only, facts(remedy=Remedy.STORE_CREDIT)) == []
    assert "remedy_not_offered" in codes(credit_only, facts(remedy=Remedy.NOTHING))


@pytest.mark.parametrize(
    ("tender", "remedy", "expected"),
    [
        (Tender.CARD, Remedy.CRYPTO_REFUND, ["tender_mismatch"]),
        (Tender.WALLET, Remedy.FIAT_REFUND, ["tender_mismatch"]),
        (Tender.CARD, Remedy.FIAT_REFUND, []),
        (Tender.WALLET, Remedy.CRYPTO_REFUND, []),
        (Tender.CARD, Remedy.STORE_CREDIT, []),
        (Tender.WALLET, Remedy.STORE_CREDIT, []),
    ],
)
def test_payout_to_another_tender_goes_to_a_person(standard, facts, tender, remedy, expected):
    assert codes(standard, facts(tender=tender, remedy=remedy)) == expected


def test_wallet_that_does_not_hold_the_token_is_denied(standard, facts):
    resold = facts(holder=OTHER)
    assert codes(standard, resold) == ["not_the_holder"]
    assert verdict(standard, resold) is Verdict.DENY


def test_burned_token_has_no_holder_even_for_the_zero_address(standard, facts):
    burned = facts(holder=ZERO, buyer_wallet=ZERO, requester_wallet=ZERO)
    assert codes(standard, burned) == ["not_the_holder"]


def test_unknown_holder_goes_to_a_person_and_is_not_taken_for_nobody(standard, facts):
    assert codes(standard, facts(holder=None)) == ["holder_unknown"]
    assert verdict(standard, facts(holder=None)) is Verdict.REVIEW


def test_without_a_requesters_wallet_the_buyers_is_expected(standard, facts):
    assert codes(standard, facts(requester_wallet=None)) == []
    assert codes(standard, facts(requester_wallet=None, holder=OTHER)) == ["not_the_holder"]


def test_unknown_buyer_goes_to_a_person(standard, facts):
    card = {**CARD, "buyer_wallet": None}
    assert codes(standard, facts(**card)) == ["wallet_unknown"]
    assert codes(standard, facts(**card, requester_wallet=None)) == ["wallet_unknown"]
    crypto = facts(buyer_wallet=None)
    assert codes(standard, crypto) == ["wallet_unknown", "third_party_payout"]


@pytest.mark.parametrize("choice", ["review", "deny"])
def test_holder_who_is_not_the_buyer_gets_what_the_policy_chose(policy, facts, choice):
    moved = facts(**CARD, holder=OTHER, requester_wallet=OTHER)
    hits = evaluate(policy(rules={"holder_not_buyer": choice}), moved)
    assert [(hit.code, hit.verdict) for hit in hits] == [("holder_not_buyer", Verdict(choice))]


def test_standard_policy_lets_a_person_look_at_a_moved_token(standard, facts):
    assert verdict(standard, facts(holder=OTHER, requester_wallet=OTHER)) is Verdict.REVIEW


def test_payout_to_anyone_but_the_payer_goes_to_a_person(standard, facts):
    assert codes(standard, facts(recipient=BUYER)) == []
    assert codes(standard, facts(recipient=THIRD)) == ["third_party_payout"]
    moved = facts(holder=OTHER, requester_wallet=OTHER)
    assert codes(standard, moved) == ["holder_not_buyer", "third_party_payout"]


def test_spelling_of_an_address_decides_nothing(standard, facts):
    shouted = "0x" + "B" * 40
    assert codes(standard, facts(holder=shouted, recipient=shouted)) == []


def test_override_binds_its_collection_only(policy, facts):
    words = {"window_days": 1, "final_sale": [5], "caps": {"ETH": "1"}}
    own = policy(collections={COLLECTION: words})
    assert codes(own, facts(token_id=5)) == ["final_sale", "window_passed", "above_cap"]
    assert codes(own, facts(token_id=5, collection=OTHER)) == []


def test_every_hit_is_listed_and_the_strictest_wins(standard, facts):
    bad = facts(
        goodwill_365d=3,
        recipient=THIRD,
        returns_365d=6,
        returns_90d=6,
        holder=OTHER,
        currency="EUR",
    )
    listed = ["not_the_holder", "third_party_payout", "cap_missing"]
    assert codes(standard, bad) == [*listed, "customer_limit", "customer_limit", "goodwill_limit"]
    assert verdict(standard, bad) is Verdict.DENY


def test_sentences_are_filled_and_values_are_text(policy, facts):
    hit = evaluate(policy(window_days=1), facts())[0]
    assert hit.values["window_days"] == "1"
    assert "{" not in hit.sentence
    assert "1 days" in hit.sentence


def test_strictest_of_nothing_is_approval():
    held, refused = review("held", "Held."), deny("refused", "Refused.")
    assert verdict_of([]) is Verdict.APPROVE
    assert verdict_of([held]) is Verdict.REVIEW
    assert verdict_of([held, refused]) is Verdict.DENY
    assert verdict_of([held, replace(refused, set_aside="a right")]) is Verdict.REVIEW


def test_there_are_thirty_four_rules_besides_the_limits():
    assert len(RULES) == len(set(RULES)) == 34
