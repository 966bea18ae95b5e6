"""What a webhook says, and that its receiver can tell who said it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import hooks
import pytest
from desk import Desk
from hooks import FakePost
from standardwebhooks import Webhook, WebhookVerificationError

from returns import reads
from returns.tables import Event, WebhookSecret
from settlement.commands import endpoints
from settlement.webhooks_out.messages import Message, headers
from settlement.webhooks_out.sealing import Sealer

#: Standard Webhooks, libraries/javascript/src/webhook.test.ts, "sign function works".
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
AT = datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.fixture
def post(desk: Desk) -> Iterator[FakePost]:
    # Receivers compare the time stamp with their own clock.
    desk.clock.now = datetime.now(UTC).replace(microsecond=0)
    found = hooks.with_post(desk)
    yield found
    desk.runtime.dispatcher.close()


def signed_by(secret: str, message: hooks.Got) -> bool:
    try:
        Webhook(secret).verify(message.body, message.headers)
    except WebhookVerificationError:
        return False
    return True


def test_signs_as_the_published_vector() -> None:
    message = Message("", "msg_p5jXN8AQM9LWM0D4loKWxJek", BODY, [SECRET], was_failing=False)
    told = headers(message, AT)
    assert told["webhook-timestamp"] == str(1614265330)
    assert told["webhook-signature"] == SIGNATURE
    assert told["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert told["content-type"] == "application/json"


def test_two_secrets_make_two_signatures_with_a_space_between() -> None:
    other = "whsec_bG9jYWwtb25seS1sb2NhbC1vbmx5LWxvY2FsLW9ubHk="
    message = Message("", "msg_p5jXN8AQM9LWM0D4loKWxJek", BODY, [other, SECRET], was_failing=False)
    first, second = headers(message, AT)["webhook-signature"].split(" ")
    assert second == SIGNATURE
    assert first.startswith("v1,")
    assert first != second


def test_a_thin_message_carries_names_alone(desk: Desk, post: FakePost) -> None:
    secret = hooks.register(desk)["secret"]
    rma = desk.ask(desk.buy())["rma"]
    hooks.send(desk)
    first = post.got[0]
    event = min(desk.rows(Event), key=lambda one: one.sequence)
    assert first.said == {
        "type": "return.line.requested",
        "timestamp": desk.clock().isoformat(),
        "data": {
            "rma": rma, "line": str(event.line_id), "sequence": 1, "state": "requested",
        },
    }  # fmt: skip
    assert first.headers["webhook-id"] == f"evt_{event.id.hex}"
    assert signed_by(secret, first)
    assert post.names() == [(rma, n) for n in range(1, len(post.got) + 1)]


def test_a_fat_message_carries_the_case_as_it_can_be_read(desk: Desk, post: FakePost) -> None:
    hooks.register(desk, payload="fat")
    rma = desk.ask(desk.buy())["rma"]
    hooks.send(desk)
    with desk.runtime.database.read() as session:
        shown = reads.case_view(session, reads.find_case(session, desk.merchant.id, rma))
    data = post.got[0].said["data"]
    assert data["case"] == shown
    assert data["details"]["reason"] == "wrong_token"
    assert set(data) == {"rma", "line", "sequence", "state", "details", "case"}


def test_the_id_is_the_same_at_every_try_and_the_signature_is_new(
    desk: Desk, post: FakePost
) -> None:
    secret = hooks.register(desk)["secret"]
    post.answer = lambda _: hooks.Failure("it answered 500", 500)
    desk.ask(desk.buy())
    hooks.send(desk)
    desk.clock.move(seconds=10)
    hooks.send(desk)
    first, second = post.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert signed_by(secret, first)
    assert signed_by(secret, second)


def test_a_changed_body_is_not_signed(desk: Desk, post: FakePost) -> None:
    secret = hooks.register(desk)["secret"]
    desk.ask(desk.buy())
    hooks.send(desk)
    first = post.got[0]
    assert signed_by(secret, first)
    assert not signed_by(secret, hooks.Got(first.url, first.headers, first.body + b" "))


class TestRotation:
    def both(self, desk: Desk, grace: int) -> tuple[str, str]:
        old = hooks.register(desk)
        new = endpoints.rotate(desk.runtime, desk.shop, old["id"], grace)
        assert new["secret"] != old["secret"]
        return old["secret"], new["secret"]

    def last(self, desk: Desk, post: FakePost) -> hooks.Got:
        desk.ask(desk.buy())
        hooks.send(desk)
        return post.got[-1]

    def test_the_old_secret_signs_beside_the_new_one_until_it_expires(
        self, desk: Desk, post: FakePost
    ) -> None:
        old, new = self.both(desk, 60)
        message = self.last(desk, post)
        assert (signed_by(old, message), signed_by(new, message)) == (True, True)
        assert len(message.headers["webhook-signature"].split(" ")) == 2
        desk.clock.move(seconds=60)
        message = self.last(desk, post)
        assert (signed_by(old, message), signed_by(new, message)) == (False, True)

    def test_without_grace_the_old_secret_ends_at_once_and_is_forgotten(
        self, desk: Desk, post: FakePost
    ) -> None:
        old, new = self.both(desk, 0)
        message = self.last(desk, post)
        assert (signed_by(old, message), signed_by(new, message)) == (False, True)
        assert len(desk.rows(WebhookSecret)) == 1

    def test_an_older_secret_keeps_the_end_that_it_has(self, desk: Desk, post: FakePost) -> None:
        first, second = self.both(desk, 60)
        third = endpoints.rotate(desk.runtime, desk.shop, endpoints.listed(
            desk.runtime, desk.shop)[0]["id"], 3600)["secret"]  # fmt: skip
        desk.clock.now += timedelta(seconds=60)
        message = self.last(desk, post)
        assert [signed_by(one, message) for one in (first, second, third)] == [False, True, True]


def test_nothing_is_sent_that_cannot_be_signed(desk: Desk, post: FakePost) -> None:
    """Another UNDROP_SECRET_KEY than the secrets were sealed with."""
    hooks.register(desk)
    desk.runtime.dispatcher.close()
    runtime = desk.runtime
    runtime.dispatcher = hooks.Dispatcher(runtime.database, runtime.clock, post, Sealer("other"))
    desk.ask(desk.buy())
    hooks.send(desk)
    assert post.got == []
    row = hooks.rows(desk)[0]
    assert (row.state.value, row.attempts) == ("pending", 1)
    assert "cannot be read with the present key" in (row.last_error or "")
