"""What reading the policy text a second time, apart from the engine, found."""

from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files

import pytest

from returns.errors import FieldInvalid
from returns.words import Reason, Remedy, Tender, Verdict
from triage.decide import decide
from triage.facts import Facts
from triage.policy import parse_policy

BUYER = "0x" + "b" * 40
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
MOST = 2**256 - 1


def facts(**changes):
    known = {
        "merchant": "m", "order": "A-1", "collection": "0x" + "a" * 40, "token_id": 1,
        "currency": "USD", "paid": MOST, "already_refunded": 0, "requested": MOST,
        "remedy": Remedy.STORE_CREDIT, "tender": Tender.CARD, "reason": Reason.OTHER,
        "message": "", "purchase_proven": True, "purchased_at": NOW - timedelta(days=1),
        "requested_at": NOW, "holder": BUYER, "buyer_wallet": BUYER, "requester_wallet": BUYER,
        "returns_90d": 0, "returns_365d": 0, "orders_365d": 1,
    }  # fmt: skip
    return Facts(**{**known, **changes})


def policy(name):
    return parse_policy((files("triage") / "policies" / f"{name}.yaml").read_text())


@pytest.mark.parametrize("name", ["collectibles", "game_items"])
def test_a_bonus_on_the_largest_amount_is_decided_about_and_not_refused_as_no_amount(name):
    decision = decide(facts(), policy(name), None)
    assert decision.verdict is not Verdict.APPROVE
    assert "above_cap" in decision.reasons


def test_a_year_is_looked_at_in_utc_so_that_facts_can_be_read_again():
    with pytest.raises(FieldInvalid):
        facts(customer_since=datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=14))))
    early = facts(customer_since=datetime(1970, 1, 1, tzinfo=UTC))
    assert Facts.from_json(early.to_json()) == early


def test_a_window_that_begins_after_the_request_goes_to_a_person():
    odd = facts(paid=100, requested=100, delivered_at=NOW + timedelta(seconds=1))
    reasons = decide(odd, policy("collectibles"), None).reasons
    assert "dates_disagree" in reasons


@pytest.mark.parametrize("country", ["AX", "GF", "GP", "MF", "MQ", "RE", "YT"])
def test_territories_of_the_union_have_its_rights(country):
    late = facts(
        paid=100, requested=100, remedy=Remedy.FIAT_REFUND, token_id=900, currency="EUR",
        billing_country=country, consumer=True, withdrawal_waived=False, on_lists=(),
        lists_searched=("phishing", "sanctions"),
    )  # fmt: skip
    decision = decide(late, policy("eu_consumer"), None)
    assert decision.verdict is Verdict.APPROVE
    assert [hit.set_aside for hit in decision.hits] == ["eu_withdrawal"]
