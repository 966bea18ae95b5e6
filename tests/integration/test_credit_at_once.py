"""Store credit under many hands: what can be afforded is spent, and nothing twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from credit_desk import CreditDesk
from desk import Desk

from returns.errors import Conflict, CreditCapturedAlready, CreditInsufficient, UndropError
from returns.tables import CreditHold, CreditLot, IdempotencyRecord, JournalEntry
from returns.words import CreditHoldState
from settlement.commands import store_credit as commands
from settlement.commands.store_credit import CaptureIn, HoldIn

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]


@pytest.fixture
def credit(desk: Desk) -> CreditDesk:
    return CreditDesk(desk)


def told(results: list[Any]) -> Counter[str]:
    assert not [one for one in results if isinstance(one, Exception)
                and not isinstance(one, UndropError)], results  # fmt: skip
    return Counter(type(one).__name__ for one in results)


def test_sixteen_checkouts_at_once_spend_exactly_what_can_be_afforded(
    credit: CreditDesk, at_once: AtOnce
) -> None:
    for _ in range(5):
        credit.give(100)

    def buy(index: int) -> Any:
        credit.hold(f"c-{index}", 70)
        return credit.capture(f"c-{index}")

    results = told(at_once(16, buy))
    assert (results["dict"], sum(results.values())) == (7, 16)
    assert set(results) <= {"dict", "CreditSpentAlready", "CreditInsufficient"}
    holds = credit.desk.rows(CreditHold)
    assert len(holds) == 7
    assert {hold.state for hold in holds} == {CreditHoldState.CAPTURED}
    assert credit.standing() == (10, 0, 10)
    credit.check()


def test_one_balance_held_sixteen_times_at_once_is_held_once(
    credit: CreditDesk, at_once: AtOnce
) -> None:
    credit.give(100)
    results = at_once(16, lambda index: credit.hold(f"c-{index}", 100))
    assert told(results) == {"dict": 1, "CreditInsufficient": 15}
    assert all("c-" in str(one) for one in results if isinstance(one, CreditInsufficient))
    assert credit.standing() == (100, 100, 0)
    credit.check()


def test_one_hold_captured_sixteen_times_at_once_is_captured_once(
    credit: CreditDesk, at_once: AtOnce
) -> None:
    credit.give(100)
    credit.hold("c-1", 80)
    results = at_once(16, lambda index: credit.capture("c-1", index + 1))
    assert told(results) == {"dict": 1, "CreditCapturedAlready": 15}
    (done,) = [one for one in results if isinstance(one, dict)]
    said = [str(one) for one in results if isinstance(one, CreditCapturedAlready)]
    assert all(text.startswith(f"{done['captured']} of the 80 USD") for text in said)
    assert credit.owed() == 100 - int(done["captured"])
    credit.check()


def test_one_request_sent_sixteen_times_at_once_gets_one_answer(
    credit: CreditDesk, at_once: AtOnce
) -> None:
    credit.give(100)
    runtime, staff = credit.desk.runtime, credit.desk.staff
    wanted = HoldIn(reference="c-1", customer="ann", currency="USD", amount="60")
    held = at_once(16, lambda _: commands.hold(runtime, staff, wanted, "h", "body").body)
    spent = at_once(
        16, lambda _: commands.capture(runtime, staff, "c-1", CaptureIn(), "c", "body").body
    )
    assert [len(set(answers)) for answers in (held, spent)] == [1, 1]
    assert json.loads(spent[0])["captured"] == "60"
    assert len(credit.desk.rows(IdempotencyRecord, IdempotencyRecord.key.in_(["h", "c"]))) == 2
    assert len(credit.desk.rows(JournalEntry, JournalEntry.kind == "credit.capture")) == 1
    assert credit.standing() == (40, 0, 40)


def test_one_reference_held_at_once_for_two_customers_is_one_hold(
    credit: CreditDesk, at_once: AtOnce
) -> None:
    for name in ("ann", "bob"):
        credit.give(100, name)
    results = at_once(8, lambda index: credit.hold("c-1", 50, ("ann", "bob")[index % 2]))
    assert len(credit.desk.rows(CreditHold)) == 1
    assert len([one for one in results if isinstance(one, dict)]) >= 1
    credit.check()


def test_capture_release_expiry_and_revocation_at_once_agree_in_the_end(
    credit: CreditDesk, at_once: AtOnce
) -> None:
    over = (credit.desk.clock() + timedelta(hours=1)).isoformat()
    given = [credit.give(100, expires_at=over)["id"] for _ in range(4)]
    for number in range(8):
        credit.hold(f"c-{number}", 40, seconds=7200 if number % 2 else 1800)
    credit.desk.clock.move(hours=1)

    def turn(index: int) -> Any:
        match index % 4:
            case 0:
                return credit.capture(f"c-{index // 2}", 10)
            case 1:
                return credit.release(f"c-{index // 2}")
            case 2:
                return credit.expire()
            case _:
                return credit.revoke(given[index // 4])

    results = at_once(16, turn)
    assert not [one for one in results if isinstance(one, Exception)
                and not isinstance(one, Conflict)], results  # fmt: skip
    credit.desk.clock.move(hours=2)
    credit.expire()
    assert credit.standing() == (0, 0, 0)
    assert {lot.held for lot in credit.desk.rows(CreditLot)} == {0}
    credit.check()
