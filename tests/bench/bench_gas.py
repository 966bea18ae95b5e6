"""Gas of whole transactions (intrinsic, calldata and execution, less refunds): receipts of Anvil.

As in daily use: escrow and vault have other tokens already, a float is there and its day has
begun; a customer's only token is returned, and its refund is the first of that asset it gets
(`settle_known_recipient`: not the first).
Of a batch the figure is per item, rounded up.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from chain.client import RpcError
from chain.contracts import artifact, encode_call, revert_reason, view
from chain.local import ADMIN, APPROVER, GUARDIAN, OPERATOR, SECOND_ADMIN, TREASURER
from tests.support.chain_node import VAULT, Anvil, create, person

_START = 1_900_000_000
_BATCH = 50
_CUSTOMERS = 62
_REFUND = 50_123456
_ITEM_GAS = 300_000
_LIMIT = 25_000_000
_FIAT, _CRYPTO = 0, 1
_DOLLARS = f"0x{840:040x}"


@dataclass(frozen=True)
class Collection:
    """A collection whose tokens come back; customers and ids from `first` on are its own."""

    address: str
    first: int


class Desk:
    """A chain with the escrow, a merchant with float, customers with one token each."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil, self.client = anvil, anvil.client
        anvil.rpc("anvil_autoImpersonateAccount", True)
        self.operator, self.vault = person(OPERATOR).address, VAULT
        people = [
            person(n).address
            for n in (ADMIN, SECOND_ADMIN, OPERATOR, APPROVER, GUARDIAN, TREASURER)
        ]
        self.client.call("anvil_setBalance", VAULT, hex(10**18))
        self.escrow = create(self.client, "ReturnEscrow", tuple(people))
        self.dollar = create(self.client, "TestDollar", person(ADMIN).address)
        self._merchant()

    def _merchant(self) -> None:
        """Registered and given limits by two people, and funded."""
        self._agreed("registerMerchant", self.vault)
        self._agreed("setLimits", self.vault, self.dollar, 20, 10**9, 10**10)
        self._agreed("setLimits", self.vault, _DOLLARS, 20, 10**9, 10**10)
        admin = person(ADMIN).address
        self.send(admin, self.dollar, encode_call("TestDollar", "mint", admin, 10**12))
        self.send(admin, self.dollar, encode_call("TestDollar", "approve", self.escrow, 10**12))
        fund = encode_call("ReturnEscrow", "fundFloat", self.vault, self.dollar, 10**12)
        self.send(admin, self.escrow, fund)

    def _agreed(self, function: str, *args: Any) -> None:
        change = encode_call("ReturnEscrow", function, *args)
        for who, step in ((ADMIN, "propose"), (SECOND_ADMIN, "confirm")):
            self.send(person(who).address, self.escrow, encode_call("ReturnEscrow", step, change))

    def send(self, sender: str, to: str, data: bytes) -> int:
        """One transaction; the gas it used. It must succeed."""
        call = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(_LIMIT)}
        receipt = self._mined(self.client.call("eth_sendTransaction", call))
        if receipt["status"] != "0x1":
            raise SystemExit(f"a transaction to {to} reverted: {self._reason(call)}")
        return int(receipt["gasUsed"], 16)

    def _reason(self, call: dict[str, str]) -> str:
        try:
            self.client.call("eth_call", call, "latest")
        except RpcError as error:
            return revert_reason(error)
        return "not when it is tried again"

    def _mined(self, tx_hash: str) -> dict[str, Any]:
        """Automine may leave a transaction of a burst behind: then it is told to mine."""
        for _ in range(100):
            receipt: dict[str, Any] | None = self.client.call("eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                return receipt
            self.anvil.mine()
        raise SystemExit(f"transaction {tx_hash} is not mined")

    def operate(self, function: str, *args: Any) -> int:
        """One call of the operator to the escrow."""
        return self.send(self.operator, self.escrow, encode_call("ReturnEscrow", function, *args))

    def signed(
        self, collection: Collection, index: int, remedy: int, *, held: bool = True
    ) -> tuple[tuple[Any, ...], bytes]:
        """What the collection's customer `index` signs for its token, and the signature.

        A token that is not held, since it is swapped in one step, has no reclaim dates.
        """
        index += collection.first
        key = _key(index)
        holder = _holder(index)
        asset, refund = (self.dollar, _REFUND) if remedy == _CRYPTO else (_DOLLARS, 49_99)
        auth = _struct(
            line=bytes.fromhex(holder[-32:]) + _uuid7(index),
            vault=self.vault,
            holder=holder,
            token=collection.address,
            tokenId=index,
            amount=1,
            remedy=remedy,
            asset=asset,
            refund=refund,
            recipient=holder,
            deadline=_START + 3_600,
            reclaimAfter=_START + 7 * 86_400 if held else 0,
            commitUntil=_START + 30 * 86_400 if held else 0,
        )
        digest = view(self.client, self.escrow, "ReturnEscrow", "digestOf", auth)
        return auth, bytes(Account.unsafe_sign_hash(digest, key).signature)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What is done within is taken back."""
        before = self.anvil.snapshot()
        yield
        self.anvil.revert(before)


def main() -> None:
    """Measure, print, keep."""
    anvil = Anvil("--timestamp", str(_START), "--gas-limit", "60000000")
    try:
        figures = _figures(Desk(anvil))
    finally:
        anvil.stop()
    line = json.dumps(figures)
    Path("var").mkdir(exist_ok=True)
    Path("var/gas.json").write_text(line + "\n")
    for key, gas in figures.items():
        sys.stdout.write(f"{key:<32} {gas:>8,}\n")
    sys.stdout.write(line + "\n")


def _figures(desk: Desk) -> dict[str, int]:
    plain, ours = _plain(desk), _returnable(desk)
    own = {f"returnable_{key}": gas for key, gas in _returns(desk, ours).items()}
    return {**_returns(desk, plain), **_manual(desk, plain), **own}


def _returns(desk: Desk, collection: Collection) -> dict[str, int]:
    batches = {
        "batch50_deposit": _batched(desk, collection, "deposit"),
        "batch50_swap_refund": _batched(desk, collection, "swap"),
    }
    alone = _one_by_one(desk, collection)
    last = {key: alone.pop(key) for key in ("settle_known_recipient", "settle_fiat")}
    return {**alone, **batches, **last}


def _one_by_one(desk: Desk, collection: Collection) -> dict[str, int]:
    """Deposit, commit and settle of a fiat refund; a held token and one not held, for dollars."""
    fiat, held = desk.signed(collection, 1, _FIAT), desk.signed(collection, 2, _CRYPTO)
    swapped = desk.signed(collection, 3, _CRYPTO, held=False)
    known = desk.signed(collection, 5, _CRYPTO)
    with desk.apart():
        mint = encode_call("TestDollar", "mint", _holder(collection.first + 5), 1)
        desk.send(person(ADMIN).address, desk.dollar, mint)
        figures = {
            "deposit": desk.operate("deposit", *fiat),
            "commit": desk.operate("commit", fiat[0], b""),
        }
        figures["settle_fiat"] = desk.operate("settle", fiat[0], b"")
        for token, key in ((held, "settle"), (known, "settle_known_recipient")):
            desk.operate("deposit", *token)
            figures[key] = desk.operate("settle", token[0], b"")
        figures["swap_refund"] = desk.operate("swap", *swapped, b"")
        _require_moved(desk, collection, (1, 2, 3), desk.vault)
    return figures


def _batched(desk: Desk, collection: Collection, function: str) -> int:
    remedy, rest, to = (
        (_FIAT, (), desk.escrow) if function == "deposit" else (_CRYPTO, (b"",), desk.vault)
    )
    held = remedy == _FIAT
    signed = [desk.signed(collection, 10 + n, remedy, held=held) for n in range(_BATCH)]
    calls = [encode_call("ReturnEscrow", function, *one, *rest) for one in signed]
    with desk.apart():
        gas = desk.operate("batch", calls, _ITEM_GAS)
        # A failing item leaves the others alone, so the receipt's status does not tell.
        _require_moved(desk, collection, range(10, 10 + _BATCH), to)
    return -(-gas // _BATCH)


def _manual(desk: Desk, collection: Collection) -> dict[str, int]:
    """A return by hand: the customer sends the token back, the merchant sends the money."""
    customer = _holder(4)
    back = _token_call("transferFrom(address,address,uint256)", customer, desk.vault, 4)
    admin = person(ADMIN).address
    with desk.apart():
        desk.send(admin, desk.dollar, encode_call("TestDollar", "mint", desk.vault, 10**9))
        return {
            "manual_token_back": desk.send(customer, collection.address, back),
            "manual_erc20_refund": desk.send(
                desk.vault, desk.dollar, encode_call("TestDollar", "transfer", customer, _REFUND)
            ),
        }


def _plain(desk: Desk) -> Collection:
    """An ordinary OpenZeppelin collection; every customer has approved the escrow."""
    token = Collection(create(desk.client, "PlainNFT", file="HonestTokens"), first=0)
    approval = _token_call("setApprovalForAll(address,bool)", desk.escrow, True)
    for index in range(_CUSTOMERS):
        holder = _holder(index)
        mint = _token_call("mint(address,uint256)", holder, index)
        desk.send(person(ADMIN).address, token.address, mint)
        desk.client.call("anvil_setBalance", holder, hex(10**18))
        desk.send(holder, token.address, approval)
    return _in_use(desk, token)


def _returnable(desk: Desk) -> Collection:
    """Our own collection, which has approved the escrow beforehand."""
    admin = person(ADMIN).address
    args = ("Acme", "ACM", admin, desk.escrow, desk.vault, 14 * 86_400, desk.vault, 500)
    token = Collection(create(desk.client, "ReturnableNFT", *args), first=_CUSTOMERS)
    ids = list(range(_CUSTOMERS, 2 * _CUSTOMERS))
    prices = [10**17] * _CUSTOMERS
    mint = encode_call("ReturnableNFT", "mintBatch", [_holder(n) for n in ids], ids, prices)
    desk.send(admin, token.address, mint)
    return _in_use(desk, token)


def _in_use(desk: Desk, collection: Collection) -> Collection:
    """Earlier returns: one token is in escrow, one in the vault."""
    desk.operate("deposit", *desk.signed(collection, 60, _FIAT))
    desk.operate("swap", *desk.signed(collection, 61, _CRYPTO), b"")
    _require_moved(desk, collection, [60], desk.escrow)
    _require_moved(desk, collection, [61], desk.vault)
    return collection


def _require_moved(desk: Desk, collection: Collection, ids: Iterable[int], to: str) -> None:
    for index in ids:
        raw = desk.client.eth_call(
            collection.address, _token_call("ownerOf(uint256)", collection.first + index)
        )
        if raw[-20:].hex() != to[2:]:
            raise SystemExit(f"token {index} of {collection} has not moved: nothing to measure")


def _token_call(signature: str, *args: Any) -> bytes:
    """Calldata for a token that is not ours."""
    types = signature.partition("(")[2].rstrip(")").split(",")
    return keccak(text=signature)[:4] + encode(types, args)


def _struct(**fields: Any) -> tuple[Any, ...]:
    """The authorization in the order of the contract's ABI."""
    deposit = next(i for i in artifact("ReturnEscrow")["abi"] if i.get("name") == "deposit")
    return tuple(fields[part["name"]] for part in deposit["inputs"][0]["components"])


def _uuid7(index: int) -> bytes:
    """A line's id as it is in use (RFC 9562), the same in every run: bytes cost gas."""
    raw = int.from_bytes(hashlib.sha256(b"line %d" % index).digest()[:16], "big")
    raw = (_START * 1_000 + index) << 80 | raw & (1 << 80) - 1
    raw = raw & ~(0xF << 76) | 7 << 76
    return (raw & ~(3 << 62) | 2 << 62).to_bytes(16, "big")


def _key(index: int) -> bytes:
    return hashlib.sha256(b"customer %d" % index).digest()


def _holder(index: int) -> str:
    return str(Account.from_key(_key(index)).address).lower()


if __name__ == "__main__":
    main()
