"""`undrop doctor`: a table or JSON, and exit code 1 where anything fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from desk import Desk
from terminals import Terminal

from settlement.checkup import Check, Level
from settlement.commands import doctor


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Terminal:
    return Terminal(desk, tmp_path)


def test_without_a_node_the_rest_is_looked_at_all_the_same(terminal: Terminal) -> None:
    result = terminal.run("doctor", "--json")
    assert result.exit_code == 1
    checks = {one["name"]: one for one in json.loads(result.stdout)}
    assert checks["node"]["level"] == "fail"
    assert checks["node"]["mend"].startswith("Check UNDROP_RPC_URL")
    assert checks["contracts"]["mend"] == "Mend 'node' first."
    assert checks["database"]["level"] == checks["policy"]["level"] == "ok"


def test_settings_that_cannot_be_read_are_a_check_too(terminal: Terminal) -> None:
    result = terminal.run("doctor", "--json", UNDROP_PORT="many")
    assert result.exit_code == 1
    [check] = json.loads(result.stdout)
    assert (check["name"], check["level"]) == ("settings", "fail")
    assert "UNDROP_PORT" in check["sentence"]


@pytest.mark.parametrize(("level", "code"), [(Level.OK, 0), (Level.WARN, 0), (Level.FAIL, 1)])
def test_only_what_fails_makes_the_command_fail(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, level: Level, code: int
) -> None:
    found = [Check("disk", level, "[5] MiB are free.", "Make room.")]
    monkeypatch.setattr(doctor, "examine", lambda _slug: found)
    result = terminal.run("doctor")
    assert result.exit_code == code
    for part in ("disk", level.value, "[5] MiB are free.", "Make room."):
        assert part in result.stdout


def test_a_database_that_is_not_there_is_not_made(terminal: Terminal, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    result = terminal.run("doctor", "--json", UNDROP_HOME=str(home), UNDROP_DATABASE_URL="")
    checks = {one["name"]: one for one in json.loads(result.stdout)}
    assert checks["database"]["sentence"] == "There is no database yet."
    assert checks["policy"]["sentence"] == "Not looked at."
    assert not home.exists()
