"""No forwarder is combined with a multicall that delegates (R16).

CVE-2023-49145: a contract that trusts an ERC-2771 forwarder reads its caller from the last twenty
bytes of calldata, and a multicall by `delegatecall` lets anybody write those bytes for each of its
items. Ours has neither: items of a batch are calls of the escrow to itself, and nobody is trusted
to name a caller.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chain.contracts import artifact

CONTRACTS = ("ReturnEscrow", "ReturnableNFT", "SeaportReturnZone", "TestDollar")
#: CALLCODE (before Homestead) and DELEGATECALL (EIP-7): the code of another, with our storage.
DELEGATING = {0xF2: "CALLCODE", 0xF4: "DELEGATECALL"}
CALL, PUSH1, PUSH32 = 0xF1, 0x60, 0x7F
#: Names by which an ERC-2771 context or a delegating multicall shows itself.
TRUSTING = ("forwarder", "multicall", "aggregate", "delegate", "execute", "implementation")


def operations(code: bytes) -> Iterator[int]:
    """The operations of runtime code, without what they push and without a tail of metadata."""
    tail, place = len(code) - 2 - int.from_bytes(code[-2:]), 0
    # CBOR of a map: the compiler writes it unless it is told not to.
    end = tail if tail > 0 and code[tail] in (0xA1, 0xA2, 0xA3) else len(code)
    while place < end:
        yield code[place]
        place += 1 + (code[place] - PUSH1 + 1 if PUSH1 <= code[place] <= PUSH32 else 0)


def runtime(name: str) -> bytes:
    return bytes.fromhex(artifact(name)["deployedBytecode"]["object"][2:])


@pytest.mark.parametrize("name", CONTRACTS)
def test_no_contract_of_ours_runs_the_code_of_another_as_its_own(name: str) -> None:
    found = {DELEGATING[one] for one in operations(runtime(name)) if one in DELEGATING}
    assert found == set()


def test_this_test_would_see_one() -> None:
    metadata = b"\xa2\x64ipfs\x00\x06"
    assert 0xF4 in set(operations(b"\x60\x00\xf4" + metadata))
    assert 0xF4 not in set(operations(b"\x61\xf4\xf4\x00" + metadata))
    assert CALL in set(operations(runtime("ReturnEscrow")))


@pytest.mark.parametrize("name", CONTRACTS)
def test_no_contract_of_ours_trusts_a_forwarder_or_has_a_multicall(name: str) -> None:
    abi = artifact(name)["abi"]
    functions = [item["name"] for item in abi if item["type"] == "function"]
    assert [one for one in functions for word in TRUSTING if word in one.lower()] == []
    given = [
        part["name"] for item in abi if item["type"] == "constructor" for part in item["inputs"]
    ]
    assert [one for one in given if "forwarder" in one.lower()] == []
