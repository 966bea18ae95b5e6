"""Hold the engine's decision against the oracle's answer; cut a difference down to its bones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from returns.errors import PolicyInvalid, UndropError
from returns.words import Reason, Remedy, Tender
from tests.oracle.cases import Case, written
from tests.oracle.policy_oracle import Answer, answer
from triage.decide import decide
from triage.facts import REQUIRED_FACTS, Facts
from triage.policy import parse_policy
from triage.schema import Policy

Decide = Callable[[Facts, Policy, None], Any]

_WORDS = {"remedy": Remedy, "tender": Tender, "reason": Reason}


@dataclass(frozen=True)
class Difference:
    """A case of which engine and oracle say different things."""

    case: Case
    engine: Answer
    oracle: Answer

    def text(self) -> str:
        """The policy, the facts that are known, and what differs."""
        known = {name: value for name, value in self.case.facts.items() if value is not None}
        told = [self.case.text, json.dumps(known, default=str, indent=1, sort_keys=True)]
        for name in Answer.__dataclass_fields__:
            ours, theirs = getattr(self.engine, name), getattr(self.oracle, name)
            if ours != theirs:
                told.append(f"{name}: engine {_plain(ours)}, oracle {_plain(theirs)}")
        return "\n".join(told)


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else value


def facts_of(values: dict[str, Any]) -> Facts:
    """The engine's facts from a plain dict."""
    fit: dict[str, Any] = {**values, **{name: word(values[name]) for name, word in _WORDS.items()}}
    return Facts(**fit)


@lru_cache(maxsize=4)
def policy_of(text: str) -> Policy:
    """The engine's policy; cases of one policy come one after another."""
    return parse_policy(text)


def engine_answer(case: Case, decides: Decide = decide) -> tuple[Answer, bool]:
    """The engine's decision in the oracle's words, and whether anything but the gate spoke."""
    facts, policy = facts_of(case.facts), policy_of(case.text)
    try:
        decision = decides(facts, policy, None)
    except UndropError as raised:
        # Facts and policy are valid: whatever is raised over them is a fault of the engine.
        return Answer(f"raises {raised!r}", frozenset(), frozenset(), 0, 0, ()), False
    gate = [hit for hit in decision.hits if hit.ground != "risk"]
    found = Answer(
        str(decision.verdict),
        frozenset(hit.code for hit in gate if not hit.set_aside),
        frozenset(hit.code for hit in gate if hit.set_aside),
        decision.amount,
        decision.bonus,
        tuple(str(remedy) for remedy in decision.alternatives),
    )
    return found, len(gate) < len(decision.hits)


def difference(case: Case, decides: Decide = decide) -> Difference | None:
    """What engine and oracle do not agree on; None where they agree."""
    return held_against(answer(case.policy, case.facts), case, decides)


def held_against(expected: Answer, case: Case, decides: Decide = decide) -> Difference | None:
    """The same, where the oracle has been asked already.

    Risk can only turn an approval into a review, so that such a review is no difference.
    """
    found, risk = engine_answer(case, decides)
    allowed = [expected]
    if risk and expected.verdict == "approve":
        allowed.append(replace(expected, verdict="review"))
    return None if found in allowed else Difference(case, found, expected)


def smallest(found: Difference, decides: Decide = decide) -> Difference:
    """Leave out words and facts one by one while engine and oracle still differ."""
    smaller = True
    while smaller:
        smaller = False
        for case in _smaller(found.case):
            try:
                still = difference(case, decides)
            except (PolicyInvalid, KeyError, IndexError):
                continue
            if still is not None:
                found, smaller = still, True
                break
    return found


def _smaller(case: Case) -> Iterator[Case]:
    for key in case.policy:
        policy = {name: value for name, value in case.policy.items() if name != key}
        yield Case(written(policy), policy, case.facts)
    for table in ("profiles", "channels", "collections"):
        for name, words in (case.policy.get(table) or {}).items():
            for key in words:
                fewer = {word: value for word, value in words.items() if word != key}
                policy = {**case.policy, table: {**case.policy[table], name: fewer}}
                yield Case(written(policy), policy, case.facts)
    for limit in case.policy.get("limits") or ():
        rest = [other for other in case.policy["limits"] if other is not limit]
        policy = {**case.policy, "limits": rest}
        yield Case(written(policy), policy, case.facts)
    for name, value in case.facts.items():
        if value is not None and name not in (*REQUIRED_FACTS, "message", "channel"):
            yield Case(case.text, case.policy, {**case.facts, name: None})
