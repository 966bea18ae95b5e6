"""What one signature check and one decision cost on one core; medians of many, in microseconds."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_typed_data

from chain.signatures import recover
from chain.typed_data import ReturnAuthorization, digest, typed_data_digest, wallet_request
from settlement.commands.setup import STANDARD_POLICY
from triage.decide import decide
from triage.generator import compose
from triage.policy import parse_policy
from triage.training import train_on_generated

_ESCROW = "0x" + "e5" * 20


def main() -> None:
    """Measure, print, keep."""
    figures = {**_signature(), **_decision()}
    line = json.dumps(figures)
    Path("var").mkdir(exist_ok=True)
    Path("var/bench-core.json").write_text(line + "\n")
    sys.stdout.write(line + "\n")


def _signature() -> dict[str, float]:
    account = Account.create()
    message = _message(account.address.lower())
    request = wallet_request(message, 31337, _ESCROW)
    signature = bytes(
        Account.sign_message(encode_typed_data(full_message=request), account.key).signature
    )
    hashed = typed_data_digest(request)
    if recover(hashed, signature) != account.address.lower():
        raise SystemExit("the signature is not recovered: nothing to measure")
    return {
        "recover_us": _median(lambda: recover(hashed, signature), 2_000),
        "digest_us": _median(lambda: digest(message, 31337, _ESCROW), 2_000),
    }


def _decision() -> dict[str, float]:
    policy = parse_policy(STANDARD_POLICY.read_text())
    model = train_on_generated(7)
    facts, _ = compose(500, 11)
    times = [_once(lambda f=f: decide(f, policy, model).to_json()) for f in facts for _ in range(4)]
    times.sort()
    return {
        "decision_us": round(statistics.median(times), 1),
        "decision_p99_us": round(times[len(times) * 99 // 100], 1),
    }


def _median(act: Callable[[], object], rounds: int) -> float:
    return round(statistics.median(_once(act) for _ in range(rounds)), 1)


def _once(act: Callable[[], object]) -> float:
    start = time.perf_counter_ns()
    act()
    return (time.perf_counter_ns() - start) / 1_000


def _message(holder: str) -> ReturnAuthorization:
    return ReturnAuthorization(
        line="0x" + "01" * 32,
        merchant="0x" + "02" * 32,
        holder=holder,
        token="0x" + "c0" * 20,
        tokenId=1,
        amount=1,
        remedy=0,
        asset="0x" + "00" * 19 + "48",
        refund=12_345,
        recipient=holder,
        deadline=2_000_000_000,
        reclaimAfter=2_000_000_001,
        commitUntil=2_000_000_002,
    )


if __name__ == "__main__":
    main()
