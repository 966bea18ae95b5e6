"""Webhooks on both databases: workers at the same moment, and a real endpoint that has its days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import desk as desks
import hooks
import pytest
from desk import Desk
from hooks import FakePost, Receiver
from standardwebhooks import Webhook

from returns.errors import UndropError
from returns.tables import Event, WebhookDelivery, WebhookEndpoint
from returns.words import DeliveryState
from settlement.commands import deliveries, endpoints
from settlement.commands.endpoint_inputs import EndpointChangeIn, StartIn
from settlement.webhooks_out import postman
from settlement.webhooks_out.dispatch import Dispatcher

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]
SINCE = StartIn.model_validate({"since": "2026-01-01T00:00:00Z"})


def cases(desk: Desk, count: int) -> dict[str, int]:
    """New cases, each with the number of its events."""
    rmas = [desk.ask(desk.buy())["rma"] for _ in range(count)]
    return {rma: len(desk.states(rma)) for rma in rmas}


def workers(desk: Desk, post: FakePost, count: int) -> list[Dispatcher]:
    runtime = desk.runtime
    return [Dispatcher(runtime.database, runtime.clock, post, runtime.sealer) for _ in range(count)]


class TestWorkersAtOnce:
    @pytest.fixture
    def post(self, desk: Desk) -> Iterator[FakePost]:
        yield hooks.with_post(desk)
        desk.runtime.dispatcher.close()

    def test_each_event_is_delivered_once_per_endpoint_and_in_order(
        self, desk: Desk, post: FakePost, at_once: AtOnce
    ) -> None:
        urls = [hooks.URL, hooks.URL + "/second"]
        for url in urls:
            hooks.register(desk, url)
        told = cases(desk, 12)
        fleet = workers(desk, post, 4)

        def go(number: int) -> None:
            for _ in range(40):
                fleet[number].run()
                fleet[number].settle()

        assert at_once(4, go) == [None] * 4
        for worker in fleet:
            worker.close()
        for url in urls:
            names = [one.name for one in post.got if one.url == url]
            for rma, count in told.items():
                assert hooks.sequences(names, rma) == list(range(1, count + 1))
            assert len(names) == sum(told.values())
        rows = hooks.rows(desk)
        assert Counter(row.state for row in rows) == {DeliveryState.DELIVERED: len(post.got)}
        assert {row.attempts for row in rows} == {1}

    def test_positions_have_no_gaps_while_cases_go_on(
        self, desk: Desk, post: FakePost, at_once: AtOnce
    ) -> None:
        hooks.register(desk)
        fleet = workers(desk, post, 2)
        orders = [desk.buy() for _ in range(12)]

        def go(number: int) -> None:
            if number < 4:
                for order in orders[number::4]:
                    body = {**desks.request_body(order)}
                    desk.ask_as(desk.shop, body, f"key-of-{order.number}")
                return
            for _ in range(30):
                fleet[number - 4].run()
                fleet[number - 4].settle()

        assert at_once(6, go) == [None] * 6
        hooks.send(desk)
        for worker in fleet:
            worker.close()
        events = sorted(desk.rows(Event), key=lambda one: one.position)
        assert [one.position for one in events] == list(range(1, len(events) + 1))
        assert len(hooks.rows(desk)) == len(events) == len(post.got)
        by_case: dict[Any, list[int]] = {}
        for one in events:
            by_case.setdefault(one.case_id, []).append(one.sequence)
        assert all(row == list(range(1, len(row) + 1)) for row in by_case.values())
        assert len(by_case) == 12

    def test_requests_for_one_address_at_once_make_one_endpoint(
        self, desk: Desk, post: FakePost, at_once: AtOnce
    ) -> None:
        results = at_once(6, lambda _: hooks.register(desk))
        assert sum(isinstance(one, dict) for one in results) == 1
        refused = [one for one in results if not isinstance(one, dict)]
        assert all(isinstance(one, UndropError) for one in refused), refused
        assert len(desk.rows(WebhookEndpoint)) == 1

    def test_rotations_at_once_leave_one_newest_secret(
        self, desk: Desk, post: FakePost, at_once: AtOnce
    ) -> None:
        made = hooks.register(desk)
        results = at_once(3, lambda _: endpoints.rotate(desk.runtime, desk.shop, made["id"], 60))
        assert all(isinstance(one, dict) for one in results), results
        (shown,) = endpoints.listed(desk.runtime, desk.shop)
        assert [one["expires_at"] is None for one in shown["secrets"]] == [True, *[False] * 3]

    def test_replays_and_switches_while_workers_send_leave_nothing_undone(
        self, desk: Desk, post: FakePost, at_once: AtOnce
    ) -> None:
        made = hooks.register(desk)
        told = cases(desk, 6)
        post.answer = lambda message: (
            hooks.Failure("it answered 500", 500) if len(post.got) % 3 == 0 else hooks.Taken(200)
        )
        fleet = workers(desk, post, 2)

        def replay(_: int) -> None:
            deliveries.replay(desk.runtime, desk.shop, made["id"], SINCE)

        def switch(_: int) -> None:
            change = EndpointChangeIn(enabled=True, description="still ours")
            endpoints.change(desk.runtime, desk.shop, made["id"], change)

        def work(number: int) -> None:
            fleet[number].run()
            fleet[number].settle()

        def go(number: int) -> None:
            action, times = [(replay, 4), (switch, 4), (work, 20), (work, 20)][number]
            for _ in range(times):
                action(number - 2)

        assert at_once(4, go) == [None] * 4
        post.answer = lambda _: hooks.Taken(200)
        for _ in range(10):
            desk.clock.move(minutes=30)
            hooks.send(desk)
        for worker in fleet:
            worker.close()
        rows = hooks.rows(desk)
        assert Counter(row.state for row in rows) == {DeliveryState.DELIVERED: sum(told.values())}
        arrived = set(post.names())
        assert arrived == {(rma, n) for rma, count in told.items() for n in range(1, count + 1)}


class TestRealEndpoint:
    """An HTTP server on this machine, which only the setting for local use admits."""

    @pytest.fixture
    def local(self, url: str, tmp_path: Any) -> Iterator[Desk]:
        built = desks.build(url, tmp_path, webhook_private_targets=True)
        # Receivers compare the time stamp with their own clock.
        built.clock.now = datetime.now(UTC).replace(microsecond=0)
        yield built
        built.runtime.close()

    @pytest.fixture
    def real(self) -> Iterator[Receiver]:
        with hooks.receiver() as found:
            yield found

    def names(self, real: Receiver) -> list[tuple[str, int]]:
        return [one.name for one in real.got]

    def test_gets_every_event_signed_and_in_order(self, local: Desk, real: Receiver) -> None:
        secret = hooks.register(local, real.url, payload="fat")["secret"]
        told = cases(local, 3)
        hooks.send(local)
        for message in real.got:
            said = Webhook(secret).verify(message.body, message.headers)
            assert said["data"]["case"]["rma"] == said["data"]["rma"]
        for rma, count in told.items():
            assert hooks.sequences(self.names(real), rma) == list(range(1, count + 1))
        assert len({one.headers["webhook-id"] for one in real.got}) == len(real.got)
        assert real.got[0].headers["host"] == real.url.split("/")[2]

    def test_that_was_down_for_a_while_misses_nothing(self, local: Desk, real: Receiver) -> None:
        hooks.register(local, "http://127.0.0.1:9/hook")
        told = cases(local, 2)
        for _ in range(3):
            hooks.send(local)
            local.clock.move(minutes=10)
        assert real.got == []
        (row,) = local.rows(WebhookEndpoint)
        assert row.failures >= 3
        assert "ConnectError" in str(hooks.rows(local)[0].last_error)
        change = EndpointChangeIn(url=real.url)
        endpoints.change(local.runtime, local.shop, str(row.id), change)
        # Nobody waits for the end of a rest that another address earned.
        assert local.rows(WebhookEndpoint)[0].rests_until is None
        local.clock.move(minutes=10)
        hooks.send(local)
        for rma, count in told.items():
            assert hooks.sequences(self.names(real), rma) == list(range(1, count + 1))

    @pytest.mark.parametrize(
        ("status", "more", "said"),
        [
            (500, {}, "it answered 500"),
            (429, {"Retry-After": "60"}, "it answered 429"),
            (302, {"Location": "http://169.254.169.254/"}, "redirects are not followed"),
            (307, {"Location": "/elsewhere"}, "redirects are not followed"),
        ],
    )
    def test_that_answers_anything_but_2xx_is_tried_again(
        self, local: Desk, real: Receiver, status: int, more: dict[str, str], said: str
    ) -> None:
        hooks.register(local, real.url)
        ((rma, count),) = cases(local, 1).items()
        real.answers = lambda _: (status, more)
        hooks.send(local)
        assert [one.url for one in real.got] == ["/hook"]
        first = min(hooks.rows(local), key=lambda row: row.sequence)
        assert (first.state, first.last_status) == (DeliveryState.PENDING, status)
        assert said in first.last_error
        real.answers = lambda _: (204, {})
        local.clock.move(seconds=61)
        hooks.send(local)
        assert hooks.sequences(self.names(real), rma) == [1, *range(1, count + 1)]

    def test_that_is_gone_gets_nothing_more(self, local: Desk, real: Receiver) -> None:
        hooks.register(local, real.url)
        cases(local, 2)
        real.answers = lambda _: (410, {})
        hooks.send(local)
        got = len(real.got)
        assert 1 <= got <= 2
        (row,) = local.rows(WebhookEndpoint)
        assert (row.enabled, row.disabled_reason) == (False, "it answered 410 Gone")
        local.clock.move(days=1)
        cases(local, 1)
        hooks.send(local)
        assert len(real.got) == got
        assert not local.rows(WebhookDelivery, WebhookDelivery.state == DeliveryState.PENDING)

    def test_that_does_not_answer_in_time_has_failed(
        self, local: Desk, real: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postman, "TOTAL_S", 0.5)
        free = hooks.threading.Event()

        def wait(_: hooks.Got) -> tuple[int, dict[str, str]]:
            free.wait(20)
            return 200, {}

        real.answers = wait
        hooks.register(local, real.url)
        cases(local, 1)
        hooks.send(local)
        free.set()
        first = min(hooks.rows(local), key=lambda row: row.sequence)
        assert (first.state, first.last_error) == (
            DeliveryState.PENDING, "it did not answer in time",
        )  # fmt: skip

    def test_on_this_machine_is_refused_without_the_setting(
        self, desk: Desk, real: Receiver
    ) -> None:
        with pytest.raises(UndropError, match="https"):
            hooks.register(desk, real.url)
        with pytest.raises(UndropError, match="public addresses"):
            hooks.register(desk, real.url.replace("http:", "https:"))
        assert desk.rows(WebhookEndpoint) == []

    def test_that_was_stored_before_is_not_reached_without_the_setting(
        self, local: Desk, real: Receiver
    ) -> None:
        hooks.register(local, real.url)
        cases(local, 1)
        runtime = local.runtime
        runtime.targets = hooks.Targets()
        hooks.send(local)
        assert real.got == []
        assert "https" in str(hooks.rows(local)[0].last_error)
