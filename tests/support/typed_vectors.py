"""Typed-data vectors that others published, which lie beside the project. For tests only."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parents[3] / "shared/data/vectors"
_ETHERS = VECTORS / "typed_data/typed-data.json.gz"

_DOMAIN = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}

beside = pytest.mark.skipif(
    not _ETHERS.exists(), reason="the published vectors are not beside the project"
)


def published() -> list[dict[str, Any]]:
    """Requests, digests and, where there is a key, signatures."""
    vectors: list[dict[str, Any]] = json.loads(gzip.decompress(_ETHERS.read_bytes()))
    assert len(vectors) == 130
    return vectors


def as_request(vector: dict[str, Any]) -> dict[str, Any]:
    """A vector as a wallet is asked; its domain has the fields that it has."""
    known = [{"name": n, "type": t} for n, t in _DOMAIN.items() if n in vector["domain"]]
    return {
        "types": {"EIP712Domain": known, **vector["types"]},
        "primaryType": vector["primaryType"],
        "domain": vector["domain"],
        "message": vector["data"],
    }
