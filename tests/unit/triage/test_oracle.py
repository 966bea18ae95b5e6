"""The gate says what docs/policies.md says; and the comparison that shows it would notice more."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

import pytest
import yaml

import triage.rules
from tests.oracle.cases import Case, cases, written
from tests.oracle.compare import held_against, smallest
from tests.oracle.policy_oracle import CODES, RULES, Answer, Rule, answer, offer, right_of, terms_of
from tests.oracle.promises import keeps_promises

#: Facts that may be hidden from the engine: it must come to something else.
_SEEN = (
    *("purchase_proven", "tender_expired", "dispute_open", "royalty", "platform_fee", "gas_cost"),
    *("delivered_at", "revealed_at", "purchased_block", "requested_block", "valid_from"),
    *("valid_until", "holder", "revealed", "perks_claimed", "listed", "locked", "rented"),
    *("transferable", "paused", "moves_since_purchase", "buyer_wallet", "requester_wallet"),
    *("recipient", "on_lists", "returns_7d", "returns_30d", "goodwill_365d", "identity_verified"),
    *("consumer", "withdrawal_waived", "billing_country", "wallet_returns_7d"),
    *("wallet_returns_30d", "wallet_returns_90d", "wallet_returns_365d", "cluster_returns_365d"),
)
_KEYS = (
    *("windows", "window_from", "window_blocks", "final_sale", "condition", "tenders"),
    *("alternatives", "person_for", "fees", "credit_bonus_bps", "prorate", "limits", "rules"),
    *("identity_above", "lists_required", "channels", "collections"),
)
_COUNT = 3_000
#: By then every code has been met at an edge, whatever the seed.
_ENOUGH = 20_000
_DOCUMENT = (Path(__file__).parents[3] / "docs" / "policies.md").read_text()

_Answered = list[tuple[Case, Answer]]


@cache
def _pairs() -> list[tuple[Case, Case]]:
    return list(cases(Random(2026), _COUNT, each=60))


@cache
def _answered() -> _Answered:
    return [(case, answer(case.policy, case.facts)) for pair in _pairs() for case in pair]


@pytest.fixture(scope="module")
def agreed() -> _Answered:
    """Cases of which engine and oracle say the same as long as nothing is planted."""
    return [(case, said) for case, said in _answered() if held_against(said, case) is None]


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(" .").lower()


def test_the_oracle_knows_every_code_of_the_document() -> None:
    rows = [line.split("|") for line in _DOCUMENT.splitlines() if line.startswith("| `")]

    assert [code for row in rows for code in re.findall(r"`([a-z_]+)`", row[1])] == list(CODES)


@pytest.mark.parametrize("rule", RULES[:-1], ids=lambda rule: rule.__name__)
def test_quotes_what_the_document_says_of_a_rule(rule: Rule) -> None:
    assert _plain(rule.__doc__ or "?") in _plain(_DOCUMENT)


def test_engine_and_oracle_agree() -> None:
    found = next((one for case, said in _answered() if (one := held_against(said, case))), None)

    assert found is None, smallest(found).text()


def test_every_code_is_turned_on_or_off_by_a_step_of_one_fact() -> None:
    missing = set(CODES)
    for pair in cases(Random(2026), _ENOUGH, each=60):
        one, other = (answer(case.policy, case.facts) for case in pair)
        missing -= (one.counting | one.set_aside) ^ (other.counting | other.set_aside)
        if not missing:
            return
    pytest.fail(f"never at an edge: {sorted(missing)}")


def test_no_verdict_is_above_seventy_percent() -> None:
    verdicts = Counter(said.verdict for _, said in _answered())

    assert verdicts.total() == _COUNT
    assert sorted(verdicts) == ["approve", "deny", "review"]
    assert max(verdicts.values()) <= 0.7 * _COUNT


def test_a_seed_gives_the_same_cases_again() -> None:
    assert list(cases(Random(7), 80)) == list(cases(Random(7), 80))


@pytest.mark.parametrize("rule", triage.rules.RULES, ids=lambda rule: rule.__name__)
def test_notices_that_a_rule_is_missing(
    rule: object, agreed: _Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = tuple(other for other in triage.rules.RULES if other is not rule)
    monkeypatch.setattr(triage.rules, "RULES", rest)

    assert any(held_against(said, case) for case, said in agreed)


@pytest.mark.parametrize("name", _SEEN)
def test_notices_that_a_fact_is_hidden(name: str, agreed: _Answered) -> None:
    assert any(
        held_against(said, replace(case, facts={**case.facts, name: None}))
        for case, said in agreed
        if case.facts[name] is not None
    )


@pytest.mark.parametrize("key", _KEYS)
def test_notices_that_a_key_is_not_read(key: str, agreed: _Answered) -> None:
    assert any(
        held_against(said, replace(case, text=_without(case.text, key)))
        for case, said in agreed
        if key in case.policy
    )


@pytest.mark.parametrize("code", ["customer_limit", "wallet_limit", "cluster_limit"])
def test_notices_a_limit_that_is_one_too_high(code: str, agreed: _Answered) -> None:
    assert any(
        held_against(said, replace(case, text=_limits_raised(case.text)))
        for case, said in agreed
        if code in said.counting
    )


@cache
def _without(text: str, key: str) -> str:
    return written({name: value for name, value in yaml.safe_load(text).items() if name != key})


@cache
def _limits_raised(text: str) -> str:
    policy = yaml.safe_load(text)
    raised = [{**limit, "most": min(1_000_000, limit["most"] + 1)} for limit in policy["limits"]]
    return written({**policy, "limits": raised})


@dataclass(frozen=True)
class _Approval:
    amount: int
    bonus: int
    remedy: str
    currency: str


def test_promises_forbid_every_approval_that_the_oracle_does_not_give() -> None:
    forbidden = [case for case, said in _answered() if said.verdict != "approve"]

    for case in forbidden:
        with pytest.raises(AssertionError):
            keeps_promises(case, _approval(case))
    assert len(forbidden) > 0.3 * _COUNT


def _approval(case: Case) -> _Approval:
    facts = case.facts
    offered = offer(terms_of(case.policy, facts), facts, right_of(facts))
    return _Approval(offered.amount, offered.bonus, facts["remedy"], facts["currency"])
