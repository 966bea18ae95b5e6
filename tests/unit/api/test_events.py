"""Events over HTTP: of a case as often as wanted, and all of a merchant in one stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from desk import Desk
from doors import Door, is_problem

from api import events
from returns import fan_out
from returns.tables import Event
from settlement.commands.access import SCOPES, create_key


def place(desk: Desk) -> None:
    with desk.runtime.database.write() as session:
        fan_out.fan_out(session, desk.clock())


def read(text: str) -> list[dict[str, str]]:
    """The events of a stream (HTML Living Standard, 9.2.6), without its comments."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and line[0] != ":")
        if "data" in fields:
            found.append(fields)
    return found


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that end when there is nothing more to tell."""
    monkeypatch.setattr(events, "LIFE_S", 0.2)
    monkeypatch.setattr(events, "LOOK_S", 0.05)


def stream(door: Door, last: str | None = None, key: str = "") -> Any:
    headers = {} if last is None else {"Last-Event-ID": last}
    return door.send("GET", "/v1/events/stream", key, headers=headers)


class TestOfACase:
    def page(self, door: Door, rma: str, **query: Any) -> dict[str, Any]:
        return door.send("GET", f"/v1/returns/{rma}/events", params=query).json()

    def test_are_numbered_without_gaps_and_can_be_read_again(self, door: Door) -> None:
        rma = door.desk.ask(door.desk.buy(tokens=2))["rma"]
        page = self.page(door, rma)
        numbers = [one["data"]["sequence"] for one in page["events"]]
        assert numbers == list(range(1, len(door.desk.states(rma)) + 1))
        assert (page["rma"], page["next"]) == (rma, None)
        first = page["events"][0]
        assert first["type"] == "return.line.requested"
        assert (first["data"]["rma"], first["data"]["state"]) == (rma, "requested")
        assert first["data"]["details"] == {"reason": "wrong_token"}
        assert self.page(door, rma) == page

    def test_are_paged_by_sequence(self, door: Door) -> None:
        rma = door.desk.ask(door.desk.buy(tokens=2))["rma"]
        everything, found, after = self.page(door, rma)["events"], [], 0
        while after is not None:
            page = self.page(door, rma, after=after, limit=1)
            found += page["events"]
            after = page["next"]
        assert found == everything
        assert self.page(door, rma, after=len(everything))["events"] == []

    @pytest.mark.parametrize("query", [{"after": -1}, {"after": "x"}, {"after": 2**31},
                                       {"limit": 0}, {"limit": 201}])  # fmt: skip
    def test_refuse_a_question_that_is_none(self, door: Door, query: dict[str, Any]) -> None:
        answer = door.send("GET", "/v1/returns/RMA-0000-0000-0/events", params=query)
        is_problem(answer, 422, "field_invalid")


@pytest.mark.usefixtures("short")
class TestStream:
    def test_tells_what_happened_in_order(self, door: Door) -> None:
        rmas = [door.desk.ask(door.desk.buy())["rma"] for _ in range(3)]
        place(door.desk)
        answer = stream(door, "0")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        told = read(answer.text)
        assert [one["id"] for one in told] == [str(n) for n in range(1, len(told) + 1)]
        for rma in rmas:
            states = [
                data["data"]["state"]
                for data in map(json.loads, (one["data"] for one in told))
                if data["data"]["rma"] == rma
            ]
            assert states == door.desk.states(rma)
        assert [one["event"] for one in told] == [json.loads(one["data"])["type"] for one in told]

    def test_resumes_behind_the_last_event_that_was_seen(self, door: Door) -> None:
        for _ in range(3):
            door.desk.ask(door.desk.buy())
        place(door.desk)
        everything = read(stream(door, "0").text)
        for seen in range(len(everything) + 1):
            assert read(stream(door, str(seen)).text) == everything[seen:]

    def test_has_no_gap_where_a_page_ends(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events.events, "STREAM_PAGE", 2)
        for _ in range(4):
            door.desk.ask(door.desk.buy())
        place(door.desk)
        told = read(stream(door, "0").text)
        assert [one["id"] for one in told] == [str(n) for n in range(1, len(told) + 1)]
        assert len(told) > 4

    def test_begins_now_without_a_last_event(self, door: Door) -> None:
        door.desk.ask(door.desk.buy())
        place(door.desk)
        assert read(stream(door).text) == []

    def test_what_has_no_position_yet_comes_when_it_has(self, door: Door) -> None:
        door.desk.ask(door.desk.buy())
        assert read(stream(door, "0").text) == []
        place(door.desk)
        told = [one["id"] for one in read(stream(door, "0").text)]
        assert told == [str(n) for n in range(1, len(door.desk.rows(Event)) + 1)]

    def test_gives_signs_of_life(self, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "SIGN_S", 0.05)
        assert stream(door).text.count(": ping\n\n") >= 1

    def test_tells_a_merchant_its_own_events_alone(self, door: Door) -> None:
        other = Desk(door.desk.runtime, "other")
        key = create_key(door.desk.runtime, other.merchant.id, "x", SCOPES, None)
        door.desk.ask(door.desk.buy())
        theirs = other.ask(other.buy())["rma"]
        place(door.desk)
        told = read(stream(door, "0", key).text)
        assert {json.loads(one["data"])["data"]["rma"] for one in told} == {theirs}

    @pytest.mark.parametrize(
        "last", ["-1", "x", "1.5", "99", "9" * 19, "", "٣".encode().decode("latin-1")]
    )
    def test_refuses_a_last_event_that_is_none_of_its_own(self, door: Door, last: str) -> None:
        door.desk.ask(door.desk.buy())
        place(door.desk)
        is_problem(stream(door, last.encode("latin-1")), 422, "field_invalid")

    def test_refuses_more_streams_than_it_can_serve_and_forgets_those_that_ended(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(3):
            assert stream(door).status_code == 200
        streams = door.http.app.state.streams
        monkeypatch.setattr(events, "MAX_STREAMS", 1)
        streams.enter()
        is_problem(stream(door), 503, "streams_busy")
        streams.leave()
        assert stream(door).status_code == 200
