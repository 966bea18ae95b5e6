"""The faults that are planted: each operator on a small contract, from the real syntax tree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.mutation.operators import Mutant, mutants

_SOLC = Path(__file__).parents[3] / "contracts" / "solc"
_SOURCE = """// é: offsets are bytes
pragma solidity ^0.8.28;
contract C {
    error No(uint256 n);
    event Set(uint256 n);
    uint256 public n;
    bool public on;
    modifier only() { if (msg.sender == address(0)) revert No(0); _; }
    function set(uint256 to) external only {
        if (to < n || !on) revert No(to);
        uint256 more;
        n = to + 7;
        on = true;
        emit Set(n);
    }
    function word(uint256 a) external pure returns (uint256 b) {
        assembly { if lt(a, 3) { b := add(a, 0x20) } }
    }
    function most(uint256 a) external pure returns (uint256) { return a > 5 ? a : 5; }
}
interface I { function set(uint256 to) external; }
"""


@pytest.fixture(scope="module")
def planted() -> list[Mutant]:
    asked = {
        "language": "Solidity",
        "sources": {"C.sol": {"content": _SOURCE}},
        "settings": {"outputSelection": {"*": {"": ["ast"]}}},
    }
    run = subprocess.run(
        [_SOLC, "--standard-json"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    tree = json.loads(run.stdout)["sources"]["C.sol"]["ast"]
    return mutants("C.sol", _SOURCE.encode(), tree)


@pytest.mark.parametrize(
    ("operator", "after"),
    [
        ("comparison", "modifier only() { if (msg.sender != address(0)) revert No(0); _; }"),
        ("statement-deleted", "modifier only() { if (msg.sender == address(0)) {} _; }"),
        ("modifier-removed", "function set(uint256 to) external {"),
        ("comparison", "if (to <= n || !on) revert No(to);"),
        ("comparison", "if (to < n && !on) revert No(to);"),
        ("negation-removed", "if (to < n || on) revert No(to);"),
        ("condition-negated", "if (!(to < n || !on)) revert No(to);"),
        ("arithmetic", "n = to - 7;"),
        ("constant", "n = to + (7 + 1);"),
        ("constant", "n = to + (7 - 1);"),
        ("assigned-zero", "n = 0;"),
        ("boolean", "on = false;"),
        ("statement-deleted", "{}"),
        ("assembly", "assembly { if gt(a, 3) { b := add(a, 0x20) } }"),
        ("assembly", "assembly { if lt(a, 3) { b := sub(a, 0x20) } }"),
        ("condition-negated", "assembly { if iszero(lt(a, 3)) { b := add(a, 0x20) } }"),
        ("condition-negated", "return !(a > 5) ? a : 5; }"),
    ],
)
def test_plants(planted: list[Mutant], operator: str, after: str) -> None:
    found = [one for one in planted if one.operator == operator]
    assert any(one.after(_SOURCE.encode()).endswith(after) for one in found), [
        one.after(_SOURCE.encode()) for one in found
    ]


def test_plants_each_fault_once_and_changes_something(planted: list[Mutant]) -> None:
    source = _SOURCE.encode()
    assert len({one.applied(source) for one in planted}) == len(planted)
    assert source not in {one.applied(source) for one in planted}


def test_names_the_line_of_a_fault(planted: list[Mutant]) -> None:
    source = _SOURCE.encode()
    (arithmetic,) = (one for one in planted if one.operator == "arithmetic")
    assert arithmetic.line(source) == 12
    assert arithmetic.before(source) == "n = to + 7;"


def test_leaves_interfaces_alone(planted: list[Mutant]) -> None:
    assert all(one.end < _SOURCE.encode().index(b"interface I") for one in planted)
