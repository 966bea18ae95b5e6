"""A Safe's tokens move when two of its three owners signed, once, and whoever pays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest
from chain_node import Stage, create
from vaults import OWNERS, PAYER, STRANGER, TOKEN, out, owner_of, run, signed, vault_with_token

from chain import account, safe, safe_tx
from chain.addresses import ZERO
from chain.client import RpcError
from chain.contracts import encode_signature
from chain.safe import Safe
from chain.safe_tx import SafeTx
from chain.typed_data import typed_data_digest
from returns.errors import (
    ChainUnavailable,
    FieldInvalid,
    OwnerSignatureInvalid,
    OwnerSignaturesMissing,
    SafeNonceDiffers,
    UndropError,
)

pytestmark = pytest.mark.chain

DIGEST = bytes(range(32))
#: Order of secp256k1.
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def vault(stage: Stage) -> Safe:
    """Two of three, with the token."""
    return vault_with_token(stage)


def refused(
    chain: Stage, vault: Safe, tx: SafeTx, signatures: list[bytes], kind: type[UndropError]
) -> UndropError:
    """The refusal; nothing was moved, counted or paid for."""
    before = chain.client.transaction_count(PAYER.address), owner_of(chain)
    with pytest.raises(kind) as error:
        safe_tx.execute(chain.client, PAYER, vault.address, tx, signatures)
    assert (chain.client.transaction_count(PAYER.address), owner_of(chain)) == before
    assert safe.read(chain.client, vault.address) == vault
    return error.value


def test_our_digests_are_the_safes(chain: Stage, vault: Safe) -> None:
    tx = SafeTx(STRANGER.address, b"\x01\x02\x03", 2**200, 10**30)
    kinds = "address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,uint256"
    rest = (0, 0, 0, 0, ZERO, ZERO, tx.nonce)
    data = encode_signature(f"getTransactionHash({kinds})", tx.to, tx.value, tx.data, *rest)
    ours = typed_data_digest(safe_tx.transaction_request(vault, tx))
    assert chain.client.eth_call(vault.address, data) == ours
    data = encode_signature("getMessageHash(bytes)", DIGEST)
    ours = typed_data_digest(safe_tx.message_request(vault, DIGEST))
    assert chain.client.eth_call(vault.address, data) == ours


@pytest.mark.parametrize("pair", list(combinations(range(3), 2)))
def test_any_two_of_three_move_a_token_and_anybody_pays(
    chain: Stage, vault: Safe, pair: tuple[int, int]
) -> None:
    tx = out(chain, vault)
    signatures = signed(vault, tx, [OWNERS[i] for i in pair])
    in_any_order = {
        safe_tx.execution(chain.client, vault.address, tx, given)
        for given in (signatures, signatures[::-1])
    }
    assert len(in_any_order) == 1
    receipt = safe_tx.execute(chain.client, PAYER, vault.address, tx, signatures)
    assert (receipt["status"], receipt["from"]) == ("0x1", PAYER.address)
    assert owner_of(chain) == STRANGER.address
    assert safe.read(chain.client, vault.address) == replace(vault, nonce=1)


def test_an_erc1155_comes_in_and_two_of_three_move_a_part(chain: Stage, vault: Safe) -> None:
    token = create(chain.client, "Plain1155", file="HonestTokens")
    mint = encode_signature("mint(address,uint256,uint256)", vault.address, 5, 10)
    account.send(chain.client, PAYER, to=token, data=mint)
    run(chain, vault, safe_tx.move_erc1155(vault, token, STRANGER.address, 5, 4))
    ask = "balanceOf(address,uint256)"
    held = [
        int.from_bytes(chain.client.eth_call(token, encode_signature(ask, one, 5)), "big")
        for one in (vault.address, STRANGER.address)
    ]
    assert held == [6, 4]


def test_wallets_that_write_v_as_zero_or_one_are_understood(chain: Stage, vault: Safe) -> None:
    tx = out(chain, vault)
    signatures = signed(vault, tx, OWNERS[1:])
    short = [one[:64] + bytes([one[64] - 27]) for one in signatures]
    safe_tx.execute(chain.client, PAYER, vault.address, tx, short)
    assert owner_of(chain) == STRANGER.address


def malleable(signature: bytes) -> bytes:
    high = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + high.to_bytes(32, "big") + bytes([55 - signature[64]])


@pytest.mark.parametrize(
    ("spoil", "kind", "says"),
    [
        (lambda two, _: two[:1], OwnerSignaturesMissing, "2 signatures of its owners; 1 were"),
        (lambda *_: [], OwnerSignaturesMissing, "2 signatures of its owners; 0 were given"),
        (lambda two, other: [two[0], other], OwnerSignatureInvalid, STRANGER.address),
        (lambda two, other: [*two, other], OwnerSignatureInvalid, STRANGER.address),
        (lambda two, _: [two[0], two[0]], OwnerSignatureInvalid, "signed twice"),
        (lambda two, _: [two[0], malleable(two[1])], OwnerSignatureInvalid, "nobody signed"),
        (lambda two, _: [two[0], two[1][:64]], OwnerSignatureInvalid, "nobody signed"),
    ],
)
def test_signatures_that_do_not_count_are_refused(
    chain: Stage,
    vault: Safe,
    spoil: Callable[[list[bytes], bytes], list[bytes]],
    kind: type[UndropError],
    says: str,
) -> None:
    tx = out(chain, vault)
    request = safe_tx.transaction_request(vault, tx)
    given = spoil(safe_tx.sign(request, OWNERS[:2]), STRANGER.sign_typed_data(request))
    assert says in str(refused(chain, vault, tx, given, kind))


def test_the_safe_itself_refuses_one_signature(chain: Stage, vault: Safe) -> None:
    """Without our checks in front of it."""
    tx = out(chain, vault)
    request = safe_tx.transaction_request(vault, tx)
    lax = replace(vault, threshold=1)
    one = safe_tx.join_signatures(lax, request, safe_tx.sign(request, OWNERS[:1]))
    with pytest.raises(RpcError, match="GS020"):
        chain.client.eth_call(vault.address, safe_tx.calldata(tx, one))


@pytest.mark.parametrize("other", [{"chain_id": 1}, {"address": "0x" + "5a" * 20}])
def test_signatures_for_another_safe_are_refused(
    chain: Stage, vault: Safe, other: dict[str, str]
) -> None:
    tx = out(chain, vault)
    foreign = safe_tx.transaction_request(replace(vault, **other), tx)
    refused(chain, vault, tx, safe_tx.sign(foreign, OWNERS), OwnerSignatureInvalid)


def test_a_transaction_runs_once(chain: Stage, vault: Safe) -> None:
    tx = safe_tx.approve_operator(vault, chain.deployment.collection, STRANGER.address, True)
    signatures = signed(vault, tx, OWNERS)
    safe_tx.execute(chain.client, PAYER, vault.address, tx, signatures)
    after = replace(vault, nonce=1)
    error = refused(chain, after, tx, signatures, SafeNonceDiffers)
    assert error.values == {"safe": vault.address, "current": 1, "signed": 0}
    refused(chain, after, replace(tx, nonce=2), signatures, SafeNonceDiffers)


def test_a_call_that_reverts_leaves_the_nonce(chain: Stage, vault: Safe) -> None:
    tx = safe_tx.move_erc721(vault, chain.deployment.collection, STRANGER.address, TOKEN + 1)
    error = refused(chain, vault, tx, signed(vault, tx, OWNERS), ChainUnavailable)
    assert f"ERC721NonexistentToken({TOKEN + 1})" in str(error)


def test_a_call_to_nothing_is_refused(chain: Stage, vault: Safe) -> None:
    tx = replace(out(chain, vault), to=STRANGER.address)
    error = refused(chain, vault, tx, signed(vault, tx, OWNERS), FieldInvalid)
    assert "is not a contract" in str(error)


def allow(chain: Stage, vault: Safe, approved: bool) -> None:
    current = safe.read(chain.client, vault.address)
    collection = chain.deployment.collection
    run(chain, current, safe_tx.approve_operator(current, collection, STRANGER.address, approved))


def take(chain: Stage, vault: Safe) -> None:
    """By the operator, without the Safe."""
    call = "transferFrom(address,address,uint256)"
    data = encode_signature(call, vault.address, STRANGER.address, TOKEN)
    account.send(chain.client, STRANGER, to=chain.deployment.collection, data=data)


def test_an_operator_takes_tokens_while_the_safe_allows_it(chain: Stage, vault: Safe) -> None:
    allow(chain, vault, True)
    allow(chain, vault, False)
    with pytest.raises(ChainUnavailable, match="ERC721InsufficientApproval"):
        take(chain, vault)
    assert owner_of(chain) == vault.address
    allow(chain, vault, True)
    take(chain, vault)
    assert owner_of(chain) == STRANGER.address
