"""The relay API on a real chain: what was asked for at the door is what lanes do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_node import CHAIN_ID, Anvil, Stage
from typer.testing import CliRunner

from api.cli import app
from chain.relay.relayer import Relayer
from returns.idempotency import request_hash
from returns.ids import new_id
from returns.tables import Merchant, RelayRule
from settlement.commands import lanes, relay, relay_rules
from settlement.commands.access import Caller
from settlement.commands.inputs import RelayIn
from settlement.runtime import Runtime
from settlement.settings import Settings

pytestmark = pytest.mark.chain

FRIEND, ZERO = "0x" + "f1" * 20, "0x" + "00" * 20
MINT = "mint(address,uint256)"


@dataclass
class BackEnd:
    """A merchant's back end, with a lane that works when it is told to."""

    chain: Stage
    runtime: Runtime
    merchant: Merchant
    clock: MovingClock

    def allow(self, contract: str, function: str, *where: str, value: str = "0") -> str:
        rule = relay_rules.allow(
            self.runtime, self.merchant, CHAIN_ID, contract, function, list(where), value
        )
        return str(rule["id"])

    def post(self, to: str, data: bytes = b"", **more: Any) -> str:
        """Ask for a transaction; its id."""
        body = {"chain_id": CHAIN_ID, "to": to, "data": "0x" + data.hex()} | more
        request = RelayIn.model_validate(body)
        caller = Caller(self.merchant.id, "key:shop", frozenset())
        key = str(new_id())
        relay.submit(self.runtime, caller, request, key, request_hash(key))
        rows = relay.newest(self.runtime, self.merchant.id, None, None, 1)["transactions"]
        return str(rows[0]["id"])

    def see(self, relay_id: str) -> dict[str, Any]:
        return relay.status(self.runtime, self.merchant.id, relay_id)

    def rounds(self, count: int = 3) -> None:
        """The lane and the chain take turns."""
        relayer = Relayer(self.runtime.relays[CHAIN_ID], self.runtime.signers[0])
        for _ in range(count):
            relayer.run_once()
            self.chain.anvil.mine()
            self.clock.move(2)

    def round(self) -> None:
        """The lane alone: nothing is mined."""
        Relayer(self.runtime.relays[CHAIN_ID], self.runtime.signers[0]).run_once()
        self.clock.move(2)

    def sent(self) -> int:
        """Transactions of the lane that are on the chain."""
        return len(self.chain.sent_by(self.runtime.signers[0].address))

    def steer(self, action: str) -> None:
        address = self.runtime.signers[0].address
        lanes.set_mode(self.runtime, address, action, None, "test", None)


@pytest.fixture
def back_end(chain: Stage, books: Books, clock: MovingClock, tmp_path: Path) -> BackEnd:
    settings = Settings(
        home=tmp_path, database_url=books.database.url, rpc_url=chain.url, finality=1
    )
    runtime = Runtime(settings, clock)
    runtime.database, runtime.deployment = books.database, chain.deployment
    with runtime.database.read() as session:
        merchant = session.get_one(Merchant, books.merchant_id)
    return BackEnd(chain, runtime, merchant, clock)


def minted(chain: Stage, amount: int) -> list[dict[str, str]]:
    return [{"asset": chain.dollar, "from": ZERO, "to": FRIEND, "amount": str(amount)}]


def test_what_is_asked_for_is_sent_once_and_moves_what_was_expected(back_end: BackEnd) -> None:
    chain = back_end.chain
    back_end.allow(chain.dollar, MINT, f"0={FRIEND}")
    number = back_end.post(chain.dollar, chain.mint(5, FRIEND), expects=minted(chain, 5))
    back_end.rounds()
    view = back_end.see(number)
    assert (view["state"], view["error"], len(view["attempts"])) == ("confirmed", None, 1)
    assert (chain.supply(), back_end.sent()) == (5, 1)


def test_what_would_move_something_else_fails_before_it_has_a_nonce(back_end: BackEnd) -> None:
    chain = back_end.chain
    back_end.allow(chain.dollar, MINT, f"0={FRIEND}")
    numbers = [
        back_end.post(chain.dollar, chain.mint(5, FRIEND), expects=expected)
        for expected in (minted(chain, 6), [], minted(chain, 5) * 2)
    ]
    back_end.rounds()
    for number in numbers:
        view = back_end.see(number)
        assert (view["state"], view["nonce"], view["attempts"]) == ("failed", None, [])
        assert view["error"].startswith("it would move other assets than it should: 5 of ")
    assert (chain.supply(), back_end.sent()) == (0, 0)


def test_the_coin_that_a_call_carries_need_not_be_expected(back_end: BackEnd) -> None:
    back_end.allow(FRIEND, "", value="7")
    plain, nothing_else = (
        back_end.post(FRIEND, value="7"),
        back_end.post(FRIEND, value="6", expects=[]),
    )
    back_end.rounds()
    assert {back_end.see(one)["state"] for one in (plain, nothing_else)} == {"confirmed"}
    assert int(back_end.chain.anvil.rpc("eth_getBalance", FRIEND, "latest"), 16) == 13


def test_a_call_that_would_revert_fails_with_its_reason(back_end: BackEnd) -> None:
    chain = back_end.chain
    back_end.allow(chain.deployment.dollar, MINT)
    number = back_end.post(chain.deployment.dollar, chain.mint(5, FRIEND))
    back_end.rounds()
    view = back_end.see(number)
    assert (view["state"], view["nonce"]) == ("failed", None)
    assert view["error"].startswith("OwnableUnauthorizedAccount(")
    assert back_end.sent() == 0


def test_a_rule_that_was_taken_back_is_asked_again_before_the_signature(
    back_end: BackEnd,
) -> None:
    chain = back_end.chain
    rule = back_end.allow(chain.dollar, MINT)
    number = back_end.post(chain.dollar, chain.mint(5))
    relay_rules.forbid(back_end.runtime, back_end.merchant, rule)
    back_end.rounds()
    view = back_end.see(number)
    assert (view["state"], view["nonce"]) == ("failed", None)
    assert view["error"] == f"nothing allows the function 0x40c10f19 of {chain.dollar}"
    assert (chain.supply(), back_end.sent()) == (0, 0)


def test_a_rule_that_cannot_be_read_keeps_no_lane_from_its_work(back_end: BackEnd) -> None:
    chain = back_end.chain
    with back_end.runtime.database.write() as session:
        session.add(
            RelayRule(
                merchant_id=back_end.merchant.id, chain_id=CHAIN_ID, contract=FRIEND,
                function="nonsense", created_at=back_end.clock(),
            )
        )  # fmt: skip
    back_end.allow(chain.dollar, MINT)
    number = back_end.post(chain.dollar, chain.mint(5))
    back_end.rounds()
    assert back_end.see(number)["state"] == "confirmed"


def test_a_paused_lane_signs_nothing_until_it_goes_on(back_end: BackEnd) -> None:
    chain = back_end.chain
    back_end.allow(chain.dollar, MINT)
    first = back_end.post(chain.dollar, chain.mint(1))
    back_end.rounds()
    for action in ("pause", "drain"):
        back_end.steer(action)
        second = back_end.post(chain.dollar, chain.mint(2))
        back_end.rounds()
        assert back_end.see(second)["state"] == "pending"
        relay.cancel(back_end.runtime, back_end.merchant.id, second)
    third = back_end.post(chain.dollar, chain.mint(4))
    back_end.steer("resume")
    back_end.rounds()
    assert [back_end.see(one)["state"] for one in (first, third)] == ["confirmed"] * 2
    assert (chain.supply(), back_end.sent()) == (5, 2)


def test_a_drained_lane_brings_to_its_end_what_is_under_way(back_end: BackEnd) -> None:
    chain = back_end.chain
    back_end.allow(chain.dollar, MINT)
    number = back_end.post(chain.dollar, chain.mint(1))
    back_end.round()
    back_end.steer("drain")
    relay.speed_up(back_end.runtime, back_end.merchant.id, number)
    back_end.rounds()
    view = back_end.see(number)
    assert (view["state"], len(view["attempts"])) == ("confirmed", 2)


def test_speeding_up_puts_dearer_bytes_in_the_place_of_the_first(back_end: BackEnd) -> None:
    chain = back_end.chain
    back_end.allow(chain.dollar, MINT)
    number = back_end.post(chain.dollar, chain.mint(1))
    back_end.round()
    relay.speed_up(back_end.runtime, back_end.merchant.id, number)
    back_end.rounds()
    view = back_end.see(number)
    cheap, dear = view["attempts"]
    assert (view["state"], view["hash"]) == ("confirmed", dear["hash"])
    for fee in ("max_fee", "priority_fee"):
        assert int(dear[fee]) >= int(cheap[fee]) * 9 // 8
    assert (chain.supply(), back_end.sent()) == (1, 1)


def test_canceling_what_is_under_way_fills_its_nonce_if_that_is_faster(
    back_end: BackEnd,
) -> None:
    chain = back_end.chain
    back_end.allow(chain.dollar, MINT)
    number = back_end.post(chain.dollar, chain.mint(1))
    back_end.round()
    assert relay.cancel(back_end.runtime, back_end.merchant.id, number)["ends_as"] == "canceled"
    back_end.rounds()
    view = back_end.see(number)
    assert (view["state"], view["ends_as"]) == ("canceled", None)
    assert [one["filler"] for one in view["attempts"]] == [False, True]
    assert view["hash"] == view["attempts"][1]["hash"]
    assert (chain.supply(), back_end.sent()) == (0, 1)


def test_lanes_tell_their_head_and_their_coin(back_end: BackEnd) -> None:
    chain = back_end.chain
    back_end.allow(chain.dollar, MINT)
    back_end.post(chain.dollar, chain.mint(1))
    back_end.round()
    [lane] = lanes.overview(back_end.runtime)["lanes"]
    assert (lane["next_nonce"], lane["under_way"]) == (1, 1)
    assert lane["head"] == {"nonce": 0, "age_s": 2}
    assert int(lane["balance"]) > 0
    back_end.rounds()
    [lane] = lanes.overview(back_end.runtime)["lanes"]
    assert (lane["under_way"], lane["head"], lane["alarms"]) == (0, None, [])


def test_a_relayer_whose_node_serves_another_chain_does_not_start(
    sqlite: Books, tmp_path: Path
) -> None:
    node = Anvil("--chain-id", "100")
    try:
        before = sqlite.rows()
        said = CliRunner().invoke(app, ["relayer"], env={
            "UNDROP_RELAY_ALONE": "true", "UNDROP_HOME": str(tmp_path),
            "UNDROP_DATABASE_URL": sqlite.database.url, "UNDROP_RPC_URL": node.url,
            "UNDROP_CHAIN_ID": "1",
        })  # fmt: skip
        assert said.exit_code == 1
        assert "The node serves chain 100" in said.stderr
        assert sqlite.rows() == before
        assert node.client.block_number() == 0
    finally:
        node.stop()
