"""What will happen, all of it drawn from a seed before it begins.

There are faults of the wire, which the proxy lets happen to the next request that fits, and deeds:
to processes, disks, clocks and the chain, one after the other. When each of them strikes depends on
the machine; which, in what order and how hard does not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.chaos.chain.proxy import TRANSPORT, Armed

#: How often each kind comes in one round of the deck.
WIRE = {
    "drop_request": 3,
    "drop_answer": 4,
    "delay": 3,
    "late_request": 2,
    "late_answer": 2,
    "duplicate": 3,
    "http_429": 2,
    "http_500": 2,
    "truncated": 2,
    "shuffled": 1,
    "one_missing": 1,
    "wrong_chain": 1,
    "stale_head": 3,
    "null_receipts": 3,
    "missing_receipts": 2,
    "null_block": 1,
    "other_block": 2,
    "already_known": 2,
    "nonce_too_low": 2,
    "underpriced": 2,
    "insufficient_funds": 2,
    "claims_sent": 3,
    "denies_sent": 3,
    "count_high": 2,
    "count_low": 2,
    "false_revert": 1,
    "little_gas": 1,
    "absurd_fee": 2,
}
DEEDS = {
    "kill": 8,
    "kill_at_a_step": 12,
    "two_at_once": 3,
    "freeze": 3,
    "reorg": 4,
    "rewind": 4,
    "full_disk": 2,
    "clock_forward": 2,
    "clock_back": 2,
    "node_away": 2,
    "pool_lost": 1,
}
#: Where a relayer can be told to die: before or after these words' moments, counted from then on.
#: A life has hundreds of moments a second, and some of each special kind.
STEPS = {
    "": 150,
    "signing": 8,
    "before eth_sendRawTransaction": 4,
    "after eth_sendRawTransaction": 4,
    "before commit": 30,
    "after commit": 30,
}
DEEPEST = 64
#: Of all faults, those that are not of the wire: they take a second or more each.
_DEEDS_PER_FAULT = 0.3
#: Where something is sabotaged: the deeds against which it would have helped, and where a process
#: is to die.
FOCUS = {
    "": (DEEDS, STEPS),
    "fence": ({"two_at_once": 1, "freeze": 1}, STEPS),
    "write-ahead": ({"kill_at_a_step": 1}, {"after eth_sendRawTransaction": 3}),
}


@dataclass(frozen=True)
class Deed:
    """A fault that a person would need hands for. What the numbers mean depends on the kind.

    `pause`: seconds until the next one. `seconds`: how long it lasts. `jump`: seconds by which a
    clock is wrong. `depth`: blocks. `at`, `step`: a process dies at the so-manieth moment of this
    kind. `flip`: one of two ways.
    """

    kind: str
    pause: float
    seconds: float
    jump: float
    depth: int
    at: str
    step: int
    flip: bool


@dataclass(frozen=True)
class Step:
    """What is armed before a deed, and the deed."""

    wire: tuple[Armed, ...]
    deed: Deed


@dataclass(frozen=True)
class Decks:
    """What plans are dealt from: kinds of the wire and deeds by how often they come in one round,
    and where a process can be told to die. `sends`: the part of the wire's faults that wait for a
    send. `pauses`: between these seconds lies the pause after a deed.
    """

    wire: Mapping[str, int]
    deeds: Mapping[str, int]
    moments: Mapping[str, int]
    sends: float = 0.5
    pauses: tuple[float, float] = (0.5, 2.5)


@dataclass(frozen=True)
class Plan:
    """A whole run. `spare`: faults of the wire for those that no request fitted."""

    steps: tuple[Step, ...]
    spare: tuple[Armed, ...]


def plan(seed: int, faults: int, sabotage: str = "") -> Plan:
    """So many faults around the relayer; where it is sabotaged, those that it matters for."""
    return dealt(seed, faults, Decks(WIRE, *FOCUS[sabotage]))


def dealt(seed: int, faults: int, decks: Decks) -> Plan:
    """So many faults out of these decks."""
    wire, deeds = random.Random(f"{seed}:wire"), random.Random(f"{seed}:deeds")
    count = max(1, round(faults * _DEEDS_PER_FAULT))
    kinds, wires = _deck(deeds, decks.deeds), _deck(wire, decks.wire)
    each, more = divmod(faults - count, count)

    def armed() -> Armed:
        return _armed(next(wires), wire, decks.sends)

    steps = tuple(
        Step(
            tuple(armed() for _ in range(each + (index < more))),
            _deed(next(kinds), decks, deeds),
        )
        for index in range(count)
    )
    return Plan(steps, tuple(armed() for _ in range(faults)))


def _deck(draw: random.Random, weights: Mapping[str, int]) -> Iterator[str]:
    """Every kind once, then shuffled rounds by weight: a short run too has some of everything."""
    first = list(weights)
    draw.shuffle(first)
    yield from first
    while True:
        rest = [kind for kind, times in weights.items() for _ in range(times)]
        draw.shuffle(rest)
        yield from rest


def _armed(kind: str, draw: random.Random, sends: float) -> Armed:
    late = kind.startswith("late_")
    return Armed(
        kind=kind,
        calls=1 if kind in TRANSPORT else draw.choice((1, 1, 1, 2, 3, 6)),
        amount=draw.randint(1, 8),
        seconds=draw.uniform(2.2, 3.5) if late else draw.uniform(0.05, 1.0),
        sends=draw.random() < sends,
    )


def _deed(kind: str, decks: Decks, draw: random.Random) -> Deed:
    at = draw.choice(list(decks.moments))
    return Deed(
        kind=kind,
        pause=draw.uniform(*decks.pauses),
        seconds=draw.uniform(0.5, 2.5),
        jump=draw.choice((0.5, 3.0, 30.0, 600.0, 90_000.0)),
        depth=_depth(draw),
        at=at,
        step=draw.randint(1, decks.moments[at]),
        flip=draw.random() < 0.5,
    )


def _depth(draw: random.Random) -> int:
    """Shallow ones are what chains have; deep ones are what must not matter."""
    return draw.choice((1, 1, 2, 2, 3, 4, 6, 10, 16, 24, 32, 48, DEEPEST))
