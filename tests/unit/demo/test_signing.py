"""The simulated customer reads before signing."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from demo import signing
from demo.keys import wallet_of
from demo.kinds import CRYPTO, FIAT, Kind
from demo.requests import Request
from demo.sales import Purchase

from .conftest import ALICE, BOB

DEPLOYMENT = {
    "chain_id": 31337,
    "escrow": "0x" + "e" * 40,
    "collection": "0x" + "c" * 40,
}
VAULT = "0x" + "a" * 40
NOW = 1_700_000_000
_TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "ReturnAuthorization": [
        {"name": name, "type": kind}
        for name, kind in (
            ("line", "bytes32"),
            ("vault", "address"),
            ("holder", "address"),
            ("token", "address"),
            ("tokenId", "uint256"),
            ("amount", "uint256"),
            ("remedy", "uint8"),
            ("asset", "address"),
            ("refund", "uint256"),
            ("recipient", "address"),
            ("deadline", "uint48"),
            ("reclaimAfter", "uint48"),
            ("commitUntil", "uint48"),
        )
    ],
}


def _request(tender: str = "wallet") -> Request:
    purchase = Purchase(
        number="0x01",
        place=1,
        customer=ALICE,
        wallet=wallet_of(ALICE),
        token_id=77,
        day=date(2022, 1, 1),
        tender=tender,
        currency="USD" if tender == "card" else "ETH",
        price=5_000,
    )
    return Request(0, Kind.COIN_BACK, purchase, CRYPTO, signer=ALICE)


def _typed_data() -> dict[str, Any]:
    message = signing.wanted(_request(), CRYPTO, DEPLOYMENT, VAULT)
    dates = {"deadline": NOW + 10, "reclaimAfter": 0, "commitUntil": 0}
    return {
        "types": _TYPES,
        "primaryType": "ReturnAuthorization",
        "domain": {
            "name": "Undrop ReturnEscrow",
            "version": "1",
            "chainId": DEPLOYMENT["chain_id"],
            "verifyingContract": DEPLOYMENT["escrow"],
        },
        "message": {
            "line": "0x" + "01" * 32,
            **message,
            **{name: str(value) for name, value in dates.items()},
        },
    }


def _lies(typed_data: dict[str, Any]) -> list[str]:
    wanted = signing.wanted(_request(), CRYPTO, DEPLOYMENT, VAULT)
    return signing.lies(typed_data, wanted, DEPLOYMENT, NOW)


def test_honest_message_has_no_lies() -> None:
    assert _lies(_typed_data()) == []


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("message", "tokenId", "78"),
        ("message", "token", "0x" + "d" * 40),
        ("message", "refund", "4999"),
        ("message", "recipient", wallet_of(BOB)),
        ("message", "remedy", "2"),
        ("message", "asset", "0x" + "d" * 40),
        ("message", "deadline", str(NOW)),
        ("message", "commitUntil", str(NOW + 15)),
        ("domain", "verifyingContract", "0x" + "f" * 40),
        ("domain", "chainId", 1),
    ],
)
def test_sees_every_lie(where: str, name: str, value: object) -> None:
    typed_data = copy.deepcopy(_typed_data())
    typed_data[where][name] = value
    assert len(_lies(typed_data)) == 1


def test_fiat_is_named_by_its_iso_number() -> None:
    fields = signing.wanted(_request("card"), FIAT, DEPLOYMENT, VAULT)
    assert (fields["asset"], fields["remedy"]) == ("0x" + f"{840:040x}", "0")


def test_signature_recovers_to_the_simulated_wallet() -> None:
    typed_data = _typed_data()
    signature = signing.sign(ALICE, typed_data)
    signable = encode_typed_data(full_message=typed_data)
    assert Account.recover_message(signable, signature=signature).lower() == wallet_of(ALICE)
