"""What a policy and a model would have decided about requests that are over, and how well.

Pure: past requests come in, a report goes out. What really became of a request is the yardstick
where a person or the end of the case has said so; a request without an end is only compared.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from returns.money import Money
from returns.words import Verdict
from triage.decide import Decision, decide, decide_many
from triage.facts import Facts
from triage.model import Model
from triage.outcome import Outcome, refusal_of
from triage.reader import Reader
from triage.schema import Policy
from triage.situation import situation_of

#: So many are decided one by one to say how long one takes.
_TIMED = 200

Timer = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Past:
    """A request that was decided: `name` for people, what was said then, and how it ended.

    `ended` is the last word on it (approve or deny) and `granted` the minor units that it brought;
    None while it is open.
    """

    name: str
    facts: Facts
    said: Verdict
    offered: int
    ended: Verdict | None = None
    granted: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A request that would be decided otherwise than it was; amounts as people write them."""

    name: str
    before: str
    after: str
    offered_before: str
    offered_after: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Shares are of 1, None where there is nothing to take them of; times in milliseconds."""

    cases: int
    verdicts: dict[str, int]
    #: Decided without a person.
    automation_rate: float | None
    #: Of those decided without a person whose end is known: decided as they ended.
    eligibility_accuracy: float | None
    #: Of those that ended approved and would not be denied: the same amount.
    amount_accuracy: float | None
    #: Held back by the second gate alone: a rule that should have applied did not.
    out_of_policy_flag_rate: float | None
    #: Of requests for what was given back already: not approved.
    duplicate_recall: float | None
    duplicates: int
    #: The hard check; anything but 0 is a fault of the engine.
    approved_over_cap: int
    approved_outside_policy: int
    latency_p50_ms: float
    latency_p99_ms: float
    cases_per_second: int
    changes: tuple[Change, ...]

    @property
    def is_sound(self) -> bool:
        """Whether no approval is above a cap or outside the policy."""
        return self.approved_over_cap == self.approved_outside_policy == 0

    def to_dict(self, *, explain: bool) -> dict[str, object]:
        """For JSON; the changes case by case only where they are asked for."""
        content = asdict(self)
        changes = content.pop("changes")
        return {**content, "changed": len(changes), **({"changes": changes} if explain else {})}


def backtest(
    pasts: Sequence[Past],
    policy: Policy,
    model: Model | None,
    reader: Reader | None,
    timer: Timer = time.perf_counter,
) -> Report:
    """Decide every request anew, in bulk, and compare. `timer` gives seconds."""
    with _without_collector():
        started = timer()
        decisions = decide_many([past.facts for past in pasts], policy, model, reader)
        seconds = timer() - started
    both = list(zip(pasts, decisions, strict=True))
    automatic = [(past, now) for past, now in both if now.verdict is not Verdict.REVIEW]
    repeats = [now for past, now in both if _is_repeat(past.facts)]
    outside = Counter(_fault(now, policy) for _, now in both)
    p50, p99 = _latency(pasts, policy, model, reader, timer)
    return Report(
        cases=len(both),
        verdicts={word.value: sum(now.verdict is word for _, now in both) for word in Verdict},
        automation_rate=_share(len(automatic), len(both)),
        eligibility_accuracy=_rate(
            now.verdict is past.ended for past, now in automatic if past.ended is not None
        ),
        amount_accuracy=_rate(
            now.amount == past.granted
            for past, now in both
            if past.ended is Verdict.APPROVE and now.verdict is not Verdict.DENY
        ),
        out_of_policy_flag_rate=_rate("outside_policy" in now.reasons for _, now in both),
        duplicate_recall=_rate(now.verdict is not Verdict.APPROVE for now in repeats),
        duplicates=len(repeats),
        approved_over_cap=outside["cap"],
        approved_outside_policy=outside["policy"],
        latency_p50_ms=p50,
        latency_p99_ms=p99,
        cases_per_second=round(len(both) / seconds) if seconds > 0 else 0,
        changes=tuple(_changes(both)),
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """No search for garbage while all that is made is kept: it would look through it over again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _is_repeat(facts: Facts) -> bool:
    """More is asked for than is left, since some of it was given back or is pending."""
    return facts.already_refunded > 0 and facts.requested > facts.remainder


def _fault(decision: Decision, policy: Policy) -> str | None:
    """What is wrong with an approval, by what it would give; see `triage.outcome`."""
    if decision.verdict is not Verdict.APPROVE:
        return None
    case = situation_of(policy, decision.facts)
    cap = case.terms.caps.get(decision.currency)
    if cap is None or decision.amount + decision.bonus > cap:
        return "cap"
    outcome = Outcome(
        decision.verdict, decision.remedy, decision.disposition, decision.amount, decision.bonus
    )
    return None if refusal_of(case, outcome) is None else "policy"


def _changes(both: Sequence[tuple[Past, Decision]]) -> Iterator[Change]:
    for past, now in both:
        if (past.said, past.offered) == (now.verdict, now.amount):
            continue
        currency = past.facts.currency
        yield Change(
            name=past.name,
            before=past.said.value,
            after=now.verdict.value,
            offered_before=str(Money(past.offered, currency)),
            offered_after=str(Money(now.amount, currency)),
            reasons=now.reasons,
        )


def _latency(
    pasts: Sequence[Past],
    policy: Policy,
    model: Model | None,
    reader: Reader | None,
    timer: Timer,
) -> tuple[float, float]:
    """Milliseconds of one decision by itself: the median and the slowest in a hundred."""
    taken = []
    for past in pasts[:: max(1, len(pasts) // _TIMED)]:
        started = timer()
        decide(past.facts, policy, model, reader)
        taken.append(timer() - started)
    if not taken:
        return 0.0, 0.0
    taken.sort()
    p50, p99 = taken[len(taken) // 2], taken[min(len(taken) - 1, len(taken) * 99 // 100)]
    return round(p50 * 1000, 3), round(p99 * 1000, 3)


def _rate(flags: Iterator[bool]) -> float | None:
    found = list(flags)
    return _share(sum(found), len(found))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
