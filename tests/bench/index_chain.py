"""One Anvil with many Transfer events on it, for every reader that the benchmark compares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chain.client import ChainClient
from chain.contracts import encode_signature
from chain.local import ADMIN
from tests.support.chain_node import CHAIN_ID, Anvil, create, person

#: Shape of the chain: events in a transaction, transactions in a block.
EVENTS, TRANSACTIONS = 25, 40
PER_BLOCK = EVENTS * TRANSACTIONS


@dataclass
class EventChain:
    """A node whose blocks hold events of one contract and nothing else."""

    anvil: Anvil
    collection: str
    #: The block in which the contract was made: the first that is worth reading.
    first: int
    events: int = 0

    @property
    def client(self) -> ChainClient:
        """The node."""
        return self.anvil.client

    def fill(self, events: int) -> None:
        """Mine blocks until they hold so many events more."""
        for _ in range(events // PER_BLOCK):
            self.block(TRANSACTIONS)

    def block(self, transactions: int, events: int = EVENTS) -> None:
        """One block of so many transactions with so many events each."""
        for _ in range(transactions):
            self._send(events)
        self.anvil.mine()

    def _send(self, events: int) -> None:
        data = encode_signature("move(uint256,uint256)", self.events, events)
        call = {"from": person(ADMIN).address, "to": self.collection, "data": "0x" + data.hex()}
        self.anvil.rpc("eth_sendTransaction", {**call, "gas": hex(50_000 + 4_000 * events)})
        self.events += events


@contextmanager
def event_chain() -> Iterator[EventChain]:
    """A fresh node that mines when it is told to."""
    anvil = Anvil("--chain-id", str(CHAIN_ID), "--gas-limit", "1000000000")
    try:
        collection = create(anvil.client, "TransferEmitter")
        first = anvil.client.block_number()
        anvil.automine(False)
        yield EventChain(anvil, collection, first)
    finally:
        anvil.stop()


def about(chain: EventChain) -> str:
    """What a process of its own needs to know of it, as JSON."""
    return json.dumps(
        {"url": chain.anvil.url, "collection": chain.collection, "first": chain.first}
    )
