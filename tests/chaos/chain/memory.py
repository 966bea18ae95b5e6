"""What a node said before: after a reorg, what one says that is still on the other branch."""

from __future__ import annotations

import json
import threading
from typing import Any

#: What differs from branch to branch.
_KEPT = ("eth_getBlockByNumber", "eth_getLogs")


class Memory:
    """The newest answer to each call, and the one before that was another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, list[Any]] = {}

    def keep(self, call: dict[str, Any], answer: dict[str, Any]) -> None:
        """Remember a true answer."""
        result = answer.get("result")
        if call["method"] in _KEPT and result is not None:
            with self._lock:
                said = self._said.setdefault(_name(call), [])
                if result not in said[-1:]:
                    self._said[_name(call)] = [*said[-1:], result]

    def before(self, call: dict[str, Any], result: Any) -> Any:
        """What was said last that was not `result`; `result` if that was never so."""
        with self._lock:
            said = self._said.get(_name(call), [])
        return next((one for one in reversed(said) if one != result), result)


def _name(call: dict[str, Any]) -> str:
    return json.dumps([call["method"], call["params"]])
