"""Deliveries: claimed once, in order within a case, tried again for three days, then given up."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import hooks
import pytest
from desk import Desk
from fakes import START

from returns import deliveries, fan_out
from returns.deliveries import Failure
from returns.errors import LeaseLost
from returns.tables import WebhookDelivery, WebhookEndpoint
from returns.words import DeliveryState

LEASE = timedelta(seconds=60)
REFUSED = Failure("no")


@pytest.fixture
def endpoint(desk: Desk) -> UUID:
    hooks.with_post(desk)
    return UUID(hooks.register(desk)["id"])


def happen(desk: Desk, cases: int = 1) -> None:
    for _ in range(cases):
        desk.ask(desk.buy())
    with desk.runtime.database.write() as session:
        fan_out.fan_out(session, desk.clock())


def claim(
    desk: Desk, endpoint: UUID, in_flight: int = 4, limit: int = 100
) -> list[WebhookDelivery]:
    with desk.runtime.database.write() as session:
        return deliveries.claim(session, endpoint, desk.clock(), LEASE, in_flight, limit)


def take(desk: Desk, row: WebhookDelivery, *, was_failing: bool = False) -> None:
    with desk.runtime.database.write() as session:
        deliveries.delivered(session, row, 200, desk.clock(), was_failing=was_failing)


def fail(desk: Desk, row: WebhookDelivery, failure: Failure = REFUSED) -> None:
    with desk.runtime.database.write() as session:
        deliveries.failed(session, row, failure, desk.clock())


def looked_up(desk: Desk, row: WebhookDelivery) -> WebhookDelivery:
    (found,) = desk.rows(WebhookDelivery, WebhookDelivery.id == row.id)
    return found


def of(desk: Desk) -> WebhookEndpoint:
    (found,) = desk.rows(WebhookEndpoint)
    return found


def with_work(desk: Desk) -> list[UUID]:
    with desk.runtime.database.read() as session:
        return deliveries.endpoints_with_work(session, desk.clock())


def test_a_later_event_of_a_case_waits_for_the_earlier_one(desk: Desk, endpoint: UUID) -> None:
    happen(desk)
    numbers = []
    while claimed := claim(desk, endpoint):
        assert len(claimed) == 1
        assert claim(desk, endpoint) == []
        numbers.append(claimed[0].sequence)
        take(desk, claimed[0])
    assert numbers == list(range(1, len(hooks.rows(desk)) + 1))
    assert len(numbers) >= 2


def test_it_waits_too_while_the_earlier_one_is_to_be_tried_again(
    desk: Desk, endpoint: UUID
) -> None:
    happen(desk)
    (first,) = claim(desk, endpoint)
    fail(desk, first)
    assert claim(desk, endpoint) == []
    desk.clock.move(seconds=10)
    assert [row.id for row in claim(desk, endpoint)] == [first.id]


def test_cases_do_not_wait_for_each_other(desk: Desk, endpoint: UUID) -> None:
    happen(desk, cases=3)
    claimed = claim(desk, endpoint)
    assert [row.sequence for row in claimed] == [1, 1, 1]
    assert len({row.case_id for row in claimed}) == 3


def test_no_more_are_on_their_way_to_an_endpoint_than_it_should_have(
    desk: Desk, endpoint: UUID
) -> None:
    happen(desk, cases=5)
    assert len(claim(desk, endpoint, in_flight=2)) == 2
    assert claim(desk, endpoint, in_flight=2) == []
    assert len(claim(desk, endpoint, in_flight=4, limit=1)) == 1
    assert len(claim(desk, endpoint, in_flight=4)) == 1


def test_a_lease_that_ended_is_taken_over_and_its_old_owner_records_nothing(
    desk: Desk, endpoint: UUID
) -> None:
    happen(desk)
    (old,) = claim(desk, endpoint)
    desk.clock.move(seconds=59)
    assert claim(desk, endpoint) == []
    desk.clock.move(seconds=2)
    (new,) = claim(desk, endpoint)
    assert (new.id, new.fence, new.attempts) == (old.id, old.fence + 1, 2)
    before = of(desk), looked_up(desk, new)
    with pytest.raises(LeaseLost):
        take(desk, old)
    with pytest.raises(LeaseLost):
        fail(desk, old)
    assert (of(desk), looked_up(desk, new)) == before
    take(desk, new)
    assert looked_up(desk, new).state is DeliveryState.DELIVERED


def test_waits_are_doubled_and_have_an_end() -> None:
    waits = [deliveries.wait_after(n) for n in range(1, 40)]
    assert waits[:4] == [5, 10, 20, 40]
    assert waits == sorted(waits)
    assert waits[-1] == deliveries.LONGEST_WAIT
    for attempts, plain in enumerate(waits, 1):
        spread = {deliveries.wait_after(attempts, jitter) for jitter in range(0, 20_000, 7)}
        assert min(spread) >= plain
        assert max(spread) <= plain + plain // 4


def test_is_tried_again_for_three_days_and_then_given_up(desk: Desk, endpoint: UUID) -> None:
    happen(desk)
    tries = []
    while True:
        claimed = claim(desk, endpoint)
        if claimed and claimed[0].sequence != 1:
            break
        for row in claimed:
            tries.append(desk.clock() - START)
            fail(desk, row, Failure("it answered 500", 500))
        desk.clock.move(minutes=10)
    assert tries[0] == timedelta(0)
    assert timedelta(days=3) <= tries[-1] <= timedelta(days=3, minutes=10)
    assert 25 <= len(tries) <= 60
    first = min(hooks.rows(desk), key=lambda row: row.sequence)
    assert (first.state, first.last_status) == (DeliveryState.DEAD, 500)
    assert first.last_error == "it answered 500"
    assert of(desk).flagged_at == START + tries[-1]
    assert of(desk).enabled


def test_retry_after_is_honoured_up_to_a_limit(desk: Desk, endpoint: UUID) -> None:
    happen(desk)
    for asked, waited in ((900, 900), (10**9, deliveries.LONGEST_ASKED)):
        (row,) = claim(desk, endpoint)
        fail(desk, row, Failure("busy", 503, asked))
        now = desk.clock()
        assert looked_up(desk, row).due_at == now + timedelta(seconds=waited)
        assert of(desk).rests_until == now + timedelta(seconds=waited)
        desk.clock.move(seconds=waited - 1)
        assert with_work(desk) == []
        desk.clock.move(seconds=1)
        assert with_work(desk) == [endpoint]


def test_retry_after_of_nothing_is_not_shorter_than_our_own_wait(
    desk: Desk, endpoint: UUID
) -> None:
    happen(desk)
    (row,) = claim(desk, endpoint)
    fail(desk, row, Failure("busy", 503, 0))
    assert looked_up(desk, row).due_at >= desk.clock() + timedelta(seconds=5)


def test_an_endpoint_that_fails_again_and_again_rests_as_a_whole(
    desk: Desk, endpoint: UUID
) -> None:
    happen(desk, cases=6)
    rests = []
    for row in claim(desk, endpoint, in_flight=6):
        fail(desk, row)
        rests.append(int((of(desk).rests_until - desk.clock()).total_seconds()))
    assert rests == [0, 0, 2, 4, 8, 16]
    assert deliveries.rest_after(1000) == deliveries.LONGEST_REST
    desk.clock.move(seconds=15)
    assert with_work(desk) == []
    desk.clock.move(seconds=1)
    assert with_work(desk) == [endpoint]


def test_a_rest_that_was_asked_for_is_not_cut_short_by_another_failure(
    desk: Desk, endpoint: UUID
) -> None:
    happen(desk, cases=2)
    one, other = claim(desk, endpoint)
    fail(desk, one, Failure("busy", 503, 3600))
    fail(desk, other)
    assert of(desk).rests_until == desk.clock() + timedelta(hours=1)


def test_what_is_taken_ends_the_rest(desk: Desk, endpoint: UUID) -> None:
    happen(desk, cases=4)
    one, *others = claim(desk, endpoint)
    for row in others:
        fail(desk, row)
    assert of(desk).failures == 3
    take(desk, one, was_failing=True)
    assert (of(desk).failures, of(desk).rests_until) == (0, None)


def test_410_switches_the_endpoint_off_and_skips_the_rest(desk: Desk, endpoint: UUID) -> None:
    happen(desk, cases=2)
    one, other = claim(desk, endpoint)
    fail(desk, one, Failure("it answered 410", 410))
    assert (of(desk).enabled, of(desk).disabled_reason) == (False, "it answered 410 Gone")
    assert looked_up(desk, one).state is DeliveryState.DEAD
    pending = [row for row in hooks.rows(desk) if row.id != one.id]
    assert {row.state for row in pending} == {DeliveryState.SKIPPED}
    assert with_work(desk) == []
    # Was on its way: what the endpoint took, it took; what it refused is not tried again.
    with pytest.raises(LeaseLost):
        fail(desk, other)
    take(desk, other)
    assert looked_up(desk, other).state is DeliveryState.DELIVERED


def test_nothing_is_made_for_an_endpoint_that_is_off(desk: Desk, endpoint: UUID) -> None:
    happen(desk)
    (row,) = claim(desk, endpoint)
    fail(desk, row, Failure("gone", 410))
    before = len(hooks.rows(desk))
    happen(desk)
    assert len(hooks.rows(desk)) == before


def test_an_error_of_any_length_can_be_noted(desk: Desk, endpoint: UUID) -> None:
    happen(desk)
    (row,) = claim(desk, endpoint)
    fail(desk, row, Failure("x" * 5000))
    assert looked_up(desk, row).last_error == "x" * 300
