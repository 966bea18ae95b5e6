"""The prepared file: every row kept, columns added, the same each time."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from demo import book, generated, sales
from demo.faults import CannotPlay
from demo.keys import key_of, wallet_of

from .conftest import ALICE, BOB, CAROL, Writer, sale


def _prepared(path: Path) -> list[sales.Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_keeps_dirty_rows_and_counts_them(
    write: Writer, tmp_path: Path, dirty_rows: list[sales.Row]
) -> None:
    made = book.prepare(write(*dirty_rows), tmp_path)
    assert [row["token_id"] for row in _prepared(made.path)] == [
        row["token_id"] for row in dirty_rows
    ]
    assert made.rows == 8
    assert sorted(purchase.token_id for purchase in made.purchases) == [1, 8]
    assert made.rejected == 6


def test_adds_wallet_only_where_there_is_a_buyer(
    write: Writer, tmp_path: Path, dirty_rows: list[sales.Row]
) -> None:
    rows = _prepared(book.prepare(write(*dirty_rows), tmp_path).path)
    assert rows[0]["wallet"] == wallet_of(ALICE)
    assert [row["wallet"] for row in rows[1:4]] == ["", "", ""]
    assert rows[7]["wallet"] == wallet_of(CAROL)


def test_mapping_is_deterministic_and_kept(write: Writer, tmp_path: Path) -> None:
    source = write(sale(1), sale(2, buyer_address=CAROL))
    first = book.prepare(source, tmp_path).path.read_bytes()
    kept = json.loads((tmp_path / "wallets.json").read_text())
    assert kept == {ALICE: wallet_of(ALICE), CAROL: wallet_of(CAROL)}
    assert book.prepare(source, tmp_path).path.read_bytes() == first
    assert key_of(ALICE) != key_of(CAROL)


def test_about_half_is_composed_as_paid_by_card(generated_book: book.Book) -> None:
    tenders = Counter(purchase.tender for purchase in generated_book.purchases)
    assert 0.45 < tenders["card"] / tenders.total() < 0.55


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_reads_byte_order_mark_and_tabs(write: Writer, delimiter: str) -> None:
    table = sales.read_table(write(sale(1), delimiter=delimiter, encoding="utf-8-sig"))
    assert table.columns[0] == "buyer_address"
    assert table.rows[0]["usd_price"] == "8000.125"


def test_reads_gzip_by_content(write: Writer, tmp_path: Path) -> None:
    packed = tmp_path / "no-suffix"
    packed.write_bytes(gzip.compress(write(sale(1)).read_bytes()))
    assert sales.read_table(packed).rows[0]["token_id"] == "1"


def test_refuses_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(CannotPlay, match="cannot be read"):
        sales.read_table(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CannotPlay, match="no column 'buyer_address'"):
        sales.read_table(path)
    with pytest.raises(CannotPlay, match="There is no file"):
        sales.read_table(tmp_path / "absent.csv")


def test_refuses_table_without_usable_sale(write: Writer, tmp_path: Path) -> None:
    with pytest.raises(CannotPlay, match="no sale that names"):
        book.prepare(write(sale(1, seller_address="")), tmp_path)
    empty = write(sale(1))
    empty.write_text(empty.read_text().splitlines()[0] + "\n")
    with pytest.raises(CannotPlay, match="no sales"):
        book.prepare(empty, tmp_path)


@pytest.mark.parametrize(
    ("text", "cents"),
    [("8000.125", 800012), ("8000.135", 800014), ("1e2", 10000), ("-1", None), ("n/a", None)],
)
def test_dollars_are_rounded_half_to_even(text: str, cents: int | None) -> None:
    assert sales.cents(text) == cents


@pytest.mark.parametrize(
    ("text", "wei"),
    [("59.9", 59_900_000_000_000_000_000), ("4E-17", 40), ("4E-19", None), ("NaN", None)],
)
def test_ether_is_exact_or_nothing(text: str, wei: int | None) -> None:
    assert sales.wei(text) == wei


def test_holder_follows_resales_within_a_day(write: Writer, tmp_path: Path) -> None:
    """The file's newest row stands on top: Alice sold to Bob after she had bought from Carol."""
    rows = [
        sale(1, transaction_hash="0x02", buyer_address=BOB, seller_address=ALICE),
        sale(1, transaction_hash="0x01", buyer_address=ALICE, seller_address=CAROL),
        sale(2, transaction_hash="0x00", day="01/01/22"),
    ]
    made = book.prepare(write(*rows), tmp_path)
    bought = next(purchase for purchase in made.purchases if purchase.number == "0x01")
    assert made.receivers_after(bought) == [BOB]
    assert made.holder_name(bought) == BOB


def test_unnamed_buyer_still_takes_the_token(write: Writer, tmp_path: Path) -> None:
    rows = [
        sale(1, transaction_hash="0x02", day="01/12/22", buyer_address=sales.ZERO),
        sale(1, transaction_hash="0x01"),
    ]
    made = book.prepare(write(*rows), tmp_path)
    assert made.holder_name(made.purchases[0]) == "nobody:0x02"
    assert made.newest.isoformat() == "2022-01-12"


def test_generated_book_is_the_same_for_the_same_seed() -> None:
    assert generated.rows(3, 50) == generated.rows(3, 50)
    assert generated.rows(3, 50) != generated.rows(4, 50)


def test_generated_book_looks_real(generated_book: book.Book) -> None:
    buyers = Counter(purchase.customer for purchase in generated_book.purchases)
    resold = sum(bool(generated_book.receivers_after(one)) for one in generated_book.purchases)
    assert generated_book.rows == generated.ROWS
    assert generated_book.rejected > 100
    assert buyers.most_common(1)[0][1] > 20
    assert resold > 500
