"""Reading the coverage report: branches of our own sources, each with its line."""

from __future__ import annotations

from tests.bench.contract_coverage import parse

_REPORT = """TN:
SF:lib/@openzeppelin/contracts/access/AccessControl.sol
BRDA:93,0,0,0
end_of_record
SF:src/ReturnEscrow.sol
DA:10,5
BRDA:11,0,0,3
BRDA:12,1,0,0
BRDA:12,1,1,-
end_of_record
"""


def test_counts_branches_of_our_sources_only() -> None:
    (source,) = parse(_REPORT)
    assert (source.name, len(source.branches), source.hit()) == ("src/ReturnEscrow.sol", 3, 1)


def test_names_the_lines_that_no_test_takes() -> None:
    (source,) = parse(_REPORT)
    assert source.missed() == [12]
