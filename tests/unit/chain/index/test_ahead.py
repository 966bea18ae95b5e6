"""Ranges are read ahead in order, of a size that node and logs allow; a fault loses none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_chain import KINDS

from chain.index.ahead import Ahead
from chain.index.decoding import Rows
from chain.index.proof import Header, Incomplete
from chain.index.reading import Moved, Span, TooMuch
from chain.index.watch import Watch
from returns.errors import ChainUnavailable

_AT = datetime(2026, 1, 1, tzinfo=UTC)
#: Logs of a range that a size is right for.
FULL = 4_000


def span_of(first: int, last: int, logs: int = 0) -> Span:
    headers = [
        Header(one, f"0x{one:x}", f"0x{one - 1:x}", _AT, 0, ()) for one in range(first, last + 1)
    ]
    return Span(headers, Rows(Watch(KINDS)), logs, [])


class Source:
    """Ranges as a node gives them: `most` blocks at a time, `per_block` logs in each."""

    def __init__(self, per_block: int = 0, most: int = 10**9, hint: bool = False) -> None:
        self.per_block, self.most, self.hint = per_block, most, hint
        self.asked: list[tuple[int, int]] = []
        self.faults: list[BaseException] = []
        self.ahead = Ahead(self.read)

    def read(self, first: int, last: int) -> Span:
        self.asked.append((first, last))
        blocks = last - first + 1
        if self.faults:
            raise self.faults.pop()
        if blocks > self.most:
            hint = self.most if self.hint else None
            raise TooMuch("query returned too much", hint, always=self.hint)
        return span_of(first, last, self.per_block * blocks)

    def sizes(self, head: int, takes: int | None = None) -> list[int]:
        """Sizes of the ranges up to a head, which have to follow each other without a gap."""
        first, found = 1, list[int]()
        while first <= head and len(found) != takes:
            span = self.ahead.take(first, head)
            assert span.headers[0].number == first
            found.append(len(span.headers))
            first += len(span.headers)
            assert first <= head + 1
        return found


@pytest.fixture
def make() -> Iterator[Callable[..., Source]]:
    """Builds sources whose threads end with the test."""
    built: list[Source] = []

    def one(*args: int, **named: object) -> Source:
        built.append(Source(*args, **named))  # type: ignore[arg-type]
        return built[-1]

    yield one
    for source in built:
        source.ahead.close()


Make = Callable[..., Source]


# -- sizes -----------------------------------------------------------------------------------------


def test_ranges_of_blocks_without_logs_grow_to_the_most_that_is_asked_for(make: Make) -> None:
    source = make()
    sizes = source.sizes(20_000)
    assert (sizes[:3], max(sizes), sum(sizes)) == ([20, 20, 20], 1_000, 20_000)
    # The last one is what is left.
    assert sizes[:-1] == sorted(sizes[:-1])
    assert all(later <= 2 * before for before, later in pairwise(sizes))


@pytest.mark.parametrize(("per_block", "fitting"), [(10, 400), (100, 40), (4_000, 1), (9_999, 1)])
def test_ranges_go_towards_their_number_of_logs(make: Make, per_block: int, fitting: int) -> None:
    sizes = make(per_block).sizes(60_000, takes=40)
    assert set(sizes[20:]) == {fitting}
    assert per_block * fitting <= max(FULL, per_block)


@pytest.mark.parametrize("hint", [False, True])
@pytest.mark.parametrize("most", [1, 2, 7, 19])
def test_a_node_that_finds_it_too_much_is_asked_for_less(make: Make, most: int, hint: bool) -> None:
    sizes = make(most=most, hint=hint).sizes(100)
    assert (sum(sizes), max(sizes) <= most) == (100, True)


def test_a_hint_is_kept_and_not_run_into_again(make: Make) -> None:
    source = make(most=7, hint=True)
    source.sizes(500)
    too_much = [one for one in source.asked if one[1] - one[0] + 1 > 7]
    # What was under way when the first refusal came.
    assert len(too_much) <= 3
    assert all(first <= 60 for first, _ in too_much)


def test_a_node_that_says_how_many_is_asked_for_as_many(make: Make) -> None:
    """And not for half of what it refused."""
    source = make(most=15, hint=True)
    assert source.sizes(60) == [15, 15, 15, 15]


def test_a_hint_for_one_range_is_not_kept_for_others(make: Make) -> None:
    source = make()
    honest = source.ahead._read

    def dense(first: int, last: int) -> Span:
        if first < 60 and last - first + 1 > 5:
            raise TooMuch("Try with this block range [0x1, 0x5].", 5)
        return honest(first, last)

    source.ahead._read = dense
    sizes = source.sizes(10_000)
    assert (sizes[0], max(sizes)) == (5, 1_000)


def test_without_a_hint_more_is_tried_again(make: Make) -> None:
    source = make(most=7)
    source.sizes(50)
    source.most = 10**9
    assert source.ahead.take(51, 10_000)
    assert max(source.sizes(10_000)) == 1_000


@pytest.mark.parametrize("hint", [False, True])
def test_refuses_one_block_that_is_too_much(make: Make, hint: bool) -> None:
    source = make(most=0, hint=hint)
    with pytest.raises(ChainUnavailable, match="one block is too much for it: query returned"):
        source.ahead.take(1, 100)
    source.most = 10**9
    assert source.ahead.take(1, 100).headers[0].number == 1


# -- order -----------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["", "gone", "jump"])), max_size=12),
    st.integers(0, 300),
    st.integers(1, 60),
)
def test_a_range_begins_where_it_is_asked_to_and_never_passes_the_head(
    steps: list[tuple[int, str]], per_block: int, most: int
) -> None:
    source, first = Source(per_block, most), 1
    try:
        for ahead_of, event in steps:
            if event == "gone":
                source.ahead.forget()
            first = max(1, first - 5) if event == "jump" else first
            span = source.ahead.take(first, first + ahead_of - 1)
            numbers = [one.number for one in span.headers]
            assert numbers == list(range(first, first + len(numbers)))
            assert 1 <= len(numbers) <= ahead_of
            first = numbers[-1] + 1
    finally:
        source.ahead.close()


def test_further_ranges_are_read_while_the_first_is_taken(make: Make) -> None:
    source = make()
    read = threading.Event()
    honest = source.ahead._read

    def count(first: int, last: int) -> Span:
        span = honest(first, last)
        if first == 41:
            read.set()
        return span

    source.ahead._read = count
    source.ahead.take(1, 1_000)
    assert read.wait(10)
    assert sorted(source.asked)[:3] == [(1, 20), (21, 40), (41, 60)]


def test_what_was_read_is_not_asked_for_again(make: Make) -> None:
    source = make(200)
    source.sizes(100)
    assert sorted(source.asked) == [(first, first + 19) for first in range(1, 101, 20)]


def test_forgetting_drops_what_was_read(make: Make) -> None:
    source = make(200)
    source.ahead.take(1, 60)
    source.ahead.forget()
    source.per_block = 100
    assert source.ahead.take(21, 60).logs == 2_000


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        ChainUnavailable(problem="it is away"),
        Moved(),
        Incomplete(5, "its logs are not all there"),
        ZeroDivisionError(),
    ],
    ids=["unavailable", "moved", "incomplete", "a fault of ours"],
)
def test_a_fault_is_raised_to_who_takes_and_the_next_take_starts_anew(
    make: Make, fault: Exception
) -> None:
    source = make(200)
    source.ahead.take(1, 20)
    source.faults.append(fault)
    with pytest.raises(type(fault)) as raised:
        source.ahead.take(21, 100)
    assert raised.value is fault
    assert source.ahead.take(21, 100).headers[0].number == 21


def test_a_fault_of_a_later_range_is_raised_in_its_turn(make: Make) -> None:
    source = make(200)
    honest = source.ahead._read

    def fail(first: int, last: int) -> Span:
        if first == 41:
            raise Moved
        return honest(first, last)

    source.ahead._read = fail
    assert source.sizes(60, takes=2) == [20, 20]
    with pytest.raises(Moved):
        source.ahead.take(41, 60)


@pytest.mark.parametrize(("times", "blocks"), list(enumerate([20, 10, 5, 2, 1, 1])))
def test_a_node_that_does_not_answer_is_asked_for_half(make: Make, times: int, blocks: int) -> None:
    source = make()
    honest, source.ahead._read = source.ahead._read, _away
    for _ in range(times):
        with pytest.raises(ChainUnavailable):
            source.ahead.take(1, 100)
    source.ahead._read = honest
    assert len(source.ahead.take(1, 100).headers) == blocks


def _away(first: int, last: int) -> Span:
    raise ChainUnavailable(problem="it took too long")


def test_closing_ends_the_threads(make: Make) -> None:
    source = make()
    source.ahead.take(1, 1_000)
    source.ahead.close()
    assert not [one for one in source.ahead._threads._threads if one.is_alive()]
