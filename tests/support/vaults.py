"""A vault that is a Safe of two of three owners, with a token in it. For tests only."""

from __future__ import annotations

from chain_node import Stage, person

from chain import account, safe, safe_tx
from chain.contracts import encode_call, encode_signature, view
from chain.local import ADMIN, CUSTOMERS, VAULT_OWNERS
from chain.safe import Safe
from chain.safe_tx import SafeTx
from chain.signers import LocalSigner

OWNERS = [person(index) for index in VAULT_OWNERS]
ADDRESSES = [owner.address for owner in OWNERS]
PAYER, STRANGER = person(CUSTOMERS[0]), person(CUSTOMERS[1])
TOKEN = 41


def vault_with_token(stage: Stage) -> Safe:
    """The token came in by a safe transfer; from then on the chain mines by itself."""
    stage.anvil.automine(True)
    made = safe.deploy_vault(stage.client, person(ADMIN), ADDRESSES, 2)
    mint = encode_call("ReturnableNFT", "mintBatch", [PAYER.address], [TOKEN], [1])
    account.send(stage.client, person(ADMIN), to=stage.deployment.collection, data=mint)
    hand_over = encode_signature(
        "safeTransferFrom(address,address,uint256)", PAYER.address, made.address, TOKEN
    )
    account.send(stage.client, PAYER, to=stage.deployment.collection, data=hand_over)
    return made


def owner_of(chain: Stage) -> str:
    """Who has the token."""
    collection = chain.deployment.collection
    return str(view(chain.client, collection, "ReturnableNFT", "ownerOf", TOKEN)).lower()


def out(chain: Stage, vault: Safe) -> SafeTx:
    """The transaction that sends the token to the stranger."""
    return safe_tx.move_erc721(vault, chain.deployment.collection, STRANGER.address, TOKEN)


def signed(vault: Safe, tx: SafeTx, owners: list[LocalSigner]) -> list[bytes]:
    """What these owners' wallets answer."""
    return safe_tx.sign(safe_tx.transaction_request(vault, tx), owners)


def run(chain: Stage, vault: Safe, tx: SafeTx) -> None:
    """Signed by two owners, paid by somebody else."""
    signatures = signed(vault, tx, OWNERS[1:])
    safe_tx.execute(chain.client, PAYER, vault.address, tx, signatures)
