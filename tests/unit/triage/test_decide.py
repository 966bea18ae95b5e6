"""Decisions: what the model may not do, what is stored, and what customers read."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from returns.words import ALLOWED_PAIRS, Disposition, Reason, Remedy, Tender, Verdict
from triage import decide as decide_module
from triage.decide import decide
from triage.explanation import DENIALS
from triage.facts import Facts
from triage.features import FEATURES, features
from triage.hits import Ground
from triage.model import Model, Steps
from triage.outcome import Outcome, refusal_of
from triage.policy import evaluate, verdict_of
from triage.schema import CHOICES
from triage.situation import situation_of

OTHER = "0x" + "c" * 40
LONG_AGO = datetime(2021, 12, 1, tzinfo=UTC)
STRICTNESS = [Verdict.APPROVE, Verdict.REVIEW, Verdict.DENY]
#: What each feature contributes, in millionths, and the intercept.
MICROS = st.tuples(*[st.integers(-10_000_000, 10_000_000)] * (len(FEATURES) + 1))

MAY_DENY = {code for code, choices in CHOICES.items() if "deny" in choices}
LIMITED = ["customer", "wallet", "cluster"]
#: Answered by asking for a proof, whatever the verdict.
UNPROVEN_CODES = {"purchase_unproven"}


def constant(name, micros=0):
    return Steps(name, (), (micros,), max(0, micros), -1e9, 1e9, 1_000_000)


def certain(logit):
    """Make a model that says the same of everybody."""
    steps = tuple(constant(feature.name) for feature in FEATURES)
    return Model(steps, round(logit * 1_000_000), {})


@given(data=st.data(), micros=MICROS)
def test_no_model_loosens_or_denies(any_facts, standard, data, micros):
    facts = data.draw(any_facts)
    intercept, *parts = micros
    steps = tuple(constant(one.name, part) for one, part in zip(FEATURES, parts, strict=True))
    gate = decide(facts, standard, None)
    decision = decide(facts, standard, Model(steps, intercept, {}))
    assert STRICTNESS.index(decision.verdict) >= STRICTNESS.index(gate.verdict)
    assert (decision.verdict is Verdict.DENY) == (gate.verdict is Verdict.DENY)
    assert tuple(hit for hit in decision.hits if hit in gate.hits) == gate.hits
    added = {(hit.ground, hit.verdict) for hit in decision.hits if hit not in gate.hits}
    assert added <= {(Ground.RISK, Verdict.REVIEW)}


@given(data=st.data())
def test_no_approval_breaks_the_policy(any_facts, standard, model, data):
    facts = data.draw(any_facts)
    decision = decide(facts, standard, model)
    assert (decision.remedy, decision.disposition) in ALLOWED_PAIRS
    assert 0 <= decision.amount <= max(0, facts.paid - facts.already_refunded)
    if decision.verdict is Verdict.APPROVE:
        assert decision.hits == ()
        assert decision.amount == facts.requested <= standard.caps[facts.currency]
        assert facts.holder is not None
        assert facts.holder in (facts.requester_wallet, facts.buyer_wallet)
        assert facts.requested_at - facts.purchased_at <= timedelta(days=30)


@given(data=st.data())
def test_same_facts_policy_and_model_give_the_same_bytes(any_facts, standard, model, data):
    facts = data.draw(any_facts)
    again = Facts.from_json(facts.to_json())
    reloaded = Model.from_json(model.to_json())
    decision = decide(facts, standard, model)
    assert decision.to_json() == decide(again, standard, reloaded).to_json()


def test_ordinary_request_is_approved_in_full(standard, model, facts):
    decision = decide(facts(), standard, model)
    assert decision.verdict is Verdict.APPROVE
    assert (decision.remedy, decision.disposition) == (Remedy.CRYPTO_REFUND, Disposition.VAULT)
    assert (decision.amount, decision.currency) == (59_900_000_000_000_000_000, "ETH")
    assert (decision.hits, decision.reasons) == ((), ())
    assert "you get 59.900000000000000000 ETH" in decision.explanation


@given(
    hold_hours=st.integers(1, 14 * 24),
    earlier=st.integers(0, 1),
    recent=st.booleans(),
    more_orders=st.integers(1, 30),
    known_days=st.none() | st.integers(0, 2000),
    drop_percent=st.none() | st.integers(-100, 10),
    reason=st.sampled_from(Reason),
    # people pay 0.05 or 1.2345 ether, not eighteen digits of it
    wei=st.integers(100, 1_200_000).map(lambda n: n * 10**14),
)
def test_honest_ordinary_requests_stay_clearly_under_the_band(
    standard,
    model,
    facts,
    hold_hours,
    earlier,
    recent,
    more_orders,
    known_days,
    drop_percent,
    reason,
    wei,
):
    now = facts().requested_at
    bought = now - timedelta(hours=hold_hours)
    honest = facts(
        paid=wei,
        requested=wei,
        reason=reason,
        purchased_at=bought,
        returns_90d=earlier if recent else 0,
        returns_365d=earlier,
        orders_365d=earlier + more_orders,
        customer_since=None if known_days is None else bought - timedelta(days=known_days),
        price_then=None if drop_percent is None else wei,
        price_now=None if drop_percent is None else wei * (100 - drop_percent) // 100,
    )
    score = model.score(features(honest))
    assert score.probability < 0.3
    assert score.novel == ()
    assert decide(honest, standard, model).verdict is Verdict.APPROVE


@given(
    recent=st.integers(5, 30),
    kept=st.integers(0, 1),
    known_days=st.integers(0, 2000),
    drop_percent=st.integers(40, 95),
    hold_days=st.integers(1, 30),
    cents=st.integers(1_000, 50_000_000),
)
def test_serial_returners_are_clearly_above_the_band(
    standard, model, facts, recent, kept, known_days, drop_percent, hold_days, cents
):
    now = facts().requested_at
    serial = facts(
        currency="USD",
        tender=Tender.CARD,
        remedy=Remedy.FIAT_REFUND,
        paid=cents,
        requested=cents,
        reason=Reason.PRICE_REGRET,
        purchased_at=now - timedelta(days=hold_days),
        returns_90d=recent,
        returns_365d=recent,
        orders_365d=recent + kept,
        customer_since=now - timedelta(days=hold_days + known_days),
        price_then=cents,
        price_now=cents * (100 - drop_percent) // 100,
    )
    assert recent / (recent + kept) > 0.8
    assert model.score(features(serial)).probability > 0.8
    assert decide(serial, standard, model).verdict is not Verdict.APPROVE


def test_risk_at_the_band_goes_to_a_person(policy, facts):
    at = certain(0.0).score({}).probability
    on = policy(risk={"review_from": at, "confidence_below": 0.0})
    above = policy(risk={"review_from": at + 1e-9, "confidence_below": 0.0})
    assert decide(facts(), on, certain(0.0)).reasons == ("risk_high",)
    assert decide(facts(), above, certain(0.0)).reasons == ()


def test_confidence_below_the_band_goes_to_a_person(policy, facts):
    sure = certain(-2.0).score(features(facts())).confidence
    at = policy(risk={"review_from": 1.0, "confidence_below": sure})
    above = policy(risk={"review_from": 1.0, "confidence_below": sure + 1e-9})
    assert decide(facts(), at, certain(-2.0)).reasons == ()
    assert decide(facts(), above, certain(-2.0)).reasons == ("confidence_low",)


def test_missing_facts_alone_can_send_a_request_to_a_person(policy, facts):
    sure = certain(-2.0).score(features(facts())).confidence
    band = policy(risk={"review_from": 0.6, "confidence_below": sure})
    unknown = {"price_then": None, "customer_since": None, "orders_365d": 0}
    assert decide(facts(), band, certain(-2.0)).reasons == ()
    assert decide(facts(**unknown), band, certain(-2.0)).reasons == ("confidence_low",)


def test_model_that_trusts_everybody_approves_nothing_that_the_gate_holds(standard, facts):
    assert decide(facts(holder=None), standard, certain(-100.0)).verdict is Verdict.REVIEW
    assert decide(facts(holder=OTHER), standard, certain(-100.0)).verdict is Verdict.DENY


def test_model_that_suspects_everybody_denies_nobody(standard, facts):
    decision = decide(facts(), standard, certain(100.0))
    assert (decision.verdict, decision.reasons) == (Verdict.REVIEW, ("risk_high",))


@pytest.mark.parametrize(
    ("changes", "outcome", "refusal"),
    [
        ({}, {"amount": 0}, "or nothing"),
        ({}, {"amount": 59_900_000_000_000_000_001}, "left of what was paid"),
        ({"already_refunded": 1}, {}, "left of what was paid"),
        ({}, {"disposition": Disposition.KEEP}, "may not be paired"),
        ({"holder": None}, {}, "does not hold the token"),
        ({"holder": OTHER}, {}, "does not hold the token"),
        ({"buyer_wallet": None}, {}, "does not hold the token"),
        ({"purchase_proven": None}, {}, "is not proven"),
        ({"recipient": OTHER}, {}, "somebody else"),
        ({"currency": "EUR"}, {}, "above the cap"),
        ({}, {"bonus": 61 * 10**18}, "above the cap"),
        ({"purchased_at": LONG_AGO}, {}, "the window is closed"),
    ],
)
def test_the_second_gate_refuses_what_no_rule_has_held_back(
    standard, facts, changes, outcome, refusal
):
    case = situation_of(standard, facts(**changes))
    approved = Outcome(
        Verdict.APPROVE, Remedy.CRYPTO_REFUND, Disposition.VAULT, facts().requested, 0
    )
    assert refusal_of(situation_of(standard, facts()), approved) is None
    assert refusal in refusal_of(case, approved._replace(**outcome))


def test_what_does_not_pass_the_second_gate_goes_to_a_person(monkeypatch, standard, facts):
    monkeypatch.setattr(decide_module, "evaluate", lambda case: [])
    decision = decide(facts(holder=OTHER), standard, None)
    assert (decision.verdict, decision.reasons) == (Verdict.REVIEW, ("outside_policy",))


def test_without_a_model_rules_decide_alone_and_the_decision_says_so(standard, facts):
    decision = decide(facts(), standard, None)
    content = json.loads(decision.to_json())
    assert (decision.verdict, decision.basis) == (Verdict.APPROVE, "rules_only")
    assert (content["basis"], content["score"], content["model_hash"]) == ("rules_only", None, None)


def test_decision_carries_what_it_was_decided_on(standard, model, facts):
    decision = decide(facts(), standard, model)
    content = json.loads(decision.to_json())
    assert content["policy_name"] == "standard"
    assert content["policy_hash"] == standard.policy_hash
    assert content["model_hash"] == model.model_hash
    assert content["facts_hash"] == facts().facts_hash
    assert content["amount"] == "59900000000000000000"
    assert content["basis"] == "rules_and_model"
    assert set(content["score"]["contributions"]) == set(model.names)


def test_denial_gives_nothing_and_keeps_the_token_where_it_is(standard, model, facts):
    decision = decide(facts(holder=OTHER), standard, model)
    assert (decision.remedy, decision.disposition) == (Remedy.NOTHING, Disposition.KEEP)
    assert (decision.amount, decision.reasons) == (0, ("not_the_holder",))


def test_review_proposes_what_a_person_would_approve(standard, model, facts):
    decision = decide(facts(recipient=OTHER), standard, model)
    assert decision.verdict is Verdict.REVIEW
    assert (decision.remedy, decision.amount) == (Remedy.CRYPTO_REFUND, facts().requested)


def test_disposition_follows_the_collection(policy, facts):
    words = {"dispositions": {"store_credit": "burn"}}
    own = policy(collections={facts().collection: words})
    decision = decide(facts(remedy=Remedy.STORE_CREDIT), own, None)
    assert decision.disposition is Disposition.BURN


@given(data=st.data())
def test_every_decision_has_sentences_for_the_customer(any_facts, policy, model, data):
    strict = policy(
        rules=dict.fromkeys(MAY_DENY, "deny"),
        limits=[{"of": of, "days": 365, "most": 3, "then": "deny"} for of in LIMITED]
        + [{"what": "goodwill", "days": 365, "most": 1, "then": "deny"}],
        alternatives=["store_credit", "crypto_refund"],
    )
    facts = data.draw(any_facts)
    decision = decide(facts, strict, model)
    assert decision.explanation.endswith(".")
    assert decision.explanation.count(". ") == bool(decision.alternatives)
    assert "{" not in decision.explanation
    hits = [hit for hit in evaluate(strict, facts) if hit.set_aside is None]
    denied = [hit.code for hit in hits if hit.verdict is Verdict.DENY]
    # goodwill is only asked for where something else denies: it is never what a customer reads
    assert denied[:1] != ["goodwill_limit"]
    assert set(denied) - {"goodwill_limit"} <= DENIALS.keys() | UNPROVEN_CODES


def test_every_rule_that_a_policy_may_set_to_deny_has_a_sentence():
    assert DENIALS.keys() | UNPROVEN_CODES >= MAY_DENY
    for code in UNPROVEN_CODES:
        assert code not in DENIALS


def test_customer_is_told_the_reason_and_no_ones_wallet(standard, model, facts):
    late = facts(purchased_at=facts().requested_at - timedelta(days=31))
    sentence = "We are sorry, the 30 days for returning this token have passed."
    assert decide(late, standard, model).explanation == sentence
    assert OTHER not in decide(facts(holder=OTHER), standard, model).explanation


def test_strictest_verdict_is_that_of_the_hits(standard, model, facts):
    decision = decide(facts(holder=OTHER, recipient=OTHER), standard, model)
    assert decision.verdict is verdict_of(decision.hits) is Verdict.DENY


def test_deciding_needs_neither_scikit_learn_nor_the_rest_of_the_product():
    script = (
        "import sys, triage.decide, triage.policy\n"
        "heavy = {'sklearn', 'sqlalchemy', 'sqlmodel', 'web3', 'fastapi', 'celery'}\n"
        "sys.exit(len(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
