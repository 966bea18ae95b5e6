"""The importer on real sales, where their file lies beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import Desk
from fake_chain import DEPLOYMENT

from returns.tables import Order
from settlement.importer import import_sales

DATA = Path(__file__).parents[3] / "shared" / "data" / "sales" / "cryptopunk_sales.csv.gz"


@pytest.mark.skipif(not DATA.exists(), reason=f"no {DATA.name} beside the repository")
def test_real_sales_are_imported_or_listed(desk: Desk) -> None:
    options = {"collection": DEPLOYMENT.collection, "mapping": {}}
    report = import_sales(desk.runtime, desk.merchant.id, DATA, **options)
    assert report.imported + report.known + len(report.rejected) == report.rows > 10_000
    assert len(desk.rows(Order)) == report.imported > 10_000
    again = import_sales(desk.runtime, desk.merchant.id, DATA, **options)
    assert (again.imported, again.known) == (0, report.imported)
