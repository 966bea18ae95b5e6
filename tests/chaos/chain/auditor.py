"""Counts what really happened, out of chain and books: none of the relayer's code or figures.

The chain makes sure by itself that a nonce is used once. What it cannot see is that two nonces, or
two keys, did the same thing: so intents are counted, each known by its destination and calldata.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from eth_abi.abi import decode
from eth_utils.crypto import keccak

#: A call as the chain sees it: lower-case destination, calldata.
Call = tuple[str, bytes]

BATCH = keccak(text="batch(bytes[],uint256)")[:4]
RECORD = keccak(text="record(bytes32)")[:4]
#: States of an intent whose call must not have run.
_WITHOUT = ("failed", "expired", "canceled")


class Outcome(StrEnum):
    """What became of a call in one transaction. An item that failed may be tried again."""

    RAN = "ran"
    FAILED_ALONE = "failed alone"
    FAILED_IN_BATCH = "failed in a batch"


@dataclass(frozen=True)
class Owed:
    """What was asked of the relayer, as whoever asked remembers it."""

    id: UUID
    to: str
    data: bytes


@dataclass(frozen=True)
class Mined:
    """A transaction of the chain as it is in the end. `failed_items`: of a batch, by index."""

    sender: str
    nonce: int
    hash: str
    to: str
    data: bytes
    ok: bool
    failed_items: frozenset[int] = frozenset()

    def calls(self) -> Iterator[tuple[Call, Outcome]]:
        """Each call that it carries, alone or as an item, and what became of it."""
        if self.data[:4] != BATCH:
            yield (self.to, self.data), Outcome.RAN if self.ok else Outcome.FAILED_ALONE
            return
        items, _ = decode(["bytes[]", "uint256"], self.data[4:])
        for index, item in enumerate(items):
            ran = self.ok and index not in self.failed_items
            yield (self.to, item), Outcome.RAN if ran else Outcome.FAILED_IN_BATCH


@dataclass
class Chain:
    """The chain since the beginning of the stream, in its order.

    `first`, `count`: each lane's next nonce at the beginning and in the end. `recorded`: how often
    a recorder says that it was told each id.
    """

    mined: list[Mined]
    first: dict[str, int]
    count: dict[str, int]
    recorded: Counter[bytes] = field(default_factory=Counter)


@dataclass(frozen=True)
class Slot:
    """A nonce in the books."""

    lane: str
    nonce: int
    state: str
    mined_hash: str | None


@dataclass
class Books:
    """What the database says. `signed`: lane and nonce of every stored transaction, by its hash."""

    intents: dict[UUID, str]
    slots: list[Slot]
    signed: dict[str, tuple[str, int]]
    next_nonce: dict[str, int]
    #: Why intents ended without their effect, in the books' words, and how many did.
    reasons: dict[str, int] = field(default_factory=dict)

    def unfinished(self) -> int:
        """How many intents and nonces have not come to an end."""
        intents = sum(state not in ("confirmed", *_WITHOUT) for state in self.intents.values())
        return intents + sum(slot.state != "confirmed" for slot in self.slots)


@dataclass
class Findings:
    """What is wrong, a sentence for each; and what is worth knowing without being wrong."""

    double_sends: list[str] = field(default_factory=list)
    nonce_gaps: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    transactions: int = 0
    executed: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, int] = field(default_factory=dict)
    #: Intents with which something is wrong, each with its transactions in the chain.
    suspects: dict[UUID, list[str]] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.double_sends or self.nonce_gaps or self.lost)


def judge(owed: Sequence[Owed], chain: Chain, books: Books) -> Findings:
    """Compare what was asked for, what the chain did and what the books say."""
    outcomes = _outcomes(chain)
    found = Findings(transactions=len(chain.mined), reasons=books.reasons)
    for intent in owed:
        its = outcomes[(intent.to, intent.data)]
        ran = max(its.count(Outcome.RAN), _recorded(intent, chain))
        state = books.intents.get(intent.id, "missing")
        found.executed += ran > 0
        found.ended[state] += 1
        wrong = [*_doubled(intent, its, ran)], [*_lost(intent, state, ran)]
        found.double_sends += wrong[0]
        found.lost += wrong[1]
        if any(wrong):
            found.suspects[intent.id] = list(_traces(intent, chain))
    for lane in chain.first:
        found.nonce_gaps += [f"{lane}: {gap}" for gap in _gaps(lane, chain, books)]
    return found


def _outcomes(chain: Chain) -> dict[Call, list[Outcome]]:
    """What became of each call, in the order of the chain, whoever sent it."""
    outcomes: dict[Call, list[Outcome]] = defaultdict(list)
    for mined in chain.mined:
        for call, outcome in mined.calls():
            outcomes[call].append(outcome)
    return outcomes


def _traces(intent: Owed, chain: Chain) -> Iterator[str]:
    """Where a call is to be found in the chain."""
    for mined in chain.mined:
        for call, outcome in mined.calls():
            if call == (intent.to, intent.data):
                yield f"{outcome} in {mined.hash}, nonce {mined.nonce} of {mined.sender}"


def _recorded(intent: Owed, chain: Chain) -> int:
    """How often the recorder was told; 0 for calls of something else."""
    return chain.recorded[intent.data[4:]] if intent.data[:4] == RECORD else 0


def _doubled(intent: Owed, its: list[Outcome], ran: int) -> Iterator[str]:
    """Only an item that failed with or in its batch may be in a second transaction."""
    if ran > 1:
        yield f"{intent.id} ran {ran} times"
    elif any(outcome is not Outcome.FAILED_IN_BATCH for outcome in its[:-1]):
        yield f"{intent.id} was mined {len(its)} times: {', '.join(its)}"


def _lost(intent: Owed, state: str, ran: int) -> Iterator[str]:
    if state == "confirmed":
        if not ran:
            yield f"{intent.id} is confirmed in the books and did not run"
    elif state in _WITHOUT:
        if ran:
            yield f"{intent.id} is {state} in the books and ran"
    else:
        yield f"{intent.id} is {state} in the end, and {'ran' if ran else 'did not run'}"


def _gaps(lane: str, chain: Chain, books: Books) -> Iterator[str]:
    """Every nonce from the first to the last is a slot, mined with bytes that the books have."""
    slots = {slot.nonce: slot for slot in books.slots if slot.lane == lane}
    used = {mined.nonce: mined.hash for mined in chain.mined if mined.sender == lane}
    first, count = chain.first[lane], chain.count[lane]
    end = max(count, books.next_nonce.get(lane, first), *(nonce + 1 for nonce in slots), first)
    for nonce in range(first, end):
        gap = _gap(slots.get(nonce), used.get(nonce), books.signed, (lane, nonce))
        if gap is not None:
            yield f"nonce {nonce} {gap}"
    yield from (f"nonce {nonce} is older than the lane" for nonce in slots if nonce < first)


def _gap(
    slot: Slot | None,
    mined: str | None,
    signed: dict[str, tuple[str, int]],
    place: tuple[str, int],
) -> str | None:
    """What is wrong with one nonce, if anything is."""
    if mined is not None and signed.get(mined) != place:
        return f"was used by {mined}, which the books do not have for it"
    if slot is None:
        return "has no slot"
    if mined is None:
        return "was never mined"
    if slot.state != "confirmed":
        return f"was mined and is {slot.state} in the books"
    if slot.mined_hash not in (None, mined):
        return f"was used by {mined}, and by {slot.mined_hash} in the books"
    return None
