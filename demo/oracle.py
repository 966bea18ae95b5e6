"""What each request must end as: from the file, the requests in their order and the written policy.

Nothing of the product takes part. Each rule below quotes the sentence of the policy that it
applies. Denial beats review, review beats approval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from demo.keys import wallet_of
from demo.kinds import CRYPTO, FIAT
from demo.policy import Written
from demo.requests import Request
from demo.sales import CARD, WALLET

APPROVE, REVIEW, DENY = "approve", "review", "deny"
SETTLED, DENIED, IN_REVIEW = "settled", "denied", "in_review"

_STRICTNESS = (APPROVE, REVIEW, DENY)


@dataclass(frozen=True, slots=True)
class Situation:
    """A request with what surrounds it. `earlier` are the times of the customer's returns before
    it that were not denied; `holder` is the address that has the token."""

    request: Request
    bought_at: datetime
    asked_at: datetime
    holder: str
    earlier: tuple[datetime, ...] = ()

    @property
    def claimant(self) -> str:
        """The wallet that asks: the one that is named, or else the buyer's."""
        return self.request.wallet or self.request.purchase.wallet

    @property
    def payee(self) -> str | None:
        """The wallet that a payout would reach, None where no wallet is paid."""
        if self.request.recipient is None and self.request.remedy == CRYPTO:
            return self.claimant
        return self.request.recipient


@dataclass(frozen=True, slots=True)
class Expected:
    """How a case must end. Remedy and amount (minor units) are those of a settled one."""

    request: Request
    end: str
    why: tuple[str, ...]
    remedy: str | None = None
    amount: int | None = None


def rules(policy: Written, case: Situation) -> list[tuple[str, str]]:
    """(verdict, code) of every sentence of the policy that applies."""
    found = [
        _offer(policy, case),
        _final_sale(policy, case),
        _window(policy, case),
        _holder(case),
        _buyer(policy, case),
        _tender(case),
        _payee(case),
        _cap(policy, case),
        _yearly_limit(policy, case),
        _frequency(policy, case),
    ]
    return [hit for hit in found if hit is not None]


def verdict(policy: Written, case: Situation) -> str:
    """ "If several apply, the strictest wins (deny, then review, then approve)." """
    verdicts = [said for said, _ in rules(policy, case)]
    return max(verdicts, key=_STRICTNESS.index, default=APPROVE)


def foretell(policy: Written, cases: Sequence[Situation]) -> list[Expected]:
    """The end of every case, in the order of the requests. Cases come without `earlier`.

    All requests are made before any agent decides: a request in review counts as an earlier
    return of its customer, whatever becomes of it later.
    """
    counted: dict[str, list[datetime]] = defaultdict(list)
    ends = []
    for case in sorted(cases, key=lambda case: case.request.place):
        history = counted[case.request.purchase.customer]
        placed = Situation(case.request, case.bought_at, case.asked_at, case.holder, tuple(history))
        said = verdict(policy, placed)
        if said != DENY:
            history.append(case.asked_at)
        ends.append(_end(placed.request, said, tuple(code for _, code in rules(policy, placed))))
    return ends


def _end(request: Request, said: str, why: tuple[str, ...]) -> Expected:
    if said == DENY:
        return Expected(request, DENIED, why)
    if said == REVIEW and request.agent is None:
        return Expected(request, IN_REVIEW, why)
    if said == REVIEW and request.agent == DENY:
        return Expected(request, DENIED, (*why, "agent"))
    remedy = (request.agent_remedy if said == REVIEW else None) or request.remedy
    return Expected(request, SETTLED, why, remedy, request.asked)


def _offer(policy: Written, case: Situation) -> tuple[str, str] | None:
    """ "What may be asked for; anything else is denied (remedy_not_offered)." """
    return None if case.request.remedy in policy.remedies else (DENY, "remedy_not_offered")


def _final_sale(policy: Written, case: Situation) -> tuple[str, str] | None:
    """ "Tokens that are never taken back (final_sale)." """
    return (DENY, "final_sale") if policy.is_final(case.request.purchase.token_id) else None


def _window(policy: Written, case: Situation) -> tuple[str, str] | None:
    """ "Until this many days of 86,400 seconds after the purchase; the last second counts.
    Later: denied (window_passed)." """
    late = case.asked_at - case.bought_at > timedelta(seconds=policy.window_days * 86_400)
    return (DENY, "window_passed") if late else None


def _holder(case: Situation) -> tuple[str, str] | None:
    """ "A wallet that does not hold the token at all is denied without a choice
    (not_the_holder)." """
    return None if case.holder == case.claimant else (DENY, "not_the_holder")


def _buyer(policy: Written, case: Situation) -> tuple[str, str] | None:
    """ "The requester's wallet holds the token but is not the wallet that bought it
    (holder_not_buyer): review or deny." """
    if case.holder != case.claimant or case.claimant == case.request.purchase.wallet:
        return None
    return (policy.third_party, "holder_not_buyer")


def _tender(case: Situation) -> tuple[str, str] | None:
    """ "A card that would be paid back in crypto, or a wallet in fiat, always goes to a person
    (tender_mismatch)." """
    crossed = {CARD: CRYPTO, WALLET: FIAT}[case.request.purchase.tender]
    return (REVIEW, "tender_mismatch") if case.request.remedy == crossed else None


def _payee(case: Situation) -> tuple[str, str] | None:
    """ "And so does a payout to anyone but the payer (third_party_payout)." """
    if case.payee in (None, case.request.purchase.wallet):
        return None
    return (REVIEW, "third_party_payout")


def _cap(policy: Written, case: Situation) -> tuple[str, str] | None:
    """ "Exactly the cap is automatic, one unit more goes to a person (above_cap). So does every
    currency that is not listed (cap_missing)." """
    cap = policy.caps.get(case.request.purchase.currency)
    if cap is None:
        return (REVIEW, "cap_missing")
    return (REVIEW, "above_cap") if case.request.asked > cap else None


def _yearly_limit(policy: Written, case: Situation) -> tuple[str, str] | None:
    """ "Returns of one customer in 365 days, settled or open, with the one that is asked for. One
    more than this is denied (customer_limit)." """
    returns = _within(case, 365) + 1
    return (DENY, "customer_limit") if returns > policy.yearly_limit else None


def _frequency(policy: Written, case: Situation) -> tuple[str, str] | None:
    """ "After this many earlier returns in so many days a person looks at the next one
    (customer_limit)." """
    earlier = _within(case, policy.review_after_days)
    return (REVIEW, "customer_limit") if earlier >= policy.review_after_returns else None


def _within(case: Situation, days: int) -> int:
    start = case.asked_at - timedelta(days=days)
    return sum(start < moment <= case.asked_at for moment in case.earlier)


def situations(
    requests: Sequence[Request],
    holders: dict[int, str],
    shift_days: int,
    asked_at: datetime,
) -> list[Situation]:
    """Requests with their surroundings: the file's dates moved by `shift_days`, each at midnight
    UTC; `holders` names the simulated wallet that ends up with each token."""
    return [
        Situation(
            request=request,
            bought_at=datetime.combine(request.purchase.day, datetime.min.time(), asked_at.tzinfo)
            + timedelta(days=shift_days),
            asked_at=asked_at,
            holder=wallet_of(holders[request.purchase.token_id]),
        )
        for request in requests
    ]
