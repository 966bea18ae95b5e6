"""A chain in memory with the methods of `chain.client.ChainClient`: owners, code, logs, reorgs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi import encode
from eth_utils.crypto import keccak
from fake_collection import REVERT, FakeCollection
from fake_escrow import EscrowState, Fact, FakeEscrow

from chain.addresses import ZERO
from chain.client import BlockHeader, RpcError
from chain.contracts import Deployment, abi_type, artifact, encode_call, signature_of
from returns.errors import ChainUnavailable

DEPLOYMENT = Deployment(
    chain_id=31337,
    block=1,
    escrow="0x" + "e5" * 20,
    seaport="0x" + "5e" * 20,
    zone="0x" + "20" * 20,
    collection="0x" + "c0" * 20,
    dollar="0x" + "d0" * 20,
)
#: The vault of the first merchant.
VAULT = "0x" + "fa" * 20
_OWNER_OF = encode_call("ReturnableNFT", "ownerOf", 0)[:4]
_APPROVED = encode_call("ReturnableNFT", "isApprovedForAll", VAULT, VAULT)[:4]
_TRANSFER = encode_call("ReturnableNFT", "transferFrom", VAULT, VAULT, 0)[:4]
_FIRST = 1


@dataclass
class FakeBlock:
    """A block: the state after it, what it emitted, and what was called in it."""

    number: int
    hash: str
    state: EscrowState
    facts: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    transfers: list[tuple[str, int, str, str]] = field(default_factory=list)
    calls: list[tuple[str, bytes]] = field(default_factory=list)


class FakeChain:
    """Blocks over an escrow. `down`: no answer; `refuses`: the node refuses every call."""

    def __init__(self) -> None:
        self.deployment = DEPLOYMENT
        self.escrow = FakeEscrow(DEPLOYMENT)
        self.blocks = [FakeBlock(_FIRST, _hash("genesis"), EscrowState())]
        self.codes: dict[str, bytes] = {}
        self.strangers: dict[str, FakeCollection] = {}
        self.down = self.refuses = False
        self._made = 0

    @property
    def state(self) -> EscrowState:
        return self.blocks[-1].state

    def give(self, token_id: int, owner: str, collection: str = DEPLOYMENT.collection) -> None:
        """A token comes into being, or moves by a sale that has nothing to do with us."""
        self.state.owners[collection, token_id] = owner

    def mine(self, calls: Sequence[tuple[str, bytes]] = (), now: int = 0) -> FakeBlock:
        """One block with these (transaction hash, calldata); raises `Reverted` before mining."""
        state, facts = copy.deepcopy(self.state), []
        for tx_hash, data in calls:
            facts += [(tx_hash, *fact) for fact in self.escrow.run(state, data, now)]
        return self._append(state, facts, list(calls))

    def reclaim(self, line: str, now: int) -> FakeBlock:
        """The depositor takes the token back."""
        state = copy.deepcopy(self.state)
        facts: list[Fact] = self.escrow.reclaim(state, line, now)
        return self._append(state, [(_hash(f"reclaim{line}"), *fact) for fact in facts], [])

    def drop(self, count: int) -> list[FakeBlock]:
        """A reorg: the newest blocks are gone."""
        gone, self.blocks = self.blocks[-count:], self.blocks[:-count]
        return gone

    def _append(self, state: EscrowState, facts: list[Any], calls: list[Any]) -> FakeBlock:
        self._made += 1
        before = self.state.owners
        block = FakeBlock(self.blocks[-1].number + 1, _hash(f"b{self._made}"), state, facts)
        block.calls = calls
        block.transfers = [
            (token[0], token[1], before.get(token, "0x" + "00" * 20), owner)
            for token, owner in state.owners.items()
            if before.get(token) != owner
        ]
        self.blocks.append(block)
        return block

    # -- as chain.client.ChainClient -----------------------------------------------------------

    def call(self, method: str, *params: Any) -> Any:
        answer = self.batch([(method, params)])[0]
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def is_syncing(self) -> bool:
        self._answer()
        return False

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self._answer()
        return [self._one(method, params) for method, params in calls]

    def chain_id(self) -> int:
        self._answer()
        return self.deployment.chain_id

    def block_number(self) -> int:
        self._answer()
        return self.blocks[-1].number

    def header(self, number: int) -> BlockHeader | None:
        self._answer()
        if number == 0:
            return BlockHeader(0, _hash("zero"), _hash(""), 0, 0)
        found = next((block for block in self.blocks if block.number == number), None)
        return found and BlockHeader(found.number, found.hash, "", 0, 0)

    def headers(self, numbers: Sequence[int]) -> list[BlockHeader | None]:
        return [self.header(number) for number in numbers]

    def logs_between(self, first: int, last: int, address: str) -> list[dict[str, Any]]:
        self._answer()
        blocks = [block for block in self.blocks if first <= block.number <= last]
        if address == self.deployment.escrow:
            return [
                _log(block, index, "ReturnEscrow", name, args)
                for block in blocks
                for index, (_, name, args) in enumerate(block.facts)
            ]
        return [
            _log(block, len(block.facts) + index, "ReturnableNFT", "Transfer",
                 {"from": f, "to": to, "tokenId": token})
            for block in blocks
            for index, (collection, token, f, to) in enumerate(block.transfers)
            if collection == address
        ]  # fmt: skip

    def eth_call(self, to: str, data: bytes, block_hash: str | None = None) -> bytes:
        at = "latest" if block_hash is None else {"blockHash": block_hash}
        return bytes.fromhex(self.call("eth_call", {"to": to, "data": "0x" + data.hex()}, at)[2:])

    def eth_calls(
        self, calls: Sequence[tuple[str, bytes]], block: BlockHeader
    ) -> list[bytes | RpcError]:
        at = {"blockHash": block.hash}
        requests = [("eth_call", ({"to": to, "data": "0x" + data.hex()}, at)) for to, data in calls]
        answers = self.batch(requests)
        return [a if isinstance(a, RpcError) else bytes.fromhex(a[2:]) for a in answers]

    def newest(self) -> BlockHeader:
        self._answer()
        if self.refuses:
            raise ChainUnavailable(problem="it refused eth_getBlockByNumber")
        return self.header(self.blocks[-1].number)

    def code(self, address: str) -> bytes:
        self._answer()
        if address in self.strangers:
            return b"\1"
        if self.refuses:
            raise ChainUnavailable(problem="it refused eth_getCode")
        return self.codes.get(address, b"")

    def _one(self, method: str, params: Sequence[Any]) -> Any:
        assert method == "eth_call", method
        to, data = params[0]["to"], bytes.fromhex(params[0]["data"][2:])
        if self.refuses:
            return RpcError("limit exceeded", -32005)
        if to in self.strangers:
            answer = self.strangers[to].answer(params[0].get("from", ZERO), data)
            return answer if isinstance(answer, RpcError) else "0x" + answer.hex()
        if to in self.codes:
            return "0x" + self.codes[to].hex()
        if to == self.deployment.collection and data[:4] in (_APPROVED, _TRANSFER):
            return self._preapproved(data, params[0].get("from"))
        if data[:4] != _OWNER_OF or to not in {c for c, _ in self.state.owners}:
            return "0x"
        owner = self.state.owners.get((to, int.from_bytes(data[4:36], "big")))
        return REVERT if owner is None else "0x" + _word(owner)

    def _preapproved(self, data: bytes, sender: str | None) -> str | RpcError:
        """The escrow may move every token of our collection."""
        if data[:4] == _APPROVED:
            operator = "0x" + data[48:68].hex()
            return "0x" + f"{int(operator == self.deployment.escrow):064x}"
        return "0x" if sender == self.deployment.escrow else REVERT

    def _answer(self) -> None:
        if self.down:
            raise ChainUnavailable(problem="ConnectionError")


def _hash(text: str) -> str:
    return "0x" + keccak(text=text).hex()


def _word(address: str) -> str:
    return "00" * 12 + address[2:]


def _log(
    block: FakeBlock, index: int, contract: str, name: str, args: dict[str, Any]
) -> dict[str, Any]:
    """The raw log of an event, as a node would give it."""
    item = next(i for i in artifact(contract)["abi"] if i["type"] == "event" and i["name"] == name)
    inputs = [
        (part["indexed"], abi_type(part), _raw(args[part["name"]])) for part in item["inputs"]
    ]
    indexed = ["0x" + encode([kind], [value]).hex() for top, kind, value in inputs if top]
    plain = [(kind, value) for top, kind, value in inputs if not top]
    return {
        "topics": ["0x" + keccak(text=signature_of(item)).hex(), *indexed],
        "data": "0x" + encode([k for k, _ in plain], [v for _, v in plain]).hex(),
        "blockHash": block.hash,
        "blockNumber": hex(block.number),
        "logIndex": hex(index),
    }


def _raw(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(_raw(one) for one in value.values())
    return bytes.fromhex(value[2:]) if isinstance(value, str) and len(value) == 66 else value
