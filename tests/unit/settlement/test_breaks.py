"""Breaks have desks and evidence; two people close one; a run is signed by a second person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from desk import Desk

from returns import reads
from returns.errors import (
    BreakClosed,
    BreakNotProposed,
    BreakOwnProposal,
    NotFound,
    RunOwnSignOff,
    RunSigned,
)
from returns.tables import AuditRow, Break, ReconciliationRun
from returns.words import AgeBucket, BreakOutcome
from settlement.commands import reconciliation
from settlement.commands.access import Caller
from settlement.commands.reconciliation import AssignmentIn, ConfirmationIn, OutcomeIn, SignOffIn

ACCEPTED = OutcomeIn(outcome=BreakOutcome.ACCEPTED, reason="the bank's fault, claimed there")
RESOLVED = OutcomeIn(outcome=BreakOutcome.RESOLVED, reason="paid by hand")
YES = ConfirmationIn(decision="confirm", reason="seen the letter")
NO = ConfirmationIn(decision="reject", reason="no letter there")


@pytest.fixture
def broken(desk: Desk) -> Desk:
    """One refund that the processor says it never made."""
    desk.sign(desk.ask(desk.buy())["rma"])
    desk.run(20)
    desk.log = list(desk.processor.log)
    desk.processor.log.clear()
    compare(desk)
    return desk


def compare(desk: Desk) -> list[Break]:
    return reconciliation.reconcile(desk.runtime, desk.merchant.id, "key:ann", full=True)[1]


def the_break(desk: Desk) -> Break:
    (row,) = desk.rows(Break)
    return row


def person(desk: Desk, name: str) -> Caller:
    return replace(desk.staff, name=f"key:{name}")


def act(desk: Desk, name: str, command: Any, given: Any) -> dict[str, Any]:
    found: dict[str, Any] = command(desk.runtime, person(desk, name), the_break(desk).id, given)
    return found


def open_ones(desk: Desk, **narrowed: Any) -> dict[str, Any]:
    asked = {"code": None, "owner": None, "age": None, "limit": 10} | narrowed
    return reconciliation.listed(desk.runtime, desk.staff, **asked)


def test_evidence_has_what_each_side_said(broken: Desk) -> None:
    shown = reconciliation.shown(broken.runtime, broken.staff, the_break(broken).id)
    assert shown["evidence"]["books"]["amount"] == "1000 USD"
    assert shown["evidence"]["processor"][0]["listed"] == "False"
    assert shown["evidence"]["processor"][0]["report"] == ["refund -1000 USD"]


def test_list_is_narrowed_by_code_owner_and_age(broken: Desk) -> None:
    assert len(open_ones(broken)["breaks"]) == 1
    assert open_ones(broken, code="timing")["breaks"] == []
    assert open_ones(broken, owner="custody")["breaks"] == []
    assert len(open_ones(broken, owner="finance", age=AgeBucket.DAY)["breaks"]) == 1
    broken.clock.move(days=1)
    assert open_ones(broken, age=AgeBucket.DAY)["breaks"] == []
    found = open_ones(broken, age=AgeBucket.WEEK)
    assert len(found["breaks"]) == 1
    assert found["by_age"] == {"day": 0, "week": 1, "month": 0, "older": 0}
    assert found["by_code"] == {"processor.missing": 1}


def test_desk_and_person_are_kept_by_later_runs(broken: Desk) -> None:
    act(broken, "ann", reconciliation.assign, AssignmentIn(owner="custody", assignee="bob"))
    compare(broken)
    row = the_break(broken)
    assert (row.owner, row.assignee, row.assigned_by) == ("custody", "bob", "key:ann")
    assert len(open_ones(broken, owner="bob")["breaks"]) == 1


def test_second_person_accepts_and_later_runs_leave_it(broken: Desk) -> None:
    act(broken, "ann", reconciliation.propose, ACCEPTED)
    assert len(compare(broken)) == 1
    act(broken, "bob", reconciliation.confirm, YES)
    assert compare(broken) == []
    assert open_ones(broken)["breaks"] == []
    actions = [
        row.action for row in broken.rows(AuditRow, AuditRow.subject_id == the_break(broken).id)
    ]
    assert actions == ["break.proposed", "break.confirmed"]


@pytest.mark.parametrize("name", ["ann", "ANN", "eve"])
def test_refuses_who_proposed_it_or_looked_into_it(broken: Desk, name: str) -> None:
    act(broken, "x", reconciliation.assign, AssignmentIn(assignee="eve"))
    act(broken, "ann", reconciliation.propose, ACCEPTED)
    before = broken.count_all()
    with pytest.raises(BreakOwnProposal):
        act(broken, name, reconciliation.confirm, YES)
    assert broken.count_all() == before
    assert the_break(broken).confirmed_at is None


def test_refuses_to_confirm_what_nobody_proposed(broken: Desk) -> None:
    with pytest.raises(BreakNotProposed):
        act(broken, "bob", reconciliation.confirm, YES)


def test_rejected_proposal_leaves_it_open(broken: Desk) -> None:
    act(broken, "ann", reconciliation.propose, ACCEPTED)
    act(broken, "bob", reconciliation.confirm, NO)
    with pytest.raises(BreakNotProposed):
        act(broken, "bob", reconciliation.confirm, YES)
    assert len(open_ones(broken)["breaks"]) == 1


def test_what_is_called_resolved_and_is_still_there_is_opened_anew(broken: Desk) -> None:
    act(broken, "ann", reconciliation.propose, RESOLVED)
    act(broken, "bob", reconciliation.confirm, YES)
    assert open_ones(broken)["breaks"] == []
    assert len(compare(broken)) == 1
    assert (the_break(broken).outcome, the_break(broken).confirmed_by) == (None, None)


def test_accepted_break_that_changes_is_opened_anew(broken: Desk) -> None:
    act(broken, "ann", reconciliation.propose, ACCEPTED)
    act(broken, "bob", reconciliation.confirm, YES)
    broken.processor.report.clear()
    (row,) = compare(broken)
    assert (row.found, row.outcome) == ("no refund", None)


def test_gone_break_is_resolved_with_its_time_and_closed(broken: Desk) -> None:
    broken.processor.log[:] = broken.log
    broken.clock.move(hours=1)
    assert compare(broken) == []
    assert the_break(broken).resolved_at == broken.clock()
    late = (
        (reconciliation.assign, AssignmentIn()),
        (reconciliation.propose, ACCEPTED),
        (reconciliation.confirm, YES),
    )
    for command, given in late:
        with pytest.raises(BreakClosed):
            act(broken, "ann", command, given)


def test_break_of_another_merchant_looks_like_none(broken: Desk) -> None:
    stranger = Caller(UUID(int=9), "key:x", frozenset())
    for break_id in (the_break(broken).id, UUID(int=1)):
        with pytest.raises(NotFound):
            reconciliation.propose(broken.runtime, stranger, break_id, ACCEPTED)
    assert the_break(broken).outcome is None


class TestSignOff:
    def test_by_a_second_person(self, broken: Desk) -> None:
        (run,) = broken.rows(ReconciliationRun)
        note = SignOffIn(note="one break, claimed")
        said = reconciliation.sign_off(broken.runtime, person(broken, "bob"), run.id, note)
        assert said == {"run": str(run.id), "signed_by": "key:bob", "breaks": 1}
        with pytest.raises(RunSigned):
            reconciliation.sign_off(broken.runtime, person(broken, "eve"), run.id, note)
        with broken.runtime.database.read() as session:
            newest = reads.newest_run(session, broken.merchant.id)
        assert newest is not None
        assert newest.signed_by == "key:bob"

    def test_refuses_who_started_it(self, broken: Desk) -> None:
        (run,) = broken.rows(ReconciliationRun)
        with pytest.raises(RunOwnSignOff):
            reconciliation.sign_off(
                broken.runtime, person(broken, "Ann"), run.id, SignOffIn(note="fine")
            )
        assert broken.rows(ReconciliationRun)[0].signed_by is None
