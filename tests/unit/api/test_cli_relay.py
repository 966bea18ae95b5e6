"""`undrop relay`, and a relayer that cannot work: one sentence and exit code 1, nothing changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import relay_desk as rows
import stores
from desk import Desk, build
from fake_chain import DEPLOYMENT
from relay_desk import DOLLAR, LANE, SHOPPER, STRANGER, TRANSFER
from terminals import Terminal

from chain.addresses import to_checksum
from returns.tables import Lane, Merchant, RelayRule, RelaySlot, RelayTransaction
from returns.words import RelayState, SlotState

UNKNOWN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def terminal(desk: Desk, tmp_path: Path) -> Terminal:
    return Terminal(desk, tmp_path)


def allow(terminal: Terminal, *words: str) -> str:
    return terminal.done("relay", "allow", *words)


class TestRules:
    """allow, rules, forbid."""

    def test_a_rule_is_made_listed_and_taken_back(self, terminal: Terminal) -> None:
        checksummed = to_checksum(SHOPPER)
        said = allow(
            terminal, "--contract", to_checksum(DOLLAR), "--function", TRANSFER,
            "--where", f"0={checksummed},{STRANGER}", "--where", "1=25", "--max-value", "7",
        )  # fmt: skip
        (rule,) = terminal.desk.rows(RelayRule)
        assert said == (
            f"Rule {rule.id}: {TRANSFER} to {DOLLAR} on chain 31337 "
            f"where 0={SHOPPER},{STRANGER} and 1=25, with up to 7 wei.\n"
        )
        assert (rule.merchant_id, rule.chain_id) == (terminal.desk.merchant.id, 31337)
        assert json.loads(rule.where) == {"0": [SHOPPER, STRANGER], "1": "25"}
        assert str(rule.id) in terminal.done("relay", "rules")
        assert terminal.done("relay", "forbid", str(rule.id)).startswith(f"No longer: {TRANSFER}")
        assert "No rules: nothing is relayed." in terminal.done("relay", "rules")
        audit = [(one.action, one.actor, one.subject_id) for one in terminal.desk.audit()]
        assert audit == [("relay.allow", "cli", rule.id), ("relay.forbid", "cli", rule.id)]

    def test_the_same_function_again_changes_its_rule(self, terminal: Terminal) -> None:
        words = ("--contract", DOLLAR, "--function", TRANSFER)
        allow(terminal, *words, "--where", f"0={SHOPPER}")
        allow(terminal, *words, "--where", f"0={STRANGER}", "--max-value", "5")
        (rule,) = terminal.desk.rows(RelayRule)
        assert (json.loads(rule.where), rule.max_value) == ({"0": STRANGER}, 5)

    def test_another_function_chain_or_contract_is_another_rule(self, terminal: Terminal) -> None:
        allow(terminal, "--contract", DOLLAR, "--function", TRANSFER)
        allow(terminal, "--contract", DOLLAR, "--function", "renounce()")
        allow(terminal, "--contract", SHOPPER, "--max-value", "1")
        allow(terminal, "--contract", DOLLAR, "--function", "f((uint256,address),bytes)",
              "--where", "0.1=0", "--where", "1=empty")  # fmt: skip
        assert len(terminal.desk.rows(RelayRule)) == 4
        assert "coin without data to" in terminal.done("relay", "rules")

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (["--function", "transfer"], "'transfer' is not a function's signature"),
            (["--function", "transfer(address,uint)"], "is not a function's signature"),
            (["--function", "2f(address)"], "is not a canonical signature"),
            (["--function", "transfer(address, uint256)"], "is not a function's signature"),
            (["--function", f"f({'uint256,' * 40}uint256)"], "more than 300 characters"),
            (["--function", TRANSFER, "--where", "2=1"], "has no argument 2"),
            (["--function", TRANSFER, "--where", "²=1"], "has no argument ²"),
            (["--function", TRANSFER, "--where", "0"], "not of the form place=value"),
            (["--function", TRANSFER, "--where", "0="], "not of the form place=value"),
            (["--function", TRANSFER, "--where", "1=5,"], "not of the form place=value"),
            (["--function", TRANSFER, "--where", "1=-5"], "neither 0x-hex nor a number"),
            (["--function", TRANSFER, "--where", f"1={2**256}"], "neither 0x-hex nor a number"),
            (["--function", TRANSFER, "--where", "1=5", "--where", "1=6"], "named twice"),
            (["--function", TRANSFER, "--where", "0=$recipient"], "is known of returns only"),
            (["--function", TRANSFER, "--where", "0=empty"], "which no rule fits"),
            (["--function", "f(bytes)", "--where", "0=5"], "which no rule fits"),
            (["--function", "f(bytes)", "--where", "0=empty,5"], "which no rule fits"),
            (["--function", TRANSFER, "--where", "1=5,empty"], "neither 0x-hex nor a number"),
            (["--where", "0=5"], "'' is not a function's signature"),
            (["--max-value", "1.5"], "'1.5' is not an amount"),
            (["--chain", "5"], "chain 5 is not set up here, only 31337"),
            (["--merchant", "nobody"], "no such merchant"),
            (["--function", TRANSFER, "--where", f"0={to_checksum(DOLLAR)[:-1]}C"], "0x"),
        ],
    )
    def test_a_rule_that_cannot_be_checked_is_not_made(
        self, terminal: Terminal, words: list[str], sentence: str
    ) -> None:
        said = terminal.refused("relay", "allow", "--contract", STRANGER, *words)
        assert sentence in said

    @pytest.mark.parametrize(
        "contract", ["0x1", "", "0x" + "0" * 40, "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed"]
    )
    def test_what_is_no_address(self, terminal: Terminal, contract: str) -> None:
        assert "EIP-55" in terminal.refused("relay", "allow", "--contract", contract)

    def test_a_contract_of_ours_is_never_opened(self, terminal: Terminal) -> None:
        for function in ("", TRANSFER, "deposit(bytes)"):
            words = ("--contract", to_checksum(DEPLOYMENT.escrow), "--function", function)
            assert "contract of this installation" in terminal.refused("relay", "allow", *words)

    def test_a_rule_of_another_merchant_is_not_taken_back(self, terminal: Terminal) -> None:
        Desk(terminal.desk.runtime, "other")
        allow(terminal, "--contract", SHOPPER)
        (rule,) = terminal.desk.rows(RelayRule)
        for number in (str(rule.id), UNKNOWN, "x"):
            words = ("relay", "forbid", number, "--merchant", "other")
            assert "no such rule" in terminal.refused(*words)


class TestTransactions:
    """status, cancel, speed-up."""

    def view(self, terminal: Terminal, *words: str) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(terminal.done("relay", *words))
        return shown

    def test_one_that_waits(self, terminal: Terminal) -> None:
        number = str(rows.put_relay(terminal.desk, RelayState.PENDING).id)
        assert self.view(terminal, "status", number)["attempts"] == []
        assert self.view(terminal, "speed-up", number)["state"] == "pending"
        assert self.view(terminal, "cancel", number)["state"] == "canceled"
        assert self.view(terminal, "status", number)["state"] == "canceled"
        assert "it is canceled" in terminal.refused("relay", "speed-up", number)

    def test_one_that_is_under_way(self, terminal: Terminal) -> None:
        desk = terminal.desk
        slot = rows.put_slot(desk, rows.put_lane(desk), 7, SlotState.SUBMITTED)
        rows.put_attempt(desk, slot.id, 1)
        number = str(rows.put_relay(desk, RelayState.SENT, slot).id)
        assert len(self.view(terminal, "status", number)["attempts"]) == 1
        self.view(terminal, "speed-up", number)
        assert self.view(terminal, "cancel", number)["ends_as"] == "canceled"
        (found,) = desk.rows(RelaySlot)
        assert (found.bump, found.fill_as) == (True, RelayState.CANCELED)

    @pytest.mark.parametrize("word", ["status", "cancel", "speed-up"])
    def test_one_of_nobody_or_of_another_merchant(self, terminal: Terminal, word: str) -> None:
        Desk(terminal.desk.runtime, "other")
        number = str(rows.put_relay(terminal.desk, RelayState.PENDING).id)
        for one in (number, UNKNOWN, "x"):
            said = terminal.refused("relay", word, one, "--merchant", "other")
            assert "no such relayed transaction" in said
        (row,) = terminal.desk.rows(RelayTransaction)
        assert row.state is RelayState.PENDING


class TestLanes:
    """lanes, pause, drain, resume."""

    def test_without_any(self, terminal: Terminal) -> None:
        assert "No lanes: no relayer has run yet." in terminal.done("relay", "lanes")

    def test_an_alarm_is_told_by_the_exit_code_too(self, terminal: Terminal) -> None:
        rows.put_lane(terminal.desk)
        assert LANE in terminal.done("relay", "lanes")
        rows.put_lane(terminal.desk, STRANGER, alarm="low balance", alarm_since=None)
        rows.put_relay(terminal.desk, RelayState.PENDING)
        result = terminal.run("relay", "lanes")
        assert result.exit_code == 1
        assert "low balance" in result.stdout
        assert "On chain 31337 the oldest transaction that is due" in result.stdout

    def test_modes(self, terminal: Terminal) -> None:
        rows.put_lane(terminal.desk)
        for word, mode in (("pause", "paused"), ("drain", "draining"), ("resume", "running")):
            for _ in range(2):
                said = terminal.done("relay", word, to_checksum(LANE))
                assert said == f"{LANE} on chain 31337 is {mode}.\n"
            assert [lane.mode.value for lane in terminal.desk.rows(Lane)] == [mode]
        assert [one.merchant_id for one in terminal.desk.audit()] == [None] * 3

    def test_an_unknown_lane(self, terminal: Terminal) -> None:
        rows.put_lane(terminal.desk)
        for words in ([STRANGER], ["x"], [LANE, "--chain", "5"]):
            for word in ("pause", "drain", "resume"):
                assert "no such lane" in terminal.refused("relay", word, *words)


class TestRelayer:
    """`undrop relayer`: what cannot work does not start."""

    @pytest.mark.parametrize(
        ("environ", "sentence"),
        [
            ({"UNDROP_OPERATOR_KEY": "0x12"}, "the signer's key is not a private key"),
            ({"UNDROP_RELAY_TIP": "-1"}, "UNDROP_RELAY_TIP: "),
            ({"UNDROP_RELAY_CHAINS": "{"}, "it must be JSON"),
            ({"UNDROP_TREASURY_KEY": "0x12"}, "the signer's key is not a private key"),
            (
                {"UNDROP_OPERATOR_KEY": f"0x{7:064x}", "UNDROP_TREASURY_KEY": f"{7:064x}"},
                "one key is given for two lanes",
            ),
            ({"UNDROP_ENVIRONMENT": "production"}, "must be set outside local use"),
            ({"UNDROP_HOME": "/dev/null/nowhere"}, "The contracts are not there"),
            ({"UNDROP_SIGNERS": "keystore:/dev/null/nowhere"}, "The keystore"),
            ({"UNDROP_SIGNERS": "paper:wallet"}, "The settings cannot be used"),
        ],
    )
    def test_with_settings_that_cannot_be_used(
        self, terminal: Terminal, environ: dict[str, str], sentence: str
    ) -> None:
        said = terminal.refused("relayer", **environ)
        assert sentence in said
        assert len(said.splitlines()) == 1

    def test_with_a_database_that_was_never_migrated(
        self, terminal: Terminal, tmp_path: Path
    ) -> None:
        empty = f"sqlite:///{tmp_path / 'empty.db'}"
        said = terminal.refused("relayer", UNDROP_DATABASE_URL=empty)
        assert "'undrop migrate'" in said


class TestMerchant:
    """`undrop merchant`."""

    def test_is_made_once(self, terminal: Terminal) -> None:
        for _ in range(2):
            terminal.done("merchant", "acme-2", "--name", "Acme Drops")
        found = [one for one in terminal.desk.rows(Merchant) if one.slug == "acme-2"]
        assert [one.name for one in found] == ["Acme Drops"]

    @pytest.mark.parametrize("slug", ["", "A", "-", "a b", "a\n", "x" * 65])
    def test_with_a_slug_that_cannot_stand_in_the_books(
        self, terminal: Terminal, slug: str
    ) -> None:
        assert "field merchant" in terminal.refused("merchant", "--", slug)

    @pytest.mark.parametrize("name", ["", "a\tb", "x" * 201])
    def test_with_a_name_that_cannot_stand_in_the_books(
        self, terminal: Terminal, name: str
    ) -> None:
        assert "field name" in terminal.refused("merchant", "acme", "--name", name)


def test_a_key_may_be_given_the_operators_scope_by_name_only(terminal: Terminal) -> None:
    assert "relay:admin" not in terminal.done("key", "--help")
    assert terminal.done("key", "--scopes", "relay:admin").startswith("undrop_sk_")
    assert "Unknown scope 'relay:all'" in terminal.refused("key", "--scopes", "relay:all")


def test_alone_there_are_no_contracts_of_ours(sqlite_template: Path, tmp_path: Path) -> None:
    desk = build(stores.sqlite_copy(sqlite_template, tmp_path), tmp_path, relay_alone=True)
    del desk.runtime.deployment
    try:
        assert desk.runtime.guard(31337).is_ours(DEPLOYMENT.escrow) is False
    finally:
        desk.runtime.close()
