"""Names of cases and tokens."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from returns import ids

RMAS = st.integers(0, 2**40 - 1).map(lambda _: ids.new_rma())
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PLACES = (4, 5, 6, 7, 9, 10, 11, 12)


@given(RMAS)
def test_own_number_is_read_in_any_case(rma: str) -> None:
    assert ids.parse_rma(rma) == ids.parse_rma(f"  {rma.lower()} ") == rma


@given(RMAS)
def test_check_character_catches_every_single_wrong_character(rma: str) -> None:
    for place in (*PLACES, 14):
        for wrong in ALPHABET + ("*~$=U" if place == 14 else ""):
            if wrong != rma[place]:
                assert ids.parse_rma(rma[:place] + wrong + rma[place + 1 :]) is None


@given(RMAS)
def test_check_character_catches_every_swapped_pair(rma: str) -> None:
    for a, b in itertools.combinations((*PLACES, 14), 2):
        if rma[a] != rma[b]:
            swapped = list(rma)
            swapped[a], swapped[b] = rma[b], rma[a]
            assert ids.parse_rma("".join(swapped)) is None


@given(RMAS)
def test_letters_that_look_like_digits_are_read_as_those(rma: str) -> None:
    assert ids.parse_rma("RMA-" + rma[4:].replace("0", "O").replace("1", "I")) == rma
    assert ids.parse_rma("RMA-" + rma[4:].replace("0", "o").replace("1", "l")) == rma


@given(st.text())
def test_anything_else_is_no_number_and_never_raises(text: str) -> None:
    assert ids.parse_rma(text) is None


@given(st.uuids())
def test_bytes32_goes_there_and_back(identifier: object) -> None:
    assert ids.from_bytes32(ids.bytes32(identifier)) == identifier


@given(st.one_of(st.binary(max_size=40), st.binary(min_size=32, max_size=32)))
def test_an_id_is_the_low_half_of_32_bytes_and_of_nothing_else(value: bytes) -> None:
    found = ids.from_bytes32(value)
    assert (found is None) is (len(value) != 32)
    assert found is None or found.bytes == value[16:]


def test_ids_come_in_the_order_of_their_making() -> None:
    made = [ids.new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == 10_000
