"""Rules about the sale and the customer: what is offered, until when, and how often."""

from __future__ import annotations

from datetime import timedelta

from triage.facts import Facts
from triage.hits import RuleHit, deny, review
from triage.schema import Policy, Terms


def remedy_not_offered(_: Policy, terms: Terms, facts: Facts) -> RuleHit | None:
    if facts.remedy in terms.remedies:
        return None
    offered = ", ".join(sorted(terms.remedies))
    sentence = "The remedy {remedy} is not offered; offered are: {offered}."
    return deny("remedy_not_offered", sentence, remedy=facts.remedy.value, offered=offered)


def final_sale(_: Policy, terms: Terms, facts: Facts) -> RuleHit | None:
    sold = terms.final_sale
    if not (sold if isinstance(sold, bool) else facts.token_id in sold):
        return None
    return deny("final_sale", "Token {token} was sold as final.", token=facts.token_id)


def window_passed(_: Policy, terms: Terms, facts: Facts) -> RuleHit | None:
    last = timedelta(days=terms.window_days)
    if facts.requested_at - facts.purchased_at <= last:
        return None
    return deny(
        "window_passed",
        "The window of {window_days} days closed before the request at {requested_at}.",
        window_days=terms.window_days,
        purchased_at=facts.purchased_at.isoformat(),
        requested_at=facts.requested_at.isoformat(),
    )


def dates_disagree(_: Policy, __: Terms, facts: Facts) -> RuleHit | None:
    if facts.requested_at >= facts.purchased_at:
        return None
    return review(
        "dates_disagree",
        "The request at {requested_at} is older than the purchase at {purchased_at}.",
        purchased_at=facts.purchased_at.isoformat(),
        requested_at=facts.requested_at.isoformat(),
    )


def yearly_limit(policy: Policy, _: Terms, facts: Facts) -> RuleHit | None:
    if facts.returns_365d < policy.yearly_limit:
        return None
    return deny(
        "yearly_limit",
        "The customer has {returns} returns in 365 days; the policy allows {limit}.",
        returns=facts.returns_365d,
        limit=policy.yearly_limit,
    )


def frequent_returns(policy: Policy, _: Terms, facts: Facts) -> RuleHit | None:
    after = policy.review_after
    returns = facts.returns_90d if after.days == 90 else facts.returns_365d
    if returns < after.returns:
        return None
    sentence = "The customer has {returns} returns in {days} days."
    return review("frequent_returns", sentence, returns=returns, days=after.days)
