"""The relayer against the node's ceiling, a minimal script and a plain loop; each on its own Anvil.

Block time and gas limit are the same for all but the loop, which is at its best where each
transaction is mined at once. Rates are medians of rounds in which script and relayer take turns.
`TRANSACTIONS=n` makes it shorter.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chain.signatures import recover
from chain.typed_data import Domain, ReturnAuthorization, digest, wallet_request
from tests.bench.relay_ceiling import ceiling
from tests.bench.relay_fleet import POLICY, Pace, relayer
from tests.bench.relay_latency import latency
from tests.bench.relay_loop import loop
from tests.bench.relay_returns import returned, returned_at_most
from tests.bench.relay_script import best_batch, script
from tests.bench.relay_setting import BLOCK_TIME, GAS_LIMIT, KEYS
from tests.support import stores
from tests.support.chain_node import person

_COUNT = int(os.environ.get("TRANSACTIONS", "4000"))
#: A short run shows that everything works; its rates are mostly the time of a few blocks.
_ROUNDS = 3 if _COUNT >= 1_000 else 1
_BATCH = 25
_AUTHORIZATIONS = 5_000


def main() -> None:
    """Measure, print, keep."""
    figures: dict[str, Any] = {}
    for part in _parts():
        figures |= part
        for name, value in part.items():
            sys.stdout.write(f"{name:<32} {value:>10}\n")
        sys.stdout.flush()
    line = json.dumps(figures)
    Path("var").mkdir(exist_ok=True)
    Path("var/bench-relayer.json").write_text(line + "\n")
    sys.stdout.write(line + "\n")


def _parts() -> Iterator[dict[str, Any]]:
    on_postgres = stores.answers(stores.POSTGRES)
    yield {"block_time": BLOCK_TIME, "gas_limit": GAS_LIMIT, "lanes": KEYS, "window": POLICY.window}
    yield {"database": "PostgreSQL" if on_postgres else "SQLite", "transactions": _COUNT}
    # What else runs here meets every figure: without it they cannot be compared with another run's.
    yield {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    yield {"ceiling_tx_s": round(ceiling(2 * _COUNT))}
    yield {"loop_tx_s": round(loop())}
    yield _against_script(on_postgres=on_postgres, rounds=_ROUNDS)
    if on_postgres:
        sqlite = _against_script(on_postgres=False, rounds=1)
        yield {_on_sqlite(name): rate for name, rate in sqlite.items()}
    yield _returns(on_postgres=on_postgres)
    yield _latency(on_postgres=on_postgres)
    yield {"verify_s": round(_verified())}


def _against_script(*, on_postgres: bool, rounds: int) -> dict[str, int]:
    """Script and relayer in turn: what else the machine does meets both."""
    batch = best_batch(_COUNT, on_postgres=on_postgres)
    scripts: list[float] = []
    paces: list[Pace] = []
    for _ in range(rounds):
        scripts.append(script(_COUNT, batch, on_postgres=on_postgres))
        paces.append(relayer(_COUNT, on_postgres=on_postgres))
    return {
        "script_batch": batch,
        "script_tx_s": round(statistics.median(scripts)),
        "relayer_tx_s": round(statistics.median(one.mined for one in paces)),
        "relayer_booked_tx_s": round(statistics.median(one.booked for one in paces)),
    }


def _on_sqlite(name: str) -> str:
    return name.replace("_batch", "_sqlite_batch").replace("_tx_s", "_sqlite_tx_s")


def _returns(*, on_postgres: bool) -> dict[str, int]:
    """Alone and in batches, in turn; and what the node could take of either."""
    count, found = max(_BATCH, _COUNT // 2), {}
    for name, batch in (("single", 1), ("batched", _BATCH)):
        at_most = returned_at_most(count, batch, on_postgres=on_postgres)
        rates = [returned(count, batch, on_postgres=on_postgres) for _ in range(_ROUNDS)]
        found |= {
            f"returns_{name}_ceiling_s": round(at_most),
            f"returns_{name}_s": round(statistics.median(rates)),
        }
    return found


def _latency(*, on_postgres: bool) -> dict[str, float]:
    found = latency(min(1_000, _COUNT), on_postgres=on_postgres)
    return {
        "enqueue_to_broadcast_p50_ms": found.p50,
        "enqueue_to_broadcast_p99_ms": found.p99,
    }


def _verified() -> float:
    """Authorizations hashed and their signers recovered per second of one core."""
    holder, domain = person(0), Domain(1, "0x" + "e5" * 20)
    auths = [_authorization(holder.address, number) for number in range(_AUTHORIZATIONS)]
    signatures = [holder.sign_typed_data(wallet_request(auth, domain)) for auth in auths]
    start = time.process_time()
    signers = {
        recover(digest(auth, domain), one) for auth, one in zip(auths, signatures, strict=True)
    }
    passed = time.process_time() - start
    if signers != {holder.address}:
        raise SystemExit("a signer was not recovered: nothing to measure")
    return len(auths) / passed


def _authorization(holder: str, number: int) -> ReturnAuthorization:
    return ReturnAuthorization(
        line=f"0x{number:064x}",
        vault="0x" + "fa" * 20,
        holder=holder,
        token="0x" + "c0" * 20,
        tokenId=number,
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
