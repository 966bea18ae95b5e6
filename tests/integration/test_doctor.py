"""The doctor with a broker that does not answer, and on both databases."""

from __future__ import annotations

import pytest
import stores
from desk import Desk

from settlement.checkup import Check, Level
from settlement.commands import doctor


def check(desk: Desk, name: str) -> Check:
    [found] = [one for one in doctor.examine("demo", lambda: desk.runtime) if one.name == name]
    return found


def with_broker(desk: Desk, url: str) -> None:
    desk.runtime.settings = desk.runtime.settings.model_copy(update={"broker_url": url})


def test_a_database_of_this_release_is_well(desk: Desk) -> None:
    assert check(desk, "database").level is Level.OK


def test_a_broker_that_does_not_answer_is_named_without_its_password(desk: Desk) -> None:
    with_broker(desk, "redis://:hidden@127.0.0.1:1/0")
    found = check(desk, "broker")
    assert (found.level, found.sentence) == (Level.FAIL, "It fails with OperationalError.")
    assert found.mend == "Check UNDROP_BROKER_URL, and that the broker runs."


@pytest.mark.servers
def test_a_broker_that_answers_is_well(desk: Desk) -> None:
    with_broker(desk, "redis://{}:{}/0".format(*stores.REDIS))
    assert check(desk, "broker").level is Level.OK
