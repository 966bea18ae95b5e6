"""Policies over HTTP: the same life, with the names of keys."""

from __future__ import annotations

from typing import Any

import pytest
from desk import POLICY, Desk
from doors import Door, is_problem

from settlement.commands.access import SCOPES, create_key

SHORTER = POLICY.replace("window_days: 30", "window_days: 14")


@pytest.fixture
def colleague(door: Door) -> str:
    return door.make_key(label="colleague")


def draft(door: Door, text: str = SHORTER) -> Any:
    return door.send("POST", "/v1/policies", json={"text": text})


def activate(door: Door, key: str, version: int = 2, **body: str) -> Any:
    door.desk.clock.move(seconds=1)
    return door.send("POST", f"/v1/policies/{version}/activate", key, json=body)


def roll_back(door: Door, version: int) -> Any:
    door.desk.clock.move(seconds=1)
    body = {"version": version, "reason": "too short"}
    return door.send("POST", "/v1/policies/rollback", json=body)


def in_force(door: Door) -> int:
    listed = door.send("GET", "/v1/policies").json()["policies"]
    [version] = [one["version"] for one in listed if one["in_force"]]
    return int(version)


def test_a_policy_lives_over_http(door: Door, colleague: str) -> None:
    drafted = draft(door)
    assert drafted.status_code == 201
    assert (drafted.json()["version"], drafted.json()["drafted_by"]) == (2, "key:shop")
    assert in_force(door) == 1
    [change] = door.send("GET", "/v1/policies/diff").json()["changes"]
    assert (change["path"], change["effect"]) == ("window_days", "stricter")
    activated = activate(door, colleague, reason="agreed")
    assert activated.status_code == 200
    assert activated.json()["approved_by"] == "key:colleague"
    assert in_force(door) == 2
    assert roll_back(door, 2).json()["version"] == 1
    assert in_force(door) == 1
    shown = door.send("GET", "/v1/policies/2").json()
    assert (shown["text"], shown["in_force"]) == (SHORTER, False)


def test_a_difference_of_two_versions_that_are_named(door: Door) -> None:
    draft(door)
    ways = {"?from=1&to=2": "stricter", "?from=2&to=1": "looser"}
    for query, effect in ways.items():
        [change] = door.send("GET", f"/v1/policies/diff{query}").json()["changes"]
        assert change["effect"] == effect


def refused(door: Door, answer: Any, status: int, code: str, before: Any) -> None:
    is_problem(answer, status, code)
    assert door.desk.count_all() == before


def test_the_key_that_drafted_cannot_activate(door: Door) -> None:
    draft(door)
    before = door.desk.count_all()
    refused(door, activate(door, ""), 409, "policy_own_draft", before)
    assert in_force(door) == 1


def test_what_cannot_be_done_changes_nothing(door: Door, colleague: str) -> None:
    draft(door)
    before = door.desk.count_all()
    refused(door, draft(door, "version: 1"), 422, "policy_invalid", before)
    refused(door, draft(door, "x" * 70_000), 422, "field_invalid", before)
    refused(door, activate(door, colleague, 9), 404, "not_found", before)
    for moment in (
        "2020-01-01T00:00:00Z",
        "soon",
        "2030-01-01T00:00:00",
        "0001-01-01T00:00:00+10:00",
    ):
        answer = activate(door, colleague, effective_from=moment)
        refused(door, answer, 422, "field_invalid", before)
    refused(door, roll_back(door, 1), 409, "policy_no_predecessor", before)
    refused(door, roll_back(door, 2), 409, "policy_overtaken", before)
    for number in ("0", "-1", "x", str(2**63)):
        answer = door.send("GET", f"/v1/policies/{number}")
        refused(door, answer, 422, "field_invalid", before)


def test_versions_of_another_merchant_look_like_none(door: Door) -> None:
    draft(door)
    other = Desk(door.desk.runtime, "other")
    key = create_key(door.desk.runtime, other.merchant.id, "x", SCOPES, None)
    real = door.send("GET", "/v1/policies/2", key)
    is_problem(real, 404, "not_found")
    assert (
        real.json()["detail"].replace("2", "7")
        == (door.send("GET", "/v1/policies/7", key).json()["detail"])
    )
    [own] = door.send("GET", "/v1/policies", key).json()["policies"]
    assert own["version"] == 1
