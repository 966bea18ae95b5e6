"""Sales files become orders: every row whole or not at all, listed where it is not."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from desk import ADDRESSES, Desk
from fake_chain import DEPLOYMENT

from returns.errors import FieldInvalid, FileInvalid
from returns.tables import Order, OrderLine, Payment
from settlement import importer
from settlement.importer import ImportReport, import_sales

HEADER = "transaction_hash,day,buyer_address,seller_address,token_id,eth_price,usd_price\n"
SELLER = "0x" + "5e" * 20


def row(number: int = 1, **changes: str) -> str:
    values = {
        "hash": f"0x{number:064x}", "day": "2021-03-01", "buyer": ADDRESSES[0], "seller": SELLER,
        "token": str(number), "eth": "1.5", "usd": "2500.125",
    } | changes  # fmt: skip
    return ",".join(values.values()) + "\n"


def load(desk: Desk, folder: Path, content: str | bytes, **options: Any) -> ImportReport:
    file = folder / "sales.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    options = {"mapping": {}, "collection": DEPLOYMENT.collection} | options
    return import_sales(desk.runtime, desk.merchant.id, file, **options)


def test_row_becomes_an_order_with_line_and_payment(desk: Desk, tmp_path: Path) -> None:
    report = load(desk, tmp_path, HEADER + row())
    assert (report.rows, report.imported, report.known, report.rejected) == (1, 1, 0, [])
    (order,), (line,), (payment,) = desk.rows(Order), desk.rows(OrderLine), desk.rows(Payment)
    assert order.placed_at == datetime(2021, 3, 1, tzinfo=UTC)
    assert (line.token_id, line.price) == (1, 15 * 10**17)
    assert (payment.currency, payment.captured, payment.tender) == ("ETH", line.price, "wallet")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"buyer": ""}, "there is no buyer"),
        ({"seller": ""}, "there is no seller"),
        ({"buyer": "0x" + "0" * 40}, "the buyer is the zero address"),
        ({"buyer": "0x12"}, "buyer_wallet cannot be used"),
        ({"eth": "much"}, "the price is not an amount"),
        ({"eth": "-1"}, "the price is not an amount"),
        ({"eth": "1e999999"}, "the price is not an amount"),
        ({"eth": ""}, "the price is not an amount"),
        ({"eth": "0.0000000000000000001"}, "the price is not an amount"),
        ({"day": "soon"}, "the day is not a date"),
        ({"day": "0001-01-01T00:00:00+10:00"}, "the day is not a date"),
        ({"token": "-1"}, "lines.0.token_id cannot be used"),
        ({"token": "1.0"}, "lines.0.token_id cannot be used"),
        ({"hash": "a b"}, "number cannot be used"),
        ({"hash": "a\0b"}, "number cannot be used"),
        ({"hash": ""}, "number cannot be used"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_dirty_row_is_listed_with_its_line_and_the_others_go_in(
    desk: Desk, tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    report = load(desk, tmp_path, HEADER + row(1) + row(2, **changes) + row(3))
    assert report.rejected == [(3, reason)]
    assert report.imported == 2
    assert len(desk.rows(Order)) == len(desk.rows(OrderLine)) == len(desk.rows(Payment)) == 2


def test_row_with_too_few_or_too_many_cells_is_never_half_loaded(
    desk: Desk, tmp_path: Path
) -> None:
    report = load(desk, tmp_path, HEADER + "0x1,2021-03-01\n" + row(2).strip() + ",x,y\n")
    assert report.rejected == [
        (2, "there is no buyer"),
        (3, "it has more columns than the header"),
    ]
    assert (report.imported, desk.rows(Order)) == (0, [])


def test_importing_again_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    content = HEADER + "".join(row(n) for n in range(1, 21))
    load(desk, tmp_path, content)
    before = desk.count_all()
    report = load(desk, tmp_path, content)
    assert (report.imported, report.known, report.rejected) == (0, 20, [])
    assert desk.count_all() == before


def test_changed_row_is_refused_not_overwritten(desk: Desk, tmp_path: Path) -> None:
    load(desk, tmp_path, HEADER + row())
    report = load(desk, tmp_path, HEADER + row(eth="9"))
    assert (report.imported, len(report.rejected)) == (0, 1)
    assert desk.rows(OrderLine)[0].price == 15 * 10**17


@pytest.mark.parametrize("form", ["tsv", "gzip", "bom", "crlf", "mm/dd/yy"])
def test_usual_forms_are_read(desk: Desk, tmp_path: Path, form: str) -> None:
    text = HEADER + row(1) + row(2)
    content: str | bytes = {
        "tsv": text.replace(",", "\t"),
        "gzip": gzip.compress(text.encode()),
        "bom": "\ufeff" + text,
        "crlf": text.replace("\n", "\r\n"),
        "mm/dd/yy": text.replace("2021-03-01", "03/01/21"),
    }[form]
    assert load(desk, tmp_path, content).imported == 2
    assert {order.placed_at.date() for order in desk.rows(Order)} == {date(2021, 3, 1)}


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\x89PNG\r\n\x1a\n\xff\xfe\x00", b'{"a": 1}', b"%PDF-1.4", b"\x1f\x8b",
     gzip.compress(HEADER.encode())[:-9], gzip.compress(HEADER.encode())[:12] + b"\xff" * 40,
     HEADER.encode() + b'"' + b"x" * 200_000, HEADER.encode() + b"y" * (1 << 16),
     HEADER.replace("token_id", "id").encode()],
    ids=range(11),
)  # fmt: skip
def test_file_that_is_not_a_table_is_refused_whole(
    desk: Desk, tmp_path: Path, content: bytes
) -> None:
    before = desk.count_all()
    with pytest.raises(FileInvalid):
        load(desk, tmp_path, content)
    assert desk.count_all() == before


def test_file_that_breaks_off_stores_nothing(desk: Desk, tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + "".join(row(n) for n in range(1, 3000))).encode())
    with pytest.raises(FileInvalid):
        load(desk, tmp_path, whole[: len(whole) // 2])
    assert desk.rows(Order) == []


def test_archive_that_unfolds_without_end_is_refused(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "_MAX_CHARACTERS", 1 << 20)
    bomb = gzip.compress((HEADER + row() * 20_000).encode())
    assert len(bomb) < 50_000
    with pytest.raises(FileInvalid, match="too long"):
        load(desk, tmp_path, bomb)
    assert desk.rows(Order) == []


@pytest.mark.parametrize("name", ["nothing.csv", "."])
def test_file_that_is_not_there_is_named(desk: Desk, tmp_path: Path, name: str) -> None:
    collection = desk.runtime.deployment.collection
    file = tmp_path / name
    with pytest.raises(FileInvalid):
        import_sales(desk.runtime, desk.merchant.id, file, collection=collection, mapping={})


def test_last_day_moves_all_dates_by_whole_days(desk: Desk, tmp_path: Path) -> None:
    content = HEADER + row(1, day="2021-03-01") + row(2, day="2021-02-01T13:30:00+00:00")
    load(desk, tmp_path, content, last_day=date(2026, 3, 1))
    assert sorted(order.placed_at for order in desk.rows(Order)) == [
        datetime(2026, 2, 1, 13, 30, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC),
    ]  # fmt: skip


def test_last_day_that_moves_a_row_out_of_the_calendar_lists_it(desk: Desk, tmp_path: Path) -> None:
    content = HEADER + row(1, day="0001-01-05") + row(2, day="2021-03-01")
    report = load(desk, tmp_path, content, last_day=date(2020, 1, 1))
    assert report.rejected == [(2, "the day is not a date")]
    assert report.imported == 1


def test_tender_column_decides_between_card_and_wallet(desk: Desk, tmp_path: Path) -> None:
    content = HEADER.replace("usd_price", "usd_price,paid") + "".join(
        row(n).strip() + f",{tender}\n"
        for n, tender in enumerate(("card", "wallet", "cash", ""), 1)
    )
    report = load(desk, tmp_path, content, mapping={"tender": "paid"})
    assert report.rejected == [(4, "the tender is neither card nor wallet")]
    payments = {(p.currency, p.captured) for p in desk.rows(Payment)}
    assert payments == {("USD", 250012), ("ETH", 15 * 10**17)}


@pytest.mark.parametrize("words", [["colour=red"], ["number"], ["number="]])
def test_mapping_of_a_field_that_does_not_exist_is_refused(words: list[str]) -> None:
    with pytest.raises(FieldInvalid):
        importer.parse_mapping(words)


def test_import_that_is_killed_half_way_is_completed_by_the_next(
    desk: Desk, tmp_path: Path
) -> None:
    content = HEADER + "".join(row(n) for n in range(1, 2501))

    def killed(done: int, _total: int) -> None:
        if done >= 1000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(desk, tmp_path, content, on_progress=killed)
    assert len(desk.rows(Order)) == len(desk.rows(Payment)) == 1000
    report = load(desk, tmp_path, content)
    assert (report.imported, report.known) == (1500, 1000)
    assert len(desk.rows(Order)) == len(desk.rows(OrderLine)) == len(desk.rows(Payment)) == 2500
