"""The escrow's rules in memory: what each call does, or which of its errors it raises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth_abi import decode
from eth_utils.crypto import keccak

from chain.contracts import Deployment, abi_type, artifact, signature_of
from chain.signatures import recover
from chain.typed_data import ReturnAuthorization, digest

_FUNCTIONS = ("deposit", "commit", "settle", "burn", "release", "swapRefund")
BURNED = "0x" + "00" * 18 + "dead"

Fact = tuple[str, dict[str, Any]]


class Reverted(Exception):
    """The call would revert."""


@dataclass
class Held:
    state: str
    auth: ReturnAuthorization
    reclaim_after: int


@dataclass
class EscrowState:
    """Everything that a block can change; copied to undo a block."""

    owners: dict[tuple[str, int], str] = field(default_factory=dict)
    holds: dict[str, Held] = field(default_factory=dict)
    used: set[bytes] = field(default_factory=set)
    paid: dict[str, tuple[str, int]] = field(default_factory=dict)


def _selectors() -> dict[bytes, dict[str, Any]]:
    items = artifact("ReturnEscrow")["abi"]
    named = [i for i in items if i["type"] == "function" and i["name"] in _FUNCTIONS]
    return {keccak(text=signature_of(item))[:4]: item for item in named}


class FakeEscrow:
    """Runs calldata against an `EscrowState` and returns the events that it emits."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.paused = False
        self._items = _selectors()

    def run(self, state: EscrowState, data: bytes, now: int) -> list[Fact]:
        item = self._items[data[:4]]
        values = decode([abi_type(part) for part in item["inputs"]], data[4:])
        if self.paused and item["name"] != "release":
            raise Reverted("EnforcedPause()")
        return getattr(self, f"_{item['name']}")(state, now, *values)

    def reclaim(self, state: EscrowState, line: str, now: int) -> list[Fact]:
        """By the depositor, without us."""
        held = self._held(state, line, "held", "committed")
        if now <= held.reclaim_after:
            raise Reverted("ReturnEscrowReclaimTooEarly")
        return self._end(state, line, held, "Reclaimed", held.auth.holder)

    def _deposit(self, state: EscrowState, now: int, raw: Any, signature: bytes) -> list[Fact]:
        auth = self._use(state, now, raw, signature)
        state.holds[auth.line] = Held("held", auth, auth.reclaimAfter)
        state.owners[auth.token, auth.tokenId] = self.deployment.escrow
        args = {"depositor": auth.holder, "reclaimAfter": auth.reclaimAfter, **_token(auth)}
        return [("Deposited", {"line": auth.line, "merchant": auth.merchant, **args})]

    def _swapRefund(  # noqa: N802
        self, state: EscrowState, now: int, raw: Any, signature: bytes, payout: bytes
    ) -> list[Fact]:
        payout_id = "0x" + payout.hex()
        if payout_id in state.paid:
            raise Reverted("ReturnEscrowPayoutUsed")
        auth = self._use(state, now, raw, signature)
        vault = self.deployment.vault
        state.holds[auth.line] = Held("settled", auth, 0)
        state.owners[auth.token, auth.tokenId] = vault
        state.paid[payout_id] = (auth.recipient, auth.refund)
        ends = {"merchant": auth.merchant, "holder": auth.holder, "vault": vault}
        refund = {"recipient": auth.recipient, "asset": auth.asset, "amount": auth.refund}
        return [
            ("Swapped", {"line": auth.line, **ends, **_token(auth)}),
            ("Refunded", {"line": auth.line, "payoutId": payout_id, **refund, "pushed": True}),
        ]

    def _commit(self, state: EscrowState, now: int, raw: bytes) -> list[Fact]:
        line = "0x" + raw.hex()
        held = self._held(state, line, "held")
        if now > held.reclaim_after:
            raise Reverted("ReturnEscrowReclaimOpen")
        held.state, held.reclaim_after = "committed", held.auth.commitUntil
        return [("Committed", {"line": line, "reclaimAfter": held.reclaim_after})]

    def _settle(self, state: EscrowState, now: int, raw: bytes) -> list[Fact]:
        line = "0x" + raw.hex()
        held = self._held(state, line, "committed")
        (_, args), *_ = self._end(state, line, held, "Settled", self.deployment.vault)
        return [("Settled", {**args, "vault": self.deployment.vault})]

    def _burn(self, state: EscrowState, now: int, raw: bytes) -> list[Fact]:
        line = "0x" + raw.hex()
        held = self._held(state, line, "committed")
        (_, args), *_ = self._end(state, line, held, "Burned", BURNED)
        return [("Burned", {**args, "destroyed": True})]

    def _release(self, state: EscrowState, now: int, raw: bytes) -> list[Fact]:
        line = "0x" + raw.hex()
        held = self._held(state, line, "held", "committed")
        return self._end(state, line, held, "Released", held.auth.holder)

    def _end(self, state: EscrowState, line: str, held: Held, name: str, to: str) -> list[Fact]:
        held.state = name.lower()
        state.owners[held.auth.token, held.auth.tokenId] = to
        return [(name, {"line": line, "depositor": held.auth.holder, **_token(held.auth)})]

    def _held(self, state: EscrowState, line: str, *states: str) -> Held:
        held = state.holds.get(line)
        if held is None or held.state not in states:
            raise Reverted("ReturnEscrowWrongState")
        return held

    def _use(self, state: EscrowState, now: int, raw: Any, signature: bytes) -> ReturnAuthorization:
        fields = ["0x" + v.hex() if isinstance(v, bytes) else v for v in raw]
        auth = ReturnAuthorization(*fields)
        signed = digest(auth, self.deployment.chain_id, self.deployment.escrow)
        if now > auth.deadline:
            raise Reverted("ReturnEscrowDeadlinePassed")
        if auth.line in state.holds or signed in state.used:
            raise Reverted("ReturnEscrowLineUsed")
        if recover(signed, signature) != auth.holder:
            raise Reverted("ReturnEscrowInvalidSignature")
        if state.owners.get((auth.token, auth.tokenId)) != auth.holder:
            raise Reverted("ReturnEscrowNotHolder")
        state.used.add(signed)
        return auth


def _token(auth: ReturnAuthorization) -> dict[str, Any]:
    return {"token": auth.token, "tokenId": auth.tokenId, "amount": auth.amount}
