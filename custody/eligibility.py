"""What the chain says about a token before anything is decided."""

from chain.client import ChainClient, RpcError
from chain.contracts import view
from returns.errors import ChainUnavailable


def holder_of(client: ChainClient, collection: str, token_id: int) -> str | None:
    """The lower-case address of the token's owner; None where the chain cannot tell.

    A token that does not exist has no holder. A node that does not answer is the same to a
    decision: the fact is missing, and a person looks.
    """
    try:
        owner: str = view(client, collection, "ReturnableNFT", "ownerOf", token_id)
    except (RpcError, ChainUnavailable):
        return None
    return owner.lower()
