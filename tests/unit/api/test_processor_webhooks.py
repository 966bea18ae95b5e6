"""Webhooks of Stripe through the door: raw bytes and headers arrive, and each fact is kept once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from desk import Desk
from doors import Door, is_problem, open_door
from stripe_stand_in import signed

from returns.tables import InboxItem
from settlement.processors.stripe import StripeProcessor

SECRET = "whsec_of_the_merchant"
PATH = "/v1/processors/stripe/webhook"
REFUND = {"id": "re_1", "charge": "ch_1", "amount": 5, "currency": "eur", "status": "succeeded"}


@pytest.fixture
def door(desk: Desk) -> Door:
    desk.runtime.processors["stripe"] = StripeProcessor("sk_test_key", (SECRET,))
    return open_door(desk)


def event(kind: str = "refund.updated", **changes: Any) -> bytes:
    told = {"type": kind, "livemode": False, "data": {"object": REFUND}, **changes}
    # Spaces, order and letters as no JSON library of ours writes them: the bytes are signed.
    return json.dumps(told, indent=5).replace("refund", "\\u0072efund").encode() + b"\n\n"


def stored(desk: Desk) -> list[InboxItem]:
    return desk.rows(InboxItem, InboxItem.source == "processor:stripe")


def test_a_signed_message_is_stored_once_however_often_it_is_sent(desk: Desk, door: Door) -> None:
    body = event()
    for _ in range(3):
        assert door.send("POST", PATH, None, content=body, headers=signed(body, SECRET)).is_success
    [row] = stored(desk)
    assert row.external_id == "re_1:succeeded"
    told = json.loads(row.payload)
    assert (told["processor"], told["key"], told["amount"]) == ("stripe", "", "5")


@pytest.mark.parametrize("kind", ["charge.refunded", "account.updated"])
def test_a_message_about_nothing_that_is_followed_is_taken_and_dropped(
    desk: Desk, door: Door, kind: str
) -> None:
    body = event(kind)
    assert door.send("POST", PATH, None, content=body, headers=signed(body, SECRET)).is_success
    assert stored(desk) == []


def test_refuses_another_merchant_s_message(desk: Desk, door: Door) -> None:
    body = event(account="acct_other")
    answer = door.send("POST", PATH, None, content=body, headers=signed(body, SECRET))
    is_problem(answer, 403, "webhook_not_ours")
    assert stored(desk) == []


def test_refuses_a_message_that_was_changed_by_one_byte(desk: Desk, door: Door) -> None:
    body = event()
    answer = door.send("POST", PATH, None, content=body[:-1], headers=signed(body, SECRET))
    is_problem(answer, 401, "webhook_refused")
    assert stored(desk) == []
