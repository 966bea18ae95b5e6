"""A plain web3.py loop: send, wait for the receipt, send the next."""

from __future__ import annotations

import time
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3

from tests.bench.relay_setting import (
    CALL_GAS,
    MAX_FEE,
    PRIORITY_FEE,
    Setting,
    fresh_ids,
    record,
    secrets_of_lanes,
    setting,
)
from tests.support.chain_node import CHAIN_ID

#: Transactions of one key: more show the same.
_COUNT = 300
#: Seconds between looks at a receipt; the library's own default is 0.1.
_POLL_S = 0.001


def loop() -> float:
    """Mined transactions per second at its best: its own nonces, no library checks, automine."""
    return max(_once(lean) for lean in (False, True))


def _once(lean: bool) -> float:
    with setting(block_time=None) as chain:
        provider = HTTPProvider(chain.anvil.url)
        web3 = Web3(provider, middleware=[]) if lean else Web3(provider)
        account: LocalAccount = Account.from_key(secrets_of_lanes()[0])
        ids = fresh_ids(_COUNT)
        start = time.perf_counter()
        for nonce, one in enumerate(ids):
            _send_and_wait(web3, account, _transaction(chain, nonce, one))
        end = time.perf_counter()
        chain.require_recorded(ids)
        return len(ids) / (end - start)


def _send_and_wait(web3: Web3, account: LocalAccount, transaction: dict[str, Any]) -> None:
    raw = account.sign_transaction(transaction).raw_transaction
    tx_hash = web3.eth.send_raw_transaction(raw)
    web3.eth.wait_for_transaction_receipt(tx_hash, poll_latency=_POLL_S)


def _transaction(chain: Setting, nonce: int, one: bytes) -> dict[str, Any]:
    return {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "to": Web3.to_checksum_address(chain.recorder),
        "value": 0,
        "data": "0x" + record(one).hex(),
        "gas": CALL_GAS,
        "maxFeePerGas": MAX_FEE,
        "maxPriorityFeePerGas": PRIORITY_FEE,
    }
