"""The escrow's rules in memory: what each call does, or which of its errors it raises."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from eth_abi import decode
from eth_utils.crypto import keccak

from chain.contracts import Deployment, abi_type, artifact, signature_of
from chain.signatures import recover
from chain.typed_data import Domain, ReturnAuthorization, digest

_FUNCTIONS = ("deposit", "commit", "settle", "burn", "release", "swap")
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
    """Everything that a block can change; copied to undo a block. `holds` and `paid` by line."""

    owners: dict[tuple[str, int], str] = field(default_factory=dict)
    holds: dict[str, Held] = field(default_factory=dict)
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
        if self.paused:
            raise Reverted("EnforcedPause()")
        return getattr(self, f"_{item['name']}")(state, now, *values)

    def reclaim(self, state: EscrowState, line: str, now: int) -> list[Fact]:
        """By the depositor, without us; `line` ends with the line's UUID."""
        line = next(known for known in state.holds if known[-32:] == line[-32:])
        held = state.holds[line]
        if held.state not in ("held", "committed"):
            raise Reverted("ReturnEscrowWrongState")
        if now <= held.reclaim_after:
            raise Reverted("ReturnEscrowReclaimTooEarly")
        [(name, args)] = self._end(state, line, held, "Reclaimed", held.auth.holder)
        return [(name, {**args, "to": held.auth.holder})]

    def _deposit(self, state: EscrowState, now: int, raw: Any, signature: bytes) -> list[Fact]:
        auth = self._use(state, now, raw, signature)
        state.holds[auth.line] = Held("held", auth, auth.reclaimAfter)
        state.owners[auth.token, auth.tokenId] = self.deployment.escrow
        args = {"vault": auth.vault, "depositor": auth.holder, "authorization": asdict(auth)}
        return [("Deposited", {"line": auth.line, **args})]

    def _swap(
        self, state: EscrowState, now: int, raw: Any, signature: bytes, approval: bytes
    ) -> list[Fact]:
        auth = self._use(state, now, raw, signature)
        state.holds[auth.line] = Held("settled", auth, 0)
        state.owners[auth.token, auth.tokenId] = auth.vault
        state.paid[auth.line] = (auth.recipient, auth.refund)
        ends = {"vault": auth.vault, "holder": auth.holder, "recipient": auth.recipient}
        refund = {"asset": auth.asset, "refund": auth.refund}
        return [("Swapped", {"line": auth.line, **ends, **_token(auth), **refund})]

    def _commit(self, state: EscrowState, now: int, raw: Any, approval: bytes) -> list[Fact]:
        line, held = self._held(state, raw, "held")
        if now > held.reclaim_after:
            raise Reverted("ReturnEscrowReclaimOpen")
        held.state, held.reclaim_after = "committed", held.auth.commitUntil
        return [("Committed", {"line": line, "reclaimAfter": held.reclaim_after})]

    def _settle(self, state: EscrowState, now: int, raw: Any, approval: bytes) -> list[Fact]:
        line, held = self._held(state, raw, "committed")
        (_, args), *_ = self._end(state, line, held, "Settled", held.auth.vault)
        return [("Settled", {**args, "vault": held.auth.vault})]

    def _burn(self, state: EscrowState, now: int, raw: Any, approval: bytes) -> list[Fact]:
        line, held = self._held(state, raw, "committed")
        (_, args), *_ = self._end(state, line, held, "Burned", BURNED)
        return [("Burned", {**args, "destroyed": True})]

    def _release(self, state: EscrowState, now: int, raw: Any) -> list[Fact]:
        line, held = self._held(state, raw, "held", "committed")
        return self._end(state, line, held, "Released", held.auth.holder)

    def _end(self, state: EscrowState, line: str, held: Held, name: str, to: str) -> list[Fact]:
        held.state = name.lower()
        state.owners[held.auth.token, held.auth.tokenId] = to
        return [(name, {"line": line, "depositor": held.auth.holder, **_token(held.auth)})]

    def _held(self, state: EscrowState, raw: Any, *states: str) -> tuple[str, Held]:
        """The hold of the authorization that is presented again."""
        auth = _auth(raw)
        held = state.holds.get(auth.line)
        if held is None or held.state not in states:
            raise Reverted("ReturnEscrowWrongState")
        if held.auth != auth:
            raise Reverted("ReturnEscrowOtherAuthorization")
        return auth.line, held

    def _use(self, state: EscrowState, now: int, raw: Any, signature: bytes) -> ReturnAuthorization:
        auth = _auth(raw)
        signed = digest(auth, Domain(self.deployment.chain_id, self.deployment.escrow))
        if now > auth.deadline:
            raise Reverted("ReturnEscrowDeadlinePassed")
        if auth.line in state.holds:
            raise Reverted("ReturnEscrowIdUsed")
        if recover(signed, signature) != auth.holder:
            raise Reverted("SignatureInvalid")
        if state.owners.get((auth.token, auth.tokenId)) != auth.holder:
            raise Reverted("TokenNotHeld")
        return auth


def _auth(raw: Any) -> ReturnAuthorization:
    fields = ["0x" + v.hex() if isinstance(v, bytes) else v for v in raw]
    return ReturnAuthorization(*fields)


def _token(auth: ReturnAuthorization) -> dict[str, Any]:
    return {"token": auth.token, "tokenId": auth.tokenId, "amount": auth.amount}
