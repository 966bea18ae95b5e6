"""Compares the index with the chain: what was missed, what is there twice, whom a token belongs to.

Both sides are made of what others have read; none of the index's code takes part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.index.facts import Books, Chain, holders

#: A log: hash of its block, index in it.
Place = tuple[str, int]


@dataclass(frozen=True)
class Depths:
    """Blocks, the event's own included, from which settlement is told."""

    confirmed: int
    final: int


@dataclass
class Findings:
    """What is wrong, a sentence for each. `events`: logs that the chain has of what is watched."""

    events: int = 0
    missed: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong_holder: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missed or self.twice or self.wrong_holder)


def judge(chain: Chain, books: Books, depths: Depths) -> Findings:
    """Compare what is there once the index has come to rest."""
    found = Findings(
        events=len(chain.events) + len({(m.block_hash, m.log_index) for m in chain.moves})
    )
    _compare(chain.blocks, books.blocks, found)
    _compare(chain.events, books.events, found)
    _compare(chain.moves, books.moves, found)
    _hear(chain, books.inbox, depths, found)
    found.missed += [f"open gap: {gap}" for gap in books.open_gaps]
    if books.open_scans:
        found.missed.append(f"{books.open_scans} scans have not come to an end")
    found.wrong_holder += _wrong_holders(chain, books)
    return found


def _compare(chain: Sequence[Any], books: Sequence[Any], found: Findings) -> None:
    """Each as often in the books as on the chain, which has it once."""
    wanted, there = Counter(chain), Counter(books)
    found.missed += [f"missed: {one}" for one in (wanted - there)]
    found.twice += [f"{times} too many: {one}" for one, times in (there - wanted).items()]


def _wrong_holders(chain: Chain, books: Books) -> Iterable[str]:
    wanted, said = holders(chain.moves), holders(books.moves)
    for token in sorted(wanted.keys() | said.keys()):
        three = (said.get(token, {}), wanted.get(token, {}), chain.holders.get(token, {}))
        if three[0] != three[1] or three[0] != three[2]:
            yield "{} is of {} by the index, {} by its logs, {} by its contract".format(
                token, *three
            )


# -- what settlement was told ----------------------------------------------------------------------


@dataclass
class _Round:
    """One time that a block stood: what was told of one of its events. A block can come back."""

    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def is_open(self) -> bool:
        """Whether it is settlement's present knowledge."""
        return self.kinds["chain.confirmed"] > 0 and not self.kinds["chain.reorged"]

    def oddities(self) -> Iterable[str]:
        """What cannot have been told in one round."""
        yield from (f"told {times} times {kind}" for kind, times in self.kinds.items() if times > 1)
        if not self.kinds["chain.confirmed"]:
            yield f"told {', '.join(self.kinds)} and not confirmed"


def _hear(chain: Chain, inbox: Sequence[str], depths: Depths, found: Findings) -> None:
    """Confirmed minus undone is what stands deep enough; so is what is final."""
    rounds = _rounds(inbox)
    levels = {"chain.confirmed": depths.confirmed, "chain.final": depths.final}
    for kind, depth in levels.items():
        wanted = {
            (one.block_hash, one.log_index): 1
            for one in chain.events
            if one.address in chain.told and one.number <= chain.head - depth + 1
        }
        told = {
            place: sum(one.is_open and one.kinds[kind] > 0 for one in its)
            for place, its in rounds.items()
        }
        _compare_told(kind, wanted, told, found)
    for place, its in rounds.items():
        found.twice += [f"{place}: {odd}" for one in its for odd in one.oddities()]


def _compare_told(
    kind: str, wanted: Mapping[Place, int], told: Mapping[Place, int], found: Findings
) -> None:
    for place in sorted(wanted.keys() | told.keys()):
        should, is_ = wanted.get(place, 0), told.get(place, 0)
        if is_ < should:
            found.missed.append(f"{place}: settlement was not told {kind}")
        elif is_ > should:
            found.twice.append(f"{place}: {kind} stands {is_} times and not {should}")


def _rounds(inbox: Sequence[str]) -> dict[Place, list[_Round]]:
    found: defaultdict[Place, defaultdict[str, _Round]] = defaultdict(lambda: defaultdict(_Round))
    for external_id in inbox:
        block_hash, index, times, kind = external_id.split(":")
        found[block_hash, int(index)][times].kinds[kind] += 1
    return {place: list(by_times.values()) for place, by_times in found.items()}
