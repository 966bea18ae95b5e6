"""The chain on which it happens: our contracts, a recorder, keys with a role, tokens to return."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from eth_utils.crypto import keccak

from chain import account
from chain.addresses import fiat_asset
from chain.contracts import encode_call
from chain.deploy import Limit
from chain.local import ADMIN, CUSTOMERS, OPERATOR
from chain.signers import LocalSigner
from chain.typed_data import Domain, read_domain
from tests.chaos.chain.evidence import Node
from tests.chaos.chain.plan import DEEPEST
from tests.support.chain_node import VAULT, Stage, create, person, stage

#: Seconds between blocks.
BLOCK_TIME = 0.25
#: Anvil's accounts whose nonces are the relayer's, and those who return tokens.
LANES = (OPERATOR, *CUSTOMERS[2:])
HOLDERS = CUSTOMERS[:2]
EURO = fiat_asset(978)
_FLOAT = 100 * 10**18
_OPERATOR_ROLE = keccak(text="OPERATOR_ROLE")
_MINTED_AT_ONCE = 60


class Miner(threading.Thread):
    """Mines a block now and then; in a hurry while contracts are put in their places.

    Anvil has an interval of its own, but a reorg that meets it leaves blocks out.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True, name="miner")
        self.pause_s = 0.02
        self._node = Node(port)
        self._still, self._over = threading.Lock(), threading.Event()

    def run(self) -> None:
        """Until `stop`."""
        while not self._over.wait(self.pause_s):
            with self._still:
                self.block()

    def block(self) -> None:
        """One more."""
        self._node.call("evm_mine")

    @contextmanager
    def still(self) -> Iterator[None]:
        """No block while the chain is turned back."""
        with self._still:
            yield

    def stop(self) -> None:
        """No more blocks."""
        self._over.set()
        self.join(timeout=30)


@dataclass
class Scene:
    """A chain that mines by itself, and what is on it. `first`: the lanes' nonces, at `since`."""

    stage: Stage
    recorder: str
    domain: Domain
    miner: Miner
    lanes: list[str]
    first: dict[str, int]
    since: int

    @property
    def node_port(self) -> int:
        """Where the node itself listens."""
        return self.stage.anvil.port

    @property
    def escrow(self) -> str:
        """The escrow's address."""
        return self.stage.deployment.escrow

    @property
    def collection(self) -> str:
        """The collection whose tokens come back."""
        return self.stage.deployment.collection

    def node(self) -> Node:
        """A connection of one's own, past every proxy."""
        return Node(self.node_port)


@contextmanager
def scene(tokens: int) -> Iterator[Scene]:
    """A fresh chain with so many tokens; the node is stopped in the end, whatever happens."""
    with stage() as built:
        miner = Miner(built.anvil.port)
        miner.start()
        try:
            recorder = _prepared(built, tokens)
            miner.pause_s = BLOCK_TIME
            yield _scene(built, recorder, miner)
        finally:
            miner.stop()


def holder_of(token: int) -> LocalSigner:
    """Whose token it is: they take turns."""
    return person(HOLDERS[token % len(HOLDERS)])


def _prepared(built: Stage, tokens: int) -> str:
    built.open_merchant(VAULT, _FLOAT, Limit(EURO, 0, 10**6, 10**9))
    for lane in LANES[1:]:
        built.by_two(encode_call("ReturnEscrow", "grantRole", _OPERATOR_ROLE, person(lane).address))
    for start in range(0, tokens, _MINTED_AT_ONCE):
        ids = list(range(start, min(start + _MINTED_AT_ONCE, tokens)))
        to, prices = [holder_of(token).address for token in ids], [10**17] * len(ids)
        mint = encode_call("ReturnableNFT", "mintBatch", to, ids, prices)
        account.send(built.client, person(ADMIN), to=built.deployment.collection, data=mint)
    recorder = create(built.client, "Recorder")
    # No reorg may reach what was prepared.
    built.anvil.rpc("anvil_mine", hex(DEEPEST + 2))
    return recorder


def _scene(built: Stage, recorder: str, miner: Miner) -> Scene:
    lanes = [person(lane).address for lane in LANES]
    return Scene(
        stage=built,
        recorder=recorder,
        domain=read_domain(built.client, built.deployment.escrow),
        miner=miner,
        lanes=lanes,
        first={lane: built.client.transaction_count(lane) for lane in lanes},
        since=built.client.block_number() + 1,
    )
