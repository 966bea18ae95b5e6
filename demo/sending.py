"""Many transactions at once: all signed and sent in batches, then waited for together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain.client import ChainClient, RpcError
from chain.signers import LocalSigner
from chain.transactions import Transaction, sign
from demo.faults import CannotPlay

_TIP_WEI = 1_000_000_000
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Call:
    """One transaction; `gas` is its limit, `value` in wei."""

    signer: LocalSigner
    to: str
    data: bytes
    gas: int = 200_000
    value: int = 0


def send_all(client: ChainClient, calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Send, wait, and return the receipts in order; raises `CannotPlay` if one fails."""
    if not calls:
        return []
    hashes, raws = zip(*_signed(client, calls), strict=True)
    answers = client.batch([("eth_sendRawTransaction", ("0x" + raw.hex(),)) for raw in raws])
    refused = [answer for answer in answers if isinstance(answer, RpcError)]
    if refused:
        raise CannotPlay(f"The chain refused a transaction of the demonstration: {refused[0]}")
    return _receipts(client, list(hashes))


def _signed(client: ChainClient, calls: Sequence[Call]) -> list[tuple[str, bytes]]:
    senders = sorted({call.signer.address for call in calls})
    asked = client.batch([("eth_getTransactionCount", (name, "pending")) for name in senders])
    nonces = Counter({name: int(nonce, 16) for name, nonce in zip(senders, asked, strict=True)})
    price = _TIP_WEI + 2 * int(client.call("eth_gasPrice"), 16)
    chain_id = client.chain_id()
    signed = []
    for call in calls:
        nonce = nonces[call.signer.address]
        nonces[call.signer.address] += 1
        signed.append(sign(call.signer, _transaction(call, chain_id, nonce, price)))
    return signed


def _transaction(call: Call, chain_id: int, nonce: int, price: int) -> Transaction:
    fees = (_TIP_WEI, price, call.gas)
    return Transaction(chain_id, nonce, *fees, call.to, call.value, call.data)


def _receipts(client: ChainClient, hashes: list[str]) -> list[dict[str, Any]]:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        found = client.batch([("eth_getTransactionReceipt", (one,)) for one in hashes])
        if all(isinstance(receipt, dict) for receipt in found):
            failed = [receipt for receipt in found if receipt["status"] != "0x1"]
            if failed:
                raise CannotPlay(f"Transaction {failed[0]['transactionHash']} reverted.")
            return found
        time.sleep(0.2)
    raise CannotPlay("A transaction of the demonstration was not mined in time.")
