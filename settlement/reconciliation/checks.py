"""What must agree about a line. Pure: facts in, differences out.

| code | difference | subject |
|---|---|---|
| processor.missing | paid in the books, not in the processor's log or report | leg |
| processor.unknown | at the processor, no payout or dispute of ours | refund or dispute id |
| processor.duplicate | the processor paid one key more than once | leg |
| processor.amount | amounts differ | leg |
| processor.fx | currencies differ | leg |
| chain.missing | done in the books, no such event on chain | leg |
| chain.amount | the refund on chain has another amount | leg |
| chain.reorged | booked in a block that is no longer of the chain | leg |
| chain.wrong_recipient | the refund on chain went to somebody else | leg |
| chain.wrong_holder | a token is not where the books have it | token |
| chain.unknown_inbound | the escrow holds a token that no line explains | token |
| ledger.missing | a leg or grant without its booking | leg or line |
| ledger.amount | booking and leg differ | leg |
| ledger.unbalanced | an entry does not sum to zero | entry |
| order.over_refunded | more was paid back than was paid | order |
| timing | a leg is under way for too long, or another side is late | leg |

`settlement.reconciliation.suspects` says in SQL which lines cannot have any of these; both must be
changed together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from custody.calls import LEG_OF_EVENT
from custody.evidence import PAYS
from returns import lifecycle
from returns.words import PAYOUTS, LegKind, LegState
from settlement.reconciliation.differences import Difference, Rules
from settlement.reconciliation.line_facts import (
    DONE,
    OVER,
    EffectFact,
    EntryFact,
    LegFact,
    LineFacts,
    OrderFact,
    RefundFact,
)
from settlement.reconciliation.said import effect_said, leg_said, money, refund_said

EVENT_OF_LEG = {kind: name for name, kind in LEG_OF_EVENT.items()}
REVERSED = ".reversed"


@dataclass(frozen=True, slots=True)
class Sides:
    """How far the other sides could be read, and what the chain has at the heights in question.

    `reporting`: processors that have a report; of others the log is all there is.
    """

    head: int
    hashes: Mapping[int, str]
    reporting: Collection[str]


def check(line: LineFacts, sides: Sides, rules: Rules) -> Iterator[Difference]:
    """Every difference of a line but for the places of tokens."""
    for one in _CHECKS:
        yield from one(line, sides, rules)


def unseen(line: LineFacts) -> Iterator[LegFact]:
    """Legs that are done in the books and of which the chain has no event."""
    names = {effect.name for effect in line.effects}
    for leg in line.legs:
        if leg.is_done and leg.kind in EVENT_OF_LEG and EVENT_OF_LEG[leg.kind] not in names:
            yield leg


# -- processor -------------------------------------------------------------------------------------


def _processor(line: LineFacts, sides: Sides, rules: Rules) -> Iterator[Difference]:
    for leg in line.legs:
        told = [refund for refund in line.refunds.get(leg.id, []) if refund.is_paid]
        # In doubt because of what the processor told: that is what has to be shown.
        doubted = leg.state is LegState.UNKNOWN and told
        if leg.kind is LegKind.PROCESSOR_REFUND and (leg.is_done or doubted):
            found = _compare_refunds(leg, told, sides, rules)
            if found is not None:
                yield found


def _compare_refunds(
    leg: LegFact, told: list[RefundFact], sides: Sides, rules: Rules
) -> Difference | None:
    expected = money(leg.amount, leg.currency)
    evidence = {"books": leg_said(leg), "processor": [refund_said(one) for one in told]}

    def differs(code: str, found: str, wanted: str = expected) -> Difference:
        return Difference(code, str(leg.id), leg.line_id, wanted, found, evidence=evidence)

    if not told:
        return differs("processor.missing", "no refund")
    if len(told) > 1 or told[0].times > 1:
        times = max(len(told), told[0].times)
        return differs("processor.duplicate", f"{times} refunds", "one refund")
    (refund,) = told
    if refund.listed is False:
        return differs("processor.missing", "no refund in the log, though one in the report")
    wrong = _wrong_amount(leg, refund, rules)
    if wrong is not None:
        return differs(*wrong)
    if leg.is_done and not refund.moves and refund.processor in sides.reporting:
        return _late(leg, rules, "processor.missing", "not in the processor's report", evidence)
    return None


def _wrong_amount(leg: LegFact, refund: RefundFact, rules: Rules) -> tuple[str, str] | None:
    """Code and what was found, where log or report differ from the books."""
    moved = -sum(amount for _, amount, _ in refund.moves)
    said = [(refund.amount, refund.currency)]
    said += [(moved, currency) for _, _, currency in refund.moves[:1]]
    for amount, currency in said:
        if currency != leg.currency:
            return "processor.fx", money(amount, currency)
        if not rules.is_same(amount, leg.amount, currency):
            return "processor.amount", money(amount, currency)
    return None


def _late(
    leg: LegFact, rules: Rules, code: str, found: str, evidence: Mapping[str, object]
) -> Difference:
    """Another side has not shown it yet: a matter of time first, then a break of its own."""
    is_late = rules.now - leg.updated_at > rules.late
    owner = "custody" if is_late and code.startswith("chain") else "finance"
    return Difference(
        code if is_late else "timing",
        str(leg.id),
        leg.line_id,
        "done",
        found,
        owner if is_late else "operations",
        evidence,
    )


# -- chain -----------------------------------------------------------------------------------------


def _chain(line: LineFacts, sides: Sides, rules: Rules) -> Iterator[Difference]:
    for leg in unseen(line):
        yield _missing_event(line, leg, sides, rules)
    for leg in line.legs:
        if leg.is_done and leg.kind in EVENT_OF_LEG:
            shown = [one for one in line.effects if one.name == EVENT_OF_LEG[leg.kind]]
            yield from _elsewhere(leg, shown)
            if leg.kind is LegKind.SWAP:
                yield from _compare_payout(leg, line)


def _missing_event(line: LineFacts, leg: LegFact, sides: Sides, rules: Rules) -> Difference:
    name, subject = EVENT_OF_LEG[leg.kind], str(leg.id)
    evidence = {"books": leg_said(leg), "chain": [effect_said(one) for one in line.effects]}
    if leg.block_number is not None and leg.block_number > sides.head:
        behind = f"the node that is asked is at block {sides.head}"
        return _late(leg, rules, "chain.missing", behind, evidence)
    code, found = "chain.missing", "no such event"
    if leg.block_number is not None and leg.block_hash is not None:
        now = sides.hashes.get(leg.block_number, "no block")
        if now != leg.block_hash:
            code, found = "chain.reorged", f"block {leg.block_number} is {now}"
    return Difference(code, subject, leg.line_id, name, found, "custody", evidence)


def _elsewhere(leg: LegFact, shown: list[EffectFact]) -> Iterator[Difference]:
    """Booked in one block, and in another one on chain."""
    places = {one.block_hash for one in shown}
    if leg.block_hash is not None and places and leg.block_hash not in places:
        found = f"in block {shown[0].block_number}, {shown[0].block_hash}"
        evidence = {"books": leg_said(leg), "chain": [effect_said(one) for one in shown]}
        yield Difference(
            "chain.reorged", str(leg.id), leg.line_id, leg.block_hash, found, "custody", evidence
        )


def _compare_payout(leg: LegFact, line: LineFacts) -> Iterator[Difference]:
    for payout in line.effects:
        if payout.name not in PAYS:
            continue
        about = (str(leg.id), leg.line_id)
        evidence = {"books": leg_said(leg), "chain": effect_said(payout)}
        if payout.amount != leg.amount:
            found = str(payout.amount)
            yield Difference("chain.amount", *about, str(leg.amount), found, evidence=evidence)
        if payout.recipient != leg.recipient:
            sides = (str(leg.recipient), str(payout.recipient))
            yield Difference("chain.wrong_recipient", *about, *sides, "custody", evidence)


# -- ledger ----------------------------------------------------------------------------------------


def is_booked(leg: LegFact) -> bool:
    """Whether it must stand in the ledger: a commit books nothing, a burn only once final."""
    if leg.kind is LegKind.BURN:
        return leg.state is LegState.FINAL
    return leg.is_done and leg.kind is not LegKind.COMMIT


def _ledger(line: LineFacts, _sides: Sides, _rules: Rules) -> Iterator[Difference]:
    standing = _standing(line.entries)
    for leg in line.legs:
        if is_booked(leg):
            yield from _compare_booking(line, leg, standing.get(leg.id))
    if line.state in lifecycle.GRANTED and not any(
        entry.kind == "grant" for entry in standing.values()
    ):
        expected = money(line.amount, line.currency)
        evidence = {"books": {"line": line.state.value}}
        yield Difference(
            "ledger.missing", str(line.id), line.id, expected, "no grant", evidence=evidence
        )


def _standing(entries: list[EntryFact]) -> dict[UUID, EntryFact]:
    """By cause, what is booked and not reversed."""
    undone = {
        (entry.cause, entry.kind.removesuffix(REVERSED))
        for entry in entries
        if entry.kind.endswith(REVERSED)
    }
    return {
        entry.cause: entry
        for entry in entries
        if not entry.kind.endswith(REVERSED) and (entry.cause, entry.kind) not in undone
    }


def _compare_booking(
    line: LineFacts, leg: LegFact, entry: EntryFact | None
) -> Iterator[Difference]:
    about, evidence = (str(leg.id), leg.line_id), {"books": leg_said(leg)}
    if entry is None:
        expected = money(leg.amount, leg.currency)
        yield Difference("ledger.missing", *about, expected, "no booking", evidence=evidence)
        return
    booked = sorted(
        amount
        for asset, side, amount in entry.postings
        if asset == leg.currency and side == "debit"
    )
    expected_amounts = [leg.amount] if leg.kind in PAYOUTS else []
    if leg.kind is LegKind.CREDIT and line.bonus:
        expected_amounts.append(line.bonus)
    if is_balanced(entry) and sum(booked) != sum(expected_amounts):
        found = ", ".join(map(str, booked)) or "nothing"
        said = {**evidence, "ledger": {"entry": entry.id, "debits": found}}
        yield Difference("ledger.amount", *about, str(leg.amount), found, evidence=said)


def _balance(line: LineFacts, _sides: Sides, _rules: Rules) -> Iterator[Difference]:
    for entry in line.entries:
        yield from check_balance(entry, line.id)


def check_balance(entry: EntryFact, line_id: UUID | None) -> Iterator[Difference]:
    """An entry whose sides differ in an asset, or that has none."""
    if not is_balanced(entry):
        postings = [f"{side} {amount} {asset}" for asset, side, amount in entry.postings]
        evidence = {"ledger": {"kind": entry.kind, "postings": postings}}
        text = ", ".join(sorted(postings)) or "no postings"
        yield Difference(
            "ledger.unbalanced", str(entry.id), line_id, "sum zero", text, evidence=evidence
        )


def is_balanced(entry: EntryFact) -> bool:
    """Whether debits and credits agree in every asset, and there are any."""
    totals: dict[str, int] = defaultdict(int)
    for asset, side, amount in entry.postings:
        totals[asset] += amount if side == "debit" else -amount
    return bool(entry.postings) and not any(totals.values())


# -- orders and time -------------------------------------------------------------------------------


def _orders(line: LineFacts, _sides: Sides, _rules: Rules) -> Iterator[Difference]:
    """At most the price of a token, and at most what was captured for its order."""
    order, lines = line.order, sorted(payout.line_id for payout in line.order.payouts)
    for expected, total in (*_above_price(order), *_above_captured(order)):
        evidence = {"order": {"number": order.number, "captured": order.captured}}
        yield Difference(
            "order.over_refunded",
            order.number,
            lines[0],
            f"at most {expected}",
            str(total),
            evidence=evidence,
        )
        return


def _above_price(order: OrderFact) -> Iterator[tuple[int, int]]:
    totals: dict[UUID, int] = defaultdict(int)
    for payout in order.payouts:
        totals[payout.order_line_id] += payout.amount
    for order_line_id in sorted(totals):
        price = order.prices[order_line_id]
        if totals[order_line_id] > price:
            yield price, totals[order_line_id]


def _above_captured(order: OrderFact) -> Iterator[tuple[int, int]]:
    totals: dict[str, int] = defaultdict(int)
    for payout in order.payouts:
        totals[payout.currency] += payout.amount
    for currency in sorted(totals):
        # What was paid in another currency than it is given back in has no ceiling here.
        captured = order.captured.get(currency)
        if captured is not None and totals[currency] > captured:
            yield captured, totals[currency]


def _timing(line: LineFacts, _sides: Sides, rules: Rules) -> Iterator[Difference]:
    for leg in line.legs:
        is_under_way = leg.state not in (*OVER, *DONE)
        if is_under_way and rules.now - leg.updated_at > rules.patience:
            found = f"{leg.kind.value} is {leg.state.value} since {leg.updated_at.isoformat()}"
            evidence = {"books": leg_said(leg)}
            yield Difference(
                "timing", str(leg.id), leg.line_id, "done", found, "operations", evidence
            )


_CHECKS: tuple[Callable[[LineFacts, Sides, Rules], Iterator[Difference]], ...] = (
    _processor,
    _chain,
    _ledger,
    _balance,
    _orders,
    _timing,
)
