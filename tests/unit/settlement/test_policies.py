"""The life of a policy: two people put it in force, one takes it back, nothing is ever changed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import desk as desks
import pytest
import sqlalchemy as sa
import stores
from desk import POLICY, Desk
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from returns.errors import (
    FieldInvalid,
    NotFound,
    PolicyInvalid,
    PolicyNoPredecessor,
    PolicyOvertaken,
    PolicyOwnDraft,
    UndropError,
)
from returns.tables import AuditRow, DecisionRow, PolicyActivation, PolicyRow
from settlement.commands import policies, setup

DAY = timedelta(days=1)


def text(window: int) -> str:
    return POLICY.replace("window_days: 30", f"window_days: {window}")


def draft(desk: Desk, window: int, actor: str = "ada") -> int:
    return policies.draft(desk.runtime, desk.merchant.id, text(window), actor).version


def activate(
    desk: Desk, version: int, actor: str = "bob", since: datetime | None = None
) -> dict[str, object]:
    desk.clock.move(seconds=1)
    return policies.activate(desk.runtime, desk.merchant.id, version, actor, since, "agreed")


def roll_back(desk: Desk, leaving: int | None = None) -> int:
    desk.clock.move(seconds=1)
    found = policies.roll_back(desk.runtime, desk.merchant.id, "eve", "it was wrong", leaving)
    version: int = found["version"]
    return version


def in_force(desk: Desk, at: datetime | None = None) -> int:
    with desk.runtime.database.read() as session:
        row, policy = policies.in_force(session, desk.merchant.id, at or desk.clock())
    assert policy.policy_hash == row.policy_hash
    return row.version


@contextmanager
def refused(desk: Desk, error: type[UndropError], match: str | None = None) -> Iterator[None]:
    before = desk.count_all()
    with pytest.raises(error, match=match):
        yield
    assert desk.count_all() == before


class TestDraft:
    """A version is stored, and nothing else."""

    def test_is_the_next_version_and_not_in_force(self, desk: Desk) -> None:
        assert draft(desk, 14) == 2
        assert in_force(desk) == 1
        (row,) = desk.rows(PolicyRow, PolicyRow.version == 2)
        assert (row.text, row.created_by, row.created_at) == (text(14), "ada", desk.clock())

    def test_that_says_the_same_is_the_version_that_is_there(self, desk: Desk) -> None:
        draft(desk, 14)
        before = desk.count_all()
        again = policies.draft(desk.runtime, desk.merchant.id, "# other\n" + text(14), "bob")
        assert (again.version, again.created_by) == (2, "ada")
        assert desk.count_all() == before

    def test_that_cannot_be_read_stores_nothing(self, desk: Desk) -> None:
        with refused(desk, PolicyInvalid, match="window_days"):
            policies.draft(desk.runtime, desk.merchant.id, text(-1), "ada")

    @pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0", "x" * 101])
    def test_by_nobody_that_could_stand_in_the_books_is_refused(
        self, desk: Desk, name: str
    ) -> None:
        with refused(desk, FieldInvalid):
            draft(desk, 14, name)

    def test_counts_versions_of_each_merchant_by_themselves(self, desk: Desk) -> None:
        other = Desk(desk.runtime, "other")
        assert (draft(desk, 14), draft(other, 14), draft(other, 15)) == (2, 2, 3)
        with refused(desk, NotFound, match="version 3"):
            activate(desk, 3)


class TestActivate:
    """The second person's consent."""

    def test_puts_a_version_in_force_from_now_on_and_never_before(self, desk: Desk) -> None:
        begun = desk.clock()
        version = draft(desk, 14)
        found = activate(desk, version)
        assert in_force(desk) == 2
        assert in_force(desk, desk.clock() - timedelta(microseconds=1)) == 1
        assert found == {
            "version": 2,
            "kind": "activate",
            "effective_from": desk.clock().isoformat(),
            "proposed_by": "ada",
            "approved_by": "bob",
            "reason": "agreed",
            "at": desk.clock().isoformat(),
        }
        with desk.runtime.database.read() as session, pytest.raises(NotFound):
            policies.in_force(session, desk.merchant.id, begun - DAY)

    @pytest.mark.parametrize("name", ["ada", "Ada", " ADA ", "key:ada"])
    def test_by_whoever_drafted_it_is_refused(self, desk: Desk, name: str) -> None:
        version = draft(desk, 14)
        with refused(desk, PolicyOwnDraft, match="version 2"):
            activate(desk, version, name)
        assert in_force(desk) == 1

    def test_from_a_moment_ahead_waits_for_it(self, desk: Desk) -> None:
        since = desk.clock() + DAY
        activate(desk, draft(desk, 14), since=since)
        assert in_force(desk, since - timedelta(microseconds=1)) == 1
        assert in_force(desk, since) == 2

    def test_from_a_moment_that_has_passed_is_refused(self, desk: Desk) -> None:
        version = draft(desk, 14)
        with refused(desk, FieldInvalid, match="has passed"):
            activate(desk, version, since=desk.clock())

    def test_again_changes_nothing(self, desk: Desk) -> None:
        version, since = draft(desk, 14), desk.clock() + DAY
        first = activate(desk, version, since=since)
        before = desk.count_all()
        assert activate(desk, version, since=since) == first
        assert desk.count_all() == before
        now = activate(desk, version)
        before = desk.count_all()
        assert activate(desk, version) == now
        assert desk.count_all() == before

    def test_of_another_version_for_the_same_moment_takes_the_first_one_back(
        self, desk: Desk
    ) -> None:
        since = desk.clock() + DAY
        activate(desk, draft(desk, 14), since=since)
        activate(desk, 1, since=since)
        assert in_force(desk, since) == 1
        desk.clock.move(days=2)
        with refused(desk, PolicyNoPredecessor):
            roll_back(desk)

    def test_without_a_policy_by_one_person_is_refused_too(self, desk: Desk) -> None:
        fresh = setup.create_merchant(desk.runtime, "fresh", "Fresh")
        row = policies.draft(desk.runtime, fresh.id, POLICY, "ada")
        with refused(desk, PolicyOwnDraft):
            policies.activate(desk.runtime, fresh.id, row.version, "ada")
        assert policies.activate(desk.runtime, fresh.id, row.version, "bob")["version"] == 1

    def test_of_a_version_leaves_it_as_it_was_written(self, desk: Desk) -> None:
        version = draft(desk, 14)
        before = [row.model_dump() for row in desk.rows(PolicyRow)]
        activate(desk, version)
        roll_back(desk)
        assert [row.model_dump() for row in desk.rows(PolicyRow)] == before


class TestBegin:
    """The first policy, alone."""

    def test_is_in_force_at_once_and_again_the_same(self, desk: Desk) -> None:
        before = desk.count_all()
        assert setup.activate_policy(desk.runtime, desk.merchant, POLICY, "setup").version == 1
        assert desk.count_all() == before

    def test_replaces_no_policy_that_is_in_force(self, desk: Desk) -> None:
        with refused(desk, PolicyOwnDraft):
            setup.activate_policy(desk.runtime, desk.merchant, text(14), "setup")

    def test_replaces_no_policy_that_lies_ahead(self, desk: Desk) -> None:
        fresh = setup.create_merchant(desk.runtime, "fresh", "Fresh")
        row = policies.draft(desk.runtime, fresh.id, POLICY, "ada")
        policies.activate(desk.runtime, fresh.id, row.version, "bob", desk.clock() + DAY)
        assert policies.have_begun(desk.runtime, fresh.id)
        with refused(desk, PolicyOwnDraft):
            setup.activate_policy(desk.runtime, fresh, text(14), "setup")


class TestRollBack:
    """One person takes back what two had agreed to."""

    def test_leads_to_the_version_before_and_then_further_back(self, desk: Desk) -> None:
        for window in (14, 15):
            activate(desk, draft(desk, window))
        assert (in_force(desk), roll_back(desk), in_force(desk)) == (3, 2, 2)
        assert (roll_back(desk), in_force(desk)) == (1, 1)
        with refused(desk, PolicyNoPredecessor, match="version 1 is the first"):
            roll_back(desk)

    def test_leads_to_what_was_in_force_and_not_to_the_number_before(self, desk: Desk) -> None:
        draft(desk, 14)
        activate(desk, draft(desk, 15))
        assert roll_back(desk) == 1

    def test_after_a_new_version_leads_back_to_where_that_began(self, desk: Desk) -> None:
        activate(desk, draft(desk, 14))
        roll_back(desk)
        activate(desk, draft(desk, 15))
        assert roll_back(desk) == 1

    def test_that_is_sent_twice_goes_back_once(self, desk: Desk) -> None:
        for window in (14, 15):
            activate(desk, draft(desk, window))
        assert roll_back(desk, leaving=3) == 2
        with refused(desk, PolicyOvertaken, match="version 2 is"):
            roll_back(desk, leaving=3)

    def test_without_a_reason_is_refused(self, desk: Desk) -> None:
        activate(desk, draft(desk, 14))
        for reason in ("", "  ", "x" * 1001):
            with refused(desk, FieldInvalid):
                policies.roll_back(desk.runtime, desk.merchant.id, "eve", reason)
        assert in_force(desk) == 2

    def test_where_nothing_is_in_force_is_refused(self, desk: Desk) -> None:
        fresh = setup.create_merchant(desk.runtime, "fresh", "Fresh")
        with refused(desk, NotFound):
            policies.roll_back(desk.runtime, fresh.id, "eve", "it was wrong")


def test_a_version_that_this_release_cannot_read_is_never_put_in_force(desk: Desk) -> None:
    activate(desk, draft(desk, 14))
    with desk.runtime.database.write() as session:
        unreadable = sa.text("UPDATE policy SET text = 'version: 9' WHERE version = 1")
        session.connection().execute(unreadable)
    with refused(desk, PolicyInvalid):
        roll_back(desk)
    with refused(desk, PolicyInvalid):
        activate(desk, 1)
    assert in_force(desk) == 2


def test_a_decision_keeps_the_version_that_it_was_made_under(desk: Desk) -> None:
    desk.ask(desk.buy())
    activate(desk, draft(desk, 14))
    desk.ask(desk.buy())
    roll_back(desk)
    by_id = {row.id: row.version for row in desk.rows(PolicyRow)}
    assert [by_id[row.policy_id] for row in desk.rows(DecisionRow)] == [1, 2]


def test_the_audit_says_who_did_what_and_from_which_version_to_which(desk: Desk) -> None:
    activate(desk, draft(desk, 14))
    roll_back(desk)
    told = [(one.actor, one.action, one.before, one.after) for one in desk.rows(AuditRow)]
    assert told == [
        ("test", "policy.draft", "", "version 1"),
        ("test", "policy.activate", "", "version 1"),
        ("ada", "policy.draft", "", "version 2"),
        ("bob", "policy.activate", "version 1", "version 2"),
        ("eve", "policy.rollback", "version 2", "version 1"),
    ]


def test_versions_tell_which_is_in_force_and_who_agreed(desk: Desk) -> None:
    activate(desk, draft(desk, 14))
    draft(desk, 15)
    rows = policies.versions(desk.runtime, desk.merchant.id)
    assert [(row["version"], row["drafted_by"], row["in_force"]) for row in rows] == [
        (3, "ada", False), (2, "ada", True), (1, "test", False),
    ]  # fmt: skip
    assert [[one["approved_by"] for one in row["activations"]] for row in rows] == [
        [], ["bob"], ["test"],
    ]  # fmt: skip


def test_a_difference_is_that_of_the_newest_to_what_is_in_force(desk: Desk) -> None:
    draft(desk, 14)
    draft(desk, 60)
    [newest] = policies.difference(desk.runtime, desk.merchant.id)
    assert (newest["old"], newest["new"], newest["effect"]) == (30, 60, "looser")
    [named] = policies.difference(desk.runtime, desk.merchant.id, 3, 2)
    assert (named["old"], named["new"], named["effect"]) == (60, 14, "stricter")
    with refused(desk, NotFound, match="version 9"):
        policies.difference(desk.runtime, desk.merchant.id, 1, 9)


@dataclass
class Planned:
    """What the model knows of an activation."""

    begins: datetime
    version: int


class Lives(RuleBasedStateMachine):
    """Drafts, activations and returns in any order, against a plain list.

    The model walks through time: each second it does what was planned for it. It does not look at
    rows, and keeps no intervals.
    """

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        home = Path(self._folder.name)
        self.desk: Desk = desks.build(stores.sqlite_copy(self.template, home), home)
        self.began = self.desk.clock()
        self.count = 1
        self.planned: list[Planned] = []
        self.stack = [1]
        self.told: list[tuple[datetime, int]] = [(self.began, 1)]

    def teardown(self) -> None:
        self.desk.runtime.close()
        self._folder.cleanup()

    def _pass(self, seconds: int) -> None:
        """Time goes on second by second, and what was planned begins."""
        for _ in range(seconds):
            self.desk.clock.move(seconds=1)
            now = self.desk.clock()
            due = [one for one in self.planned if one.begins == now]
            for one in due[-1:]:
                self._lay(one.version)
            self.told.append((now, self.stack[-1]))

    def _lay(self, version: int) -> None:
        if self.stack[-1] != version:
            self.stack.append(version)
        # What is laid now counts for this second too.
        self.told.append((self.desk.clock(), self.stack[-1]))

    @rule()
    def somebody_drafts(self) -> None:
        self.count += 1
        assert draft(self.desk, self.count) == self.count

    @rule(data=st.data(), ahead=st.integers(0, 5))
    def somebody_activates(self, data: st.DataObject, ahead: int) -> None:
        version = data.draw(st.integers(1, self.count))
        self._pass(1)
        while any(one.begins == self.desk.clock() for one in self.planned):
            self._pass(1)
        moment = self.desk.clock() + timedelta(seconds=ahead)
        since = moment if ahead else None
        policies.activate(self.desk.runtime, self.desk.merchant.id, version, "bob", since)
        if ahead:
            self.planned.append(Planned(moment, version))
        else:
            self._lay(version)

    @rule()
    def the_drafter_is_refused(self) -> None:
        before = self.desk.count_all()
        if self.count > 1:
            with pytest.raises(PolicyOwnDraft):
                policies.activate(self.desk.runtime, self.desk.merchant.id, self.count, "ada")
        assert self.desk.count_all() == before

    @precondition(lambda self: len(self.stack) > 1)
    @rule()
    def somebody_goes_back(self) -> None:
        self._pass(1)
        while any(one.begins == self.desk.clock() for one in self.planned):
            self._pass(1)
        found = policies.roll_back(self.desk.runtime, self.desk.merchant.id, "eve", "wrong")
        self.stack.pop()
        self.told.append((self.desk.clock(), self.stack[-1]))
        assert found["version"] == self.stack[-1]

    @precondition(lambda self: len(self.stack) == 1)
    @rule()
    def there_is_nothing_to_go_back_to(self) -> None:
        before = self.desk.count_all()
        with pytest.raises(PolicyNoPredecessor):
            policies.roll_back(self.desk.runtime, self.desk.merchant.id, "eve", "wrong")
        assert self.desk.count_all() == before

    @rule(seconds=st.integers(1, 7))
    def time_passes(self, seconds: int) -> None:
        self._pass(seconds)

    @invariant()
    def every_moment_has_the_version_that_counted_then(self) -> None:
        said = dict(self.told)
        rows = self.desk.rows(PolicyActivation)
        assert [one.number for one in rows] == list(range(1, len(rows) + 1))
        for moment, version in list(said.items())[-12:]:
            assert in_force(self.desk, moment) == version


def test_any_order_of_drafts_activations_and_returns(sqlite_template: Path) -> None:
    Lives.template = sqlite_template
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
