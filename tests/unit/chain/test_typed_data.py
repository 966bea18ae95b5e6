"""Typed data against the vectors that others published, and the message of ours."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from typed_vectors import VECTORS, as_request, beside, published

from chain.signatures import recover
from chain.typed_data import (
    Domain,
    ReturnAuthorization,
    digest,
    line_key,
    struct_hash,
    typed_data_digest,
    typed_data_preimage,
    wallet_request,
)
from returns.ids import from_bytes32

MESSAGES = VECTORS / "eip712_messages"
ESCROW = "0x" + "e5" * 20
DOMAIN = Domain(1, ESCROW)


def an_authorization(**changes: Any) -> ReturnAuthorization:
    fields: dict[str, Any] = {
        "line": "0x" + "01" * 32,
        "vault": "0x" + "02" * 20,
        "holder": "0x" + "03" * 20,
        "token": "0x" + "04" * 20,
        "tokenId": 2**256 - 1,
        "amount": 1,
        "remedy": 1,
        "asset": "0x" + "05" * 20,
        "refund": 10**18,
        "recipient": "0x" + "06" * 20,
        "deadline": 2**48 - 1,
        "reclaimAfter": 1,
        "commitUntil": 2,
    }
    return ReturnAuthorization(**(fields | changes))


@beside
def test_every_published_digest_and_signature_is_ours_too() -> None:
    signed = 0
    for vector in published():
        found = typed_data_digest(as_request(vector))
        assert "0x" + found.hex() == vector["digest"], vector["name"]
        if "signature" in vector:
            signer = Account.from_key(vector["privateKey"]).address.lower()
            assert recover(found, bytes.fromhex(vector["signature"][2:])) == signer
            signed += 1
    assert signed > 0


@beside
@pytest.mark.parametrize("file", ["valid_for_all", "valid_py_and_ethers", "valid_py_and_metamask"])
def test_every_valid_message_has_a_digest(file: str) -> None:
    messages = json.loads((MESSAGES / f"eip712_messages__{file}.json").read_text())
    digests = {name: typed_data_digest(one) for name, one in messages.items()}
    assert {len(one) for one in digests.values()} == {32}


@beside
def test_the_example_of_the_standard_has_its_published_digest() -> None:
    messages = json.loads((MESSAGES / "eip712_messages__valid_for_all.json").read_text())
    published = "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    assert typed_data_digest(messages["valid_eip712_example"]).hex() == published


@beside
def test_invalid_messages_are_refused() -> None:
    messages = json.loads((MESSAGES / "eip712_messages__invalid.json").read_text())
    for name, message in messages.items():
        with pytest.raises(Exception):  # noqa: B017, PT011  (the library's errors share no tree)
            pytest.fail(f"{name}: {typed_data_digest(message).hex()}")


@pytest.mark.parametrize("field", [*ReturnAuthorization.__dataclass_fields__])
def test_every_field_is_part_of_what_is_signed(field: str) -> None:
    value = getattr(an_authorization(), field)
    other: Any = "0x77" + str(value)[4:]
    if isinstance(value, int):
        other = value - 1 if value > 1 else value + 5
    changed = an_authorization(**{field: other})
    assert digest(changed, DOMAIN) != digest(an_authorization(), DOMAIN)


def test_chain_and_contract_are_part_of_what_is_signed() -> None:
    message = an_authorization()
    variants = {
        digest(message, DOMAIN),
        digest(message, Domain(2, ESCROW)),
        digest(message, Domain(1, "0x" + "e6" * 20)),
        digest(message, Domain(1, ESCROW, name="Another")),
        digest(message, Domain(1, ESCROW, version="2")),
    }
    assert len(variants) == 5


words = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
amounts = st.integers(0, 2**256 - 1) | st.integers(0, 300)
moments = st.integers(0, 2**48 - 1)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)

domains = st.builds(Domain, amounts, addresses, names, names)
authorizations = st.builds(
    ReturnAuthorization,
    line=words,
    vault=addresses,
    holder=addresses,
    token=addresses,
    tokenId=amounts,
    amount=amounts,
    remedy=st.integers(0, 255),
    asset=addresses,
    refund=amounts,
    recipient=addresses,
    deadline=moments,
    reclaimAfter=moments,
    commitUntil=moments,
)


@settings(max_examples=300, deadline=None)
@given(message=authorizations, domain=domains)
def test_digest_and_struct_hash_are_the_reference_librarys(
    message: ReturnAuthorization, domain: Domain
) -> None:
    request = wallet_request(message, domain)
    assert digest(message, domain) == typed_data_digest(request)
    assert struct_hash(message) == encode_typed_data(full_message=request).body


@given(message=authorizations, domain=domains)
def test_the_preimage_is_what_is_hashed(message: ReturnAuthorization, domain: Domain) -> None:
    preimage = typed_data_preimage(wallet_request(message, domain))
    assert preimage[:2] == b"\x19\x01"
    assert len(preimage) == 66
    assert keccak(preimage) == digest(message, domain)


def test_more_domains_than_are_remembered_are_told_apart() -> None:
    message = an_authorization()
    many = [Domain(number, ESCROW) for number in range(200)] * 2
    assert len({digest(message, domain) for domain in many}) == 200


def test_the_struct_hash_is_the_same_in_every_domain() -> None:
    whole = digest(an_authorization(), DOMAIN)
    request = wallet_request(an_authorization(), DOMAIN)
    domain = encode_typed_data(full_message=request).header
    assert keccak(b"\x19\x01" + domain + struct_hash(an_authorization())) == whole


def test_a_line_carries_its_holder() -> None:
    line_id, holder = uuid4(), "0x" + "0102030405060708090a0b0c0d0e0f1011121314"
    assert line_key(line_id, holder).hex() == holder[-32:] + line_id.hex
    assert from_bytes32(line_key(line_id, holder)) == line_id


def test_the_wallet_is_shown_exactly_what_is_hashed() -> None:
    request = wallet_request(an_authorization(), DOMAIN)
    text = json.loads(json.dumps(request))
    assert typed_data_digest(text) == digest(an_authorization(), DOMAIN)
    assert text["message"]["tokenId"] == str(2**256 - 1)
    assert text["primaryType"] == "ReturnAuthorization"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tokenId", 2**256),
        ("tokenId", -1),
        ("deadline", 2**48),
        ("remedy", 256),
        ("deadline", -1),
        ("remedy", -1),
        ("refund", 2**256),
        ("tokenId", "1"),
        ("tokenId", 1.0),
        ("tokenId", None),
        ("holder", "0x12"),
        ("holder", ""),
        ("holder", "0x" + "03" * 21),
        ("holder", "03" * 21),
        ("holder", "0x" + " " * 2 + "03" * 19),
        ("holder", "0x" + "03" * 20 + " "),
        ("holder", "0x" + "zz" * 20),
        ("line", "0x12" * 32),
        ("line", "0x" + "01" * 31),
        ("line", "01" * 33),
    ],
)
def test_what_does_not_fit_the_struct_has_no_digest(field: str, value: Any) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011
        pytest.fail(digest(an_authorization(**{field: value}), DOMAIN).hex())


@pytest.mark.parametrize(
    "domain", [Domain(-1, ESCROW), Domain(2**256, ESCROW), Domain(1, "0x12"), Domain(1, "")]
)
def test_what_is_no_domain_has_no_digest(domain: Domain) -> None:
    for _ in range(2):
        with pytest.raises((ValueError, OverflowError)):
            digest(an_authorization(), domain)


def test_the_type_is_the_contracts_type() -> None:
    request = wallet_request(an_authorization(), DOMAIN)
    fields = request["types"]["ReturnAuthorization"]
    text = "ReturnAuthorization(" + ",".join(f"{f['type']} {f['name']}" for f in fields) + ")"
    source = Path(__file__).parents[3] / "contracts" / "src" / "ReturnAuthorization.sol"
    assert text in source.read_text().replace('"\n        "', "")
    assert len(keccak(text=text)) == 32
