"""The relayer alone works as its page prints it: a back end's transaction, sent by a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from chain_node import Anvil
from pages import ROOT, script_of
from ports import free_port

pytestmark = pytest.mark.chain


@pytest.fixture
def node() -> Iterator[Anvil]:
    """A node that nothing of ours was ever deployed to."""
    anvil = Anvil("--block-time", "1")
    yield anvil
    anvil.stop()


def test_a_back_end_that_needs_only_the_relayer(node: Anvil, tmp_path: Path) -> None:
    api = f"http://127.0.0.1:{free_port()}"
    script = script_of("docs/relayer.md", "The relayer alone", API=api, UNDROP_RPC_URL=node.url)
    view = seen(run(script, tmp_path))
    assert (view["state"], view["nonce"], view["case"], view["error"]) == (
        "confirmed", 0, "gift-12", None,
    )  # fmt: skip
    [attempt] = view["attempts"]
    assert (attempt["hash"], attempt["filler"], attempt["error"]) == (view["hash"], False, None)
    mined = node.rpc("eth_getTransactionByHash", view["hash"])
    assert (mined["from"], mined["to"], mined["value"]) == (view["lane"], view["to"], hex(1000))
    assert int(mined["blockNumber"], 16) == view["block_number"]
    assert node.client.transaction_count(view["lane"]) == 1
    assert int(view["cost"]) > 0


def run(script: str, folder: Path) -> str:
    """What it prints; whatever it started in the background ends with it."""
    others = {key: value for key, value in os.environ.items() if not key.startswith("UNDROP_")}
    bash = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**others, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    try:
        said, _ = bash.communicate(timeout=240)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(bash.pid, signal.SIGKILL)
    assert bash.returncode == 0, said
    return said


def seen(said: str) -> dict[str, Any]:
    """What the page prints of the transaction in the end."""
    [line] = [one for one in said.splitlines() if one.startswith('{"id":')]
    view: dict[str, Any] = json.loads(line)
    return view
