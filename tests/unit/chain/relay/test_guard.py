"""Default deny: what is signed is allowed by a rule, with the arguments that the books know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.contracts import Deployment, encode_call
from chain.relay.guard import (
    BOUND_FIELDS,
    EMPTY,
    Guard,
    Rule,
    escrow_rules,
    offset_of,
    rule_of,
)
from chain.typed_data import ReturnAuthorization
from returns.errors import RelayRuleInvalid

ESCROW, SHOP, OTHER = ("0x" + two * 20 for two in ("e5", "51", "07"))
LANE, TREASURY = "0x" + "1a" * 20, "0x" + "7e" * 20
MERCHANT = uuid4()
DEPLOYMENT = Deployment(1, 1, ESCROW, *["0x" + "00" * 20] * 4)
AUTHORIZATION = ReturnAuthorization(
    line="0x" + "01" * 32, vault="0x" + "02" * 20, holder="0x" + "03" * 20,
    token="0x" + "04" * 20, tokenId=7, amount=1, remedy=1, asset="0x" + "05" * 20,
    refund=10**18, recipient="0x" + "06" * 20, deadline=1, reclaimAfter=2, commitUntil=3,
)  # fmt: skip
FACTS = {name: str(getattr(AUTHORIZATION, name)) for name in BOUND_FIELDS}
GUARD = Guard(escrow_rules(DEPLOYMENT), [LANE], top_up_limit=10)
TRANSFER = "transfer(address,uint256)"


def call(signature: str, *args: Any) -> bytes:
    """Calldata of a function whose arguments may be structs."""
    types = signature[signature.index("(") + 1 : -1]
    parts, depth, start = [], 0, 0
    for place, char in enumerate(types + ","):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(types[start:place])
            start = place + 1
    return keccak(text=signature)[:4] + encode([one for one in parts if one], args)


def asked(
    to: str, data: bytes, *rules: Rule, value: int = 0, facts: dict[str, str] | None = None
) -> str | None:
    return GUARD.refusal(MERCHANT, to, data, value, facts or {}, rules)


# -- default deny ----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"\x12", bytes(4), call(TRANSFER, SHOP, 1)])
@pytest.mark.parametrize("to", [ESCROW, SHOP, LANE, "0x" + "00" * 20])
def test_without_a_rule_nothing_is_allowed(to: str, data: bytes) -> None:
    assert asked(to, data) is not None


def test_a_refusal_names_what_was_asked_for() -> None:
    assert (
        asked(SHOP, call(TRANSFER, LANE, 1)) == f"nothing allows the function 0xa9059cbb of {SHOP}"
    )
    assert asked(SHOP, b"") == f"nothing allows a plain transfer of {SHOP}"


def test_a_rule_allows_its_function_of_its_contract_and_no_other() -> None:
    rule = Rule(SHOP, TRANSFER)
    assert asked(SHOP, call(TRANSFER, LANE, 1), rule) is None
    assert asked(OTHER, call(TRANSFER, LANE, 1), rule) is not None
    assert asked(SHOP, call("approve(address,uint256)", LANE, 1), rule) is not None
    assert asked(SHOP, b"", rule) is not None


def test_a_rule_for_coin_allows_coin_without_data_up_to_its_limit() -> None:
    rule = Rule(SHOP, "", max_value=5)
    assert asked(SHOP, b"", rule, value=5) is None
    assert asked(SHOP, b"", rule, value=6) == "it carries 6 wei, 5 are allowed"
    assert asked(SHOP, b"\x00", rule, value=5) is not None


def test_coin_is_not_carried_unless_the_rule_says_so() -> None:
    assert asked(SHOP, call(TRANSFER, LANE, 1), Rule(SHOP, TRANSFER), value=1) is not None


@pytest.mark.parametrize("function", ["deposit", "commit", "settle", "burn", "release", "swap"])
def test_a_merchants_rule_never_speaks_of_our_contracts(function: str) -> None:
    signature = next(
        rule.function for rule in escrow_rules(DEPLOYMENT) if rule.function.startswith(function)
    )
    data = keccak(text=signature)[:4] + bytes(32 * 40)
    assert asked(ESCROW, data, Rule(ESCROW, signature)) is not None
    assert asked(ESCROW, call("pause()"), Rule(ESCROW, "pause()")) is not None


def test_the_batch_of_the_escrow_is_ours_to_build_and_nobodys_to_ask_for() -> None:
    data = encode_call("ReturnEscrow", "batch", [b""], 1)
    assert asked(ESCROW, data, Rule(ESCROW, "batch(bytes[],uint256)"), facts=FACTS) is not None


# -- the escrow ------------------------------------------------------------------------------------


def deposit(auth: ReturnAuthorization) -> bytes:
    return encode_call("ReturnEscrow", "deposit", auth.as_tuple(), b"\x01" * 65)


def test_a_deposit_of_the_lines_own_token_is_allowed() -> None:
    assert asked(ESCROW, deposit(AUTHORIZATION), facts=FACTS) is None


@pytest.mark.parametrize("name", BOUND_FIELDS)
def test_every_bound_field_must_be_what_the_books_say(name: str) -> None:
    other: Any = {
        str: "0x" + "99" * ((len(FACTS[name]) - 2) // 2), int: 10**19
    }[type(getattr(AUTHORIZATION, name))]  # fmt: skip
    wrong = replace(AUTHORIZATION, **{name: other})
    assert "is not what it must be" in (asked(ESCROW, deposit(wrong), facts=FACTS) or "")


@pytest.mark.parametrize("name", BOUND_FIELDS)
def test_a_fact_that_the_books_lack_refuses(name: str) -> None:
    facts = {key: value for key, value in FACTS.items() if key != name}
    assert asked(ESCROW, deposit(AUTHORIZATION), facts=facts) is not None


@given(st.integers(0, len(BOUND_FIELDS) - 1), st.integers(0, 31), st.integers(1, 255))
def test_any_changed_byte_of_a_bound_word_is_refused(field: int, place: int, change: int) -> None:
    """Also in the upper bytes of an address, which the ABI wants to be zero."""
    data = bytearray(deposit(AUTHORIZATION))
    names = [one.name for one in AUTHORIZATION.__dataclass_fields__.values()]
    start = 4 + 32 * names.index(BOUND_FIELDS[field])
    data[start + place] ^= change
    assert asked(ESCROW, bytes(data), facts=FACTS) is not None


@given(st.integers(0, 4 + 13 * 32 - 1))
def test_calldata_that_is_too_short_is_refused(length: int) -> None:
    last = max(list(AUTHORIZATION.__dataclass_fields__).index(name) for name in BOUND_FIELDS)
    if length < 4 + 32 * (last + 1):
        assert asked(ESCROW, deposit(AUTHORIZATION)[:length], facts=FACTS) is not None


@given(st.binary(max_size=600))
def test_no_calldata_makes_the_guard_raise(data: bytes) -> None:
    for start in (b"", deposit(AUTHORIZATION)[:4]):
        assert asked(ESCROW, start + data, facts=FACTS) is not None


@pytest.mark.parametrize("fact", ["", "0x", "0xzz", "-1", "1.5", str(2**256), "kitten"])
def test_a_fact_that_is_no_word_refuses_and_does_not_raise(fact: str) -> None:
    assert asked(ESCROW, deposit(AUTHORIZATION), facts=FACTS | {"tokenId": fact}) is not None


# -- places ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "path", "offset"),
    [
        ("f(uint256,address)", "0", 4),
        ("f(uint256,address)", "1", 36),
        ("f((uint256,address),bool)", "0.1", 36),
        ("f((uint256,address),bool)", "1", 68),
        ("f(uint256[3],bool)", "1", 100),
        ("f((uint256,(address,bool[2])),bool)", "0.1.0", 36),
        ("f((uint256,(address,bool[2])),bool)", "1", 132),
        ("f(bytes,uint256)", "1", 36),
        ("f((uint256,bytes),uint256)", "1", 36),
        ("f(uint256[],(bool,bool),uint256)", "1.1", 68),
        ("f((uint256,uint256)[2],bool)", "1", 132),
    ],
)
def test_arguments_stand_where_the_abi_puts_them(function: str, path: str, offset: int) -> None:
    assert offset_of(function, path) == offset


@given(st.data())
def test_the_place_of_a_field_is_where_the_library_writes_it(data: st.DataObject) -> None:
    """Marked words in nested static structs are found where eth_abi has put them."""
    kind, value, paths = data.draw(structs())
    function = f"f{kind}"
    encoded = bytes(4) + encode([kind], [value])
    for path, number in paths:
        start = offset_of(function, path)
        assert encoded[start : start + 32] == number.to_bytes(32)


@st.composite
def structs(draw: st.DrawFn, depth: int = 2) -> tuple[str, Any, list[tuple[str, int]]]:
    """A static tuple type, a value of it, and each number in it by its path."""
    kinds, values, paths = [], [], []
    for index in range(draw(st.integers(1, 4))):
        if depth and draw(st.booleans()):
            kind, value, inner = draw(structs(depth - 1))
            paths += [(f"{index}.{path}", number) for path, number in inner]
        else:
            kind, value = "uint256", draw(st.integers(0, 2**256 - 1))
            paths.append((str(index), value))
        kinds.append(kind)
        values.append(value)
    return f"({','.join(kinds)})", tuple(values), paths


@pytest.mark.parametrize(
    ("function", "path"),
    [
        ("f(uint256)", "1"),
        ("f(uint256)", "0.0"),
        ("f(uint256)", ""),
        ("f(uint256)", "-1"),
        ("f(uint256)", "²"),
        ("f(uint256)", "a"),
        ("f()", "0"),
        ("f(uint256[2])", "0"),
        ("f(uint256[2])", "0.1"),
        ("f(uint256[])", "0"),
        ("f(bytes)", "0"),
        ("f(string)", "0"),
        ("f((uint256,uint256))", "0"),
    ],
)
def test_what_is_no_word_at_a_fixed_place_cannot_be_bound(function: str, path: str) -> None:
    with pytest.raises(RelayRuleInvalid):
        Rule(SHOP, function, {path: "1"})


@pytest.mark.parametrize(
    "function",
    ["f(uint)", "f(int)", "f( uint256)", "f (uint256)", "f(uint256", "f", "f(uint256)x", "1f()",
     "f(tuple)", "f(kitten)", "f(uint7)", "f(address,)", ""],
)  # fmt: skip
def test_a_signature_that_selects_nothing_is_refused(function: str) -> None:
    with pytest.raises(RelayRuleInvalid):
        Rule(SHOP, function, {"0": "1"})


@pytest.mark.parametrize(
    "value", ["kitten", "0xzz", "-1", str(2**256), "0x" + "ff" * 33, "1.5", ""]
)
def test_a_value_that_is_no_word_is_refused(value: str) -> None:
    with pytest.raises(RelayRuleInvalid):
        Rule(SHOP, "f(uint256)", {"0": value})


@pytest.mark.parametrize("where", ["[]", "7", '{"0": 7}', '{"0": [7]}', '{"0": null}', "{", '"0"'])
def test_a_stored_rule_that_is_none_is_refused_as_one(where: str) -> None:
    with pytest.raises(RelayRuleInvalid):
        rule_of(SHOP, "f(uint256)", where, 0)


# -- values ----------------------------------------------------------------------------------------


def test_one_of_several_values_is_enough() -> None:
    rule = Rule(SHOP, TRANSFER, {"0": [LANE, "$vault"]})
    assert asked(SHOP, call(TRANSFER, LANE, 1), rule) is None
    assert asked(SHOP, call(TRANSFER, OTHER, 1), rule, facts={"vault": OTHER}) is None
    assert asked(SHOP, call(TRANSFER, OTHER, 1), rule, facts={"vault": SHOP}) is not None


def test_every_argument_that_a_rule_names_must_fit() -> None:
    rule = Rule(SHOP, TRANSFER, {"0": LANE, "1": "7"})
    assert asked(SHOP, call(TRANSFER, LANE, 7), rule) is None
    assert asked(SHOP, call(TRANSFER, LANE, 8), rule) is not None
    assert asked(SHOP, call(TRANSFER, OTHER, 7), rule) is not None


SAFE_TRANSFER = "safeTransferFrom(address,address,uint256,bytes)"


def test_bytes_that_must_be_empty_carry_nothing() -> None:
    rule = Rule(SHOP, SAFE_TRANSFER, {"3": EMPTY})
    assert asked(SHOP, call(SAFE_TRANSFER, LANE, LANE, 7, b""), rule) is None
    assert asked(SHOP, call(SAFE_TRANSFER, LANE, LANE, 7, b"\0"), rule) is not None


@pytest.mark.parametrize("pointer", [0, 4, 128, 160, 10**6, 2**255, 2**256 - 1, 2**256 - 32])
def test_a_pointer_to_bytes_elsewhere_is_followed_and_never_trusted(pointer: int) -> None:
    rule = Rule(SHOP, SAFE_TRANSFER, {"3": EMPTY})
    full = bytearray(call(SAFE_TRANSFER, LANE, LANE, 7, b"\x01"))
    full[100:132] = pointer.to_bytes(32)
    assert asked(SHOP, bytes(full), rule) is not None


def test_empty_speaks_of_bytes_only() -> None:
    for function in ("f(uint256)", "f(uint256[])", "f((bytes))"):
        with pytest.raises(RelayRuleInvalid):
            Rule(SHOP, function, {"0": EMPTY})
    with pytest.raises(RelayRuleInvalid):
        Rule(SHOP, "f(bytes)", {"0": "1"})


# -- gas for our own lanes -------------------------------------------------------------------------


def test_gas_goes_to_our_own_lanes_only_within_its_limit_and_without_data() -> None:
    def top_up(to: str, data: bytes, value: int) -> str | None:
        return GUARD.refusal(None, to, data, value, {}, [Rule(SHOP, "", max_value=99)])

    assert top_up(LANE, b"", 10) is None
    assert top_up(LANE, b"", 11) is not None
    assert top_up(LANE, b"\0", 1) is not None
    assert top_up(SHOP, b"", 1) is not None
    assert top_up(TREASURY, b"", 1) is not None
    assert top_up(ESCROW, deposit(AUTHORIZATION), 0) is not None


def test_a_merchant_cannot_ask_for_gas() -> None:
    assert asked(LANE, b"", value=1) is not None
