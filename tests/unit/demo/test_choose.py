"""The chooser's quotas on the generated book, and what keeps a case determinate."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from demo import choose, oracle, plant, policy
from demo.book import Book
from demo.faults import CannotPlay
from demo.kinds import Kind, quotas
from demo.oracle import Expected
from demo.requests import Request

#: One second before and after midnight: the hour of a run must not decide a case.
NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)
HOURS = (NOON.replace(hour=0), NOON, NOON.replace(hour=23, minute=59, second=59))


def _ends(book: Book, requests: list[Request], now: datetime = NOON) -> list[Expected]:
    holders = {one.purchase.token_id: book.holder_name(one.purchase) for one in requests}
    shift = (now.date() - timedelta(days=1) - book.newest).days
    return oracle.foretell(policy.read(), oracle.situations(requests, holders, shift, now))


@pytest.mark.parametrize("returns", [1, 2, 3, 7, 10, 20, 40, 41, 100, 200, 300])
def test_chooses_exactly_so_many_of_which_most_settle(generated_book: Book, returns: int) -> None:
    requests = choose.choose(generated_book, policy.read(), returns, seed=7)
    ends = Counter(one.end for one in _ends(generated_book, requests))
    assert len(requests) == returns == ends.total()
    assert ends["settled"] >= 0.6 * returns
    assert len({one.purchase.token_id for one in requests}) == returns


def test_forty_have_every_kind(generated_book: Book) -> None:
    requests = choose.choose(generated_book, policy.read(), 40, seed=7)
    assert {one.kind for one in requests} == set(Kind)
    agents = {one.request.agent for one in _ends(generated_book, requests) if one.why}
    assert agents == {"approve", "deny", None}


def test_two_hundred_have_plenty_of_every_outcome(generated_book: Book) -> None:
    ends = _ends(generated_book, choose.choose(generated_book, policy.read(), 200, seed=7))
    outcomes = Counter(one.remedy or one.end for one in ends)
    assert set(outcomes) == {"crypto_refund", "fiat_refund", "store_credit", "denied", "in_review"}
    assert min(outcomes.values()) >= 5
    reasons = Counter(code for one in ends for code in one.why)
    for code in (
        "window_passed",
        "not_the_holder",
        "customer_limit",
        "above_cap",
        "tender_mismatch",
        "third_party_payout",
        "holder_not_buyer",
    ):
        assert reasons[code] >= 5, code


def test_forty_are_enough_for_the_plants(generated_book: Book) -> None:
    ends = _ends(generated_book, choose.choose(generated_book, policy.read(), 40, seed=7))
    settled = Counter(one.remedy for one in ends if one.end == "settled")
    assert all(settled[remedy] >= number for remedy, number in plant.needed().items())
    denied_card = [one for one in ends if one.end != "settled"]
    assert any(one.request.purchase.tender == "card" for one in denied_card)


def test_same_seed_same_requests(generated_book: Book) -> None:
    first = choose.choose(generated_book, policy.read(), 40, seed=7)
    assert choose.choose(generated_book, policy.read(), 40, seed=7) == first
    assert choose.choose(generated_book, policy.read(), 40, seed=8) != first


def test_hour_of_the_run_does_not_decide(generated_book: Book) -> None:
    requests = choose.choose(generated_book, policy.read(), 200, seed=7)
    by_hour = [[one.end for one in _ends(generated_book, requests, now)] for now in HOURS]
    assert by_hour[0] == by_hour[1] == by_hour[2]
    last_day = NOON.date() - timedelta(days=1)
    shift = (last_day - generated_book.newest).days
    holders = {one.purchase.token_id: generated_book.holder_name(one.purchase) for one in requests}
    next_day = NOON + timedelta(days=1)
    late = oracle.situations(requests, holders, shift, next_day)
    assert [one.end for one in oracle.foretell(policy.read(), late)] == by_hour[0]


def test_approvals_are_first_or_second_returns(generated_book: Book) -> None:
    """Others could fall into the model's band, which the oracle cannot know."""
    requests = choose.choose(generated_book, policy.read(), 300, seed=7)
    counted: Counter[str] = Counter()
    for one in _ends(generated_book, requests):
        customer = one.request.purchase.customer
        if not one.why:
            assert counted[customer] < 2
        counted[customer] += 1


@pytest.mark.parametrize(("returns", "says"), [(0, "at least 1"), (-3, "at least 1")])
def test_refuses_less_than_one(generated_book: Book, returns: int, says: str) -> None:
    with pytest.raises(CannotPlay, match=says):
        choose.choose(generated_book, policy.read(), returns, seed=7)


def test_refuses_more_than_the_book_has(generated_book: Book) -> None:
    have = len(generated_book.purchases)
    with pytest.raises(CannotPlay, match=f"the book has {have} purchases"):
        choose.choose(generated_book, policy.read(), have + 1, seed=7)
    with pytest.raises(CannotPlay, match=r"only \d+ returns can be composed"):
        choose.choose(generated_book, policy.read(), have, seed=7)


@pytest.mark.parametrize("returns", [1, 13, 40, 99, 200])
def test_quotas_sum_up(returns: int) -> None:
    assert sum(quotas(returns).values()) == returns
