"""Names of cases and tokens."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns import ids
from returns.errors import FieldInvalid
from returns.words import TokenStandard

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


# -- tokens ----------------------------------------------------------------------------------------

COLLECTION = "0x" + "aB" * 20
GOOD = f"eip155:1/erc721:{COLLECTION}/42"


@given(
    st.integers(1, 2**63 - 1),
    st.sampled_from([TokenStandard.ERC721, TokenStandard.ERC1155]),
    st.binary(min_size=20, max_size=20),
    st.integers(0, 2**256 - 1),
)
def test_a_tokens_name_goes_there_and_back(
    chain_id: int, standard: TokenStandard, collection: bytes, token_id: int
) -> None:
    token = ids.Token(chain_id, standard, "0x" + collection.hex(), token_id)
    assert ids.parse_token(str(token)) == token


def test_a_tokens_name_is_read_with_a_checksum_and_written_without() -> None:
    token = ids.parse_token(GOOD)
    assert token == ids.Token(1, TokenStandard.ERC721, COLLECTION.lower(), 42)
    assert str(token) == GOOD.lower() == ids.token_asset(1, COLLECTION.lower(), 42)


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD + " ",
        " " + GOOD,
        GOOD + "\n",
        GOOD + "/1",
        GOOD[:-2],
        GOOD[:-2] + "-1",
        GOOD[:-2] + "0x2a",
        GOOD[:-2] + "4_2",
        GOOD[:-2] + str(2**256),
        GOOD[:-2] + "9" * 79,
        GOOD.upper(),
        GOOD.replace(":1/", ":0/"),
        GOOD.replace(":1/", ":01/"),
        GOOD.replace(":1/", ":/"),
        GOOD.replace(":1/", f":{2**63}/"),
        GOOD.replace("eip155", "bip122"),
        GOOD.replace("erc721", "erc20"),
        GOOD.replace("erc721", "ERC721"),
        GOOD.replace("aB/", "a/"),
        GOOD.replace("aB/", "aBc/"),
        GOOD.replace("aB/", "ag/"),
        GOOD.replace("0x", ""),
    ],
)
def test_refuses_what_is_no_name_of_a_token(text: str) -> None:
    with pytest.raises(FieldInvalid, match="write eip155:<chain>/erc721:<address>/<id>") as refused:
        ids.parse_token(text)
    assert "token" in str(refused.value)


@given(st.text())
def test_no_text_is_read_as_a_token_by_accident(text: str) -> None:
    with pytest.raises(FieldInvalid):
        ids.parse_token(text)
