"""Who held a token when and how it came there, from what the index wrote; no node is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from raw_chain import CHAIN_ID, COLLECTION, NOBODY, STRANGER, party
from token_books import (
    ALICE,
    BOB,
    CAROL,
    MANY,
    ONE,
    TokenBooks,
    block_hash,
    coin,
    dollars,
    fulfilled,
    item,
    tx_hash,
)

from returns.chain_reads import Sale, holders_at, sale_of, token_view
from returns.db import Database
from returns.errors import FieldInvalid, NotFound
from returns.ids import Token
from returns.words import GapCode, TokenStandard


@pytest.fixture
def books(url: str) -> Iterator[TokenBooks]:
    database = Database(url)
    yield TokenBooks(database)
    database.close()


def holders(books: TokenBooks, block: int, token: Token = ONE) -> dict[str, int]:
    with books.database.read() as session:
        return holders_at(session, token, block)


def view(
    books: TokenBooks,
    token: Token = ONE,
    block: int | None = None,
    merchant_id: UUID | None = None,
) -> dict[str, Any]:
    with books.database.read() as session:
        return token_view(session, token, block, merchant_id)


def test_holder_and_provenance_take_one_query_each_however_often_a_token_moved(
    books: TokenBooks,
) -> None:
    books.move(3, NOBODY, ALICE)
    for number in range(4, 14):
        books.move(number, *((ALICE, BOB) if number % 2 == 0 else (BOB, ALICE)))
    asked: list[str] = []

    def listen(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    sa.event.listen(books.database.engine, "before_cursor_execute", listen)
    assert len(view(books)["provenance"]) == 11
    assert len([one for one in asked if "FROM token_transfer" in one]) == 2


# -- holders ---------------------------------------------------------------------------------------


def test_the_holder_of_an_erc721_is_who_got_it_last_up_to_the_block(books: TokenBooks) -> None:
    books.move(3, NOBODY, ALICE)
    books.move(5, ALICE, BOB)
    books.move(5, BOB, CAROL)
    books.move(9, CAROL, NOBODY)
    found = [holders(books, block) for block in (2, 3, 4, 5, 8, 9, 20)]
    assert found == [{}, {ALICE: 1}, {ALICE: 1}, {CAROL: 1}, {CAROL: 1}, {}, {}]


def test_what_stands_in_orphaned_blocks_does_not_count(books: TokenBooks) -> None:
    books.move(3, NOBODY, ALICE)
    books.move(4, ALICE, BOB, branch="b")
    books.move(3, NOBODY, ALICE, MANY, 5)
    books.move(4, ALICE, BOB, MANY, 2, branch="b")
    assert (holders(books, 20), holders(books, 20, MANY)) == ({ALICE: 1}, {ALICE: 5})
    assert [one["from"] for one in view(books)["provenance"]] == [NOBODY]


def test_holders_of_an_erc1155_are_balances(books: TokenBooks) -> None:
    books.move(3, NOBODY, ALICE, MANY, 10)
    books.move(4, ALICE, BOB, MANY, 4)
    books.move(5, ALICE, ALICE, MANY, 6)
    books.move(6, BOB, NOBODY, MANY, 1)
    books.move(7, ALICE, BOB, MANY, 6)
    assert [holders(books, block, MANY) for block in (2, 3, 4, 5, 6, 7)] == [
        {},
        {ALICE: 10},
        {ALICE: 6, BOB: 4},
        {ALICE: 6, BOB: 4},
        {ALICE: 6, BOB: 3},
        {BOB: 9},
    ]


def test_balances_are_exact_at_the_ends_of_256_bits(books: TokenBooks) -> None:
    most = 2**256 - 1
    books.move(3, NOBODY, ALICE, MANY, most)
    books.move(4, ALICE, BOB, MANY, most - 1)
    assert holders(books, 4, MANY) == {ALICE: 1, BOB: most - 1}


@pytest.mark.parametrize(
    "other",
    [
        Token(CHAIN_ID, TokenStandard.ERC721, COLLECTION, 8),
        Token(CHAIN_ID, TokenStandard.ERC721, COLLECTION, MANY.token_id),
        Token(CHAIN_ID, TokenStandard.ERC1155, COLLECTION, ONE.token_id),
        Token(CHAIN_ID, TokenStandard.ERC721, STRANGER, ONE.token_id),
        Token(CHAIN_ID + 1, TokenStandard.ERC721, COLLECTION, ONE.token_id),
    ],
    ids=["id", "id of the other standard", "standard", "collection", "chain"],
)
def test_another_token_is_another_token(books: TokenBooks, other: Token) -> None:
    books.move(3, NOBODY, ALICE)
    books.move(3, NOBODY, ALICE, MANY, 5)
    assert holders(books, 20, other) == {}
    with pytest.raises(NotFound):
        view(books, other)


# -- the view --------------------------------------------------------------------------------------


def test_a_view_names_holders_and_movements_in_the_order_of_the_chain(books: TokenBooks) -> None:
    books.move(3, NOBODY, ALICE)
    books.move(12, ALICE, BOB)
    books.move(12, BOB, ALICE)
    books.move(18, ALICE, CAROL)
    found = view(books)
    assert (found["token"], found["holders"]) == (str(ONE), [{"address": CAROL, "amount": "1"}])
    assert [(one["block"], one["from"], one["to"]) for one in found["provenance"]] == [
        (3, NOBODY, ALICE),
        (12, ALICE, BOB),
        (12, BOB, ALICE),
        (18, ALICE, CAROL),
    ]
    assert [one["level"] for one in found["provenance"]] == [
        "final",
        "confirmed",
        "confirmed",
        "provisional",
    ]
    assert found["provenance"][0] == {
        "block": 3,
        "block_hash": block_hash(3),
        "level": "final",
        "at": "2026-01-01T00:00:36+00:00",
        "transaction": tx_hash(3),
        "from": NOBODY,
        "to": ALICE,
        "amount": "1",
        "price": None,
    }


def test_a_view_of_an_earlier_block_knows_nothing_later(books: TokenBooks) -> None:
    books.move(3, NOBODY, ALICE)
    books.move(12, ALICE, BOB)
    found = view(books, block=11)
    assert found["holders"] == [{"address": ALICE, "amount": "1"}]
    assert [one["block"] for one in found["provenance"]] == [3]
    assert (found["as_of"]["block"], found["as_of"]["level"]) == (11, "confirmed")
    with pytest.raises(NotFound):
        view(books, block=2)


def test_a_burned_token_is_seen_and_has_no_holder(books: TokenBooks) -> None:
    books.move(3, NOBODY, ALICE)
    books.move(4, ALICE, NOBODY)
    found = view(books)
    assert (found["holders"], len(found["provenance"])) == ([], 2)


@pytest.mark.parametrize("block", [-1, 21, 2**63])
def test_refuses_a_block_that_is_not_read(books: TokenBooks, block: int) -> None:
    books.move(3, NOBODY, ALICE)
    with pytest.raises(FieldInvalid, match="the index is at block 20"):
        view(books, block=block)


def test_refuses_what_was_never_seen_whatever_the_block(books: TokenBooks) -> None:
    for block in (None, 0, 20):
        with pytest.raises(NotFound):
            view(books, block=block)


def test_a_view_is_complete_unless_something_is_open_up_to_its_block(books: TokenBooks) -> None:
    books.move(3, NOBODY, ALICE)

    def complete(block: int | None = None) -> bool:
        return bool(view(books, block=block)["as_of"]["complete"])

    assert complete()
    # What is open elsewhere, and a replay: all of it was read once.
    books.gap(4, STRANGER, GapCode.UNFIT_LOG)
    books.scan(STRANGER)
    books.scan(None)
    assert complete()
    books.gap(15)
    assert [complete(block) for block in (14, 15, None)] == [True, False, False]
    books.gap(5, COLLECTION, GapCode.UNFIT_LOG)
    assert [complete(block) for block in (4, 5)] == [True, False]


def test_a_view_is_not_complete_while_its_collection_is_read(books: TokenBooks) -> None:
    books.move(3, NOBODY, ALICE)
    books.scan(COLLECTION)
    assert view(books)["as_of"]["complete"] is False


# -- prices ----------------------------------------------------------------------------------------

TOKEN = item(2, COLLECTION, ONE.token_id, 1)
WANTED = item(2, COLLECTION, ONE.token_id, 1, BOB)
OFFER = fulfilled(ALICE, BOB, [TOKEN], [coin(90, ALICE), coin(10, CAROL)])


def test_a_sale_on_chain_is_the_price_of_its_movement_alone(books: TokenBooks) -> None:
    books.move(3, NOBODY, ALICE)
    books.move(4, ALICE, BOB)
    books.sale(4, OFFER)
    books.move(5, BOB, CAROL)
    assert [one["price"] for one in view(books)["provenance"]] == [
        None,
        {"amount": "100", "asset": NOBODY, "source": "seaport"},
        None,
    ]


def test_a_sale_of_another_token_in_the_transaction_is_no_price(books: TokenBooks) -> None:
    books.move(4, ALICE, BOB)
    books.sale(4, fulfilled(ALICE, BOB, [item(2, COLLECTION, 8, 1)], [coin(5, ALICE)]))
    assert [one["price"] for one in view(books)["provenance"]] == [None]
    books.sale(4, OFFER)
    [move] = view(books)["provenance"]
    assert move["price"] == {"amount": "100", "asset": NOBODY, "source": "seaport"}


def test_an_order_is_a_price_for_its_own_shop_alone(books: TokenBooks) -> None:
    shop, other = books.merchant("one"), books.merchant("two")
    books.move(4, ALICE, BOB)
    books.order(shop, tx_hash(4), 2_500)
    prices = [view(books, merchant_id=one)["provenance"][0]["price"] for one in (shop, other, None)]
    assert prices == [{"amount": "2500", "asset": "USDC", "source": "order"}, None, None]


def test_an_order_of_another_token_is_no_price(books: TokenBooks) -> None:
    shop = books.merchant("one")
    books.move(4, ALICE, BOB)
    books.order(shop, tx_hash(4), 2_500, Token(CHAIN_ID, TokenStandard.ERC721, COLLECTION, 8))
    assert view(books, merchant_id=shop)["provenance"][0]["price"] is None


@pytest.mark.parametrize(
    ("args", "sale"),
    [
        (OFFER, Sale(ALICE, BOB, 100, NOBODY)),
        (
            fulfilled(ALICE, BOB, [TOKEN], [dollars(90, ALICE), dollars(10, CAROL)]),
            Sale(ALICE, BOB, 100, STRANGER),
        ),
        (
            fulfilled(
                BOB, ALICE, [dollars(100)], [{**TOKEN, "recipient": BOB}, dollars(10, CAROL)]
            ),
            Sale(ALICE, BOB, 100, STRANGER),
        ),
        (fulfilled(ALICE, BOB, [TOKEN, item(2, COLLECTION, 8, 1)], [coin(9, ALICE)]), None),
        (fulfilled(ALICE, BOB, [TOKEN, TOKEN], [coin(9, ALICE)]), None),
        (fulfilled(ALICE, BOB, [TOKEN], [coin(9, ALICE), dollars(1, CAROL)]), None),
        (fulfilled(ALICE, BOB, [TOKEN], []), None),
        (fulfilled(ALICE, BOB, [TOKEN], [item(2, STRANGER, 1, 1, ALICE)]), None),
        (fulfilled(ALICE, BOB, [TOKEN], [coin(9, ALICE), item(2, STRANGER, 1, 1, ALICE)]), None),
        (fulfilled(ALICE, BOB, [], [coin(9, ALICE)]), None),
        (fulfilled(ALICE, BOB, [item(2, STRANGER, ONE.token_id, 1)], [coin(9, ALICE)]), None),
        (fulfilled(ALICE, BOB, [item(2, COLLECTION, 8, 1)], [coin(9, ALICE)]), None),
    ],
    ids=[
        "an offer for the coin",
        "an offer for dollars",
        "a bid",
        "a bundle",
        "twice the token",
        "two currencies",
        "for nothing",
        "for a token",
        "for a token and money",
        "a gift of money",
        "of another collection",
        "of another id",
    ],
)
def test_a_sale_is_this_one_token_for_one_kind_of_money(
    args: dict[str, Any], sale: Sale | None
) -> None:
    assert sale_of(args, COLLECTION, ONE.token_id) == sale


def test_a_name_of_no_collection_is_not_found(books: TokenBooks) -> None:
    with pytest.raises(NotFound):
        view(books, Token(CHAIN_ID, TokenStandard.ERC721, party(5), 1))
