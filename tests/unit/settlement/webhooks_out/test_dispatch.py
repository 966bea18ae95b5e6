"""The worker's part: everything is sent, in order, outside transactions, and nobody waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import hooks
import pytest
from desk import Desk
from hooks import Answer, FakePost, Got

from returns.deliveries import Failure
from returns.tables import WebhookEndpoint
from settlement.webhooks_out import dispatch
from settlement.webhooks_out.postman import Taken

DOWN = Failure("ConnectError: refused")


@pytest.fixture
def post(desk: Desk) -> Iterator[FakePost]:
    found = hooks.with_post(desk)
    yield found
    desk.runtime.dispatcher.close()


def test_sends_every_event_once_and_those_of_a_case_in_order(desk: Desk, post: FakePost) -> None:
    hooks.register(desk)
    rmas = [desk.ask(desk.buy())["rma"] for _ in range(5)]
    desk.sign(rmas[0])
    desk.run()
    hooks.send(desk)
    for rma in rmas:
        told = len(desk.states(rma))
        assert hooks.sequences(post.names(), rma) == list(range(1, told + 1))
    assert set(hooks.states(desk)) == {"delivered"}
    sent = len(post.got)
    hooks.send(desk)
    assert len(post.got) == sent


def test_no_transaction_is_open_while_a_message_is_on_its_way(desk: Desk, post: FakePost) -> None:
    hooks.register(desk)
    seen = []

    def look(_: Got) -> Answer:
        # On SQLite a second writer would wait for the first: this one does not.
        with desk.runtime.database.write() as session:
            seen.append(session.connection().exec_driver_sql("SELECT 1").scalar_one())
        return Taken(200)

    post.answer = look
    desk.ask(desk.buy())
    hooks.send(desk)
    assert seen == [1] * len(post.got)
    assert len(seen) >= 2


def test_an_outage_changes_neither_number_nor_order(desk: Desk, post: FakePost) -> None:
    hooks.register(desk)
    post.answer = lambda _: DOWN
    rmas = [desk.ask(desk.buy())["rma"] for _ in range(3)]
    for _ in range(6):
        hooks.send(desk)
        desk.clock.move(minutes=5)
    assert {row.state.value for row in hooks.rows(desk)} == {"pending"}
    assert {number for _, number in post.names()} == {1}
    post.got.clear()
    post.answer = lambda _: Taken(204)
    for _ in range(3):
        hooks.send(desk)
        desk.clock.move(hours=1)
    for rma in rmas:
        assert hooks.sequences(post.names(), rma) == list(range(1, len(desk.states(rma)) + 1))
    assert set(hooks.states(desk)) == {"delivered"}
    (endpoint,) = desk.rows(WebhookEndpoint)
    assert (endpoint.failures, endpoint.rests_until, endpoint.flagged_at) == (0, None, None)


def test_an_endpoint_that_hangs_does_not_hold_up_another_one(desk: Desk, post: FakePost) -> None:
    free, slow = threading.Event(), hooks.URL + "/slow"

    def answer(message: Got) -> Answer:
        if message.url == slow:
            assert free.wait(20)
        return Taken(200)

    post.answer = answer
    hooks.register(desk, slow)
    hooks.register(desk)
    for _ in range(8):
        desk.ask(desk.buy())
    try:
        while desk.runtime.dispatcher.run():
            pass
        quick = [one for one in post.got if one.url == hooks.URL]
        hanging = [one for one in post.got if one.url == slow]
        assert len(quick) == sum(len(desk.states(rma)) for rma in {one.name[0] for one in quick})
        assert len({one.name[0] for one in quick}) == 8
        assert len(hanging) == dispatch.IN_FLIGHT
    finally:
        free.set()
    desk.runtime.dispatcher.settle()
    hooks.send(desk)
    assert set(hooks.states(desk)) == {"delivered"}


def test_endpoints_are_served_in_turn(desk: Desk, post: FakePost) -> None:
    """With less room than there are endpoints, none is passed by again and again."""
    for number in range(4):
        hooks.register(desk, f"{hooks.URL}/{number}")
    desk.ask(desk.buy())
    dispatcher = desk.runtime.dispatcher
    dispatcher._place()
    served = []
    for _ in range(4):
        (delivery,) = dispatcher._claim(1)
        served.append(delivery.endpoint_id)
    assert len(set(served)) == 4


def test_a_fault_in_one_delivery_leaves_the_others_alone(desk: Desk, post: FakePost) -> None:
    hooks.register(desk)
    first = desk.ask(desk.buy())["rma"]
    second = desk.ask(desk.buy())["rma"]

    def answer(message: Got) -> Answer:
        if message.name[0] == first:
            raise RuntimeError("a fault of ours")
        return Taken(200)

    post.answer = answer
    hooks.send(desk)
    assert hooks.sequences(post.names(), second) == list(range(1, len(desk.states(second)) + 1))
    # What became of it is not known: it is sent again when its lease has ended.
    post.answer = lambda _: Taken(200)
    hooks.send(desk)
    assert hooks.sequences(post.names(), first) == [1]
    desk.clock.move(seconds=61)
    hooks.send(desk)
    assert hooks.sequences(post.names(), first) == [1, *range(1, len(desk.states(first)) + 1)]


def test_a_ping_is_tried_once(desk: Desk, post: FakePost) -> None:
    endpoint = hooks.register(desk)
    post.answer = lambda _: DOWN
    hooks.endpoints.ping(desk.runtime, desk.shop, endpoint["id"])
    hooks.send(desk)
    desk.clock.move(days=1)
    hooks.send(desk)
    assert [one.said["type"] for one in post.got] == ["ping"]
    assert post.got[0].said["data"] == {"endpoint": endpoint["id"]}
    assert hooks.states(desk) == ["dead"]
    assert desk.rows(WebhookEndpoint)[0].flagged_at is None
