"""What the chain itself shows about our escrow: raw logs and owners, read apart from the index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chain.client import ChainClient
from chain.contracts import DecodedEvent, Deployment, decode_event
from custody.eligibility import read_holders
from returns.ids import from_bytes32

#: Events that tell of a payout: where its id and its amount are.
_PAYS = {"Swapped": ("line", "refund"), "Refunded": ("id", "amount")}
#: Blocks asked for in one call; providers limit ranges.
_RANGE = 5_000


@dataclass(frozen=True, slots=True)
class Payout:
    """A refund that the escrow paid."""

    recipient: str
    amount: int


@dataclass(frozen=True)
class ChainEvidence:
    """Events of the escrow by line, payouts by line or payout id, and who holds which token."""

    chain_id: int
    block_number: int
    escrow: str
    seen: frozenset[tuple[str, UUID]]
    payouts: dict[UUID, Payout]
    holders: dict[tuple[str, int], str | None]
    in_escrow: frozenset[tuple[str, int]]
    events: int

    def has(self, name: str, line_id: UUID) -> bool:
        """Whether the escrow has said this about the line."""
        return (name, line_id) in self.seen


def collect(
    client: ChainClient, deployment: Deployment, tokens: set[tuple[str, int]]
) -> ChainEvidence:
    """Read everything up to the newest block. Raises `ChainUnavailable`."""
    head = client.block_number()
    events = _events(client, deployment, deployment.escrow, "ReturnEscrow", head)
    transfers = _events(client, deployment, deployment.collection, "ReturnableNFT", head)
    inbound = {
        (deployment.collection, int(event.args["tokenId"]))
        for event in transfers
        if event.name == "Transfer" and event.args["to"].lower() == deployment.escrow
    }
    holders = read_holders(client, sorted(tokens | inbound))
    return ChainEvidence(
        chain_id=deployment.chain_id,
        block_number=head,
        escrow=deployment.escrow,
        seen=frozenset(_seen(events)),
        payouts=_payouts(events),
        holders=holders,
        in_escrow=frozenset(t for t in inbound if holders[t] == deployment.escrow),
        events=len(events),
    )


def _events(
    client: ChainClient, deployment: Deployment, address: str, contract: str, head: int
) -> list[DecodedEvent]:
    logs: list[dict[str, Any]] = []
    for first in range(deployment.block, head + 1, _RANGE):
        logs += client.logs_between(first, min(first + _RANGE - 1, head), address)
    decoded = (decode_event(contract, log) for log in logs)
    return [event for event in decoded if event is not None]


def _seen(events: list[DecodedEvent]) -> set[tuple[str, UUID]]:
    named = ((event.name, _id(event.args.get("line"))) for event in events)
    return {(name, line_id) for name, line_id in named if line_id is not None}


def _payouts(events: list[DecodedEvent]) -> dict[UUID, Payout]:
    found = {}
    for event in events:
        if event.name not in _PAYS:
            continue
        name, amount = _PAYS[event.name]
        payout_id = _id(event.args[name])
        if payout_id is not None:
            found[payout_id] = Payout(event.args["recipient"], int(event.args[amount]))
    return found


def _id(text: str | None) -> UUID | None:
    return from_bytes32(bytes.fromhex(text[2:])) if text else None
