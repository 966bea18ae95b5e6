"""What docs/policies.md says of a line, worked out a second time and shared with nothing of triage.

Reads the YAML of a policy with PyYAML and facts as a plain dict (words as text, times as datetime,
None or absent: not known). The docstring of each rule quotes what docs/policies.md says of it. Slow
and plain on purpose: where this and the engine differ, one of them has misread a sentence, or the
sentence can be read in two ways.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import wraps
from typing import Any

Facts = dict[str, Any]
Policy = dict[str, Any]
Terms = dict[str, Any]

_ZERO = "0x" + "0" * 40
_DAY = timedelta(seconds=86_400)
_TABLES = ("caps", "dispositions", "windows", "tenders")
_EEA = frozenset(
    (
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE"),
        *("AX", "GF", "GP", "MF", "MQ", "RE", "YT"),
        *("IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"),
    )
)


@dataclass(frozen=True)
class Hit:
    """A rule that applies: the verdict it gives, and whether a right has set it aside."""

    code: str
    verdict: str
    ground: str
    set_aside: bool = False


@dataclass(frozen=True)
class Offer:
    """Minor units; `unknown` where a deduction needs a fact that is not known."""

    amount: int
    bonus: int
    unknown: bool


@dataclass(frozen=True)
class Answer:
    """Amount and bonus in minor units: of the offer, and zero for what is denied."""

    verdict: str
    counting: frozenset[str]
    set_aside: frozenset[str]
    amount: int
    bonus: int
    alternatives: tuple[str, ...]


def answer(policy: Policy, facts: Facts) -> Answer:
    """The verdict on a line with everything that led to it."""
    hits, offered = _judged(policy, facts)
    verdict = _verdict(hits)
    denied = verdict == "deny"
    return Answer(
        verdict,
        frozenset(hit.code for hit in hits if not hit.set_aside),
        frozenset(hit.code for hit in hits if hit.set_aside),
        0 if denied else offered.amount,
        0 if denied else offered.bonus,
        _alternatives(policy, facts, hits) if denied else (),
    )


def _verdict(hits: list[Hit]) -> str:
    """Denied if any rule that counts denies; else a person if any gives it to one; else
    approved.
    """
    said = {hit.verdict for hit in hits if not hit.set_aside}
    return "deny" if "deny" in said else "review" if "review" in said else "approve"


def _alternatives(policy: Policy, facts: Facts, hits: list[Hit]) -> tuple[str, ...]:
    """`alternatives` of a denied line are proposed where nothing with ground S denies it, and each
    only if the same policy would not deny it.
    """
    if any(hit.verdict == "deny" and hit.ground == "S" for hit in hits):
        return ()
    proposed = []
    for remedy in terms_of(policy, facts).get("alternatives") or ():
        others, _ = _judged(policy, {**facts, "remedy": remedy})
        if _verdict(others) != "deny":
            proposed.append(remedy)
    return tuple(proposed)


def _judged(policy: Policy, facts: Facts) -> tuple[list[Hit], Offer]:
    terms = terms_of(policy, facts)
    right = right_of(facts)
    offered = offer(terms, facts, right)
    case = Case(policy, terms, facts, offered)
    said = [hit for rule in RULES for hit in rule(case)]
    hits = _with_right(said, right)
    if _verdict(hits) == "deny":
        hits += goodwill_limit(case)
    return hits, offered


def _with_right(hits: list[Hit], right: str) -> list[Hit]:
    """*Proven*: what the terms (ground T) deny is set aside: it stays on record and no longer
    counts. *Possible*: what the terms deny is set aside too, and if there was any such thing, the
    line goes to a person (`right_unproven`).
    """
    if right == "none":
        return hits
    kept = [
        Hit(hit.code, hit.verdict, hit.ground, hit.ground == "T" and hit.verdict == "deny")
        for hit in hits
    ]
    if right == "possible" and any(hit.set_aside for hit in kept):
        kept.append(Hit("right_unproven", "review", "S"))
    return kept


# -- which words bind a line -----------------------------------------------------------------------


def terms_of(policy: Policy, facts: Facts) -> Terms:
    """The base of the file, over it the words of the line's channel, over them those of its
    collection. The tables `caps`, `dispositions`, `windows` and `tenders` are merged by key; every
    other key is replaced as a whole.
    """
    terms = dict(policy)
    channel = (policy.get("channels") or {}).get(facts.get("channel") or "web")
    collection = (policy.get("collections") or {}).get(facts["collection"])
    for words in (channel, collection):
        for layer in _layers(policy, words):
            for key, value in layer.items():
                if key == "extends" or value is None:
                    continue
                whole = {**(terms.get(key) or {}), **value} if key in _TABLES else value
                terms[key] = whole
    return terms


def _layers(policy: Policy, words: Terms | None) -> list[Terms]:
    """Both may name a profile (`extends: NAME`), whose words, and those of the profile that it
    extends in turn, come just before their own.
    """
    if not words:
        return []
    further = (policy.get("profiles") or {}).get(words.get("extends"))
    return [*_layers(policy, further), words]


# -- the offer -------------------------------------------------------------------------------------


def offer(terms: Terms, facts: Facts, right: str) -> Offer:
    """`amount` = asked less deductions, never below zero; every part is rounded down. With a proven
    right nothing is deducted.
    """
    asked: int = facts["requested"]
    if right == "proven":
        return Offer(asked, _bonus(terms, facts, asked), False)
    used = _used(terms, facts)
    fees = terms.get("fees") or {}
    parts: list[int | None] = [used]
    # `fees.restocking_bps`: floor((asked - used) x bps / 10,000).
    parts.append((asked - (used or 0)) * fees.get("restocking_bps", 0) // 10_000)
    for name in ("royalty", "platform_fee"):
        if fees.get(name) == "customer":
            parts.append(_share(facts.get(name), facts))
    if fees.get("gas") == "customer":
        parts.append(facts.get("gas_cost"))
    amount = max(0, asked - sum(part or 0 for part in parts))
    return Offer(amount, _bonus(terms, facts, amount), None in parts)


def _bonus(terms: Terms, facts: Facts, amount: int) -> int:
    """`bonus` = floor(amount x `credit_bonus_bps` / 10,000) for store credit, else zero."""
    if facts["remedy"] != "store_credit":
        return 0
    return amount * int(terms.get("credit_bonus_bps") or 0) // 10_000


def _used(terms: Terms, facts: Facts) -> int | None:
    """The amount that pays for used time: asked - floor(asked x time left / whole time), the time
    left counted from the request, between zero and the whole. A pass whose end is not after its
    begin is used up. Begin or end not known: nothing is deducted, and `offer_unknown`.
    """
    if not terms.get("prorate"):
        return 0
    begin, end, asked = facts.get("valid_from"), facts.get("valid_until"), facts["requested"]
    if begin is None or end is None:
        return None
    if end <= begin:
        return int(asked)
    whole = _microseconds(end - begin)
    left = min(whole, max(0, _microseconds(end - facts["requested_at"])))
    return int(asked - asked * left // whole)


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _share(fee: int | None, facts: Facts) -> int | None:
    """Floor(fee x asked / paid) each (nothing where nothing was paid). A fee that the customer
    bears and that is not known is not deducted, and `offer_unknown`.
    """
    if fee is None:
        return None
    return int(fee * facts["requested"] // facts["paid"]) if facts["paid"] else 0


# -- statutory rights ------------------------------------------------------------------------------


def right_of(facts: Facts) -> str:
    """Fourteen days to withdraw for consumers billed in the European Economic Area and the United
    Kingdom. Looked at only where the remedy pays the tender back (card: fiat_refund, wallet:
    crypto_refund). No right: another or unknown billing country; known not to be a consumer; known
    to have waived it. Up to four days later it *may* still hold. *Proven*: known to be a consumer,
    known not to have waived it, the purchase proven, and not after its end. *Possible*: in all
    other cases. Gives "none", "possible" or "proven".
    """
    pays_back = {"card": "fiat_refund", "wallet": "crypto_refund"}
    if facts["remedy"] != pays_back[facts["tender"]]:
        return "none"
    if facts.get("billing_country") not in _EEA | {"GB"}:
        return "none"
    if facts.get("consumer") is False or facts.get("withdrawal_waived") is True:
        return "none"
    end = right_ends(facts["purchased_at"])
    if facts["requested_at"] > end + 4 * _DAY:
        return "none"
    known = facts.get("consumer") is True and facts.get("withdrawal_waived") is False
    in_time = facts["requested_at"] <= end
    return "proven" if known and facts.get("purchase_proven") is True and in_time else "possible"


def right_ends(purchased_at: datetime) -> datetime:
    """Its last day is the fourteenth after the day of purchase (by a clock four hours ahead of
    UTC); a Saturday or Sunday moves it to Monday; it ends four hours after that day does in UTC.
    """
    last = (purchased_at + timedelta(hours=4)).date() + 14 * _DAY
    while last.isoweekday() > 5:
        last += _DAY
    return datetime.combine(last + _DAY, time(4), purchased_at.tzinfo)


# -- the rules -------------------------------------------------------------------------------------


class Case:
    """One line as its rules see it: facts by name, what binds it, what is offered for it."""

    def __init__(self, policy: Policy, terms: Terms, facts: Facts, offered: Offer) -> None:
        self.policy, self.terms, self.facts, self.offered = policy, terms, facts, offered
        #: *Left*: what was paid less what was granted back or is pending, never below zero.
        self.left = max(0, facts["paid"] - facts["already_refunded"])
        #: The claimant is the requester's wallet, or else the buyer's.
        self.claimant = facts.get("requester_wallet") or facts.get("buyer_wallet")

    def __getattr__(self, name: str) -> Any:
        return self.facts.get(name)

    @property
    def begin(self) -> datetime | None:
        """Its begin (`window_from`: purchase, delivery, reveal)."""
        since = self.terms.get("window_from") or "purchase"
        names = {"purchase": "purchased_at", "delivery": "delivered_at", "reveal": "revealed_at"}
        begin: datetime | None = self.facts.get(names[since])
        return begin

    @property
    def days(self) -> int:
        """The window's days (`windows` for this remedy, else `window_days`)."""
        windows = self.terms.get("windows") or {}
        return int(windows.get(self.remedy, self.terms["window_days"]))

    @property
    def total(self) -> int:
        """Amount and bonus of the offer together."""
        return self.offered.amount + self.offered.bonus

    def lists(self, kind: str) -> bool:
        """Whether `on_lists` has an entry of the kind."""
        return any(entry.startswith(kind + "/") for entry in self.on_lists or ())


Rule = Callable[[Case], Iterator[Hit]]
RULES: list[Rule] = []


def rule(verdict: str, ground: str) -> Callable[[Callable[[Case], object]], Rule]:
    """A rule from a question: where the answer is yes, it applies under the question's name."""

    def ruled(asks: Callable[[Case], object]) -> Rule:
        code = asks.__name__

        @wraps(asks)
        def applies(case: Case) -> Iterator[Hit]:
            if asks(case):
                # *Choice*: the policy's `rules` may say otherwise.
                chosen = (case.policy.get("rules") or {}).get(code, verdict)
                # YAML 1.1 reads a bare `off` as false.
                if chosen not in ("off", False):
                    yield Hit(code, chosen, ground)

        RULES.append(applies)
        return applies

    return ruled


@rule("deny", "S")
def nothing_paid(case: Case) -> bool:
    """Paid is zero."""
    return case.paid == 0


@rule("deny", "S")
def nothing_requested(case: Case) -> bool:
    """Asked is zero."""
    return case.requested == 0


@rule("deny", "S")
def already_refunded(case: Case) -> bool:
    """Paid is above zero and nothing is left."""
    return case.paid > 0 and case.left == 0


@rule("deny", "S")
def above_remainder(case: Case) -> bool:
    """Something is left, and asked is more."""
    return 0 < case.left < case.requested


@rule("review", "S")
def dispute_open(case: Case) -> bool:
    """The payment is disputed."""
    return case.facts.get("dispute_open") is True


@rule("review", "S")
def purchase_unproven(case: Case) -> bool:
    """It is not known that the requester has proven a right to the purchase."""
    return case.purchase_proven is not True


@rule("review", "S")
def asked_again(case: Case) -> bool:
    """Earlier requests for this purchase are known that a person had, and denied or saw
    withdrawn."""
    return bool(case.stopped_before)


@rule("review", "S")
def sanctions_match(case: Case) -> bool:
    """`on_lists` has an entry `sanctions/…`."""
    return case.lists("sanctions")


@rule("review", "S")
def phishing_match(case: Case) -> bool:
    """`on_lists` has an entry `phishing/…`."""
    return case.lists("phishing")


@rule("deny", "S")
def blocked(case: Case) -> bool:
    """`on_lists` has an entry `block/…`."""
    return case.lists("block")


@rule("review", "S")
def lists_missing(case: Case) -> bool:
    """`lists_required`, and `lists_searched` is not known or lacks sanctions or phishing."""
    searched = case.lists_searched or ()
    both = "sanctions" in searched and "phishing" in searched
    return bool(case.policy.get("lists_required")) and not both


@rule("deny", "T")
def remedy_not_offered(case: Case) -> bool:
    """The remedy is not in `remedies`."""
    return case.remedy not in case.terms["remedies"]


@rule("deny", "T")
def tender_restricted(case: Case) -> bool:
    """`tenders` names the tender, and not this remedy for it."""
    tenders = case.terms.get("tenders") or {}
    return case.tender in tenders and case.remedy not in tenders[case.tender]


@rule("deny", "T")
def final_sale(case: Case) -> bool:
    """`final_sale` is true or has the token's id."""
    final = case.terms.get("final_sale", False)
    return final is True or (final is not False and case.token_id in final)


@rule("deny", "T")
def window_passed(case: Case) -> bool:
    """More than the window's days of 86,400 seconds (`windows` for this remedy, else `window_days`)
    lie between its begin (`window_from`: purchase, delivery, reveal) and the request; or more than
    `window_blocks` blocks between purchase and request, where both blocks are known.
    """
    if case.begin is not None and case.requested_at - case.begin > case.days * _DAY:
        return True
    blocks = case.terms.get("window_blocks")
    if blocks is None or case.purchased_block is None or case.requested_block is None:
        return False
    return case.requested_block - case.purchased_block > blocks


@rule("review", "T")
def window_unknown(case: Case) -> bool:
    """The begin is not known, except that before a reveal (known to be not revealed) the window has
    not begun; or `window_blocks` is given and one of the two blocks is not known.
    """
    sealed = case.terms.get("window_from") == "reveal" and case.revealed is False
    if case.begin is None and not sealed:
        return True
    given = case.terms.get("window_blocks") is not None
    return given and (case.purchased_block is None or case.requested_block is None)


@rule("review", "S")
def dates_disagree(case: Case) -> bool:
    """The request is before the purchase, or the window's begin is known and before the purchase
    or after the request."""
    if case.requested_at < case.purchased_at:
        return True
    begin = case.begin
    return begin is not None and (begin < case.purchased_at or begin > case.requested_at)


def _conditions(case: Case) -> Iterator[bool | None]:
    """Whether each word of `condition` holds: `unrevealed`, `perks_unclaimed` (none claimed),
    `unlisted`, `unlocked`, `not_rented`, `not_moved` (no moves since purchase). None: not known.
    """
    facts_of = {
        "unrevealed": "revealed",
        "perks_unclaimed": "perks_claimed",
        "unlisted": "listed",
        "unlocked": "locked",
        "not_rented": "rented",
        "not_moved": "moves_since_purchase",
    }
    for word in case.terms.get("condition") or ():
        fact = case.facts.get(facts_of[word])
        yield None if fact is None else not fact


@rule("deny", "T")
def condition_broken(case: Case) -> bool:
    """A word of `condition` is known not to hold."""
    return any(holds is False for holds in _conditions(case))


@rule("review", "T")
def condition_unknown(case: Case) -> bool:
    """Of a word of `condition` it is not known whether it holds."""
    return any(holds is None for holds in _conditions(case))


@rule("deny", "S")
def not_transferable(case: Case) -> bool:
    """The token is known to be bound to its holder."""
    return case.transferable is False


@rule("review", "S")
def token_paused(case: Case) -> bool:
    """Its contract is known to refuse transfers."""
    return case.paused is True


@rule("deny", "S")
def not_the_holder(case: Case) -> bool:
    """Holder and claimant are known, and differ or are the zero address."""
    if case.holder is None or case.claimant is None:
        return False
    return case.holder != case.claimant or case.holder == _ZERO


@rule("review", "S")
def holder_unknown(case: Case) -> bool:
    """The holder is not known."""
    return case.holder is None


@rule("review", "S")
def wallet_unknown(case: Case) -> bool:
    """The buyer's wallet is not known."""
    return case.buyer_wallet is None


@rule("review", "S")
def holder_not_buyer(case: Case) -> bool:
    """Holder and claimant are known and the same, and the buyer's wallet is known and another
    one.
    """
    if case.holder is None or case.claimant is None or case.buyer_wallet is None:
        return False
    return case.holder == case.claimant != case.buyer_wallet


@rule("review", "S")
def tender_mismatch(case: Case) -> bool:
    """A card would be paid back as crypto_refund, or a wallet as fiat_refund."""
    return (case.tender, case.remedy) in (("card", "crypto_refund"), ("wallet", "fiat_refund"))


@rule("review", "S")
def tender_expired(case: Case) -> bool:
    """A fiat_refund, and what paid is known to have expired."""
    return case.remedy == "fiat_refund" and case.facts.get("tender_expired") is True


@rule("review", "S")
def third_party_payout(case: Case) -> bool:
    """A wallet would be paid (the recipient, or for a crypto_refund without one the claimant) that
    is not the buyer's, or the buyer's is not known.
    """
    payee = case.recipient
    if payee is None and case.remedy == "crypto_refund":
        payee = case.claimant
    return payee is not None and payee != case.buyer_wallet


@rule("review", "T")
def offer_unknown(case: Case) -> bool:
    """A deduction needs a fact that is not known."""
    return case.offered.unknown


@rule("deny", "T")
def nothing_left(case: Case) -> bool:
    """Asked is above zero and the amount of the offer is zero."""
    return case.requested > 0 and case.offered.amount == 0


@rule("review", "T")
def cap_missing(case: Case) -> bool:
    """`caps` has no entry for the currency."""
    return case.currency not in case.terms["caps"]


@rule("review", "T")
def above_cap(case: Case) -> bool:
    """Amount and bonus of the offer together are above the cap."""
    cap = case.terms["caps"].get(case.currency)
    return cap is not None and case.total > int(cap)


@rule("review", "T")
def identity_unproven(case: Case) -> bool:
    """Amount and bonus together are above `identity_above` of the currency, and no proven identity
    is known.
    """
    above = (case.policy.get("identity_above") or {}).get(case.currency)
    return above is not None and case.total > int(above) and case.identity_verified is not True


@rule("review", "T")
def reason_needs_person(case: Case) -> bool:
    """The given reason is in `person_for`."""
    return case.reason in (case.terms.get("person_for") or ())


_COUNTED = {"customer": "returns", "wallet": "wallet_returns", "cluster": "cluster_returns"}


def _limits(case: Case) -> Iterator[Hit]:
    """A limit with `what: returns`: of customer, claimant's wallet, or cluster, as many returns in
    its `days` as `most`, or more: as `then` says. `limit_unknown`: that number is not known.
    """
    for limit in case.policy.get("limits") or ():
        if limit.get("what", "returns") == "returns":
            of = limit.get("of", "customer")
            count = case.facts.get(f"{_COUNTED[of]}_{limit['days']}d")
            if count is None:
                yield Hit("limit_unknown", "review", "T")
            elif count >= limit["most"]:
                yield Hit(f"{of}_limit", limit["then"], "T")


RULES.append(_limits)


def goodwill_limit(case: Case) -> Iterator[Hit]:
    """A limit with `what: goodwill`, as many as `most`, or more; only for a line that is denied
    anyway; not known: does not apply.

    "Anyway" is read as: after rights have been looked at, so that none sets this aside.
    """
    count = case.goodwill_365d
    for limit in case.policy.get("limits") or ():
        if limit.get("what") == "goodwill" and count is not None and count >= limit["most"]:
            yield Hit("goodwill_limit", limit["then"], "T")


#: Every code of the table in docs/policies.md.
CODES = (
    "nothing_paid",
    "nothing_requested",
    "already_refunded",
    "above_remainder",
    "dispute_open",
    "purchase_unproven",
    "asked_again",
    "sanctions_match",
    "phishing_match",
    "blocked",
    "lists_missing",
    "remedy_not_offered",
    "tender_restricted",
    "final_sale",
    "window_passed",
    "window_unknown",
    "dates_disagree",
    "condition_broken",
    "condition_unknown",
    "not_transferable",
    "token_paused",
    "not_the_holder",
    "holder_unknown",
    "wallet_unknown",
    "holder_not_buyer",
    "tender_mismatch",
    "tender_expired",
    "third_party_payout",
    "offer_unknown",
    "nothing_left",
    "cap_missing",
    "above_cap",
    "identity_unproven",
    "reason_needs_person",
    "customer_limit",
    "wallet_limit",
    "cluster_limit",
    "limit_unknown",
    "goodwill_limit",
    "right_unproven",
)
