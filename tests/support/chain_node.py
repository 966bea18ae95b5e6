"""A real Anvil in a process group of its own, with our contracts on it. For tests only."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from chain import account
from chain.addresses import NATIVE
from chain.client import ChainClient
from chain.contracts import Deployment, abi_type, artifact, encode_call, view
from chain.deploy import Collection, Limit, People, by_two_people, changes_for, deploy, fund_coin
from chain.local import ADMIN, APPROVER, GUARDIAN, OPERATOR, SECOND_ADMIN, TREASURER, anvil_keys
from chain.signers import LocalSigner
from returns.errors import ChainUnavailable

ROOT = Path(__file__).parent.parent.parent
_BINARY = ROOT / "node_modules" / ".bin" / "anvil"
CHAIN_ID = 31337
#: An ordinary account as the merchant's vault, where a test is about something else than the vault.
VAULT = "0x" + "fa" * 20


class Anvil:
    """One node. It mines when told to (`automine`, `mine`), unless its options say otherwise."""

    def __init__(self, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = ChainClient(self.url, timeout=30)
        # In a session of its own: the wrapper starts the binary as a child.
        self._process = subprocess.Popen(
            [str(_BINARY), "--port", str(self.port), "--silent", *options],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def rpc(self, method: str, *params: Any) -> Any:
        """One raw call."""
        return self.client.call(method, *params)

    def mine(self, blocks: int = 1) -> None:
        """Mine so many blocks."""
        for _ in range(blocks):
            self.rpc("evm_mine")

    def automine(self, on: bool) -> None:
        """Whether each transaction is mined at once."""
        self.rpc("evm_setAutomine", on)

    def snapshot(self) -> str:
        """Remember the chain as it is now."""
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Back to a snapshot, which is used up by it. Transactions that waited are forgotten."""
        self.rpc("anvil_dropAllTransactions")
        assert self.rpc("evm_revert", snapshot) is True

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the whole group, and wait for it."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)
        self._process.wait(timeout=20)

    def _wait(self) -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(ChainUnavailable):
                self.client.chain_id()
                return
            time.sleep(0.05)
        self.stop(signal.SIGKILL)
        raise AssertionError("Anvil does not answer")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def person(index: int) -> LocalSigner:
    """One of Anvil's accounts."""
    return LocalSigner(anvil_keys()[index])


PEOPLE = People(
    *(person(i).address for i in (ADMIN, SECOND_ADMIN, OPERATOR, APPROVER, GUARDIAN, TREASURER))
)


@dataclass
class Stage:
    """A chain with our contracts; `dollar` belongs to the operator, so that it can mint."""

    anvil: Anvil
    deployment: Deployment
    dollar: str

    @property
    def client(self) -> ChainClient:
        """The node."""
        return self.anvil.client

    @property
    def url(self) -> str:
        """Where the node listens."""
        return self.anvil.url

    @property
    def operator(self) -> LocalSigner:
        """The key of the lane."""
        return person(OPERATOR)

    def by_two(self, change: bytes) -> None:
        """A change of the escrow that two admins have to make."""
        people = (person(ADMIN), person(SECOND_ADMIN))
        by_two_people(self.client, *people, self.deployment.escrow, change)

    def open_merchant(self, vault: str = VAULT, coin: int = 0, *limits: Limit) -> None:
        """A merchant that the escrow knows, with wide limits in coin and dollars and a float."""
        escrow = self.deployment.escrow
        wide = [Limit(one, 40, 10**9, 10**11) for one in (NATIVE, self.deployment.dollar)]
        for change in changes_for(self.client, escrow, vault, [*wide, *limits]):
            self.by_two(change)
        if coin:
            fund_coin(self.client, person(TREASURER), escrow, vault, coin)

    def mint(self, amount: int, to: str | None = None) -> bytes:
        """Calldata that mints test dollars: the amount tells one call from another."""
        return encode_call("TestDollar", "mint", to or VAULT, amount)

    def send(self, data: bytes, to: str | None = None, sender: str | None = None) -> str:
        """Hand a transaction of an unlocked account to the node; returns its hash."""
        call = {
            "from": sender or self.operator.address,
            "to": to or self.dollar,
            "data": "0x" + data.hex(),
            "gas": hex(500_000),
        }
        return str(self.anvil.rpc("eth_sendTransaction", call))

    def send_all(self, *calls: bytes) -> None:
        """Hand calls of the operator to the dollar to the node, in this order."""
        nonce = self.client.transaction_count(self.operator.address, "pending")
        transactions = [
            {
                "from": self.operator.address,
                "to": self.dollar,
                "data": "0x" + data.hex(),
                "gas": hex(500_000),
                "nonce": hex(nonce + index),
            }
            for index, data in enumerate(calls)
        ]
        answers = self.client.batch([("eth_sendTransaction", (one,)) for one in transactions])
        assert all(isinstance(answer, str) for answer in answers), answers

    def supply(self) -> int:
        """How many test dollars were minted by what is on the chain now."""
        return int(view(self.client, self.dollar, "TestDollar", "totalSupply"))

    def sent_by(self, address: str, since: int = 0) -> list[dict[str, Any]]:
        """Every transaction of an account, in the order in which it was mined."""
        numbers = range(since, self.client.block_number() + 1)
        calls = [("eth_getBlockByNumber", (hex(number), True)) for number in numbers]
        blocks = self.client.batch(calls)
        return [one for block in blocks for one in block["transactions"] if one["from"] == address]


def create(client: ChainClient, name: str, *args: Any, file: str | None = None) -> str:
    """Deploy a compiled contract from the first account; `file`: its source, if named otherwise."""
    built = artifact(name) if file is None else _artifact(file, name)
    constructor = [item for item in built["abi"] if item["type"] == "constructor"]
    types = [abi_type(part) for item in constructor for part in item["inputs"]]
    code = bytes.fromhex(built["bytecode"]["object"][2:]) + encode(types, args)
    receipt = account.send(client, person(ADMIN), to=None, data=code)
    return str(receipt["contractAddress"]).lower()


def _artifact(file: str, name: str) -> dict[str, Any]:
    path = ROOT / "contracts" / "out" / f"{file}.sol" / f"{name}.json"
    return dict(json.loads(path.read_text()))


@contextmanager
def stage(*options: str) -> Iterator[Stage]:
    """A fresh chain with our contracts; from then on it mines only when told to."""
    anvil = Anvil("--chain-id", str(CHAIN_ID), *options)
    try:
        own = Collection("Undrop Demo Collection", "UNDROP", 14 * 86_400, VAULT, VAULT)
        deployment = deploy(anvil.client, person(ADMIN), PEOPLE, own)
        dollar = create(anvil.client, "TestDollar", person(OPERATOR).address)
        anvil.automine(False)
        yield Stage(anvil, deployment, dollar)
    finally:
        anvil.stop()
