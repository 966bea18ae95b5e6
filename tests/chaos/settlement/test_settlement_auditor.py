"""The auditor finds each kind of wrong in a state made by hand, and nothing in a right one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest

from tests.chaos.settlement.auditor import Findings, judge
from tests.chaos.settlement.evidence import read_log
from tests.chaos.settlement.facts import (
    Books,
    Chain,
    Dispute,
    Leg,
    Line,
    Log,
    Posting,
    Refund,
    Swap,
)

ESCROW, VAULT, BUYER = "0x" + "e5" * 20, "0x" + "fa" * 20, "0x" + "b1" * 20
TOKEN = "eip155:31337/erc721:0xc0/7"
COUNTS = ("double_payments", "lost_payments", "neither", "both", "ledger_imbalance", "leftovers")


def entry(name: str, asset: str, amount: int, source: str, target: str) -> list[Posting]:
    """`amount` leaves `source` and arrives at `target`."""
    return [Posting(name, "L", source, asset, -amount), Posting(name, "L", target, asset, amount)]


def settled() -> tuple[Books, Log, Chain]:
    """A card return as it has to be: the token in the vault, the money with the customer."""
    postings = [
        *entry("1", "USD", 500, "refunds_payable", "sales_returns"),
        *entry("2", TOKEN, 1, "tokens_with_customers", "tokens_in_escrow"),
        *entry("3", "USD", 500, "processor:sandbox", "refunds_payable"),
        *entry("4", TOKEN, 1, "tokens_in_escrow", "tokens_in_vault"),
    ]
    line = Line("L", "RMA-1", "settled", "fiat_refund", "vault", 500, "USD", 7, BUYER, ("ch",))
    books = Books([line], [Leg("G", "L", "processor_refund", "final", 500)], postings)
    log = Log([Refund("re", "G", "ch", 500, "USD", "succeeded")], [], {"USD": -500})
    return books, log, Chain(ESCROW, VAULT, {7: VAULT})


def returned() -> tuple[Books, Log, Chain]:
    """A token that is back with its holder; nothing was paid."""
    books, _, _ = settled()
    books.lines = [replace(books.lines[0], state="returned")]
    books.legs, books.postings = [], []
    return books, Log(), Chain(ESCROW, VAULT, {7: BUYER})


def change(row: Any, **values: Any) -> list[Any]:
    """The one row, with changes."""
    return [replace(row[0], **values)]


def counts(found: Findings) -> dict[str, int]:
    """What was found, without what was not."""
    return {name: n for name in COUNTS if (n := len(getattr(found, name)))}


@pytest.mark.parametrize("state", [settled, returned])
def test_a_right_state_has_nothing_wrong(state: Any) -> None:
    found = judge(*state())
    assert counts(found) == {}
    assert found.clean
    assert found.cases == 1


def test_a_refund_paid_twice_under_another_key_is_a_double_payment() -> None:
    books, log, chain = settled()
    books.legs = [*books.legs, replace(books.legs[0], id="H")]
    log.refunds = [*log.refunds, replace(log.refunds[0], id="re2", key="H")]
    log.balance = {"USD": -1000}
    assert counts(judge(books, log, chain)) == {"double_payments": 1, "ledger_imbalance": 1}


def test_a_refund_paid_twice_under_one_key_is_one_double_payment_of_its_case() -> None:
    books, log, chain = settled()
    log.refunds = [*log.refunds, replace(log.refunds[0], id="re2")]
    found = judge(books, log, chain)
    assert counts(found) == {"double_payments": 1}
    assert "1000 of 500 USD" in found.double_payments[0]
    assert not found.clean


def test_a_leg_paid_twice_is_found_where_its_line_was_owed_that_much() -> None:
    books, log, chain = settled()
    books.lines = change(books.lines, due=1000)
    log.refunds = [*log.refunds, replace(log.refunds[0], id="re2")]
    found = judge(books, log, chain)
    assert counts(found) == {"double_payments": 1}
    assert "once more" in found.double_payments[0]


def test_a_refund_of_no_leg_is_a_double_payment() -> None:
    books, log, chain = settled()
    log.refunds = [*log.refunds, replace(log.refunds[0], id="re2", key="nobody")]
    assert counts(judge(books, log, chain)) == {"double_payments": 1}


def test_a_refund_that_stands_while_its_leg_failed_is_found() -> None:
    books, log, chain = settled()
    books.legs = change(books.legs, state="failed")
    assert counts(judge(books, log, chain)) == {"double_payments": 1}


def test_a_failed_refund_that_was_paid_again_is_paid_once() -> None:
    books, log, chain = settled()
    failed = replace(books.legs[0], id="F", state="failed")
    books.legs = [failed, *books.legs]
    log.refunds = [replace(log.refunds[0], id="re0", key="F", status="failed"), *log.refunds]
    assert counts(judge(books, log, chain)) == {}


def test_a_settled_line_whose_refund_failed_lost_its_payment() -> None:
    books, log, chain = settled()
    log.refunds = change(log.refunds, status="failed")
    log.balance = {"USD": 0}
    found = judge(books, log, chain)
    assert counts(found) == {"lost_payments": 1, "neither": 1, "ledger_imbalance": 1}


def test_a_settled_line_that_was_paid_one_cent_too_little_lost_its_payment() -> None:
    books, log, chain = settled()
    log.refunds = change(log.refunds, amount=499)
    assert counts(judge(books, log, chain)) == {"lost_payments": 1}


def test_a_chargeback_that_was_lost_pays_once_and_beside_a_refund_twice() -> None:
    books, log, chain = settled()
    log.disputes = [Dispute("dp", "ch", 500, "USD", "lost")]
    assert counts(judge(books, log, chain)) == {"double_payments": 1}
    log.refunds, books.legs = [], change(books.legs, state="compensated")
    assert counts(judge(books, log, chain)) == {}
    log.disputes = [replace(log.disputes[0], status="won")]
    assert counts(judge(books, log, chain)) == {"lost_payments": 1, "neither": 1}


def test_a_token_in_escrow_without_a_payment_is_neither_and_left_over() -> None:
    books, _, chain = settled()
    books.lines = change(books.lines, state="needs_attention")
    books.legs, books.postings = [], []
    chain.owners = {7: ESCROW}
    assert counts(judge(books, Log(), chain)) == {"neither": 1, "leftovers": 1}


def test_a_token_back_with_a_customer_who_was_paid_is_both() -> None:
    books, log, chain = settled()
    books.lines = change(books.lines, state="reclaimed")
    chain.owners = {7: BUYER}
    found = judge(books, log, chain)
    # And the ledger has the token in the vault, where it is not.
    assert counts(found) == {"both": 1, "ledger_imbalance": 1}


def test_a_customer_who_was_to_keep_the_token_has_both_by_right() -> None:
    books, log, chain = settled()
    books.lines = change(books.lines, disposition="keep")
    books.postings = [one for one in books.postings if one.asset == "USD"]
    chain.owners = {7: BUYER}
    assert counts(judge(books, log, chain)) == {}
    log.refunds, log.balance = [], {"USD": -500}
    assert counts(judge(books, log, chain)) == {"lost_payments": 1}


def test_coin_and_store_credit_are_payments_as_well() -> None:
    books, log, chain = settled()
    chain.swaps = [Swap("L", BUYER, 500)]
    found = judge(books, log, chain)
    assert counts(found) == {"double_payments": 1, "ledger_imbalance": 1}
    assert "ETH" in found.ledger_imbalance[0]
    chain.swaps = []
    credit = entry("5", "USD", 500, "store_credit:customer", "refunds_payable")
    books.postings = [*books.postings, *credit]
    assert counts(judge(books, log, chain)) == {"double_payments": 1, "ledger_imbalance": 1}


def test_a_credit_that_was_reversed_is_no_payment() -> None:
    books, log, chain = settled()
    credit = entry("5", "USD", 500, "store_credit:customer", "refunds_payable")
    back = entry("6", "USD", 500, "refunds_payable", "store_credit:customer")
    books.postings = [*books.postings, *credit, *back]
    assert counts(judge(books, log, chain)) == {}


def test_an_entry_that_does_not_sum_to_zero_is_found() -> None:
    books, log, chain = settled()
    books.postings = [*books.postings, Posting("9", "L", "sales_returns", "USD", 1)]
    assert counts(judge(books, log, chain)) == {"ledger_imbalance": 1}


def test_a_movement_that_the_books_do_not_have_is_found() -> None:
    books, log, chain = settled()
    log.balance = {"USD": -500, "EUR": -1}
    assert counts(judge(books, log, chain)) == {"ledger_imbalance": 1}


def test_a_token_that_is_booked_elsewhere_than_it_is_is_found() -> None:
    books, log, chain = settled()
    chain.owners = {7: ESCROW}
    # Not in the vault, where it is booked, and in escrow, where it is not.
    assert counts(judge(books, log, chain)) == {"ledger_imbalance": 2}


def test_a_remedy_that_is_owed_for_ever_is_found() -> None:
    books, log, chain = settled()
    owed = entry("8", "USD", 1, "refunds_payable", "sales_returns")
    books.postings = [*books.postings, *owed]
    assert counts(judge(books, log, chain)) == {"ledger_imbalance": 1}


def test_everything_that_has_not_come_to_an_end_is_left_over() -> None:
    books, log, chain = settled()
    books.legs = [*books.legs, Leg("S", "L", "settle", "sent", 0)]
    books.open_work = ["outbox: leg.pay"]
    log.refunds = change(log.refunds, status="pending")
    log.disputes = [Dispute("dp", "other", 1, "USD", "open")]
    log.untold = 1
    assert counts(judge(books, log, chain)) == {"leftovers": 5}


def test_the_processors_file_is_read_as_it_is_with_keys_as_they_were_asked_under(
    tmp_path: Path,
) -> None:
    path = tmp_path / "processor.db"
    with connect(path) as file:
        file.executescript(
            """
            CREATE TABLE refund (id, key, charge, amount, currency, status, reason, told);
            CREATE TABLE dispute (id, charge, amount, currency, status, told);
            CREATE TABLE movement (number, kind, about, amount, currency, at);
            INSERT INTO refund VALUES ('re', 'G#3', 'ch', 5, 'USD', 'succeeded', '', 'pending');
            INSERT INTO dispute VALUES ('dp', 'ch', 5, 'USD', 'lost', 'lost');
            INSERT INTO movement VALUES (1, 'refund', 're', -5, 'USD', '');
            INSERT INTO movement VALUES (2, 'refund_failure', 're', 5, 'USD', '');
            INSERT INTO movement VALUES (3, 'dispute', 'dp', -7, 'EUR', '');
            """
        )
    log = read_log(path)
    assert log.refunds == [Refund("re", "G", "ch", 5, "USD", "succeeded")]
    assert log.disputes == [Dispute("dp", "ch", 5, "USD", "lost")]
    assert log.balance == {"USD": 0, "EUR": -7}
    assert log.untold == 1
