"""The relay API means the same on both databases, and sends once what is asked for at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import relay_desk as rows
from desk import Desk
from relay_desk import payout

from returns import relay_reads
from returns.idempotency import request_hash
from returns.relay_reads import SHOWN_STATES
from returns.tables import RelayTransaction
from returns.words import LaneMode, RelayState, SlotState
from settlement.commands import lanes, relay
from settlement.commands.inputs import RelayIn
from settlement.commands.intake import Answer

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]


def submit(desk: Desk, key: str = "k", **changes: Any) -> Answer:
    request = RelayIn.model_validate(payout(**changes))
    body_hash = request_hash("test", request.model_dump_json())
    return relay.submit(desk.runtime, desk.shop, request, key, body_hash)


def test_a_request_that_comes_six_times_at_once_is_stored_once(desk: Desk, at_once: AtOnce) -> None:
    rows.open_rules(desk)
    answers = at_once(6, lambda _: submit(desk))
    assert {type(one) for one in answers} == {Answer}, answers
    assert len({one.body for one in answers}) == 1
    assert [one.replayed for one in answers].count(False) == 1
    assert len(desk.rows(RelayTransaction)) == 1


def test_transactions_are_counted_and_listed_by_the_state_that_is_shown(desk: Desk) -> None:
    lane = rows.put_lane(desk)
    for nonce, state in enumerate(SHOWN_STATES):
        desk.clock.move(seconds=1)
        under_way = state in ("sent", "submitted", "mined")
        slot = rows.put_slot(desk, lane, nonce, SlotState(state)) if under_way else None
        rows.put_relay(desk, RelayState.SENT if under_way else RelayState(state), slot)
    with desk.runtime.database.read() as session:
        assert relay_reads.relay_counts(session) == dict.fromkeys(SHOWN_STATES, 1)
    for state in SHOWN_STATES:
        page = relay.newest(desk.runtime, desk.merchant.id, state, None, 5)
        assert [one["state"] for one in page["transactions"]] == [state]


def test_pages_have_each_transaction_once(desk: Desk) -> None:
    rows.open_rules(desk)
    for number in range(5):
        desk.clock.move(seconds=number % 2)
        submit(desk, str(number))
    pages, cursor = [], None
    while True:
        page = relay.newest(desk.runtime, desk.merchant.id, None, cursor, 2)
        pages.append([one["created_at"] for one in page["transactions"]])
        if page["next"] is None:
            break
        cursor = UUID(page["next"])
    assert [len(one) for one in pages] == [2, 2, 1]
    seen = [at for one in pages for at in one]
    assert seen == sorted(seen, reverse=True)


def test_the_oldest_that_waits_is_found_by_the_time_that_was_promised(desk: Desk) -> None:
    rows.open_rules(desk)
    submit(desk, send_by="2100-01-01T00:00:00Z")
    desk.clock.move(seconds=3)
    submit(desk, "urgent")
    desk.clock.move(seconds=4)
    assert lanes.overview(desk.runtime)["waiting"] == [{"chain_id": 31337, "oldest_s": 4}]


def test_a_lane_that_is_paused_six_times_at_once_is_audited_once(
    desk: Desk, at_once: AtOnce
) -> None:
    lane = rows.put_lane(desk)

    def pause(_index: int) -> dict[str, Any]:
        return lanes.set_mode(desk.runtime, lane.address, "pause", None, "test", None)

    answers = at_once(6, pause)
    assert [one["lanes"][0]["mode"] for one in answers] == [LaneMode.PAUSED.value] * 6
    audit = [(one.action, one.merchant_id) for one in desk.audit()]
    assert audit == [("lane.pause", None)]
