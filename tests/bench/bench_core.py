"""What one signature check and one decision cost on one core.

Medians of many, in microseconds of the processor: other programs on the machine do not count.
`verify_s` is digest and recovery together, per second of one core: the best of some rounds over
messages that all differ, so that nothing but the domain is remembered.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chain.signatures import recover
from chain.signers import LocalSigner
from chain.transactions import Transaction, sign
from chain.typed_data import Domain, ReturnAuthorization, digest, wallet_request
from settlement.commands.setup import STANDARD_POLICY
from triage.decide import decide
from triage.facts import Facts
from triage.generator import compose
from triage.model import Model
from triage.policy import parse_policy
from triage.schema import Policy
from triage.training import train_on_generated

_DOMAIN = Domain(31337, "0x" + "e5" * 20)
_SIGNER = LocalSigner("0x" + "5e" * 32)
_ROUNDS, _EACH = 5, 2_000


def main() -> None:
    """Measure, print, keep."""
    figures = {**_signature(), **_decision(), "verify_s": _verify_s()}
    line = json.dumps(figures)
    Path("var").mkdir(exist_ok=True)
    Path("var/bench-core.json").write_text(line + "\n")
    sys.stdout.write(line + "\n")


def _signature() -> dict[str, float]:
    message = _message(1)
    hashed = digest(message, _DOMAIN)
    signature = _signed(message)
    transaction = Transaction(31337, 7, 1, 2, 200_000, "0x" + "e5" * 20, 0, b"\x11" * 500)
    return {
        "recover_us": _median(lambda: recover(hashed, signature), _EACH),
        "digest_us": _median(lambda: digest(message, _DOMAIN), _EACH),
        "sign_transaction_us": _median(lambda: sign(_SIGNER, transaction), _EACH),
    }


def _verify_s() -> int:
    """How many signatures of authorizations are checked in a second."""
    messages = [_message(number) for number in range(_EACH)]
    signed = [(message, _signed(message)) for message in messages]
    best = min(_once(lambda: _verify(signed)) for _ in range(_ROUNDS))
    return int(len(signed) * 1_000_000 / best)


def _verify(signed: list[tuple[ReturnAuthorization, bytes]]) -> None:
    for message, signature in signed:
        if recover(digest(message, _DOMAIN), signature) != message.holder:
            raise SystemExit("a signature is not recovered: nothing to measure")


def _signed(message: ReturnAuthorization) -> bytes:
    return _SIGNER.sign_typed_data(wallet_request(message, _DOMAIN))


def _decision() -> dict[str, float]:
    policy = parse_policy(STANDARD_POLICY.read_text())
    model = train_on_generated(7)
    facts, _ = compose(500, 11)
    times = [_once(partial(_decide, one, policy, model)) for one in facts for _ in range(4)]
    times.sort()
    return {
        "decision_us": round(statistics.median(times), 1),
        "decision_p99_us": round(times[len(times) * 99 // 100], 1),
    }


def _decide(facts: Facts, policy: Policy, model: Model) -> str:
    return decide(facts, policy, model).to_json()


def _median(act: Callable[[], object], rounds: int) -> float:
    return round(statistics.median(_once(act) for _ in range(rounds)), 1)


def _once(act: Callable[[], object]) -> float:
    start = time.thread_time_ns()
    act()
    return (time.thread_time_ns() - start) / 1_000


def _message(number: int) -> ReturnAuthorization:
    return ReturnAuthorization(
        line="0x" + "01" * 32,
        vault="0x" + "02" * 20,
        holder=_SIGNER.address,
        token="0x" + "c0" * 20,
        tokenId=number,
        amount=1,
        remedy=0,
        asset="0x" + "00" * 19 + "48",
        refund=12_345,
        recipient=_SIGNER.address,
        deadline=2_000_000_000,
        reclaimAfter=2_000_000_001,
        commitUntil=2_000_000_002,
    )


if __name__ == "__main__":
    main()
