"""Decisions: what the model may not do, what is stored, and what customers read."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from returns.errors import UndropError
from returns.words import ALLOWED_PAIRS, Disposition, Reason, Remedy, Tender, Verdict
from triage import decide as decide_module
from triage.decide import decide
from triage.explanation import DENIALS
from triage.facts import Facts
from triage.features import FEATURES, features
from triage.model import Model
from triage.policy import RuleHit, evaluate, strictest

OTHER = "0x" + "c" * 40
STRICTNESS = [Verdict.APPROVE, Verdict.REVIEW, Verdict.DENY]
ANY_MODEL = st.builds(
    Model,
    names=st.just(tuple(feature.name for feature in FEATURES)),
    means=st.just((0.0,) * 9),
    scales=st.just((1.0,) * 9),
    coefs=st.tuples(*[st.floats(-100, 100)] * 9),
    intercept=st.floats(-100, 100),
    card=st.just({}),
)


def certain(intercept):
    """Make a model that says the same of everybody."""
    names = tuple(feature.name for feature in FEATURES)
    return Model(names, (0.0,) * 9, (1.0,) * 9, (0.0,) * 9, intercept, {})


@settings(max_examples=400)
@given(data=st.data(), any_model=ANY_MODEL)
def test_no_model_loosens_or_denies(any_facts, standard, data, any_model):
    facts = data.draw(any_facts)
    gate = decide(facts, standard, None)
    decision = decide(facts, standard, any_model)
    assert STRICTNESS.index(decision.verdict) >= STRICTNESS.index(gate.verdict)
    assert (decision.verdict is Verdict.DENY) == (gate.verdict is Verdict.DENY)
    assert decision.hits[: len(gate.hits)] == gate.hits


@settings(max_examples=400)
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
    wei=st.integers(10**16, 120 * 10**18),
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
        price_then=None if drop_percent is None else 100,
        price_now=None if drop_percent is None else 100 - drop_percent,
    )
    assert model.score(features(honest)).probability < 0.3
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
        price_then=100,
        price_now=100 - drop_percent,
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
    band = policy(risk={"review_from": 0.6, "confidence_below": 0.6})
    unknown = {"price_then": None, "customer_since": None, "orders_365d": 0}
    assert decide(facts(), band, certain(-2.0)).reasons == ()
    assert decide(facts(**unknown), band, certain(-2.0)).reasons == ("confidence_low",)


def test_model_that_trusts_everybody_approves_nothing_that_the_gate_holds(standard, facts):
    assert decide(facts(holder=None), standard, certain(-100.0)).verdict is Verdict.REVIEW
    assert decide(facts(holder=OTHER), standard, certain(-100.0)).verdict is Verdict.DENY


def test_model_that_suspects_everybody_denies_nobody(standard, facts):
    decision = decide(facts(), standard, certain(100.0))
    assert (decision.verdict, decision.reasons) == (Verdict.REVIEW, ("risk_high",))


@pytest.mark.parametrize("verdict", [Verdict.APPROVE, Verdict.DENY])
def test_gate_again_refuses_an_outcome_that_the_rules_did_not_make(standard, facts, verdict):
    held = facts(holder=None)
    forged = replace(decide(held, standard, None), verdict=verdict)
    with pytest.raises(UndropError):
        decide_module._gate_again(forged, held, standard)


def test_gate_again_refuses_more_money_or_another_pair(standard, facts):
    decision = decide(facts(), standard, None)
    for change in ({"amount": facts().paid + 1}, {"disposition": Disposition.KEEP}):
        with pytest.raises(UndropError):
            decide_module._gate_again(replace(decision, **change), facts(), standard)


def test_gate_runs_again_after_the_model(monkeypatch, standard, model, facts):
    forbidden = RuleHit("model_denies", Verdict.DENY, "A model may not.", {})
    monkeypatch.setattr(decide_module, "_risk", lambda policy, score: [forbidden])
    monkeypatch.setitem(DENIALS, "model_denies", "No.")
    with pytest.raises(UndropError):
        decide(facts(), standard, model)


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
def test_every_decision_has_one_sentence_for_the_customer(any_facts, policy, model, data):
    rules = policy(third_party="deny")
    facts = data.draw(any_facts)
    decision = decide(facts, rules, model)
    assert decision.explanation.endswith(".")
    assert "{" not in decision.explanation
    denied = [hit.code for hit in evaluate(rules, facts) if hit.verdict is Verdict.DENY]
    assert set(denied) <= DENIALS.keys()


def test_customer_is_told_the_reason_and_no_ones_wallet(standard, model, facts):
    late = facts(purchased_at=facts().requested_at - timedelta(days=31))
    sentence = "We are sorry, the 30 days for returning this token have passed."
    assert decide(late, standard, model).explanation == sentence
    assert OTHER not in decide(facts(holder=OTHER), standard, model).explanation


def test_strictest_verdict_is_that_of_the_hits(standard, model, facts):
    decision = decide(facts(holder=OTHER, recipient=OTHER), standard, model)
    assert decision.verdict is strictest(hit.verdict for hit in decision.hits) is Verdict.DENY


def test_deciding_needs_neither_scikit_learn_nor_the_rest_of_the_product():
    script = (
        "import sys, triage.decide, triage.policy\n"
        "heavy = {'sklearn', 'numpy', 'sqlalchemy', 'sqlmodel', 'web3', 'fastapi', 'celery'}\n"
        "sys.exit(len(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
