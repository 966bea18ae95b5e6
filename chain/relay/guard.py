"""Default deny: only calls that a rule allows, with the arguments that the books know, are signed.

A rule names a contract, a function and what its arguments must be: a value, one of several, what
the intent's facts say (`$token`), or nothing at all (`empty`, for the `data` of a foreign call).
Arguments are read by their place in the calldata (Solidity ABI, head part), never decoded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from uuid import UUID

from eth_abi.abi import is_encodable_type
from eth_abi.exceptions import ParseError
from eth_abi.grammar import ABIType, TupleType, parse

from chain.addresses import NATIVE
from chain.contracts import Deployment, artifact, signature_of
from chain.keccak import keccak
from chain.relay.simulation import Move, Outlook, moves_from_json, same_moves
from returns.errors import RelayRuleInvalid

_WORD = 32
#: What a rule says of an argument of type `bytes` that must not carry anything.
EMPTY = "empty"
#: The functions of the escrow that lanes call, each with the authorization first.
_ESCROW_FUNCTIONS = ("deposit", "commit", "settle", "burn", "release", "swap")
#: Fields of the authorization that must be what the books say of the line.
BOUND_FIELDS = (
    "line", "vault", "holder", "token", "tokenId", "amount", "refund", "recipient",
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """One allowed function. `function` is its canonical signature, empty for coin without data.

    `where`: by the argument's place ("1", or "0.3" for a field of a struct) the value that it must
    have, or several, or `$fact`. Raises `RelayRuleInvalid` for what cannot be checked.
    """

    contract: str
    function: str
    where: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    max_value: int = 0

    def __post_init__(self) -> None:
        if self.function and not _takes_nothing(self.function):
            _arguments(self.function)
        for path, allowed in self.where.items():
            offset_of(self.function, path, to_empty=allowed == EMPTY)
            for value in () if allowed == EMPTY else _several(allowed):
                if not value.startswith("$"):
                    _word(value)

    @cached_property
    def selector(self) -> bytes:
        """The first four bytes of the calldata; none for a transfer of coin."""
        return keccak(text=self.function)[:4] if self.function else b""

    def refusal(self, data: bytes, value: int, facts: Mapping[str, str]) -> str | None:
        """Why calldata does not keep to the rule, None if it does."""
        if value > self.max_value:
            return f"it carries {value} wei, {self.max_value} are allowed"
        for path, place in self._places:
            if not place.admits(data, facts):
                return f"argument {path} of {self.function} is not what it must be"
        return None

    @cached_property
    def _places(self) -> list[tuple[str, _Place]]:
        """Each argument that is bound, with what it may be."""
        return [
            (path, _place(self.function, path, allowed)) for path, allowed in self.where.items()
        ]


@dataclass(frozen=True, slots=True)
class _Place:
    """A word of the calldata: one of these, or what one of these facts says, or no bytes at all."""

    offset: int
    words: frozenset[bytes]
    facts: tuple[str, ...]
    is_empty: bool

    def admits(self, data: bytes, facts: Mapping[str, Any]) -> bool:
        """Whether calldata has there what it must."""
        found = data[self.offset : self.offset + _WORD]
        if len(found) != _WORD:
            return False
        if self.is_empty:
            at = 4 + int.from_bytes(found)
            return data[at : at + _WORD] == bytes(_WORD)
        return found in self.words or any(found == _known(facts, name) for name in self.facts)


def _place(function: str, path: str, allowed: str | Sequence[str]) -> _Place:
    to_empty = allowed == EMPTY
    values = () if to_empty else _several(allowed)
    return _Place(
        offset_of(function, path, to_empty=to_empty),
        frozenset(_word(value) for value in values if not value.startswith("$")),
        tuple(value[1:] for value in values if value.startswith("$")),
        to_empty,
    )


class Guard:
    """The rules of one chain: those of our contracts, and those of merchants for their own."""

    def __init__(
        self, own: Sequence[Rule], lanes: Sequence[str] = (), top_up_limit: int = 0
    ) -> None:
        self._own = {(rule.contract, rule.selector): rule for rule in own}
        self._contracts = {rule.contract for rule in own}
        self._lanes = frozenset(lanes)
        self._top_up_limit = top_up_limit

    def is_ours(self, contract: str) -> bool:
        """Whether only the rules in this program speak of a contract."""
        return contract in self._contracts

    def refusal(
        self,
        merchant_id: UUID | None,
        to: str,
        data: bytes,
        value: int,
        facts: Mapping[str, str],
        rules: Sequence[Rule],
    ) -> str | None:
        """Why a call must not be signed, None if it may. `rules`: the merchant's own."""
        if merchant_id is None:
            return self._top_up_refusal(to, data, value)
        rule = self._rule(to, data[:4], rules)
        if rule is None:
            named = f"the function 0x{data[:4].hex()}" if data else "a plain transfer"
            return f"nothing allows {named} of {to}"
        return rule.refusal(data, value, facts)

    def _rule(self, to: str, selector: bytes, rules: Sequence[Rule]) -> Rule | None:
        if self.is_ours(to):
            return self._own.get((to, selector))
        return next((r for r in rules if (r.contract, r.selector) == (to, selector)), None)

    def _top_up_refusal(self, to: str, data: bytes, value: int) -> str | None:
        if to in self._lanes and not data and value <= self._top_up_limit:
            return None
        return "gas is sent to our own lanes only, within its limit"


def surprise(outlook: Outlook, expected: str | None, lane: str, to: str, value: int) -> str | None:
    """Why simulated asset changes are not what was stated, None if they are.

    The coin that the call carries is stated by its value. Where nothing else was stated, no other
    asset may leave the lane's account.
    """
    allowed = Move(NATIVE, lane, to, value)
    if expected is not None:
        stated = moves_from_json(expected) + ([allowed] if value else [])
        if same_moves(stated, outlook.moves):
            return None
        return f"it would move other assets than it should: {_told(outlook.moves)}"
    taken = [move for move in outlook.moves if move.sender == lane and move != allowed]
    return f"it would take assets of the relayer: {_told(taken)}" if taken else None


def escrow_rules(deployment: Deployment) -> list[Rule]:
    """What lanes may do with the escrow: everything in the authorization is the line's."""
    return [_escrow_rule(deployment.escrow, name) for name in _ESCROW_FUNCTIONS]


def _escrow_rule(escrow: str, name: str) -> Rule:
    functions = (item for item in artifact("ReturnEscrow")["abi"] if item["type"] == "function")
    item = next(one for one in functions if one["name"] == name)
    fields = [part["name"] for part in item["inputs"][0]["components"]]
    where = {f"0.{fields.index(one)}": f"${one}" for one in BOUND_FIELDS}
    return Rule(escrow, signature_of(item), where)


def rule_of(contract: str, function: str, where: str, max_value: int) -> Rule:
    """A merchant's stored rule; raises `RelayRuleInvalid`."""
    try:
        return _compiled(contract, function, where, max_value)
    except (AttributeError, TypeError, ValueError) as fault:
        raise RelayRuleInvalid(problem="its arguments are not places with values") from fault


@cache
def _compiled(contract: str, function: str, where: str, max_value: int) -> Rule:
    return Rule(contract, function, json.loads(where), max_value)


@cache
def offset_of(function: str, path: str, *, to_empty: bool = False) -> int:
    """Where an argument stands in the calldata, in bytes.

    Raises `RelayRuleInvalid` for a signature that cannot be read, an argument that is not there,
    and one whose value does not stand in one word.
    """
    kind = _arguments(function)
    offset = 4
    for depth, step in enumerate(path.split(".")):
        parts = _parts(kind)
        if not (step.isascii() and step.isdigit() and int(step) < len(parts)):
            raise RelayRuleInvalid(problem=f"{function} has no argument {path}")
        if depth and kind.is_dynamic:
            raise RelayRuleInvalid(problem=f"argument {path} has no fixed place")
        offset += sum(_WORD * _words(one) for one in parts[: int(step)])
        kind = parts[int(step)]
    is_bytes = _spelled(kind) in ("bytes", "string")
    if is_bytes != to_empty or (not is_bytes and (kind.is_dynamic or _words(kind) != 1)):
        raise RelayRuleInvalid(problem=f"argument {path} is {_spelled(kind)}, which no rule fits")
    return offset


def _parts(kind: ABIType) -> Sequence[ABIType]:
    """The fields of a struct. An array of structs has none: one field of each would be unbound."""
    if not isinstance(kind, TupleType) or kind.arrlist:
        return ()
    return list(kind.components)


def _takes_nothing(function: str) -> bool:
    """`pause()`: eth-abi knows no type without parts."""
    return function.endswith("()") and function[:-2].isidentifier()


def _arguments(function: str) -> ABIType:
    try:
        kind: ABIType = parse(function[function.index("(") :])
        kind.validate()  # type: ignore[no-untyped-call]
    except (ValueError, ParseError) as fault:
        raise RelayRuleInvalid(problem=f"{function!r} is not a function's signature") from fault
    if signature_is_canonical(function, kind) and is_encodable_type(_spelled(kind)):
        return kind
    raise RelayRuleInvalid(problem=f"{function!r} is not a canonical signature")


def signature_is_canonical(function: str, kind: ABIType) -> bool:
    """Whether a selector can be made of it: a name, no spaces, `uint256` in full."""
    name = function[: function.index("(")]
    return name.isidentifier() and function == name + _spelled(kind)


def _spelled(kind: ABIType) -> str:
    return str(kind.to_type_str())  # type: ignore[no-untyped-call]


def _words(kind: ABIType) -> int:
    """Words that a type takes in the head of the calldata."""
    if kind.is_dynamic:
        return 1
    if kind.arrlist:
        return _words(kind.item_type) * int(kind.arrlist[-1][0])
    if isinstance(kind, TupleType):
        return sum(map(_words, kind.components))
    return 1


def _known(facts: Mapping[str, Any], name: str) -> bytes | None:
    """What the books say, as a word. What they do not know, nothing can be equal to."""
    try:
        return _word(facts[name])
    except (KeyError, TypeError, AttributeError, RelayRuleInvalid):
        return None


def _word(value: str) -> bytes:
    """A word from 0x-hex (an address, or 32 bytes) or from a decimal number."""
    try:
        number = int(value, 16) if value.startswith("0x") else int(value)
        return number.to_bytes(_WORD)
    except (ValueError, OverflowError) as fault:
        raise RelayRuleInvalid(problem=f"{value!r} is neither 0x-hex nor a number") from fault


def _several(allowed: str | Sequence[str]) -> Sequence[str]:
    return (allowed,) if isinstance(allowed, str) else allowed


def _told(moves: Sequence[Move]) -> str:
    if not moves:
        return "none"
    return ", ".join(map(str, moves))[:600]
