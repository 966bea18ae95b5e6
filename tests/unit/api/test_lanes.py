"""Lanes seen and steered by who runs the installation; ages that grow where nothing lives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import relay_desk as rows
from doors import Door, is_problem
from relay_desk import LANE, STRANGER

from returns.tables import Lane
from returns.words import LaneMode, LanePurpose, RelayState, SlotState

LANES = "/v1/relay/lanes"
STUCK_S = 30


@pytest.fixture
def operator(door: Door) -> str:
    """The key of who runs the installation."""
    return door.make_key("relay:admin", label="operator")


def look(door: Door, operator: str) -> dict[str, Any]:
    answer = door.send("GET", LANES, operator)
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


def gauges(door: Door) -> dict[str, float]:
    """The relayer's metrics: name with labels -> value."""
    lines = door.http.get("/metrics").text.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line.startswith("undrop_relay_")]
    return {name.removeprefix("undrop_relay_"): float(value) for name, value in pairs}


class TestOverview:
    """GET /v1/relay/lanes."""

    def test_before_any_relayer_ran_there_is_none(self, door: Door, operator: str) -> None:
        assert look(door, operator) == {"lanes": [], "waiting": []}

    def test_shows_a_lane_that_has_nothing_to_do(self, door: Door, operator: str) -> None:
        rows.put_lane(door.desk)
        assert look(door, operator)["lanes"] == [
            {
                "address": LANE, "chain_id": 31337, "purpose": "operate", "mode": "running",
                "next_nonce": 8, "under_way": 0, "head": None, "balance": str(10**18),
                "checked_at": door.desk.clock().isoformat(), "alarms": [],
            }
        ]  # fmt: skip

    def test_the_head_ages_and_alarms_although_no_worker_lives(
        self, door: Door, operator: str
    ) -> None:
        desk = door.desk
        lane, since = rows.put_lane(desk), desk.clock().isoformat()
        rows.put_slot(desk, lane, 5, SlotState.MINED)
        rows.put_slot(desk, lane, 6, SlotState.SUBMITTED)
        desk.clock.move(seconds=9)
        rows.put_slot(desk, lane, 7, SlotState.SENT)
        desk.clock.move(seconds=STUCK_S - 10)
        (seen,) = look(door, operator)["lanes"]
        assert (seen["under_way"], seen["head"]) == (2, {"nonce": 6, "age_s": 29})
        assert seen["alarms"] == []
        desk.clock.move(seconds=1)
        (seen,) = look(door, operator)["lanes"]
        assert seen["alarms"] == [
            {"problem": "nonce 6 is not mined after 30 seconds", "since": since}
        ]

    def test_what_the_worker_noticed_stands_beside_it(self, door: Door, operator: str) -> None:
        desk, since = door.desk, door.desk.clock()
        problem = "low balance: nothing new is sent"
        lane = rows.put_lane(desk, alarm=problem, alarm_since=since, balance=None, checked_at=None)
        rows.put_slot(desk, lane, 0, SlotState.SUBMITTED)
        desk.clock.move(minutes=85)
        (seen,) = look(door, operator)["lanes"]
        assert [one["problem"] for one in seen["alarms"]] == [
            problem, "nonce 0 is not mined after 5100 seconds",
        ]  # fmt: skip
        assert (seen["balance"], seen["checked_at"]) == (None, None)

    def test_lanes_come_by_chain_and_address(self, door: Door, operator: str) -> None:
        rows.put_lane(door.desk, "0x" + "2b" * 20)
        rows.put_lane(door.desk, LANE)
        rows.put_lane(door.desk, LANE, chain_id=10, purpose=LanePurpose.TOP_UP)
        found = [(one["chain_id"], one["address"][:4]) for one in look(door, operator)["lanes"]]
        assert found == [(10, "0x1a"), (31337, "0x1a"), (31337, "0x2b")]

    def test_says_by_chain_how_late_the_oldest_without_a_nonce_is(
        self, door: Door, operator: str
    ) -> None:
        desk = door.desk
        patient = rows.put_relay(desk, RelayState.PENDING)
        with desk.runtime.database.write() as session:
            session.get_one(type(patient), patient.id).send_by = desk.clock() + timedelta(minutes=5)
        rows.put_relay(desk, RelayState.CONFIRMED)
        assert look(door, operator)["waiting"] == []
        desk.clock.move(seconds=10)
        rows.put_relay(desk, RelayState.PENDING)
        desk.clock.move(seconds=7)
        assert look(door, operator)["waiting"] == [{"chain_id": 31337, "oldest_s": 7}]
        desk.clock.move(minutes=5)
        # The patient one was here first, and is late by 17 seconds only.
        assert look(door, operator)["waiting"] == [{"chain_id": 31337, "oldest_s": 307}]


class TestModes:
    """POST /v1/relay/lanes/{address}/pause, drain, resume."""

    @pytest.mark.parametrize(
        ("action", "mode"), [("pause", LaneMode.PAUSED), ("drain", LaneMode.DRAINING)]
    )
    def test_is_changed_once_audited_once_and_taken_back(
        self, door: Door, operator: str, action: str, mode: LaneMode
    ) -> None:
        lane = rows.put_lane(door.desk)
        for _ in range(2):
            answer = door.send("POST", f"{LANES}/{LANE}/{action}", operator)
            assert [one["mode"] for one in answer.json()["lanes"]] == [mode.value]
        answer = door.send("POST", f"{LANES}/{LANE}/resume", operator)
        assert [one["mode"] for one in answer.json()["lanes"]] == ["running"]
        told = [
            (one.subject_id, one.merchant_id, one.actor, one.action, one.before, one.after)
            for one in door.desk.audit()
        ]
        who = (lane.id, door.desk.merchant.id, "key:operator")
        assert told == [
            (*who, f"lane.{action}", "running", mode.value),
            (*who, "lane.resume", mode.value, "running"),
        ]

    def test_a_key_has_a_lane_on_every_chain(self, door: Door, operator: str) -> None:
        for chain_id in (10, 31337):
            rows.put_lane(door.desk, chain_id=chain_id)
        rows.put_lane(door.desk, STRANGER)
        answer = door.send("POST", f"{LANES}/{LANE}/pause?chain_id=10", operator)
        assert [one["chain_id"] for one in answer.json()["lanes"]] == [10]
        assert self.modes(door) == {"paused": 1, "running": 2}
        answer = door.send("POST", f"{LANES}/{LANE.upper().replace('X', 'x')}/pause", operator)
        assert [one["chain_id"] for one in answer.json()["lanes"]] == [10, 31337]
        assert self.modes(door) == {"paused": 2, "running": 1}

    @pytest.mark.parametrize("address", [STRANGER, "x", "0x", "%00", "0x" + "0" * 40])
    @pytest.mark.parametrize("action", ["pause", "drain", "resume"])
    def test_unknown_lane(self, door: Door, operator: str, address: str, action: str) -> None:
        rows.put_lane(door.desk)
        is_problem(door.send("POST", f"{LANES}/{address}/{action}", operator), 404, "not_found")
        assert self.modes(door) == {"running": 1}
        assert door.desk.audit() == []

    def test_lane_of_another_chain(self, door: Door, operator: str) -> None:
        rows.put_lane(door.desk)
        is_problem(door.send("POST", f"{LANES}/{LANE}/pause?chain_id=5", operator), 404)
        for wrong in ("0", "x", str(2**63)):
            answer = door.send("POST", f"{LANES}/{LANE}/pause?chain_id={wrong}", operator)
            is_problem(answer, 422, "field_invalid")
        assert self.modes(door) == {"running": 1}

    def modes(self, door: Door) -> dict[str, int]:
        found = [lane.mode.value for lane in door.desk.rows(Lane)]
        return {mode: found.count(mode) for mode in found}


class TestMetrics:
    """What Prometheus scrapes: nobody needs a key for it, and no merchant is in it."""

    def test_of_lanes(self, door: Door) -> None:
        desk = door.desk
        lane = rows.put_lane(desk)
        rows.put_lane(desk, STRANGER, balance=None, alarm="low balance", alarm_since=desk.clock())
        rows.put_slot(desk, lane, 6, SlotState.SUBMITTED)
        desk.clock.move(seconds=31)
        one, other = (f'{{chain_id="31337",lane="{who}"}}' for who in (LANE, STRANGER))
        assert gauges(door) == {
            f"lane_under_way{one}": 1, f"lane_under_way{other}": 0,
            f"lane_head_age_seconds{one}": 31, f"lane_head_age_seconds{other}": 0,
            f"lane_balance_wei{one}": 1e18,
            f"lane_alarm{one}": 1, f"lane_alarm{other}": 1,
        }  # fmt: skip

    def test_of_transactions_by_the_state_that_is_shown(self, door: Door) -> None:
        desk = door.desk
        lane = rows.put_lane(desk)
        for nonce, state in enumerate((SlotState.SENT, SlotState.MINED, SlotState.MINED)):
            rows.put_relay(desk, RelayState.SENT, rows.put_slot(desk, lane, nonce, state))
        for ended in (RelayState.PENDING, RelayState.FAILED, RelayState.CONFIRMED):
            rows.put_relay(desk, ended)
        desk.clock.move(seconds=4)
        found = gauges(door)
        assert {k: v for k, v in found.items() if k.startswith("transactions")} == {
            f'transactions{{state="{state}"}}': count
            for state, count in (
                ("sent", 1), ("mined", 2), ("pending", 1), ("failed", 1), ("confirmed", 1),
            )
        }  # fmt: skip
        assert found['pending_age_seconds{chain_id="31337"}'] == 4
