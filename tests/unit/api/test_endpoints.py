"""Webhook endpoints over HTTP: registered, changed, rotated, tried, replayed; refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import hooks
import pytest
from desk import Desk
from doors import Door, is_problem
from hooks import URL, FakePost

from returns.event_kinds import all_kinds
from returns.tables import AuditRow, WebhookDelivery, WebhookEndpoint, WebhookSecret
from settlement.commands import deliveries, endpoints
from settlement.commands.access import SCOPES, create_key
from settlement.webhooks_out.targets import Targets

SINCE = {"from": {"since": "2026-03-01T00:00:00Z"}}


@pytest.fixture
def post(door: Door) -> Iterator[FakePost]:
    yield hooks.with_post(door.desk)
    door.desk.runtime.dispatcher.close()


def register(door: Door, url: str = URL, **changes: Any) -> dict[str, Any]:
    answer = door.send("POST", "/v1/webhook-endpoints", json={"url": url, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


def happen(door: Door, answer: hooks.Answer | None = None) -> str:
    """A case whose events have been sent, or refused with this answer."""
    rma = door.desk.ask(door.desk.buy())["rma"]
    if answer is not None:
        door.desk.runtime.dispatcher._postman.answer = lambda _: answer
    hooks.send(door.desk)
    return rma


def listed(door: Door, **query: Any) -> list[dict[str, Any]]:
    return door.send("GET", "/v1/webhook-deliveries", params=query).json()["deliveries"]


class TestRegistering:
    def test_shows_the_secret_once(self, door: Door, post: FakePost) -> None:
        made = register(door, description="ours", kinds=["return.line.settled"], payload="fat")
        secret = made.pop("secret")
        assert secret.startswith("whsec_")
        assert made["url"] == URL
        assert (made["kinds"], made["payload"]) == (["return.line.settled"], "fat")
        assert (made["enabled"], made["disabled_reason"], made["flagged_at"]) == (True, None, None)
        (shown,) = door.send("GET", "/v1/webhook-endpoints").json()["endpoints"]
        assert shown == made
        (row,) = door.desk.rows(WebhookSecret)
        assert secret not in row.sealed
        (audit,) = door.desk.rows(AuditRow, AuditRow.action == "webhook.create")
        assert (audit.actor, audit.subject_id) == ("key:shop", row.endpoint_id)
        assert secret not in audit.reason

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"url": "http://hooks.example.com/"}, "webhook_target_refused"),
            ({"url": "https://hooks.example.com:22/"}, "webhook_target_refused"),
            ({"url": ""}, "field_invalid"),
            ({"url": "https://x/" + "a" * 1000}, "field_invalid"),
            ({"url": None}, "field_invalid"),
            ({"kinds": ["return.line.paid"]}, "event_kind_unknown"),
            ({"kinds": ["ping"]}, "event_kind_unknown"),
            ({"kinds": ["return.line.settled"] * 65}, "field_invalid"),
            ({"payload": "huge"}, "field_invalid"),
            ({"description": "x" * 201}, "field_invalid"),
            ({"description": "a\0b"}, "field_invalid"),
            ({"secret": "whsec_mine"}, "field_invalid"),
        ],
    )
    def test_refuses_what_cannot_be_used(
        self, door: Door, post: FakePost, change: dict[str, Any], code: str
    ) -> None:
        before = door.desk.count_all()
        body = {"url": URL, **change}
        is_problem(door.send("POST", "/v1/webhook-endpoints", json=body), 422, code)
        assert door.desk.count_all() == before

    def test_refuses_a_name_that_leads_inside(self, door: Door, post: FakePost) -> None:
        door.desk.runtime.targets = Targets(resolver=lambda host, port: ["169.254.169.254"])
        before = door.desk.count_all()
        answer = door.send("POST", "/v1/webhook-endpoints", json={"url": URL})
        is_problem(answer, 422, "webhook_target_refused")
        assert "169.254" not in answer.text
        assert door.desk.count_all() == before

    def test_refuses_the_same_address_twice(self, door: Door, post: FakePost) -> None:
        made = register(door)
        before = door.desk.count_all()
        answer = door.send("POST", "/v1/webhook-endpoints", json={"url": URL})
        is_problem(answer, 409, "webhook_endpoint_exists")
        assert made["id"] in answer.json()["detail"]
        assert door.desk.count_all() == before

    def test_refuses_more_than_the_most(self, door: Door, post: FakePost) -> None:
        for number in range(endpoints.MAX_ENDPOINTS):
            register(door, f"{URL}/{number}")
        before = door.desk.count_all()
        answer = door.send("POST", "/v1/webhook-endpoints", json={"url": URL})
        is_problem(answer, 409, "webhook_endpoints_full")
        assert door.desk.count_all() == before


class TestChanging:
    def change(self, door: Door, made: dict[str, Any], **body: Any) -> Any:
        return door.send("PATCH", f"/v1/webhook-endpoints/{made['id']}", json=body)

    def test_changes_what_is_named_and_nothing_else(self, door: Door, post: FakePost) -> None:
        made = register(door, URL + "?token=hidden", description="ours")
        changed = self.change(door, made, kinds=["return.line.denied"], url=URL + "/new").json()
        expected = {**made, "kinds": ["return.line.denied"], "url": URL + "/new"}
        del expected["secret"]
        assert changed == expected
        noted = [
            row.reason for row in door.desk.rows(AuditRow, AuditRow.subject_id == UUID(made["id"]))
        ]
        assert noted[0] == "hooks.example.com"
        assert json.loads(noted[1]) == {
            "kinds": ["return.line.denied"], "url": "hooks.example.com",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "field_invalid"),
            ({"enabled": "yes"}, "field_invalid"),
            ({"enabled": 1}, "field_invalid"),
            ({"url": "http://x.example/"}, "webhook_target_refused"),
            ({"kinds": ["nothing"]}, "event_kind_unknown"),
            ({"merchant_id": "x"}, "field_invalid"),
        ],
    )
    def test_refuses_what_cannot_be_used(
        self, door: Door, post: FakePost, body: dict[str, Any], code: str
    ) -> None:
        made = register(door)
        before = door.desk.count_all(), door.desk.rows(WebhookEndpoint)
        is_problem(self.change(door, made, **body), 422, code)
        assert (door.desk.count_all(), door.desk.rows(WebhookEndpoint)) == before

    def test_refuses_the_address_of_another_endpoint(self, door: Door, post: FakePost) -> None:
        register(door, URL + "/other")
        made = register(door)
        before = door.desk.rows(WebhookEndpoint)
        answer = self.change(door, made, url=URL + "/other")
        is_problem(answer, 409, "webhook_endpoint_exists")
        assert door.desk.rows(WebhookEndpoint) == before

    def test_switched_off_it_gets_nothing_and_on_again_what_follows(
        self, door: Door, post: FakePost
    ) -> None:
        made = register(door)
        off = self.change(door, made, enabled=False).json()
        assert (off["enabled"], off["disabled_reason"]) == (False, "it was switched off")
        missed = happen(door)
        assert post.got == []
        on = self.change(door, made, enabled=True).json()
        assert (on["enabled"], on["disabled_reason"]) == (True, None)
        rma = happen(door)
        assert {name for name, _ in post.names()} == {rma}
        door.send("POST", f"/v1/webhook-endpoints/{made['id']}/replay", json=SINCE)
        hooks.send(door.desk)
        told = len(door.desk.states(missed))
        assert hooks.sequences(post.names(), missed) == list(range(1, told + 1))


class TestDeleting:
    def test_ends_everything_and_forgets_the_secrets(self, door: Door, post: FakePost) -> None:
        made = register(door)
        happen(door, hooks.Failure("down"))
        answer = door.send("DELETE", f"/v1/webhook-endpoints/{made['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert door.send("GET", "/v1/webhook-endpoints").json() == {"endpoints": []}
        assert door.desk.rows(WebhookSecret) == []
        assert {row.state.value for row in hooks.rows(door.desk)} == {"skipped"}
        sent = len(post.got)
        door.desk.clock.move(days=1)
        happen(door)
        assert len(post.got) == sent
        again = door.send("DELETE", f"/v1/webhook-endpoints/{made['id']}")
        is_problem(again, 404, "not_found")

    def test_its_address_can_be_registered_again(self, door: Door, post: FakePost) -> None:
        made = register(door)
        door.send("DELETE", f"/v1/webhook-endpoints/{made['id']}")
        assert register(door)["id"] != made["id"]


class TestRotating:
    def rotate(self, door: Door, made: dict[str, Any], body: Any) -> Any:
        return door.send("POST", f"/v1/webhook-endpoints/{made['id']}/secret", json=body)

    def test_says_until_when_each_secret_signs(self, door: Door, post: FakePost) -> None:
        made = register(door)
        answer = self.rotate(door, made, {"grace_seconds": 3600})
        assert answer.status_code == 201
        assert answer.json()["secret"] != made["secret"]
        newest, old = answer.json()["secrets"]
        assert newest["expires_at"] is None
        assert old["expires_at"] == "2026-03-02T13:00:00+00:00"

    @pytest.mark.parametrize("grace", [-1, 7 * 86_400 + 1, "60", 1.5, None])
    def test_refuses_a_grace_that_is_none(self, door: Door, post: FakePost, grace: Any) -> None:
        made = register(door)
        before = door.desk.count_all()
        is_problem(self.rotate(door, made, {"grace_seconds": grace}), 422, "field_invalid")
        assert door.desk.count_all() == before

    def test_refuses_more_secrets_than_a_header_should_have(
        self, door: Door, post: FakePost
    ) -> None:
        made = register(door)
        for _ in range(endpoints.MAX_SECRETS - 1):
            assert self.rotate(door, made, {}).status_code == 201
        before = door.desk.rows(WebhookSecret)
        is_problem(self.rotate(door, made, {}), 409, "webhook_secrets_full")
        assert door.desk.rows(WebhookSecret) == before
        assert self.rotate(door, made, {"grace_seconds": 0}).status_code == 201
        assert len(door.desk.rows(WebhookSecret)) == 1


class TestPing:
    def test_is_sent_and_found_in_the_list(self, door: Door, post: FakePost) -> None:
        made = register(door)
        answer = door.send("POST", f"/v1/webhook-endpoints/{made['id']}/test")
        assert answer.status_code == 202
        assert door.desk.woken[-1] == ("undrop.webhooks", answer.json()["id"])
        hooks.send(door.desk)
        (row,) = listed(door)
        assert (row["id"], row["kind"], row["state"]) == (answer.json()["id"], "ping", "delivered")
        assert (row["event"], row["rma"], row["last_status"]) == (None, None, 200)

    def test_wakes_an_endpoint_that_rests(self, door: Door, post: FakePost) -> None:
        made = register(door)
        happen(door, hooks.Failure("busy", 503, 3600))
        door.send("POST", f"/v1/webhook-endpoints/{made['id']}/test")
        hooks.send(door.desk)
        assert post.got[-1].said["type"] == "ping"

    def test_is_refused_for_an_endpoint_that_is_off(self, door: Door, post: FakePost) -> None:
        made = register(door)
        door.send("PATCH", f"/v1/webhook-endpoints/{made['id']}", json={"enabled": False})
        before = door.desk.count_all()
        answer = door.send("POST", f"/v1/webhook-endpoints/{made['id']}/test")
        is_problem(answer, 409, "webhook_endpoint_disabled")
        assert "it was switched off" in answer.json()["detail"]
        assert door.desk.count_all() == before


class TestDeliveries:
    def test_are_paged_the_newest_first(self, door: Door, post: FakePost) -> None:
        register(door)
        for _ in range(3):
            happen(door)
        everything = [one["id"] for one in listed(door)]
        assert everything == sorted(everything, reverse=True)
        found, cursor = [], None
        while True:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = door.send("GET", "/v1/webhook-deliveries", params=query).json()
            found += [one["id"] for one in page["deliveries"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert found == everything

    def test_are_found_by_endpoint_and_state(self, door: Door, post: FakePost) -> None:
        one, other = register(door), register(door, URL + "/other", kinds=["return.line.settled"])
        happen(door)
        assert {row["endpoint"] for row in listed(door, endpoint=one["id"])} == {one["id"]}
        assert listed(door, endpoint=other["id"]) == []
        assert listed(door, state="dead") == []
        assert len(listed(door, state="delivered")) == len(listed(door))

    @pytest.mark.parametrize(
        "query", [{"state": "lost"}, {"limit": 0}, {"limit": 201}, {"cursor": "x"},
                  {"endpoint": "x" * 37}]
    )  # fmt: skip
    def test_refuse_a_question_that_is_none(self, door: Door, query: dict[str, Any]) -> None:
        answer = door.send("GET", "/v1/webhook-deliveries", params=query)
        is_problem(answer, 422, "field_invalid")

    def test_a_dead_one_is_sent_again(self, door: Door, post: FakePost) -> None:
        made = register(door)
        happen(door, hooks.Failure("it answered 500", 500))
        for _ in range(16):
            door.desk.clock.move(hours=7)
            hooks.send(door.desk)
        dead = listed(door, state="dead")
        assert dead == listed(door)
        (shown,) = door.send("GET", "/v1/webhook-endpoints").json()["endpoints"]
        assert shown["flagged_at"] is not None
        post.answer = lambda _: hooks.Taken(200)
        answer = door.send("POST", f"/v1/webhook-deliveries/{dead[0]['id']}/resend")
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["attempts"]) == ("pending", 0)
        hooks.send(door.desk)
        assert [row["id"] for row in listed(door, state="delivered")] == [dead[0]["id"]]
        assert made["id"] == dead[0]["endpoint"]

    def test_a_delivered_one_is_sent_again_under_the_same_id(
        self, door: Door, post: FakePost
    ) -> None:
        register(door)
        happen(door)
        newest = listed(door)[0]
        door.send("POST", f"/v1/webhook-deliveries/{newest['id']}/resend")
        hooks.send(door.desk)
        first, again = [one for one in post.got if one.name == (newest["rma"], newest["sequence"])]
        assert first.headers["webhook-id"] == again.headers["webhook-id"]
        assert first.body == again.body

    def test_one_that_is_on_its_way_is_not_sent_again(self, door: Door, post: FakePost) -> None:
        register(door)
        door.desk.ask(door.desk.buy())
        dispatcher = door.desk.runtime.dispatcher
        dispatcher._place()
        (row,) = dispatcher._claim(1)
        before = door.desk.rows(WebhookDelivery), door.desk.rows(AuditRow)
        answer = door.send("POST", f"/v1/webhook-deliveries/{row.id}/resend")
        is_problem(answer, 409, "webhook_delivery_pending")
        assert (door.desk.rows(WebhookDelivery), door.desk.rows(AuditRow)) == before


class TestReplay:
    def replay(self, door: Door, made: dict[str, Any], body: Any = SINCE) -> Any:
        return door.send("POST", f"/v1/webhook-endpoints/{made['id']}/replay", json=body)

    def test_from_a_sequence_number_sends_that_event_and_those_behind_it(
        self, door: Door, post: FakePost
    ) -> None:
        made = register(door)
        rma, other = happen(door), happen(door)
        told = len(door.desk.states(rma))
        post.got.clear()
        answer = self.replay(door, made, {"from": {"rma": rma, "sequence": 2}})
        assert answer.status_code == 202
        assert answer.json() == {"endpoint": made["id"], "events": told - 1}
        hooks.send(door.desk)
        assert hooks.sequences(post.names(), rma) == list(range(2, told + 1))
        assert hooks.sequences(post.names(), other) == []

    def test_since_a_moment_sends_everything_from_then_on(self, door: Door, post: FakePost) -> None:
        made = register(door)
        happen(door)
        door.desk.clock.move(hours=1)
        moment = door.desk.clock().isoformat()
        later = happen(door)
        post.got.clear()
        told = len(door.desk.states(later))
        assert self.replay(door, made, {"from": {"since": moment}}).json()["events"] == told
        hooks.send(door.desk)
        assert post.names() == [(later, number) for number in range(1, told + 1)]

    def test_brings_what_happened_before_the_endpoint_was_there(
        self, door: Door, post: FakePost
    ) -> None:
        rma = happen(door)
        made = register(door, kinds=["return.line.requested"])
        assert self.replay(door, made).json()["events"] == 1
        hooks.send(door.desk)
        assert post.names() == [(rma, 1)]

    def test_twice_at_once_sends_once_more(self, door: Door, post: FakePost) -> None:
        made = register(door)
        rma = happen(door)
        post.got.clear()
        for _ in range(2):
            assert self.replay(door, made).status_code == 202
        hooks.send(door.desk)
        told = len(door.desk.states(rma))
        assert hooks.sequences(post.names(), rma) == list(range(1, told + 1))

    def test_refuses_more_than_the_most(
        self, door: Door, post: FakePost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = register(door)
        happen(door)
        monkeypatch.setattr(deliveries, "MAX_REPLAY", 1)
        before = door.desk.rows(WebhookDelivery), door.desk.count_all()
        is_problem(self.replay(door, made), 422, "replay_too_large")
        assert (door.desk.rows(WebhookDelivery), door.desk.count_all()) == before

    @pytest.mark.parametrize(
        "start",
        [
            {}, {"rma": "RMA-0000-0000-0"}, {"sequence": 1}, {"since": "yesterday"},
            {"since": "2026-03-01T00:00:00"}, {"rma": "x", "sequence": 0},
            {"rma": "x", "sequence": "1"}, {"rma": "x", "sequence": 2**31},
            {"rma": "x", "sequence": 1, "since": "2026-03-01T00:00:00Z"},
        ],
    )  # fmt: skip
    def test_refuses_a_start_that_is_none(
        self, door: Door, post: FakePost, start: dict[str, Any]
    ) -> None:
        made = register(door)
        before = door.desk.count_all()
        is_problem(self.replay(door, made, {"from": start}), 422, "field_invalid")
        assert door.desk.count_all() == before

    def test_of_an_unknown_case_is_refused(self, door: Door, post: FakePost) -> None:
        made = register(door)
        before = door.desk.count_all()
        start = {"rma": "RMA-0000-0000-0", "sequence": 1}
        is_problem(self.replay(door, made, {"from": start}), 404, "not_found")
        assert door.desk.count_all() == before

    def test_to_an_endpoint_that_is_off_is_refused(self, door: Door, post: FakePost) -> None:
        made = register(door)
        happen(door)
        door.send("PATCH", f"/v1/webhook-endpoints/{made['id']}", json={"enabled": False})
        before = door.desk.rows(WebhookDelivery), door.desk.count_all()
        is_problem(self.replay(door, made), 409, "webhook_endpoint_disabled")
        assert (door.desk.rows(WebhookDelivery), door.desk.count_all()) == before


def test_somebody_elses_endpoint_looks_like_none(door: Door, post: FakePost) -> None:
    made, rma = register(door), happen(door)
    delivery = listed(door)[0]["id"]
    other = Desk(door.desk.runtime, "other")
    stranger = create_key(door.desk.runtime, other.merchant.id, "x", SCOPES, None)
    before = door.desk.count_all(), door.desk.rows(WebhookEndpoint), hooks.rows(door.desk)
    none = "00000000-0000-0000-0000-000000000001"
    for method, path, of, body in (
        ("PATCH", "/v1/webhook-endpoints/{}", made["id"], {"enabled": False}),
        ("DELETE", "/v1/webhook-endpoints/{}", made["id"], None),
        ("POST", "/v1/webhook-endpoints/{}/secret", made["id"], {}),
        ("POST", "/v1/webhook-endpoints/{}/test", made["id"], None),
        ("POST", "/v1/webhook-endpoints/{}/replay", made["id"], SINCE),
        ("POST", "/v1/webhook-deliveries/{}/resend", delivery, None),
        ("GET", "/v1/webhook-deliveries?endpoint={}", made["id"], None),
    ):
        real = door.send(method, path.format(of), stranger, json=body)
        unknown = door.send(method, path.format(none), stranger, json=body)
        nonsense = door.send(method, path.format("x"), stranger, json=body)
        is_problem(real, 404, "not_found")
        assert real.content == unknown.content == nonsense.content
    assert door.send("GET", "/v1/webhook-endpoints", stranger).json() == {"endpoints": []}
    assert door.send("GET", "/v1/webhook-deliveries", stranger).json()["deliveries"] == []
    own = door.send("POST", "/v1/webhook-endpoints", stranger, json={"url": URL}).json()
    start = {"from": {"rma": rma, "sequence": 1}}
    path = f"/v1/webhook-endpoints/{own['id']}/replay"
    is_problem(door.send("POST", path, stranger, json=start), 404, "not_found")
    after = door.desk.rows(WebhookEndpoint, WebhookEndpoint.merchant_id == door.desk.merchant.id)
    assert (after, hooks.rows(door.desk)) == before[1:]


def test_lists_every_kind_of_event(door: Door) -> None:
    kinds = door.send("GET", "/v1/event-kinds").json()["kinds"]
    assert kinds == list(all_kinds())
    assert "return.line.settled" in kinds
