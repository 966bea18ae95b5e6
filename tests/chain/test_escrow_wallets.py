"""Wallets that are code: what the escrow and our own check make of their signatures.

Contract wallets (EIP-1271), wallets that are not deployed yet (EIP-6492), accounts that delegated
to code (EIP-7702).
"""

from __future__ import annotations

import time

import pytest
import vaults
from chain_life import HOLDER, PAYER, Life, exercises, mint_token, told
from chain_node import VAULT, create, person
from eth_account import Account

from chain import safe, safe_tx
from chain.contracts import encode_call, encode_signature
from chain.local import CUSTOMERS, OPERATOR, anvil_keys
from chain.signatures import is_wrapped, verify, wrap_undeployed
from chain.signers import LocalSigner
from chain.typed_data import ReturnAuthorization, digest, read_domain

pytestmark = pytest.mark.chain

STRANGER = person(CUSTOMERS[3])


@exercises("deposit")
def test_a_contract_wallet_returns_its_token(life: Life) -> None:
    wallet = create(life.stage.client, "ContractWallet", HOLDER.address, file="Accounts")
    auth = tokens_of(life, wallet)
    refusal = life.refused("deposit", auth.as_tuple(), life.sign(auth, STRANGER))
    assert refusal.startswith(f"SignatureInvalid({wallet}, {STRANGER.address}")
    assert both_accept(life, auth, life.sign(auth))
    assert told(life.deposit(auth), "Deposited")["depositor"] == wallet
    assert life.owner(token=31) == life.escrow


@exercises("deposit", "release")
def test_a_safe_that_is_not_deployed_yet_returns_its_token(life: Life) -> None:
    """EIP-6492: its address is known from its owners, the escrow has it deployed on the way."""
    client = life.stage.client
    contracts = safe.deploy_contracts(client, PAYER)
    address = safe.vault_address(contracts, vaults.ADDRESSES, 2)
    auth = tokens_of(life, address)
    unborn = safe.Safe(address, client.chain_id(), tuple(sorted(vaults.ADDRESSES)), 2, 0)
    inner = safe_tx.sign_message(unborn, hashed(life, auth), vaults.OWNERS[:2])
    call = safe.creation_call(contracts, vaults.ADDRESSES, 2)
    wrapped = wrap_undeployed(contracts.factory, call, inner)
    assert not verify(client, address, hashed(life, auth), inner)
    assert both_accept(life, auth, wrapped)
    assert client.code(address) == b"", "looking sends nothing"
    life.run("deposit", auth.as_tuple(), wrapped)
    assert client.code(address) != b""
    assert life.owner(token=31) == life.escrow
    assert both_accept(life, auth, inner, fresh=False)
    assert both_accept(life, auth, wrapped, fresh=False)
    life.run("release", auth.as_tuple())
    assert life.owner(token=31) == address


def test_wrappings_that_deploy_nothing_or_another_wallet_are_refused(life: Life) -> None:
    client = life.stage.client
    factory = create(client, "SlowFactory", file="Wallets")
    wallet = wallet_of(life, factory)
    auth = tokens_of(life, wallet)
    inner, call = life.sign(auth), creation(HOLDER.address)
    assert both_accept(life, auth, wrap_undeployed(factory, call, inner))
    assert both_accept(
        life, auth, wrap_undeployed(factory, creation(HOLDER.address, 1_000_000), inner)
    )
    wrong = {
        "another key": wrap_undeployed(factory, call, life.sign(auth, STRANGER)),
        "another wallet": wrap_undeployed(factory, creation(STRANGER.address), inner),
        "no factory": wrap_undeployed(STRANGER.address, call, inner),
        "a factory that reverts": wrap_undeployed(life.dollar, call, inner),
        "more gas than the escrow gives": wrap_undeployed(
            factory, creation(HOLDER.address, 1_900_000), inner
        ),
        "nothing signed": wrap_undeployed(factory, call, b""),
        "only the mark": b"\x00" + b"\x64\x92" * 16,
        "a broken wrapping": wrap_undeployed(factory, call, inner)[40:],
    }
    assert all(is_wrapped(one) for one in wrong.values())
    for why, signature in wrong.items():
        assert not both_accept(life, auth, signature), why
        life.refused("deposit", auth.as_tuple(), signature)
    assert client.code(wallet) == b""
    assert life.owner(token=31) == wallet


def test_a_key_whose_signature_is_wrapped_is_nobody(life: Life) -> None:
    """The escrow reads a wrapped signature as a wallet's, and an account without code is none."""
    auth = life.authorization()
    wrapped = wrap_undeployed(STRANGER.address, b"", life.sign(auth))
    assert not both_accept(life, auth, wrapped)


@exercises("deposit", "release", "settle")
def test_an_account_that_delegated_to_code_signs_by_its_key_and_by_its_code(life: Life) -> None:
    """EIP-7702: a real type-4 transaction, sent by somebody else, gives the account code."""
    client = life.stage.client
    code = create(client, "ContractWallet", STRANGER.address, file="Accounts")
    delegate(life, HOLDER, anvil_keys()[CUSTOMERS[0]], code)
    assert client.code(HOLDER.address) == bytes.fromhex("ef0100" + code[2:])
    own = life.authorization()
    assert both_accept(life, own, life.sign(own))
    life.deposit(own)
    life.run("release", own.as_tuple())
    assert life.owner() == HOLDER.address
    other = life.crypto(number=2, recipient=PAYER.address)
    assert not both_accept(life, other, life.sign(other, PAYER))
    theirs = life.sign(other, STRANGER)
    assert both_accept(life, other, theirs)
    life.run("deposit", other.as_tuple(), theirs)
    life.run("settle", other.as_tuple(), b"")
    assert life.owner() == VAULT


# -- small things ----------------------------------------------------------------------------------


def tokens_of(life: Life, wallet: str) -> ReturnAuthorization:
    """A return of token 31, which that wallet holds."""
    mint_token(life, wallet, 31)
    return life.authorization(holder=wallet, tokenId=31)


def hashed(life: Life, auth: ReturnAuthorization) -> bytes:
    """What is signed."""
    return digest(auth, read_domain(life.stage.client, life.escrow))


def both_accept(
    life: Life, auth: ReturnAuthorization, signature: bytes, fresh: bool = True
) -> bool:
    """Whether `verify` accepts; the escrow, asked by a call that sends nothing, says the same."""
    ours = verify(life.stage.client, auth.holder, hashed(life, auth), signature)
    if fresh:
        call = encode_call("ReturnEscrow", "deposit", auth.as_tuple(), signature)
        [theirs] = life.stage.client.estimates(person(OPERATOR).address, [(life.escrow, call, 0)])
        assert isinstance(theirs, int) == ours
    return ours


def creation(owner: str, burnt: int = 0) -> bytes:
    """The call that makes the factory create somebody's wallet."""
    return encode_signature("create(address,uint256)", owner, burnt)


def wallet_of(life: Life, factory: str) -> str:
    """Where the factory will put the holder's wallet."""
    found = life.stage.client.eth_call(
        factory, encode_signature("addressOf(address)", HOLDER.address)
    )
    return "0x" + found[12:].hex()


def delegate(life: Life, account_: LocalSigner, key: str, code: str) -> None:
    """A type-4 transaction by which an account runs a contract's code from now on."""
    client, payer = life.stage.client, anvil_keys()[CUSTOMERS[1]]
    chain_id, nonce = client.chain_id(), client.transaction_count(account_.address)
    allowed = Account.sign_authorization(
        {"chainId": chain_id, "address": code, "nonce": nonce}, key
    )
    signed = Account.sign_transaction(
        {
            "type": 4,
            "chainId": chain_id,
            "nonce": client.transaction_count(PAYER.address),
            "gas": 200_000,
            "maxFeePerGas": 10**11,
            "maxPriorityFeePerGas": 10**9,
            "to": Account.from_key(key).address,
            "value": 0,
            "data": b"",
            "authorizationList": [allowed],
        },
        payer,
    )
    tx_hash = client.call("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())
    while client.call("eth_getTransactionReceipt", tx_hash) is None:
        time.sleep(0.02)
