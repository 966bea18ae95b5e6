"""What the node itself takes: signed beforehand, sent in JSON-RPC batches, mined at intervals."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection

from chain.signers import LocalSigner
from tests.bench.relay_setting import KEYS, Setting, fresh_ids, raw_bytes, record, setting

#: Transactions in one HTTP request.
_BATCH = 100
#: Connections that were tried: more do not help, the node has the other core.
_CONNECTIONS = (1, 2, 4)


def ceiling(count: int) -> float:
    """Mined transactions per second, by the best number of connections."""
    return max(_once(count, connections) for connections in _CONNECTIONS)


def _once(count: int, connections: int) -> float:
    with setting() as chain:
        ids = fresh_ids(count)
        bodies = _bodies(chain, ids)
        start = time.perf_counter()
        send(chain.anvil.port, bodies, connections)
        end = chain.wait_until_mined(count)
        chain.require_recorded(ids)
        return count / (end - start)


def _bodies(chain: Setting, ids: Sequence[bytes]) -> list[bytes]:
    """Requests as bytes: each carries consecutive nonces of one key."""
    nonces = dict.fromkeys(range(KEYS), 0)
    bodies = []
    for number, start in enumerate(range(0, len(ids), _BATCH)):
        one, part = number % KEYS, ids[start : start + _BATCH]
        bodies.append(_body(chain.signers[one], nonces[one], chain.recorder, part))
        nonces[one] += len(part)
    return bodies


def _body(key: LocalSigner, nonce: int, to: str, ids: Sequence[bytes]) -> bytes:
    return body_of(
        [raw_bytes(key, nonce + index, to, record(one)) for index, one in enumerate(ids)]
    )


def body_of(raws: Sequence[str]) -> bytes:
    """One request that broadcasts signed transactions."""
    calls = [
        {"jsonrpc": "2.0", "id": index, "method": "eth_sendRawTransaction", "params": [raw]}
        for index, raw in enumerate(raws)
    ]
    return json.dumps(calls).encode()


def send(port: int, bodies: Sequence[bytes], connections: int = 1) -> None:
    """Each key's requests in their order on one connection."""
    threads = [
        threading.Thread(target=_send_some, args=(port, bodies[first::connections]))
        for first in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _send_some(port: int, bodies: Sequence[bytes]) -> None:
    connection = HTTPConnection("127.0.0.1", port)
    for body in bodies:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
    connection.close()
