"""Rules about the sale: what is offered, for which tender, until when, and for which reasons."""

from __future__ import annotations

from datetime import timedelta

from triage.hits import Ground, RuleHit, deny, review
from triage.situation import Situation
from triage.terms import Since


def remedy_not_offered(case: Situation) -> RuleHit | None:
    if case.facts.remedy in case.terms.remedies:
        return None
    offered = ", ".join(sorted(case.terms.remedies))
    sentence = "The remedy {remedy} is not offered; offered are: {offered}."
    remedy = case.facts.remedy.value
    return deny("remedy_not_offered", sentence, remedy=remedy, offered=offered)


def tender_restricted(case: Situation) -> RuleHit | None:
    allowed = case.terms.tenders.get(case.facts.tender)
    if allowed is None or case.facts.remedy in allowed:
        return None
    return deny(
        "tender_restricted",
        "A payment by {tender} is given back as {allowed} only, not as {remedy}.",
        tender=case.facts.tender.value,
        allowed=", ".join(sorted(allowed)),
        remedy=case.facts.remedy.value,
    )


def final_sale(case: Situation) -> RuleHit | None:
    sold, token = case.terms.final_sale, case.facts.token_id
    if not (sold if isinstance(sold, bool) else token in sold):
        return None
    return deny("final_sale", "Token {token} was sold as final.", token=token)


def window_passed(case: Situation) -> RuleHit | None:
    """By the clock or by blocks, whichever ends first."""
    facts, terms = case.facts, case.terms
    days = terms.windows.get(facts.remedy, terms.window_days)
    if not _is_past_day(case, days) and not _is_past_block(case):
        return None
    return deny(
        "window_passed",
        "The window of {window_days} days from {since} closed before {requested_at}.",
        window_days=days,
        since=terms.window_from.value,
        purchased_at=facts.purchased_at.isoformat(),
        requested_at=facts.requested_at.isoformat(),
    )


def window_unknown(case: Situation) -> RuleHit | None:
    facts, terms = case.facts, case.terms
    has_begun = terms.window_from is not Since.REVEAL or facts.revealed is not False
    lacking = ["when it began"] if has_begun and case.since is None else []
    if terms.window_blocks is not None and _blocks_gone_by(case) is None:
        lacking.append("its blocks")
    if not lacking:
        return None
    sentence = "Whether the window is open cannot be told without {lacking}."
    return review("window_unknown", sentence, lacking=" and ".join(lacking))


def dates_disagree(case: Situation) -> RuleHit | None:
    facts = case.facts
    if facts.purchased_at <= (case.since or facts.purchased_at) <= facts.requested_at:
        return None
    return review(
        "dates_disagree",
        "Purchase at {purchased_at}, begin of the window and request at {requested_at} disagree.",
        Ground.SAFETY,
        purchased_at=facts.purchased_at.isoformat(),
        requested_at=facts.requested_at.isoformat(),
    )


def reason_needs_person(case: Situation) -> RuleHit | None:
    if case.facts.reason not in case.terms.person_for:
        return None
    sentence = "A person looks at every request for the reason {reason}."
    return review("reason_needs_person", sentence, reason=case.facts.reason.value)


def _blocks_gone_by(case: Situation) -> int | None:
    first, now = case.facts.purchased_block, case.facts.requested_block
    return None if first is None or now is None else now - first


def _is_past_day(case: Situation, last: int) -> bool:
    if case.since is None:
        return False
    gone_by = case.facts.requested_at - case.since
    return gone_by.days >= last and gone_by > timedelta(days=last)


def _is_past_block(case: Situation) -> bool:
    last = case.terms.window_blocks
    if last is None:
        return False
    gone_by = _blocks_gone_by(case)
    return gone_by is not None and gone_by > last
