"""What happens on the chain: each block has a few random movements of tokens, and escrow events.

Whom a token belongs to is asked of the chain each time, since a reorg may have changed it; what a
reorg has thrown out is mined again elsewhere now and then, as the same transaction.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from chain.contracts import encode_call
from chain.local import ADMIN, CUSTOMERS, OPERATOR, TREASURER
from tests.chaos.chain.evidence import Node, Unreadable
from tests.chaos.chain.scene import Miner
from tests.support.chain_node import Stage, person

#: Movements in a block, at most.
_MOST = 6
#: Ids of ERC-1155 tokens: few, so that most transfers find enough of them.
_FUNGIBLE = range(1, 5)
#: Of a hundred tokens of ours that move, how many are burned.
_BURNED_PERCENT = 15
_FEES = {"gas": hex(400_000), "maxFeePerGas": hex(10**11), "maxPriorityFeePerGas": hex(10**9)}

#: Sender, destination, calldata.
Call = tuple[str, str, bytes]


class Traffic(Miner):
    """A miner whose blocks are not empty. `plain`: collections in which something may happen."""

    def __init__(self, stage: Stage, several: str, plain: Sequence[str], seed: int) -> None:
        super().__init__(stage.anvil.port)
        self.plain = list(plain)
        self.everything = False
        self._stage, self._several = stage, several
        self._wire = Node(stage.anvil.port)
        self._draw = random.Random(f"{seed}:traffic")
        self._people = [person(index).address for index in (TREASURER, *CUSTOMERS)]
        self._minted: dict[str, int] = {}
        self._sent: dict[tuple[str, int], dict[str, str]] = {}

    def block(self) -> None:
        """One more, with what is sent for it. Whoever calls sees to it that nobody else mines."""
        calls = [self._next() for _ in range(self._draw.randint(0, _MOST))]
        asked = [("eth_sendTransaction", (one,)) for one in self._transactions(calls)]
        # A transaction that cannot be is left out, as on any chain.
        with suppress(Unreadable):
            self._wire.batch(asked)
        self._wire.call("evm_mine")

    def blocks(self, count: int) -> None:
        """Several in a hurry."""
        for _ in range(count):
            self.block()

    def _transactions(self, calls: Sequence[Call]) -> list[dict[str, str]]:
        nonces = {sender: self._wire.count(sender) for sender, _, _ in calls}
        found = []
        for sender, to, data in calls:
            nonce = nonces[sender]
            nonces[sender] = nonce + 1
            call = {"from": sender, "to": to, "data": "0x" + data.hex(), "nonce": hex(nonce)}
            before = self._sent.get((sender, nonce))
            if before is None or self._draw.random() < 0.5:
                before = self._sent[sender, nonce] = call | _FEES
            found.append(before)
        return found

    # -- what may happen ---------------------------------------------------------------------------

    def _next(self) -> Call:
        ways: list[Callable[[], Call | None]] = [self._mint_plain, self._move_plain]
        if self.everything:
            ways += [self._mint_ours, self._move_ours, self._mint_several, self._move_several]
            ways += [self._propose, self._pay]
        way = self._draw.choice(ways)
        return way() or self._mint_plain()

    def _someone(self) -> str:
        return self._draw.choice(self._people)

    def _new(self, collection: str) -> int:
        """Ids are never used twice, not even where their minting was undone."""
        self._minted[collection] = self._minted.get(collection, 0) + 1
        return self._minted[collection]

    def _owned(self, collection: str) -> tuple[str, int] | None:
        """A token that is there at present, and whose it is; None where the draw finds none."""
        token = self._draw.randint(1, max(1, self._minted.get(collection, 0)))
        question = {"to": collection, "data": "0x" + _call("ownerOf(uint256)", token).hex()}
        [answer] = self._wire.answers([("eth_call", (question, "latest"))])
        if "result" not in answer:
            return None
        owner = "0x" + answer["result"][-40:]
        return (owner, token) if owner in self._people else None

    def _mint_plain(self) -> Call:
        collection = self._draw.choice(self.plain)
        data = _call("mint(address,uint256)", self._someone(), self._new(collection))
        return self._someone(), collection, data

    def _move_plain(self) -> Call | None:
        return self._move(self._draw.choice(self.plain))

    def _move(self, collection: str) -> Call | None:
        owned = self._owned(collection)
        if owned is None:
            return None
        owner, token = owned
        data = _call("transferFrom(address,address,uint256)", owner, self._someone(), token)
        return owner, collection, data

    def _mint_ours(self) -> Call:
        ours = self._stage.deployment.collection
        ids = [self._new(ours) for _ in range(self._draw.randint(1, 3))]
        people = [self._someone() for _ in ids]
        data = encode_call("ReturnableNFT", "mintBatch", people, ids, [10**17] * len(ids))
        return person(ADMIN).address, ours, data

    def _move_ours(self) -> Call | None:
        ours = self._stage.deployment.collection
        if self._draw.randrange(100) >= _BURNED_PERCENT:
            return self._move(ours)
        owned = self._owned(ours)
        return None if owned is None else (owned[0], ours, _call("burn(uint256)", owned[1]))

    def _mint_several(self) -> Call:
        amount, token = self._draw.randint(50, 100), self._draw.choice(_FUNGIBLE)
        data = _call("mint(address,uint256,uint256)", self._someone(), token, amount)
        return self._someone(), self._several, data

    def _move_several(self) -> Call:
        sender, recipient = self._someone(), self._someone()
        ids = self._draw.sample(_FUNGIBLE, self._draw.randint(1, 2))
        amounts = [self._draw.randint(1, 9) for _ in ids]
        if len(ids) == 1:
            function = "safeTransferFrom(address,address,uint256,uint256,bytes)"
            data = _call(function, sender, recipient, ids[0], amounts[0], b"")
        else:
            function = "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)"
            data = _call(function, sender, recipient, ids, amounts, b"")
        return sender, self._several, data

    def _propose(self) -> Call:
        vault = f"0x{self._draw.getrandbits(160):040x}"
        change = encode_call("ReturnEscrow", "registerMerchant", vault)
        data = encode_call("ReturnEscrow", "propose", change)
        return person(ADMIN).address, self._stage.deployment.escrow, data

    def _pay(self) -> Call:
        """Money to the treasury, or from it; or past it, which is nobody's business."""
        dollar, amount = self._stage.dollar, self._draw.randint(1, 10**6)
        if self._draw.random() < 0.5:
            data = _call("mint(address,uint256)", self._someone(), amount)
            return person(OPERATOR).address, dollar, data
        data = _call("transfer(address,uint256)", self._someone(), amount)
        return person(TREASURER).address, dollar, data


def _call(function: str, *values: Any) -> bytes:
    types = function[function.index("(") + 1 : -1].split(",")
    return keccak(text=function)[:4] + encode(types, values)
