"""Faults of what is told about tokens, each with the promise that it broke."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import stores
from raw_chain import COLLECTION
from token_books import ALICE, BOB, CAROL, MANY, ONE, TokenBooks, coin, fulfilled, item

from returns.chain_reads import holders_at, token_view
from returns.db import Database
from returns.errors import FieldInvalid
from returns.ids import parse_token


@pytest.fixture
def books(sqlite_template: Path, tmp_path: Path) -> Iterator[TokenBooks]:
    database = Database(stores.sqlite_copy(sqlite_template, tmp_path))
    yield TokenBooks(database)
    database.close()


def test_who_gave_what_came_before_the_index_does_not_hold_less_than_nothing(
    books: TokenBooks,
) -> None:
    """A collection can be watched from a later block on than it was minted."""
    books.move(4, ALICE, BOB, MANY, 4)
    with books.database.read() as session:
        assert holders_at(session, MANY, 20) == {BOB: 4}


def test_each_movement_of_a_transaction_has_the_price_of_its_own_sale(books: TokenBooks) -> None:
    """Bought, sold on and passed on at once: all three had the price of the first sale."""
    token = item(2, COLLECTION, ONE.token_id, 1)
    wallet = "0x" + "ee" * 20
    books.sale(4, fulfilled(ALICE, BOB, [token], [coin(100, ALICE)]))
    books.move(4, ALICE, BOB)
    books.sale(4, fulfilled(BOB, CAROL, [token], [coin(150, BOB)]))
    books.move(4, BOB, CAROL)
    books.move(4, CAROL, wallet)
    with books.database.read() as session:
        moves = token_view(session, ONE, None, None)["provenance"]
    assert [one["price"] and one["price"]["amount"] for one in moves] == ["100", "150", None]


@pytest.mark.parametrize("digits", ["\u0664\u0662", "\uff14\uff12", "\u096a\u0968"])
def test_refuses_digits_of_other_scripts_in_a_tokens_name(digits: str) -> None:
    """Two names that do not look the same were one token."""
    with pytest.raises(FieldInvalid):
        parse_token(f"eip155:1/erc721:{COLLECTION}/{digits}")
    with pytest.raises(FieldInvalid):
        parse_token(f"eip155:1{digits}/erc721:{COLLECTION}/42")
