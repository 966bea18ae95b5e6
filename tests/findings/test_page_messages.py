"""The return button takes what the desk offers: its check of the message let nothing through."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from desk import Desk

from settlement.commands import authorizations

STATIC = Path(__file__).parents[2] / "api" / "static"
SCRIPT = """
import { readFileSync } from "node:fs";
import { check } from "./return-summary.js";
const { typed, line, now } = JSON.parse(readFileSync(0));
check(typed, line, now);
console.log("good");
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The button's own code, where Node.js takes it for modules as a browser does."""
    for name in ("return-summary.js", "return-desk.js"):
        shutil.copy(STATIC / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(SCRIPT)
    return tmp_path


def checked(page: Path, desk: Desk, remedy: str, **changed: str) -> subprocess.CompletedProcess:
    case = desk.ask(desk.buy(tender="wallet" if remedy == "crypto_refund" else "card"), remedy)
    (offer,) = authorizations.offered(desk.runtime, desk.shop, case["rma"])["authorizations"]
    offer["typed_data"]["message"] |= changed
    given = {
        "typed": offer["typed_data"],
        "line": case["lines"][0],
        "now": int(desk.clock().timestamp()),
    }
    return subprocess.run(
        ["node", "run.js"],
        cwd=page,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("remedy", ["fiat_refund", "crypto_refund", "store_credit"])
def test_the_page_takes_the_message_that_is_offered(page: Path, desk: Desk, remedy: str) -> None:
    done = checked(page, desk, remedy)
    assert (done.stdout, done.stderr) == ("good\n", "")


def test_the_page_refuses_reclaim_dates_that_are_not_in_order(page: Path, desk: Desk) -> None:
    done = checked(page, desk, "fiat_refund", commitUntil="1")
    assert "its dates are not in order" in done.stderr
    assert done.stdout == ""
