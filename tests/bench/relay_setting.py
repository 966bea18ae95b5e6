"""What every setting of the relayer's benchmark shares: the node's terms, the keys, the call.

A setting has an Anvil of its own, always with the same block time and gas limit, and a contract
that counts executions: a transaction that was sent twice, or never, makes the figure worthless.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

from eth_utils.crypto import keccak

from chain.client import ChainClient
from chain.signers import LocalSigner
from chain.transactions import Transaction, payload, signed
from tests.support.chain_node import CHAIN_ID, Anvil, create

#: Seconds between blocks, and gas that fits into one. So wide that Anvil's speed is the limit.
BLOCK_TIME, GAS_LIMIT = 0.2, 1_000_000_000
#: Signer keys of every setting but the loop, which waits for each receipt.
KEYS = 8
#: Wei per gas; the node's base fee starts at 10^9 and only falls in blocks this wide.
MAX_FEE, PRIORITY_FEE = 4 * 10**9, 10**9
#: One `record` uses about 54,000, the first one 71,000.
CALL_GAS = 100_000

_SELECTOR = keccak(text="record(bytes32)")[:4]
_RECORDED = "0x" + keccak(text="Recorded(bytes32,address,uint256)").hex()
_COIN = 10**24
_PATIENCE_S = 120
#: Seconds between two looks at how far it is: each takes time from what is measured.
LOOK_S = 0.05


@dataclass(frozen=True)
class Setting:
    """One node with the contract that counts, and keys that have coin."""

    anvil: Anvil
    recorder: str

    @property
    def client(self) -> ChainClient:
        """The node."""
        return self.anvil.client

    @cached_property
    def signers(self) -> list[LocalSigner]:
        """The keys, in the order of the lanes."""
        return [LocalSigner(secret) for secret in secrets_of_lanes()]

    def wait_until_mined(self, count: int, since: int = 0) -> float:
        """When (`perf_counter`) the keys' nonces add up to `count` more than `since`.

        Raises `SystemExit` where that does not happen.
        """
        calls = [("eth_getTransactionCount", (signer.address, "latest")) for signer in self.signers]
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            if sum(int(answer, 16) for answer in self.client.batch(calls)) >= since + count:
                return time.perf_counter()
            time.sleep(LOOK_S)
        raise SystemExit(f"{count} transactions were not mined: nothing to measure")

    def require_recorded(self, ids: Sequence[bytes]) -> None:
        """Each of these, and nothing else, was executed, and once; `SystemExit` otherwise."""
        found = self._recorded()
        end = time.monotonic() + _PATIENCE_S
        # Anvil shows new nonces a moment before it shows the block that they are in.
        while len(found) < len(ids) and time.monotonic() < end:
            time.sleep(0.1)
            found = self._recorded()
        if len(found) != len(ids) or set(found) != {"0x" + one.hex() for one in ids}:
            raise SystemExit(f"{len(found)} executions of {len(ids)} calls: nothing to measure")

    def _recorded(self) -> list[str]:
        logs = self.client.logs_between(0, self.client.block_number(), self.recorder)
        return [log["topics"][1] for log in logs if log["topics"][0] == _RECORDED]


@contextmanager
def setting(*options: str, block_time: float | None = BLOCK_TIME) -> Iterator[Setting]:
    """A fresh node; without a block time it mines each transaction at once."""
    mining = [] if block_time is None else ["--block-time", str(block_time)]
    terms = ["--chain-id", str(CHAIN_ID), "--gas-limit", str(GAS_LIMIT), *mining]
    anvil = Anvil(*terms, *options)
    try:
        built = Setting(anvil, create(anvil.client, "Recorder"))
        for signer in built.signers:
            anvil.rpc("anvil_setBalance", signer.address, hex(_COIN))
        yield built
    finally:
        anvil.stop()


def secrets_of_lanes() -> list[str]:
    """Private keys, the same in every run: for this benchmark's own chains only."""
    named = (b"lane %d of the benchmark" % number for number in range(KEYS))
    return ["0x" + hashlib.sha256(name).hexdigest() for name in named]


def raw_bytes(key: LocalSigner, nonce: int, to: str, data: bytes, gas: int = CALL_GAS) -> str:
    """A signed transaction as 0x-hex, by the fastest way there is: our signature is not checked."""
    transaction = Transaction(CHAIN_ID, nonce, PRIORITY_FEE, MAX_FEE, gas, to, 0, data)
    return "0x" + signed(transaction, key.sign(payload(transaction)))[1].hex()


def fresh_ids(count: int) -> list[bytes]:
    """Names of calls that were never made before."""
    return [secrets.token_bytes(32) for _ in range(count)]


def record(one: bytes) -> bytes:
    """Calldata of the call that all settings make."""
    return _SELECTOR + one
