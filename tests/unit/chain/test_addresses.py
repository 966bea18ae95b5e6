"""Addresses on the way in: EIP-55, or refused."""

import gzip
import json
from pathlib import Path

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from chain.addresses import ZERO, fiat_asset, parse_address, to_checksum
from returns.errors import AddressInvalid

#: The examples of EIP-55.
PUBLISHED = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
ACCOUNTS = Path(__file__).parents[4] / "shared/data/vectors/typed_data/accounts.json.gz"
ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.mark.parametrize("text", PUBLISHED)
def test_reads_the_published_examples(text: str) -> None:
    assert parse_address(text) == text.lower()
    assert to_checksum(text.lower()) in (text, to_checksum(text))


@pytest.mark.parametrize("text", [ADDRESS.lower(), "0x" + ADDRESS[2:].upper()])
def test_one_case_needs_no_checksum(text: str) -> None:
    assert parse_address(text) == ADDRESS.lower()


@pytest.mark.parametrize("place", range(2, 42))
def test_a_letter_in_the_wrong_case_is_refused(place: int) -> None:
    wrong = ADDRESS[:place] + ADDRESS[place].swapcase() + ADDRESS[place + 1 :]
    if wrong == ADDRESS:
        assert parse_address(wrong) == ADDRESS.lower()
        return
    with pytest.raises(AddressInvalid):
        parse_address(wrong)


@pytest.mark.parametrize(
    "text",
    [
        ZERO,
        "",
        "0x",
        ADDRESS[2:],
        ADDRESS[:-1],
        ADDRESS + "0",
        ADDRESS + "\n",
        " " + ADDRESS,
        "0X" + ADDRESS[2:],
        "0x" + "g" * 40,
        "0x" + "０" * 40,
        "0x" + "\0" * 40,
        None,
        0,
        int(ADDRESS, 16),
        ADDRESS.encode(),
        bytes.fromhex(ADDRESS[2:]),
        [ADDRESS],
    ],
)
def test_refuses_what_is_no_address(text: object) -> None:
    with pytest.raises(AddressInvalid):
        parse_address(text)


@given(st.text(max_size=50) | st.binary(max_size=50) | st.integers() | st.none())
def test_anything_else_is_refused_and_never_breaks(value: object) -> None:
    with pytest.raises(AddressInvalid):
        parse_address(value)


@given(st.binary(min_size=20, max_size=20).filter(any))
def test_every_address_survives_its_checksum_form(raw: bytes) -> None:
    assert parse_address(to_checksum("0x" + raw.hex())) == "0x" + raw.hex()


def test_a_fiat_currency_is_its_number() -> None:
    assert fiat_asset(840) == "0x" + "00" * 18 + "0348"


@pytest.mark.skipif(
    not ACCOUNTS.exists(), reason="the published accounts are not beside the project"
)
def test_reads_the_published_accounts_as_their_keys_say() -> None:
    accounts = json.loads(gzip.decompress(ACCOUNTS.read_bytes()))
    assert len(accounts) == 259
    for one in accounts:
        assert to_checksum(one["address"]) == one["address"]
        assert parse_address(one["address"]) == one["address"].lower()
        assert Account.from_key(one["privateKey"]).address == one["address"]
