"""`undrop run`: goes on from where it was, and says in one sentence what stands in its way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from machine import ROOT, Machine

pytestmark = pytest.mark.chain


def test_the_next_start_goes_on_from_where_the_last_one_stopped(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.start("--headless")
    walk = machine.walk()
    rmas = [walk.ask(walk.buy(900 + n, how), 900 + n, how) for n, how in enumerate(_REMEDIES)]
    assert set(walk.wait(rmas).values()) == {"settled"}
    assert machine.stop() == 0

    machine.start("--headless")
    assert [machine.walk().case(rma)["state"] for rma in rmas] == ["settled"] * 3
    later = walk.ask(walk.buy(910, "fiat_refund"), 910, "fiat_refund")
    assert walk.wait([later]) == {later: "settled"}
    assert machine.command("reconcile").returncode == 0
    assert machine.stop() == 0


def test_a_second_run_is_refused_and_a_dead_child_ends_the_first(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.start("--headless")
    second = Machine(tmp_path).command("run", "--home", str(tmp_path / "var"))
    assert second.returncode == 1
    assert "another run is using it" in second.stderr
    os.killpg(machine.about["pids"]["indexer"], signal.SIGKILL)
    assert machine.wait() == 1
    [sentence] = [line for line in machine.said.splitlines() if "indexer" in line]
    assert sentence.startswith("The process indexer ended (-9). Read ")


def test_a_busy_port_ends_the_run_before_anything_is_started(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", machine.ports["api"]))
        squatter.listen()
        machine.start("--headless")
        assert machine.wait() == 1
    port = machine.ports["api"]
    assert machine.said.strip() == (
        f"Port {port} is busy: another program uses it. "
        "Stop that program, or set UNDROP_PORT to another port."
    )
    assert not (tmp_path / "var" / "undrop.db").exists()


_REMEDIES = ("crypto_refund", "fiat_refund", "store_credit")


def test_a_missing_tool_is_named_in_one_sentence() -> None:
    done = subprocess.run(
        ["make", "--silent", "tools", "PYTHON=python-that-is-not-there"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stdout.splitlines() == [
        "Python is not there: install Python 3.11 or later, or name it with PYTHON=…"
    ]
