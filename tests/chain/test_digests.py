"""Every message that people sign has one digest: the contracts', ours, and the published one."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any
from uuid import UUID

import pytest
from chain_life import HOLDER, REPLACEMENT, Life, mint_token
from chain_node import VAULT, Stage, create, person
from eth_abi.abi import decode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typed_vectors import as_request, beside, published

from chain.addresses import ZERO
from chain.client import RpcError
from chain.contracts import encode_call, encode_signature, view
from chain.local import APPROVER, CUSTOMERS, OPERATOR
from chain.signers import LocalSigner
from chain.typed_data import (
    Domain,
    RefundApproval,
    ReturnAuthorization,
    approval_request,
    cancellation_request,
    digest,
    line_key,
    read_domain,
    typed_data_digest,
    wallet_request,
)

pytestmark = pytest.mark.chain

#: A signature by nobody in these tests: the refusal names the digest that the contract expected.
NOBODYS = b"\x01" * 64 + b"\x1b"
_INVALID = keccak(text="SignatureInvalid(address,address,bytes32)")[:4]
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TOKENS = (0, 1, 2**128, 2**256 - 1)
VAULTS = (VAULT, "0x" + "01" * 20, "0x" + "ff" * 20)

words = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
amounts = st.integers(0, 2**256 - 1)
seconds = st.integers(0, 2**48 - 1)
holders = st.integers(1, _ORDER - 1).map(lambda n: LocalSigner("0x" + n.to_bytes(32, "big").hex()))
numbers = st.integers(0, 2**128 - 1).map(lambda n: UUID(int=n))
anything = settings(max_examples=60, deadline=None)

PERMIT = (
    ("spender", "address"),
    ("tokenId", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)


@st.composite
def authorizations(draw: st.DrawFn) -> tuple[LocalSigner, ReturnAuthorization]:
    """Any values at all, on a line of the holder's own."""
    holder = draw(holders)
    return holder, ReturnAuthorization(
        line="0x" + line_key(draw(numbers), holder.address).hex(),
        vault=draw(addresses),
        holder=holder.address,
        token=draw(addresses),
        tokenId=draw(amounts),
        amount=draw(amounts),
        remedy=draw(st.integers(0, 255)),
        asset=draw(addresses),
        refund=draw(amounts),
        recipient=draw(addresses),
        deadline=draw(seconds),
        reclaimAfter=draw(seconds),
        commitUntil=draw(seconds),
    )


@pytest.fixture(scope="module")
def life(stage: Stage) -> Life:
    """Merchants, tokens of extreme ids, and nothing that a test here changes: all are calls."""
    stage.anvil.automine(True)
    built = Life(stage, ZERO)
    for vault in VAULTS:
        stage.open_merchant(vault)
    for token in TOKENS:
        mint_token(built, HOLDER.address, token)
    return built


@pytest.fixture(scope="module")
def domain(life: Life) -> Domain:
    """The escrow's."""
    return read_domain(life.stage.client, life.escrow)


# -- what a holder signs ---------------------------------------------------------------------------


@anything
@given(made=authorizations())
def test_an_authorization(
    life: Life, domain: Domain, made: tuple[LocalSigner, ReturnAuthorization]
) -> None:
    _, auth = made
    assert life.ask("digestOf", auth.as_tuple()) == digest(auth, domain)
    assert digest(auth, domain) == typed_data_digest(wallet_request(auth, domain))


@anything
@given(made=authorizations(), which=st.integers(0, 99))
def test_a_cancellation(
    life: Life, domain: Domain, made: tuple[LocalSigner, ReturnAuthorization], which: int
) -> None:
    holder, auth = made
    request = cancellation_request(auth, domain)
    refusal = tried(life, "cancelBySignature", auth.as_tuple(), NOBODYS)
    assert digest_in(refusal) == typed_data_digest(request)
    assert (
        tried(life, "cancelBySignature", auth.as_tuple(), holder.sign_typed_data(request)) is None
    )
    other = changed(auth, which)
    foreign = holder.sign_typed_data(cancellation_request(other, domain))
    assert tried(life, "cancelBySignature", auth.as_tuple(), foreign) is not None


# -- what a second person signs --------------------------------------------------------------------


@anything
@given(
    made=authorizations(),
    vault=st.sampled_from(VAULTS),
    until=seconds,
    which=st.integers(0, 99),
)
def test_an_approval(
    life: Life,
    domain: Domain,
    made: tuple[LocalSigner, ReturnAuthorization],
    vault: str,
    until: int,
    which: int,
) -> None:
    """Through a replacement: it needs an approval whatever the values, and checks it first."""
    holder, drawn = made
    approver, late = person(APPROVER), 2**47
    auth = replace(drawn, remedy=REPLACEMENT, vault=vault, deadline=late)
    assume(auth.recipient not in (ZERO, life.escrow, approver.address))
    values = (auth.line, vault, auth.asset, auth.refund, auth.recipient, max(until, late))
    approval = RefundApproval(*values)
    signature = holder.sign_typed_data(wallet_request(auth, domain))

    def answer(wanted: RefundApproval, signed: bytes) -> RpcError | None:
        told = wanted.with_signature(approver.address, signed)
        return tried(life, "swap", auth.as_tuple(), signature, told)

    request = approval_request(approval, domain)
    assert digest_in(answer(approval, NOBODYS)) == typed_data_digest(request)
    # What is refused next is the token, which nobody holds: the approval itself is accepted.
    assert not names_a_digest(answer(approval, approver.sign_typed_data(request)))
    other = changed(approval, which)
    foreign = approver.sign_typed_data(approval_request(other, domain))
    assert digest_in(answer(approval, foreign)) == typed_data_digest(request)


# -- what the owner of one of our tokens signs -----------------------------------------------------


@anything
@given(spender=addresses, token=st.sampled_from(TOKENS), until=amounts, which=st.integers(0, 3))
def test_a_permit(life: Life, spender: str, token: int, until: int, which: int) -> None:
    """ERC-4494, its domain as the collection tells it (EIP-5267)."""
    deadline = max(until, 2**47)
    nonce = view(life.stage.client, life.collection, "ReturnableNFT", "nonces", token)
    message = {"spender": spender, "tokenId": token, "nonce": nonce, "deadline": deadline}
    request = permit_request(life, message)
    separator = view(life.stage.client, life.collection, "ReturnableNFT", "DOMAIN_SEPARATOR")
    assert encode_typed_data(full_message=request).header == separator
    assert permitted(life, message, HOLDER.sign_typed_data(request))
    field = PERMIT[which][0]
    value = message[field]
    other = "0x77" + str(value)[4:] if field == "spender" else int(value) ^ 1
    assume(other != value)
    foreign = permit_request(life, {**message, field: other})
    assert not permitted(life, message, HOLDER.sign_typed_data(foreign))
    assert not permitted(life, message, person(CUSTOMERS[1]).sign_typed_data(request))


# -- what others published -------------------------------------------------------------------------


@beside
def test_every_published_vector_on_chain(life: Life) -> None:
    """OpenZeppelin's hash over our parts is the published digest; our library takes its signer."""
    client = life.stage.client
    helper = create(client, "Digests", file="Digests")
    vectors = published()
    requests = [as_request(vector) for vector in vectors]
    parts = [encode_typed_data(full_message=request) for request in requests]
    calls = [
        (helper, encode_signature("digestOf(bytes32,bytes32)", one.header, one.body))
        for one in parts
    ]
    theirs = client.eth_calls(calls, client.newest())
    expected = [bytes.fromhex(vector["digest"][2:]) for vector in vectors]
    assert theirs == [typed_data_digest(request) for request in requests] == expected
    accepted = [signed_by_published_key(helper, one) for one in vectors if "signature" in one]
    assert len(accepted) == 1
    for request, hashed in zip(requests, expected, strict=True):
        accepted.append(check(helper, HOLDER.address, hashed, HOLDER.sign_typed_data(request)))
    assert client.eth_calls(accepted, client.newest()) == [b""] * 131
    other = [check(helper, HOLDER.address, bytes(32), data[-96:-31]) for _, data in accepted]
    refused = client.eth_calls(other, client.newest())
    assert all(isinstance(answer, RpcError) for answer in refused)


# -- small things ----------------------------------------------------------------------------------


def tried(life: Life, function: str, *args: Any) -> RpcError | None:
    """Why the escrow would refuse this call of the operator; None if it would not."""
    data = "0x" + encode_call("ReturnEscrow", function, *args).hex()
    call = {"from": person(OPERATOR).address, "to": life.escrow, "data": data}
    try:
        life.stage.client.call("eth_call", call, "latest")
    except RpcError as error:
        return error
    return None


def names_a_digest(refusal: RpcError | None) -> bool:
    """Whether a signature is what was refused."""
    assert refusal is not None
    return (refusal.data or "").startswith("0x" + _INVALID.hex())


def digest_in(refusal: RpcError | None) -> bytes:
    """What the contract wanted to be signed, as its refusal says."""
    assert refusal is not None
    assert refusal.data is not None
    assert names_a_digest(refusal), refusal
    raw = bytes.fromhex(refusal.data[10:])
    return bytes(decode(["address", "address", "bytes32"], raw)[2])


def changed(message: Any, which: int) -> Any:
    """The same message with another value in one field, which is not what ties it to its signer."""
    names = [one.name for one in fields(message) if one.name not in ("line", "holder")]
    name = names[which % len(names)]
    value = asdict(message)[name]
    other = value ^ 1 if isinstance(value, int) else value[:-1] + ("0" if value[-1] != "0" else "1")
    return replace(message, **{name: other})


def permit_request(life: Life, message: dict[str, Any]) -> dict[str, Any]:
    """The argument of eth_signTypedData_v4 for a permit of our collection."""
    told = view(life.stage.client, life.collection, "ReturnableNFT", "eip712Domain")
    _, name, version, chain_id, contract, _, _ = told
    request = wallet_request(_any(), Domain(chain_id, contract, name, version))
    permit = [{"name": n, "type": t} for n, t in PERMIT]
    types = {"EIP712Domain": request["types"]["EIP712Domain"], "Permit": permit}
    return {**request, "types": types, "primaryType": "Permit", "message": message}


def permitted(life: Life, message: dict[str, Any], signature: bytes) -> bool:
    """Whether the collection takes this permit."""
    spender, token, deadline = (message[name] for name in ("spender", "tokenId", "deadline"))
    call = encode_call("ReturnableNFT", "permit", spender, token, deadline, signature)
    [answer] = life.stage.client.eth_calls([(life.collection, call)], life.stage.client.newest())
    assert isinstance(answer, bytes) or answer.data is not None
    return isinstance(answer, bytes)


def signed_by_published_key(helper: str, vector: dict[str, Any]) -> tuple[str, bytes]:
    """The call that checks a published signature over the published digest."""
    signer = Account.from_key(vector["privateKey"]).address
    hashed, signature = (bytes.fromhex(vector[name][2:]) for name in ("digest", "signature"))
    return check(helper, signer, hashed, signature)


def check(helper: str, signer: str, hashed: bytes, signature: bytes) -> tuple[str, bytes]:
    """The call by which the escrow's library checks a signature: it reverts, or says nothing."""
    call = "check(address,bytes32,bytes)"
    return helper, encode_signature(call, signer, hashed, signature)


def _any() -> ReturnAuthorization:
    word, account = "0x" + "00" * 32, ZERO
    return ReturnAuthorization(
        word, account, account, account, 0, 0, 0, account, 0, account, 0, 0, 0
    )
