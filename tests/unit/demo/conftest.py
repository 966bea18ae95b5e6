"""A small book written by hand, and the generated one."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import book, generated
from demo.sales import ZERO, Row

ALICE, BOB, CAROL = ("0x" + letter * 40 for letter in "abc")


def sale(number: int, **changes: str) -> Row:
    """A clean row; `changes` replace columns."""
    row = {
        "buyer_address": ALICE,
        "eth_price": "2.5",
        "usd_price": "8000.125",
        "seller_address": BOB,
        "day": "01/10/22",
        "token_id": str(number),
        "transaction_hash": f"0x{number:064x}",
        "name": f"Token #{number}",
    }
    return {**row, **changes}


Writer = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Write rows as a CSV (the newest first, as exports do) and return its path."""

    def written(*rows: Row, delimiter: str = ",", encoding: str = "utf-8") -> Path:
        path = tmp_path / "sales.csv"
        with path.open("w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
        return path

    return written


@pytest.fixture(scope="session")
def generated_book(tmp_path_factory: pytest.TempPathFactory) -> book.Book:
    """The book of a run without a sales file."""
    folder = tmp_path_factory.mktemp("book")
    return book.prepare(generated.write(folder / "generated.csv", seed=7), folder)


@pytest.fixture
def dirty_rows() -> list[Row]:
    """Two clean rows and one of each kind of dirt."""
    return [
        sale(1),
        sale(2, buyer_address="", seller_address=""),
        sale(3, buyer_address=ZERO),
        sale(4, seller_address=""),
        sale(5, eth_price="n/a", usd_price="n/a"),
        sale(6, day="yesterday"),
        sale(7, token_id="#7"),
        sale(8, buyer_address=CAROL),
    ]
