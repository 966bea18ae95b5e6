"""A collection that is not ours, for the chain in memory: it answers what a test lets it answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eth_abi import decode, encode
from eth_utils.crypto import keccak

from chain.addresses import ZERO
from chain.client import RpcError

#: Everything here reverts with this.
REVERT = RpcError("execution reverted", 3, "0x")

ERC721 = bytes.fromhex("80ac58cd")
ERC1155 = bytes.fromhex("d9b67a26")

#: Arguments, and `sender=`, to returned values; None reverts.
Function = Callable[..., Sequence[Any] | None]


class FakeCollection:
    """Functions by their signature; what is not taught reverts. `raw` answers everything."""

    def __init__(self, raw: bytes | None = None) -> None:
        self.raw = raw
        self._functions: dict[bytes, tuple[list[str], str, Function]] = {}

    def teach(self, signature: str, returns: str, function: Function) -> None:
        """What a function answers from now on."""
        kinds = [one for one in signature.partition("(")[2][:-1].split(",") if one]
        self._functions[keccak(text=signature)[:4]] = (kinds, returns, function)

    def forget(self, signature: str) -> None:
        del self._functions[keccak(text=signature)[:4]]

    def answer(self, sender: str, data: bytes) -> bytes | RpcError:
        """What eth_call gives back."""
        if self.raw is not None:
            return self.raw
        if data[:4] not in self._functions:
            return REVERT
        kinds, returns, function = self._functions[data[:4]]
        given = function(*decode(kinds, data[4:]), sender=sender)
        return REVERT if given is None else encode([r for r in returns.split(",") if r], given)


class _Approving(FakeCollection):
    """What both standards have."""

    def __init__(self, *interfaces: bytes) -> None:
        super().__init__()
        self.operators: set[tuple[str, str]] = set()
        self.interfaces = set(interfaces)
        self.teach("isApprovedForAll(address,address)", "bool", self._is_operator)
        self.teach("supportsInterface(bytes4)", "bool", lambda one, **_: [one in self.interfaces])
        self.teach("setApprovalForAll(address,bool)", "", lambda *_, **__: [])

    def _is_operator(self, holder: str, operator: str, **_: str) -> list[bool]:
        return [(holder, operator) in self.operators]


class FakeNft(_Approving):
    """A plain ERC-721 as OpenZeppelin's."""

    def __init__(self) -> None:
        super().__init__(ERC721)
        self.owners: dict[int, str] = {}
        self.approved: dict[int, str] = {}
        self.teach("ownerOf(uint256)", "address", self._owner)
        self.teach("getApproved(uint256)", "address", self._approved)
        self.teach("transferFrom(address,address,uint256)", "", self._moved)
        self.teach("name()", "string", lambda **_: ["Fake"])

    def _owner(self, token: int, **_: str) -> list[str] | None:
        return [self.owners[token]] if token in self.owners else None

    def _approved(self, token: int, **_: str) -> list[str]:
        return [self.approved.get(token, ZERO)]

    def _moved(self, holder: str, _: str, token: int, sender: str) -> list[Any] | None:
        allowed = {holder, self.approved.get(token)}
        may = sender in allowed or (holder, sender) in self.operators
        return [] if may and self.owners.get(token) == holder else None


class Fake1155(_Approving):
    """A plain ERC-1155."""

    def __init__(self) -> None:
        super().__init__(ERC1155)
        self.balances: dict[tuple[str, int], int] = {}
        move = "safeTransferFrom(address,address,uint256,uint256,bytes)"
        self.teach("balanceOf(address,uint256)", "uint256", self._balance)
        self.teach(move, "", self._moved)

    def _balance(self, holder: str, token: int, **_: str) -> list[int]:
        return [self.balances.get((holder, token), 0)]

    def _moved(self, holder: str, *_: Any, sender: str) -> list[Any] | None:
        return [] if (holder, sender) in self.operators else None
