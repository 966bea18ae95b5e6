"""The ledger over HTTP and at the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from doors import Door, is_problem
from ledger_desk import book, fill, sql
from terminals import Terminal

from returns.ledger import Move
from settlement.commands import ledger as commands


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Terminal:
    return Terminal(desk, tmp_path)


class TestDoor:
    def balances(self, door: Door, **query: str) -> dict[str, str]:
        answer = door.http.get(
            "/v1/ledger/balances", params=query, headers={"Authorization": f"Bearer {door.key}"}
        )
        assert answer.status_code == 200, answer.text
        view: dict[str, Any] = answer.json()
        assert not view["truncated"]
        return {row["account"]: row["balance"] for row in view["balances"]}

    def test_balances_of_a_moment(self, door: Door) -> None:
        book(door.desk, Move("a", "b", "USD", 5))
        then = door.desk.clock()
        door.desk.clock.move(hours=1)
        book(door.desk, Move("b", "c", "USD", 2))
        assert self.balances(door) == {"a": "-5", "b": "3", "c": "2"}
        assert self.balances(door, at=then.isoformat()) == {"a": "-5", "b": "5"}
        early = then - timedelta(seconds=1)
        assert self.balances(door, at=early.isoformat()) == {}
        assert self.balances(door, account="b", final="true") == {"b": "3"}

    @pytest.mark.parametrize(
        "at", ["yesterday", "2026-03-01T12:00:00", "0001-01-01T00:00:00+14:00"]
    )
    def test_a_moment_that_is_none_is_refused(self, door: Door, at: str) -> None:
        is_problem(door.send("GET", "/v1/ledger/balances", params={"at": at}), 422)

    def test_entries_of_a_case_show_both_sides_and_the_seal(self, door: Door) -> None:
        rma = door.desk.ask(door.desk.buy())["rma"]
        (entry,) = self.entries(door, rma)
        assert (entry["kind"], entry["provisional"], entry["seal"]) == ("grant", False, None)
        assert sorted((s["account"], s["side"], s["amount"]) for s in entry["postings"]) == [
            ("refunds_payable", "credit", "1000"),
            ("sales_returns", "debit", "1000"),
        ]
        commands.seal(door.desk.runtime)
        (entry,) = self.entries(door, rma)
        assert entry["seal"]["number"] == 1

    def test_entries_of_another_merchants_case_look_like_none(self, door: Door) -> None:
        other = Desk(door.desk.runtime, "other")
        rma = other.ask(other.buy())["rma"]
        real = door.send("GET", "/v1/ledger/entries", params={"rma": rma})
        none = door.send("GET", "/v1/ledger/entries", params={"rma": "RMA-0000-0000-0"})
        is_problem(real, 404, "not_found")
        assert real.content == none.content

    def entries(self, door: Door, rma: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = door.send(
            "GET", "/v1/ledger/entries", params={"rma": rma}
        ).json()["entries"]
        return found


class TestTerminal:
    def test_seals_and_verifies(self, terminal: Terminal) -> None:
        fill(terminal.desk, 3)
        assert terminal.done("ledger", "seal") == "3 entries were sealed.\n"
        said = terminal.done("ledger", "verify")
        assert said.startswith("demo: 3 entries are sealed, 0 wait; 0 findings; head 3:")
        head = said.strip().rsplit(" ", 1)[-1]
        fill(terminal.desk, 1)
        terminal.done("ledger", "seal")
        told = terminal.done("ledger", "verify", "--merchant", "demo", "--expect", head, "--json")
        (view,) = json.loads(told)
        assert (view["sealed"], view["findings"]) == (4, [])

    def test_a_change_ends_with_exit_code_1_and_a_sentence(self, terminal: Terminal) -> None:
        fill(terminal.desk, 3)
        terminal.done("ledger", "seal")
        sql(terminal.desk, "UPDATE journal_entry SET kind = 'else'")
        result = terminal.run("ledger", "verify")
        assert result.exit_code == 1
        lines = result.stderr.strip().splitlines()
        assert len(lines) == 3
        assert all(line.endswith("was changed after it was sealed.") for line in lines)
        result = terminal.run("ledger", "verify", "--json")
        assert result.exit_code == 1
        (view,) = json.loads(result.stdout)
        assert {one["code"] for one in view["findings"]} == {"entry_changed"}

    @pytest.mark.parametrize("words", [["--expect", "1"], ["--expect", "1:" + "0" * 64],
                                       ["--merchant", "nobody"]])  # fmt: skip
    def test_what_cannot_be_verified_is_refused(self, terminal: Terminal, words: list[str]) -> None:
        terminal.refused("ledger", "verify", *words)

    def test_shows_balances_of_a_moment(self, terminal: Terminal) -> None:
        book(terminal.desk, Move("a", "b", "USD", 5))
        assert "-5" in terminal.done("ledger", "balances")
        found = json.loads(terminal.done("ledger", "balances", "--json", "--account", "b"))
        assert found["balances"] == [{"account": "b", "asset": "USD", "balance": "5"}]
        early = terminal.done("ledger", "balances", "--json", "--at", "2001-01-01", "--final")
        assert json.loads(early)["balances"] == []
