"""A Safe signs as two of its owners do (EIP-1271), for the escrow as for anybody."""

from __future__ import annotations

from uuid import UUID

import pytest
from chain_node import CHAIN_ID, Stage, person
from eth_utils.crypto import keccak
from vaults import OWNERS, STRANGER, TOKEN, out, owner_of, run, vault_with_token

from chain import account, safe_tx
from chain.contracts import encode_call
from chain.deploy import Limit
from chain.local import ADMIN, OPERATOR
from chain.safe import Safe
from chain.signatures import verify
from chain.typed_data import Domain, ReturnAuthorization, digest, line_key, wallet_request
from returns.errors import ChainUnavailable, OwnerSignaturesMissing

pytestmark = pytest.mark.chain

DIGEST = bytes(range(32))


@pytest.fixture(scope="module")
def vault(stage: Stage) -> Safe:
    """Two of three, with the token."""
    return vault_with_token(stage)


def test_two_owners_sign_for_the_safe(chain: Stage, vault: Safe) -> None:
    signature = safe_tx.sign_message(vault, DIGEST, OWNERS[:2])
    assert verify(chain.client, vault.address, DIGEST, signature)
    assert not verify(chain.client, vault.address, keccak(DIGEST), signature)
    assert not verify(chain.client, vault.address, DIGEST, signature[:65])
    assert len(safe_tx.sign_message(vault, DIGEST, OWNERS)) == 2 * 65
    with pytest.raises(OwnerSignaturesMissing):
        safe_tx.sign_message(vault, DIGEST, OWNERS[:1])


def authorization(chain: Stage, holder: str, merchants_vault: str) -> ReturnAuthorization:
    """What the holder of the token signs to return it to a merchant with that vault."""
    dollars = Limit("0x" + "00" * 18 + "0348", 0, 10_000, 10_000)
    chain.open_merchant(merchants_vault, 0, dollars)
    now = chain.client.header(chain.client.block_number()).timestamp
    return ReturnAuthorization(
        line="0x" + line_key(UUID(int=7), holder).hex(),
        vault=merchants_vault,
        holder=holder,
        token=chain.deployment.collection,
        tokenId=TOKEN,
        amount=1,
        remedy=0,
        asset="0x" + "00" * 18 + "0348",
        refund=4_200,
        recipient=holder,
        deadline=now + 600,
        reclaimAfter=now + 1_200,
        commitUntil=now + 2_400,
    )


def operate(chain: Stage, function: str, *args: object) -> None:
    data = encode_call("ReturnEscrow", function, *args)
    account.send(chain.client, person(OPERATOR), to=chain.deployment.escrow, data=data)


def test_the_escrow_takes_the_safes_signature(chain: Stage, vault: Safe) -> None:
    """A Safe returns a token as any holder does: one message, no transaction of its own."""
    message = authorization(chain, vault.address, person(ADMIN).address)
    hashed = digest(message, Domain(CHAIN_ID, chain.deployment.escrow))
    signature = safe_tx.sign_message(vault, hashed, OWNERS[1:])
    with pytest.raises(ChainUnavailable, match="SignatureInvalid"):
        operate(chain, "deposit", message.as_tuple(), signature[:65])
    assert owner_of(chain) == vault.address
    operate(chain, "deposit", message.as_tuple(), signature)
    assert owner_of(chain) == chain.deployment.escrow


def test_a_returned_token_is_settled_into_the_safe(chain: Stage, vault: Safe) -> None:
    run(chain, vault, out(chain, vault))
    message = authorization(chain, STRANGER.address, vault.address)
    request = wallet_request(message, Domain(CHAIN_ID, chain.deployment.escrow))
    operate(chain, "deposit", message.as_tuple(), STRANGER.sign_typed_data(request))
    for step in ("commit", "settle"):
        operate(chain, step, message.as_tuple(), b"")
    assert owner_of(chain) == vault.address
