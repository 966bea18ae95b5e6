"""What a call would do if it were sent now: its gas, why it would revert, or that nobody can tell.

The difference between the last two decides over a customer's return: a revert is the chain's
answer, a node that is overloaded or asks for a fee in advance has given none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chain.client import ChainClient, RpcError
from chain.contracts import revert_reason
from returns.tables import RelayTransaction

#: Code of a revert (Geth, Erigon, Reth, Anvil), and what nodes say where they give none:
#: Nethermind (vm execution error), Anvil (evm error), Geth and Erigon (the rest).
_REVERT_CODE = 3
_REVERT_WORDS = (
    "revert",
    "vm execution error",
    "evm error",
    "invalid opcode",
    "invalid jump",
    "stack underflow",
    "stack limit reached",
    "out of gas",
    "gas required exceeds",
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Exactly one of the three is set."""

    gas: int | None = None
    refusal: str | None = None
    unclear: str | None = None


def outlooks(client: ChainClient, sender: str, rows: Sequence[RelayTransaction]) -> list[Outlook]:
    """Simulate each transaction on the newest block, all in one request."""
    calls = [(row.to, row.data, row.value) for row in rows]
    return [_outlook(answer) for answer in client.estimates(sender, calls)]


def _outlook(answer: int | RpcError) -> Outlook:
    if isinstance(answer, int):
        return Outlook(gas=answer)
    if is_revert(answer):
        return Outlook(refusal=revert_reason(answer))
    return Outlook(unclear=str(answer))


def is_revert(error: RpcError) -> bool:
    """Whether the chain refused the call, and not a node that is overloaded or broken."""
    text = str(error).lower()
    known = error.code == _REVERT_CODE or error.data is not None
    return known or any(words in text for words in _REVERT_WORDS)
