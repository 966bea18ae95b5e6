"""What a node may say of logs that is not so: less than there is, more, or what was elsewhere."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

Logs = list[dict[str, Any]]


def left_out(logs: Logs, amount: int) -> Logs:
    """Without all logs of one block, or its first, its last, or every other one of them."""
    its = _of_one_block(logs, amount)
    gone = (its, its[:1], its[-1:], its[::2])[amount % 4]
    return [log for log in logs if log not in gone]


def twice(logs: Logs, amount: int) -> Logs:
    """One block's logs again in the end, or each log again at once."""
    if amount % 2:
        return logs + _of_one_block(logs, amount)
    return [log for log in logs for _ in range(2)]


def elsewhere(logs: Logs, amount: int) -> Logs:
    """One block's logs, or all from it on, as those of blocks of another branch."""
    first = {log["blockNumber"] for log in _of_one_block(logs, amount)}
    after = amount % 2 == 0
    return [_moved(log) if _is_in(log, first, after=after) else log for log in logs]


def _is_in(log: dict[str, Any], numbers: set[str], *, after: bool) -> bool:
    number = int(log["blockNumber"], 16)
    return any(number == int(one, 16) or (after and number > int(one, 16)) for one in numbers)


def _moved(log: dict[str, Any]) -> dict[str, Any]:
    return log | {"blockHash": "0x" + keccak(hexstr=log["blockHash"]).hex()}


def _of_one_block(logs: Logs, amount: int) -> Logs:
    numbers = sorted({log["blockNumber"] for log in logs}, key=lambda one: int(one, 16))
    chosen = numbers[amount % len(numbers)] if numbers else None
    return [log for log in logs if log["blockNumber"] == chosen]
