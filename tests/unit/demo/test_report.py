"""What counts as a case that did not end as it must: by its own words, and seen from outside."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from demo import plant, report, witness
from demo.book import Book
from demo.customers import Case
from demo.keys import wallet_of
from demo.kinds import CRYPTO, FIAT, Kind
from demo.oracle import Expected
from demo.requests import Request
from demo.sales import Purchase
from demo.witness import Evidence

from .conftest import ALICE, BOB

VAULT = "0x" + "f" * 40
LINE = "01890a5d-ac96-774b-bcce-b302099a8057"
WORD = "0x" + wallet_of(ALICE)[-32:] + LINE.replace("-", "")


def _case(remedy: str = CRYPTO, end: str = "settled") -> Case:
    card = remedy == FIAT
    purchase = Purchase(
        number="0x" + "12" * 32,
        place=1,
        customer=ALICE,
        wallet=wallet_of(ALICE),
        token_id=5,
        day=date(2022, 1, 1),
        tender="card" if card else "wallet",
        currency="USD" if card else "ETH",
        price=900,
    )
    request = Request(0, Kind.COIN_BACK, purchase, remedy, signer=ALICE)
    is_settled = end == "settled"
    expected = Expected(
        request, end, (), remedy if is_settled else None, 900 if is_settled else None
    )
    line = {"line": LINE, "remedy": remedy, "amount": {"amount": "900"}}
    return Case(expected, view={"rma": "RMA-1", "state": end, "lines": [line]})


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A book in which Alice still has token 5."""
    return Book(tmp_path, 1, (), {5: ((1, ALICE),)}, date(2022, 1, 1))


def _seen(case: Case, book: Book, **changes: object) -> list[str]:
    good = Evidence(
        owners={5: VAULT if case.expected.end == "settled" else wallet_of(ALICE)},
        payouts={WORD: [(wallet_of(ALICE), 900)]} if case.expected.remedy == CRYPTO else {},
        refunds={case.request.purchase.charge: [(900, "succeeded")]}
        if case.expected.remedy == FIAT
        else {},
        gas=1,
    )
    witness.testify([case], replace(good, **changes), book, VAULT)  # type: ignore[arg-type]
    return report.mismatches(case)


@pytest.mark.parametrize("remedy", [CRYPTO, FIAT])
def test_case_that_ended_well_has_no_mismatch(remedy: str, book: Book) -> None:
    assert _seen(_case(remedy), book) == []
    assert _seen(_case(remedy, end="denied"), book) == []


def test_other_state_remedy_or_amount_is_a_mismatch() -> None:
    case = _case()
    case.view["state"] = "in_review"
    assert report.mismatches(case) == ["it is in_review instead of settled"]
    for changed in ({"remedy": FIAT}, {"amount": {"amount": "899"}}):
        case = _case()
        case.line.update(changed)
        assert len(report.mismatches(case)) == 1


def test_case_that_was_never_opened_is_a_mismatch() -> None:
    assert report.mismatches(Case(_case().expected)) == ["it is not opened instead of settled"]


def test_settled_without_payout_is_seen_on_chain(book: Book) -> None:
    assert len(_seen(_case(), book, payouts={})) == 1
    stolen = {WORD: [(wallet_of(BOB), 900)]}
    assert len(_seen(_case(), book, payouts=stolen)) == 1
    twice = {WORD: [(wallet_of(ALICE), 900)] * 2}
    assert len(_seen(_case(), book, payouts=twice)) == 1


def test_refund_that_failed_or_came_twice_is_seen_at_the_processor(book: Book) -> None:
    charge = _case(FIAT).request.purchase.charge
    assert len(_seen(_case(FIAT), book, refunds={charge: [(900, "failed")]})) == 1
    assert len(_seen(_case(FIAT), book, refunds={charge: [(900, "succeeded")] * 2})) == 1


def test_denied_with_token_gone_or_money_paid_is_seen(book: Book) -> None:
    assert len(_seen(_case(end="denied"), book, owners={5: VAULT})) == 1
    paid = {WORD: [(wallet_of(ALICE), 900)]}
    assert len(_seen(_case(end="denied"), book, payouts=paid)) == 1


def test_every_plant_has_a_code_of_its_own() -> None:
    codes = [code for _, code, _ in plant._PLANTS]
    assert len(set(codes)) == len(codes) == 12
    assert sum(plant.needed().values()) == 12


def test_result_is_one_line(tmp_path: Path) -> None:
    result = report.Result(1, 1, 0, 0, 0, 0, 0, 0, 227_000, 4.5)
    result.keep(tmp_path / "var" / "demo.json")
    assert (tmp_path / "var" / "demo.json").read_text() == result.to_json() + "\n"
    assert result.to_json().startswith('{"returns": 1, "settled": 1, "denied": 0')
