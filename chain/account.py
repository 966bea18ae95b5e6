"""An account that sends and waits: for deployments and simulated wallets, never for the product."""

from __future__ import annotations

import time
from typing import Any

from chain.client import ChainClient, RpcError
from chain.contracts import revert_reason
from chain.signers import Signer
from chain.transactions import Transaction, sign
from returns.errors import ChainUnavailable

_TIP = 1_000_000_000


def send(
    client: ChainClient,
    signer: Signer,
    *,
    to: str | None,
    data: bytes = b"",
    value: int = 0,
    patience_s: float = 30.0,
) -> dict[str, Any]:
    """Send one transaction and return its receipt; `to=None` creates a contract.

    Raises `ChainUnavailable` with the decoded reason where it reverts, is refused by the node (no
    coin for its gas) or is never mined.
    """
    call = {"from": signer.address, "data": "0x" + data.hex(), "value": hex(value)}
    if to is not None:
        call["to"] = to
    try:
        gas = int(client.call("eth_estimateGas", call), 16)
    except RpcError as error:
        raise ChainUnavailable(problem=revert_reason(error)) from error
    tx_hash, raw = sign(signer, _transaction(client, signer.address, to, data, value, gas))
    try:
        client.call("eth_sendRawTransaction", "0x" + raw.hex())
    except RpcError as error:
        raise ChainUnavailable(problem=str(error)) from error
    return _wait(client, tx_hash, patience_s)


def _transaction(
    client: ChainClient, sender: str, to: str | None, data: bytes, value: int, gas: int
) -> Transaction:
    return Transaction(
        chain_id=client.chain_id(),
        nonce=client.transaction_count(sender, "pending"),
        priority_fee=_TIP,
        max_fee=_TIP + 2 * int(client.call("eth_gasPrice"), 16),
        gas=gas * 13 // 10,
        to=to,
        value=value,
        data=data,
    )


def _wait(client: ChainClient, tx_hash: str, patience_s: float) -> dict[str, Any]:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        receipt: dict[str, Any] | None = client.call("eth_getTransactionReceipt", tx_hash)
        if receipt is not None:
            if receipt["status"] != "0x1":
                raise ChainUnavailable(problem=f"transaction {tx_hash} reverted")
            return receipt
        time.sleep(0.05)
    raise ChainUnavailable(problem=f"transaction {tx_hash} was not mined")
