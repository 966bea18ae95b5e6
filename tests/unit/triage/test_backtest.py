"""A backtest's figures are exact, and an unsound approval never passes unseen."""

from datetime import timedelta
from itertools import count

import pytest

from returns.words import Verdict
from triage import decide as deciding
from triage.backtest import Change, Past, backtest

ETHER = 10**18
PRICE = 59_900_000_000_000_000_000


@pytest.fixture
def pasts(facts):
    """Five requests; the standard policy approves one, three and five."""
    late = facts(purchased_at=facts().requested_at - timedelta(days=31))
    repeat = facts(already_refunded=PRICE)
    return [
        Past("one", facts(), Verdict.APPROVE, PRICE, Verdict.APPROVE, PRICE),
        Past("two", late, Verdict.APPROVE, PRICE, Verdict.APPROVE, PRICE),
        Past("three", facts(), Verdict.REVIEW, PRICE, Verdict.DENY, 0),
        Past("four", repeat, Verdict.DENY, 0, Verdict.DENY, 0),
        Past("five", facts(requested=ETHER), Verdict.APPROVE, ETHER),
    ]


def ticking():
    """A timer that moves on by 10 ms whenever it is looked at."""
    ticks = count()
    return lambda: next(ticks) / 100


def test_figures_of_a_small_history_are_exact(pasts, standard):
    report = backtest(pasts, standard, None, None, ticking())
    assert report.cases == 5
    assert report.verdicts == {"approve": 3, "deny": 2, "review": 0}
    assert report.automation_rate == 1.0
    # One and four as they ended; two and three otherwise; five has no end.
    assert report.eligibility_accuracy == 0.5
    assert report.amount_accuracy == 1.0
    assert (report.duplicates, report.duplicate_recall) == (1, 1.0)
    assert report.out_of_policy_flag_rate == 0.0
    assert (report.approved_over_cap, report.approved_outside_policy) == (0, 0)
    assert report.is_sound
    assert (report.latency_p50_ms, report.latency_p99_ms, report.cases_per_second) == (10, 10, 500)


def test_changes_name_what_was_and_what_would_be(pasts, standard):
    report = backtest(pasts, standard, None, None, ticking())
    whole, nothing = "59.900000000000000000 ETH", "0.000000000000000000 ETH"
    assert report.changes == (
        Change("two", "approve", "deny", whole, nothing, ("window_passed",)),
        Change("three", "review", "approve", whole, whole, ()),
    )
    told = report.to_dict(explain=False)
    assert (told["changed"], "changes" in told) == (2, False)
    assert len(report.to_dict(explain=True)["changes"]) == 2


def test_a_changed_amount_is_a_change_and_no_accurate_amount(facts, policy):
    half = policy(fees={"restocking_bps": 5_000})
    past = Past("one", facts(), Verdict.APPROVE, PRICE, Verdict.APPROVE, PRICE)
    report = backtest([past], half, None, None)
    assert (report.amount_accuracy, report.eligibility_accuracy) == (0.0, 1.0)
    assert [change.offered_after for change in report.changes] == ["29.950000000000000000 ETH"]


def test_of_nothing_there_are_no_shares(standard):
    report = backtest([], standard, None, None)
    assert (report.cases, report.automation_rate, report.duplicate_recall) == (0, None, None)
    assert (report.eligibility_accuracy, report.amount_accuracy) == (None, None)
    assert (report.latency_p50_ms, report.changes, report.is_sound) == (0.0, (), True)


def test_an_approval_above_the_cap_is_no_sound_policy(monkeypatch, pasts, policy):
    """Whatever the engine says is held against the policy once more."""
    import triage.backtest as backtests  # noqa: PLC0415

    generous = policy()
    strict = policy(caps={"ETH": str(PRICE - 1)})
    decisions = deciding.decide_many([pasts[0].facts, pasts[4].facts], generous, None)
    monkeypatch.setattr(backtests, "decide_many", lambda *_: decisions)
    report = backtest([pasts[0], pasts[4]], strict, None, None)
    assert (report.approved_over_cap, report.is_sound) == (1, False)


def test_an_approval_of_more_than_is_left_is_outside_the_policy(monkeypatch, pasts, standard):
    import triage.backtest as backtests  # noqa: PLC0415

    [fair] = deciding.decide_many([pasts[4].facts], standard, None)
    monkeypatch.setattr(backtests, "decide_many", lambda *_: [fair._replace(amount=PRICE + 1)])
    report = backtest([pasts[4]], standard, None, None)
    assert (report.approved_outside_policy, report.is_sound) == (1, False)
