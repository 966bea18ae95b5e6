"""Promises that a newcomer found broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from desk import Desk
from fake_chain import VAULT
from pydantic import ValidationError

from returns.errors import AddressInvalid, ContractsMissing
from returns.tables import Chain
from settlement import importer
from settlement.commands import setup
from settlement.runtime import Runtime
from settlement.settings import Settings
from triage.policy import parse_policy

_HEADER = "transaction_hash,day,buyer_address,seller_address,token_id,eth_price,usd_price\n"
_ROW = f"0x01,2026-03-01,{'0x' + 'a1' * 20},{'0x' + 'b2' * 20},7,1.5,4000"


def test_policy_without_collections_of_its_own_is_read() -> None:
    text = setup.STANDARD_POLICY.read_text().replace("collections: {}", "")
    assert parse_policy(text).for_line("0x" + "11" * 20, "web").window_days == 30


def test_damaged_model_leaves_decisions_to_the_rules(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.model_file.write_bytes(os.urandom(300))
    assert Runtime(settings).model is None


def test_row_with_more_columns_than_the_header_is_rejected(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(f"{_HEADER}{_ROW},shifted\n{_ROW}\n")
    collection = desk.runtime.deployment.collection
    report = importer.import_sales(
        desk.runtime, desk.merchant.id, file, collection=collection, mapping={}
    )
    assert report.rejected == [(2, "it has more columns than the header")]
    assert (report.rows, report.imported) == (2, 1)


def test_wrong_collection_is_refused_before_any_row_is_read(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(f"{_HEADER}{_ROW}\n")
    before = desk.count_all()
    with pytest.raises(AddressInvalid):
        importer.import_sales(desk.runtime, desk.merchant.id, file, collection="zzz", mapping={})
    assert desk.count_all() == before


@pytest.mark.parametrize("url", ["", "foo", "ftp://127.0.0.1:1", "http://127.0.0.1:99999"])
def test_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(rpc_url=url)


def test_contracts_are_not_deployed_anew_beside_books_of_older_ones(desk: Desk) -> None:
    with desk.runtime.database.write() as session:
        session.add(
            Chain(chain_id=desk.runtime.settings.chain_id, anchor_number=1, anchor_hash="0x01")
        )
    with pytest.raises(ContractsMissing, match="restore it"):
        setup.deploy_locally(desk.runtime, VAULT)
