"""The oracle at the boundaries of every sentence that it applies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from demo import oracle, policy
from demo.faults import CannotPlay
from demo.keys import wallet_of
from demo.kinds import CREDIT, CRYPTO, FIAT, Kind
from demo.oracle import DENY, Situation
from demo.policy import Written
from demo.requests import Request
from demo.sales import Purchase

from .conftest import ALICE, BOB

NOW = datetime(2022, 2, 1, 12, tzinfo=UTC)
ETHER = 10**18


@pytest.fixture(scope="module")
def written() -> Written:
    """The policy that ships."""
    return policy.read()


def _purchase(number: int = 1, tender: str = "wallet", price: int = ETHER) -> Purchase:
    return Purchase(
        number=f"0x{number:064x}",
        place=number,
        customer=ALICE,
        wallet=wallet_of(ALICE),
        token_id=number,
        day=date(2022, 1, 30),
        tender=tender,
        currency="USD" if tender == "card" else "ETH",
        price=price,
    )


def _case(place: int = 0, **changes: object) -> Situation:
    purchase = changes.pop("purchase", None) or _purchase(place + 1)
    assert isinstance(purchase, Purchase)
    own = FIAT if purchase.tender == "card" else CRYPTO
    request = Request(place, Kind.COIN_BACK, purchase, remedy=own, signer=ALICE)
    fields = {name: changes.pop(name) for name in list(changes) if hasattr(request, name)}
    request = replace(request, **fields)  # type: ignore[arg-type]
    base = Situation(request, NOW - timedelta(days=2), NOW, holder=wallet_of(ALICE))
    return replace(base, **changes)  # type: ignore[arg-type]


def _codes(written: Written, case: Situation) -> list[tuple[str, str]]:
    return oracle.rules(written, case)


def test_ordinary_request_is_approved(written: Written) -> None:
    assert _codes(written, _case()) == []
    assert oracle.verdict(written, _case()) == "approve"


def test_last_second_of_the_window_counts(written: Written) -> None:
    exact = timedelta(days=written.window_days)
    assert _codes(written, _case(bought_at=NOW - exact)) == []
    late = _case(bought_at=NOW - exact - timedelta(microseconds=1))
    assert _codes(written, late) == [("deny", "window_passed")]


def test_exactly_the_cap_is_automatic(written: Written) -> None:
    cap = written.caps["ETH"]
    assert _codes(written, _case(purchase=_purchase(price=cap))) == []
    above = _case(purchase=_purchase(price=cap + 1))
    assert _codes(written, above) == [("review", "above_cap")]
    part = replace(above, request=replace(above.request, amount=cap))
    assert _codes(written, part) == []


def test_currency_without_cap_goes_to_a_person(written: Written) -> None:
    uncapped = replace(written, caps={})
    assert _codes(uncapped, _case()) == [("review", "cap_missing")]


@pytest.mark.parametrize(("tender", "remedy"), [("card", CRYPTO), ("wallet", FIAT)])
def test_other_tender_goes_to_a_person(written: Written, tender: str, remedy: str) -> None:
    bought = _purchase(tender=tender, price=10_000)
    assert _codes(written, _case(purchase=bought, remedy=remedy)) == [("review", "tender_mismatch")]
    assert _codes(written, _case(purchase=bought, remedy=CREDIT)) == []


def test_somebody_else_as_payee_goes_to_a_person(written: Written) -> None:
    case = _case(recipient=wallet_of(BOB))
    assert _codes(written, case) == [("review", "third_party_payout")]
    assert _codes(written, _case(recipient=wallet_of(ALICE))) == []


def test_who_does_not_hold_the_token_is_denied(written: Written) -> None:
    assert _codes(written, _case(holder=wallet_of(BOB))) == [("deny", "not_the_holder")]


def test_holder_who_did_not_buy_is_reviewed_or_denied(written: Written) -> None:
    case = _case(holder=wallet_of(BOB), wallet=wallet_of(BOB), remedy=CREDIT)
    assert _codes(written, case) == [("review", "holder_not_buyer")]
    strict = replace(written, third_party="deny")
    assert _codes(strict, case) == [("deny", "holder_not_buyer")]


def test_final_sale_and_unoffered_remedy_are_denied(written: Written) -> None:
    assert _codes(replace(written, final_sale=frozenset({1})), _case()) == [("deny", "final_sale")]
    assert _codes(replace(written, final_sale=frozenset({2})), _case()) == []
    only_credit = replace(written, remedies=frozenset({CREDIT}))
    assert _codes(only_credit, _case()) == [("deny", "remedy_not_offered")]


def test_denial_beats_review(written: Written) -> None:
    case = _case(bought_at=NOW - timedelta(days=99), recipient=wallet_of(BOB))
    assert oracle.verdict(written, case) == DENY


def test_fourth_return_is_reviewed_and_seventh_denied(written: Written) -> None:
    cases = [_case(place) for place in range(8)]
    ends = [one.end for one in oracle.foretell(written, cases)]
    assert ends == ["settled"] * 3 + ["in_review"] * 3 + ["denied"] * 2


def test_denied_returns_do_not_count(written: Written) -> None:
    late = [_case(place, bought_at=NOW - timedelta(days=40)) for place in range(6)]
    ends = oracle.foretell(written, [*late, _case(6)])
    assert [one.end for one in ends] == ["denied"] * 6 + ["settled"]


def test_review_counts_whatever_the_agent_says_later(written: Written) -> None:
    denied_later = [
        _case(place, recipient=wallet_of(BOB), agent="deny", remedy=CRYPTO) for place in range(3)
    ]
    ends = oracle.foretell(written, [*denied_later, _case(3)])
    assert [one.end for one in ends] == ["denied"] * 3 + ["in_review"]
    assert ends[-1].why == ("customer_limit",)


def test_order_of_requests_decides_not_order_of_the_list(written: Written) -> None:
    cases = [_case(place) for place in range(4)]
    ends = oracle.foretell(written, cases[::-1])
    assert [one.end for one in ends] == ["settled"] * 3 + ["in_review"]


def test_agent_may_grant_another_remedy(written: Written) -> None:
    asked = _case(
        purchase=_purchase(tender="card"), remedy=CRYPTO, agent="approve", agent_remedy=CREDIT
    )
    (end,) = oracle.foretell(written, [asked])
    assert (end.end, end.remedy, end.amount) == ("settled", CREDIT, ETHER)


def test_agent_cannot_change_an_approval(written: Written) -> None:
    (end,) = oracle.foretell(written, [_case(agent="deny")])
    assert (end.end, end.remedy) == ("settled", CRYPTO)


def test_returns_older_than_the_span_do_not_count(written: Written) -> None:
    def after(days: int) -> list[tuple[str, str]]:
        return _codes(written, _case(earlier=(NOW - timedelta(days=days),) * 3))

    assert after(89) == [("review", "customer_limit")]
    assert after(90) == []


def test_dates_are_moved_by_whole_days_to_midnight() -> None:
    request = _case().request
    (case,) = oracle.situations([request], {1: BOB}, 3, NOW)
    assert case.bought_at == datetime(2022, 2, 2, tzinfo=UTC)
    assert case.holder == wallet_of(BOB)


def test_refuses_policy_that_says_more_than_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    text = policy.STANDARD.read_text().replace("collections: {}", "collections: {0xabc: {}}")
    path.write_text(text)
    with pytest.raises(CannotPlay, match="single collections"):
        policy.read(path)
