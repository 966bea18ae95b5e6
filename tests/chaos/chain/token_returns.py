"""Tokens on their way back: what their holders sign, and what the escrow does with them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from uuid import UUID

from chain.addresses import NATIVE
from chain.contracts import encode_call
from chain.relay.guard import BOUND_FIELDS
from chain.relay.simulation import Move
from chain.typed_data import ReturnAuthorization, line_key, wallet_request
from tests.chaos.chain.evidence import Node
from tests.chaos.chain.scene import EURO, Scene, holder_of
from tests.support.chain_node import VAULT

_FIAT, _COIN = 0, 1
_REFUND = 10**15
_DAY = 86_400
#: Seconds between looks at lines whose next step waits.
_LOOK_S = 1.0


@dataclass
class Return:
    """A token on its way back. `steps`: functions of the escrow that are still to be asked for."""

    authorization: ReturnAuthorization
    signature: bytes
    steps: list[str]
    #: The state of the line (contract `State`) in which the next step makes sense.
    ready_in: list[int] = field(default_factory=list)


#: Ways of a return: its remedy, its steps, and the line's state before each of them.
_WAYS = (
    (_COIN, ("swap",), (0,)),
    (_COIN, ("deposit", "settle"), (0, 1)),
    (_FIAT, ("deposit", "commit", "settle"), (0, 1, 2)),
    (_FIAT, ("deposit", "release"), (0, 1)),
)


class Returns:
    """Returns of the scene's tokens, each in one of the ways, taken up one after the other."""

    def __init__(self, scene: Scene, tokens: int, draw: random.Random) -> None:
        self._scene, self._draw = scene, draw
        self._tokens = iter(range(tokens))
        self._waiting: list[Return] = []
        self._looked = 0.0

    def begin(self) -> tuple[Return, str] | None:
        """The first step of another return; None when every token is on its way."""
        token = next(self._tokens, None)
        if token is None:
            return None
        remedy, steps, states = self._draw.choice(_WAYS)
        auth = self._authorization(token, remedy, held=len(steps) > 1)
        signature = holder_of(token).sign_typed_data(wallet_request(auth, self._scene.domain))
        begun = Return(auth, signature, list(steps[1:]), list(states[1:]))
        if begun.steps:
            self._waiting.append(begun)
        return begun, steps[0]

    def ready(self, node: Node) -> Iterator[tuple[Return, str]]:
        """Further steps whose turn has come, by what the chain itself says of their lines."""
        if time.monotonic() - self._looked < _LOOK_S:
            return
        self._looked = time.monotonic()
        for one, state in zip(list(self._waiting), self._states(node), strict=True):
            if state == one.ready_in[0]:
                one.ready_in.pop(0)
                yield one, one.steps.pop(0)
                if not one.steps:
                    self._waiting.remove(one)

    def _states(self, node: Node) -> list[int]:
        lines = [bytes.fromhex(one.authorization.line[2:]) for one in self._waiting]
        calls = [encode_call("ReturnEscrow", "stateOf", line).hex() for line in lines]
        asked = [{"to": self._scene.escrow, "data": f"0x{data}"} for data in calls]
        answers = node.batch([("eth_call", (one, "latest")) for one in asked]) if asked else []
        # In the middle of a reorg a node can lack the contract: then no line is ready.
        return [-1 if answer == "0x" else int(answer, 16) for answer in answers]

    def _authorization(self, token: int, remedy: int, *, held: bool) -> ReturnAuthorization:
        holder, now = holder_of(token).address, int(time.time())
        return ReturnAuthorization(
            line="0x" + line_key(UUID(int=self._draw.getrandbits(128)), holder).hex(),
            vault=VAULT,
            holder=holder,
            token=self._scene.collection,
            tokenId=token,
            amount=1,
            remedy=remedy,
            asset=NATIVE if remedy == _COIN else EURO,
            refund=_REFUND if remedy == _COIN else 49_99,
            recipient=holder,
            deadline=now + _DAY,
            reclaimAfter=now + 7 * _DAY if held else 0,
            commitUntil=now + 30 * _DAY if held else 0,
        )


def calldata(one: Return, step: str) -> bytes:
    """What the operator sends for a step."""
    further = {"deposit": (one.signature,), "swap": (one.signature, b""), "release": ()}
    return encode_call(
        "ReturnEscrow", step, one.authorization.as_tuple(), *further.get(step, (b"",))
    )


def moves(one: Return, step: str, escrow: str) -> list[Move]:
    """The assets that a step moves."""
    auth = one.authorization
    sender, recipient = {
        "deposit": (auth.holder, escrow),
        "release": (escrow, auth.holder),
        "settle": (escrow, VAULT),
        "swap": (auth.holder, VAULT),
    }.get(step, ("", ""))
    token = [Move(auth.token, sender, recipient, 1, auth.tokenId)] if sender else []
    pays = step in ("settle", "swap") and auth.remedy == _COIN
    return token + ([Move(NATIVE, escrow, auth.recipient, auth.refund)] if pays else [])


def facts(one: Return) -> dict[str, str]:
    """What the books would know of the line."""
    fields = asdict(one.authorization)
    return {name: str(fields[name]) for name in BOUND_FIELDS}
