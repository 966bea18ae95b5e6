"""The auditor is told books in which something is wrong, and names it; and clean ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest

from tests.chaos.index.auditor import Depths, Findings, judge
from tests.chaos.index.facts import ZERO, Block, Books, Chain, Event, Move, holders
from tests.chaos.trial import ROOT

ESCROW, NFT, SEVERAL = "0x" + "ee" * 20, "0x" + "aa" * 20, "0x" + "bb" * 20
ANN, BEN = "0x" + "01" * 20, "0x" + "02" * 20
DEPTHS = Depths(confirmed=2, final=4)
HEAD = 6


def block(number: int, branch: str = "") -> Block:
    """A block of a branch; `` is the chain itself."""
    return Block(number, f"0x{number}{branch}", f"0x{number - 1}{branch}")


def event(number: int, log_index: int = 0) -> Event:
    """A proposal in the escrow."""
    return Event(number, log_index, f"0x{number}", f"0xt{number}", ESCROW, "ChangeProposed")


def move(
    number: int, token: int, sender: str, recipient: str, *, log_index: int = 1, branch: str = ""
) -> Move:
    """A token of an ERC-721 goes from one to another."""
    place = (number, log_index, 0, f"0x{number}{branch}", f"0xt{number}")
    return Move(*place, "erc721", NFT, token, sender, recipient, 1)


def several(number: int, position: int, sender: str, recipient: str, amount: int) -> Move:
    """Some of an ERC-1155's token go from one to another."""
    place = (number, 2, position, f"0x{number}", f"0xt{number}")
    return Move(*place, "erc1155", SEVERAL, 7, sender, recipient, amount)


def told(number: int, *kinds: str, times: int = 0, log_index: int = 0) -> list[str]:
    """What settlement was told of an event, in the index's way to name it."""
    return [f"0x{number}:{log_index}:{times}:chain.{kind}" for kind in kinds]


def chain() -> Chain:
    """Events in blocks 2, 4 and 6; a token that went to Ben, one that was burned, seven of one."""
    return Chain(
        blocks=[block(number) for number in range(1, HEAD + 1)],
        events=[event(2), event(4), event(6)],
        moves=[
            move(1, 1, ZERO, ANN),
            move(2, 2, ZERO, ANN),
            several(3, 0, ZERO, ANN, 7),
            move(4, 1, ANN, BEN),
            move(5, 2, ANN, ZERO),
            several(5, 0, ANN, BEN, 3),
        ],
        holders={(NFT, 1): {BEN: 1}, (NFT, 2): {}, (SEVERAL, 7): {ANN: 4, BEN: 3}},
        told=[ESCROW],
    )


def books() -> Books:
    """An index of it that is as it should be: block 2 came back once, another stood at 4."""
    there = deepcopy(chain())
    inbox = [
        *told(2, "confirmed", "reorged"),
        *told(2, "confirmed", "final", times=1),
        *told(4, "confirmed"),
        *told(40, "confirmed", "final", "reorged"),
    ]
    return Books(there.blocks, there.events, there.moves, inbox)


def verdict(spoil: Callable[[Books], object]) -> Findings:
    wrong = books()
    spoil(wrong)
    return judge(chain(), wrong, DEPTHS)


def counts(found: Findings) -> tuple[int, int, int]:
    return len(found.missed), len(found.twice), len(found.wrong_holder)


def test_an_index_that_is_the_chain_is_clean() -> None:
    found = verdict(lambda books: None)
    assert found.clean
    assert found.events == 9


def test_an_event_that_is_not_there_is_missed() -> None:
    assert counts(verdict(lambda books: books.events.pop(1))) == (1, 0, 0)


def test_an_event_that_is_there_twice_is_seen() -> None:
    assert counts(verdict(lambda books: books.events.append(event(4)))) == (0, 1, 0)


def test_an_event_that_is_not_on_the_chain_is_one_too_many() -> None:
    assert counts(verdict(lambda books: books.events.append(event(4, 9)))) == (0, 1, 0)


def test_an_event_that_is_told_otherwise_is_missed_and_one_too_many() -> None:
    def spoil(books: Books) -> None:
        books.events[0] = replace(books.events[0], tx_hash="0xother")

    assert counts(verdict(spoil)) == (1, 1, 0)


def test_a_movement_that_is_missed_leaves_the_token_with_the_wrong_holder() -> None:
    assert counts(verdict(lambda books: books.moves.pop(3))) == (1, 0, 1)


def test_a_movement_of_another_branch_that_stands_is_one_too_many() -> None:
    stray = move(5, 1, BEN, ANN, branch="b")
    assert counts(verdict(lambda books: books.moves.append(stray))) == (0, 1, 1)


def test_an_amount_that_is_counted_twice_gives_too_much() -> None:
    assert counts(verdict(lambda books: books.moves.append(books.moves[-1]))) == (0, 1, 1)


def test_a_holder_of_whom_the_contract_knows_nothing_is_wrong() -> None:
    lying = chain()
    lying.holders[NFT, 1] = {ANN: 1}
    found = judge(lying, books(), DEPTHS)
    assert counts(found) == (0, 0, 1)
    assert "1" in found.wrong_holder[0]


def test_blocks_are_exactly_the_chain_s() -> None:
    assert counts(verdict(lambda books: books.blocks.pop())) == (1, 0, 0)
    assert counts(verdict(lambda books: books.blocks.append(block(4, "b")))) == (0, 1, 0)
    unlinked = replace(block(4), parent_hash="0x0")
    assert counts(verdict(lambda books: books.blocks.__setitem__(3, unlinked))) == (1, 1, 0)


@pytest.mark.parametrize("what", ["confirmed", "final"])
def test_settlement_that_was_not_told_has_missed_it(what: str) -> None:
    row = f"0x2:0:1:chain.{what}"
    missed, twice, wrong = counts(verdict(lambda books: books.inbox.remove(row)))
    assert missed >= 1
    # What is final without being confirmed was told out of turn besides.
    assert (twice, wrong) == (what == "confirmed", 0)


@pytest.mark.parametrize(
    "stray",
    [
        told(4, "confirmed"),
        told(4, "confirmed", times=1),
        told(4, "final"),
        told(6, "confirmed"),
        told(50, "confirmed"),
    ],
    ids=["again", "in a second round", "too early", "not deep enough", "of another branch"],
)
def test_settlement_that_was_told_too_much_counts_it_twice(stray: list[str]) -> None:
    found = verdict(lambda books: books.inbox.extend(stray))
    assert not found.missed
    assert len(found.twice) == 1


def test_an_undoing_that_was_not_told_leaves_the_event_standing() -> None:
    row = told(40, "reorged")[0]
    assert counts(verdict(lambda books: books.inbox.remove(row))) == (0, 2, 0)


def test_an_undoing_of_what_stands_takes_it_away() -> None:
    assert counts(verdict(lambda books: books.inbox.extend(told(4, "reorged")))) == (1, 0, 0)


def test_open_gaps_and_scans_are_findings() -> None:
    assert counts(verdict(lambda books: books.open_gaps.append("unproven 4"))) == (1, 0, 0)
    assert counts(verdict(lambda books: setattr(books, "open_scans", 2))) == (1, 0, 0)


def test_holders_follow_the_order_of_the_chain_and_money_has_none() -> None:
    money = Move(9, 0, 0, "0x9", "0xt9", "erc20", NFT, -1, ANN, BEN, 5)
    moves = [*reversed(chain().moves), money]
    assert holders(moves) == chain().holders


def test_neither_auditor_nor_its_evidence_uses_the_index() -> None:
    names = ("auditor", "raw_books", "raw_chain")
    script = "".join(f"import tests.chaos.index.{name}; " for name in names)
    script += "import sys; print('chain.index' in sys.modules)"
    said = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True)
    assert said == "False\n"
