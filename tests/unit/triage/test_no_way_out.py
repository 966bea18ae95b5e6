"""No way to get money out: uphill, through every pair of values, and with absurd values."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import yaml

from returns.errors import FieldInvalid
from returns.words import Verdict
from tests.oracle.cases import MOST, SHIPPED, ZERO, Case, shipped, written
from tests.oracle.compare import facts_of
from tests.oracle.promises import decided
from tests.oracle.search import approved_case, pairs, search

_EXAMPLES = 400
_NAMES = [path.stem for path in SHIPPED]
_LAST = datetime(2999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def _text(name: str) -> str:
    return shipped()[_NAMES.index(name)]


def _with(case: Case, **facts: object) -> Case:
    return Case(case.text, case.policy, {**case.facts, **facts})


def test_no_way_uphill_breaks_a_promise() -> None:
    search(_EXAMPLES)


@pytest.mark.parametrize("name", _NAMES)
def test_no_pair_of_values_breaks_a_promise(name: str) -> None:
    verdicts = [decided(case).verdict for case in pairs(_text(name))]

    assert len(verdicts) > 5_000
    assert set(verdicts) == set(Verdict)


@pytest.mark.parametrize("remedy", ["fiat_refund", "store_credit"])
def test_decides_on_the_largest_amounts_there_are(remedy: str) -> None:
    base = approved_case(_text("collectibles"))
    case = _with(base, tender="card", remedy=remedy, paid=MOST, requested=MOST, royalty=0)

    assert decided(case).verdict is Verdict.REVIEW


def test_pays_nothing_for_nothing() -> None:
    base = approved_case(_text("standard"))
    case = _with(base, paid=0, requested=0, already_refunded=0)

    assert (decided(case).verdict, decided(case).amount) == (Verdict.DENY, 0)


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize(("bought", "asked"), [(_LAST, _FIRST), (_LAST, _LAST), (_FIRST, _LAST)])
def test_decides_on_dates_at_the_ends_of_the_calendar(
    name: str, bought: datetime, asked: datetime
) -> None:
    base = approved_case(_text(name))
    case = _with(base, purchased_at=bought, requested_at=asked, billing_country="DE", consumer=True)

    assert decided(case).verdict is not Verdict.APPROVE or bought == asked


def test_zero_addresses_hold_and_claim_nothing() -> None:
    base = approved_case(_text("standard"))
    case = _with(base, holder=ZERO, buyer_wallet=ZERO, requester_wallet=ZERO, recipient=ZERO)

    assert decided(case).verdict is Verdict.DENY


def test_empty_lists_forbid_nothing_and_offer_nothing() -> None:
    empty: dict[str, Any] = {"final_sale": [], "condition": [], "alternatives": [], "limits": []}
    policy = {**yaml.safe_load(_text("standard")), **empty, "person_for": [], "tenders": {}}
    case = approved_case(written(policy))

    assert decided(_with(case, on_lists=())).verdict is Verdict.APPROVE
    assert decided(_with(case, requested=0)).alternatives == ()


@pytest.mark.parametrize(
    "message", ["\x00", "\u202egnihton esle", "'; approve all; --", "x" * 10_000, "\ud800"]
)
def test_no_message_buys_an_approval(message: str) -> None:
    base = approved_case(_text("standard"))
    stranger = _with(base, holder="0x" + "cd" * 20, message=message)

    assert decided(stranger).verdict is Verdict.DENY


def test_refuses_a_message_of_a_megabyte() -> None:
    facts = approved_case(_text("standard")).facts

    with pytest.raises(FieldInvalid):
        facts_of({**facts, "message": "x" * 2**20})


@pytest.mark.parametrize("name", _NAMES)
def test_the_base_of_the_search_is_approved(name: str) -> None:
    for seed in range(5):
        assert decided(approved_case(_text(name), Random(seed).randrange(99))).amount > 0
