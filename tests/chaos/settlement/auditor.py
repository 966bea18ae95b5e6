"""Compares books, processor and chain, case by case: paid once, or the token back.

All three are read by others, without the product's code; nothing of it takes part here either.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from tests.chaos.settlement.facts import OVER, RESTING, Books, Chain, Line, Log

#: Refunds that took nothing from the merchant, or gave it back.
_WITHOUT_EFFECT = ("failed", "canceled")
#: Where the ledger has tokens, by who has them on the chain.
_IN_ESCROW, _IN_VAULT = "tokens_in_escrow", "tokens_in_vault"


@dataclass
class Findings:
    """What is wrong, a sentence for each; a case stands in each list once at the most."""

    cases: int = 0
    double_payments: list[str] = field(default_factory=list)
    lost_payments: list[str] = field(default_factory=list)
    neither: list[str] = field(default_factory=list)
    both: list[str] = field(default_factory=list)
    ledger_imbalance: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.wrong or self.leftovers)

    @property
    def wrong(self) -> list[str]:
        """Everything about money and tokens."""
        paid = [*self.double_payments, *self.lost_payments]
        return [*paid, *self.neither, *self.both, *self.ledger_imbalance]


@dataclass
class _Paid:
    """What a customer has got for a line, and by which ways."""

    total: int = 0
    ways: list[str] = field(default_factory=list)

    def add(self, amount: int, way: str) -> None:
        """One payment."""
        self.total += amount
        self.ways.append(f"{amount} by {way}")


def judge(books: Books, log: Log, chain: Chain) -> Findings:
    """Compare what is there once everything has come to rest."""
    found = Findings(cases=len({line.rma for line in books.lines}))
    paid = _payments(books, log, chain)
    for line in books.lines:
        _judge_line(line, paid[line.id], chain, found)
    over = {line.id for line in books.lines if paid[line.id].total > line.due}
    found.double_payments += _unexplained(books, log, over)
    found.ledger_imbalance += _entries(books)
    found.ledger_imbalance += _accounts(books, log, chain)
    found.leftovers += _leftovers(books, log)
    return found


# -- the cases -------------------------------------------------------------------------------------


def _payments(books: Books, log: Log, chain: Chain) -> defaultdict[str, _Paid]:
    """By line: refunds, chargebacks that were lost, coin from the escrow, credit in the ledger."""
    paid: defaultdict[str, _Paid] = defaultdict(_Paid)
    lines = {leg.id: leg.line_id for leg in books.legs}
    by_charge = {charge: line.id for line in books.lines for charge in line.charges}
    for refund in log.refunds:
        if refund.status not in _WITHOUT_EFFECT and refund.key in lines:
            paid[lines[refund.key]].add(refund.amount, f"refund {refund.id}")
    for dispute in log.disputes:
        if dispute.status == "lost" and dispute.charge in by_charge:
            paid[by_charge[dispute.charge]].add(dispute.amount, f"dispute {dispute.id}")
    for swap in chain.swaps:
        paid[swap.line_id].add(swap.amount, f"coin to {swap.recipient}")
    for one in books.postings:
        if one.account.startswith("store_credit:"):
            paid[one.line_id].add(-one.amount, "store credit")
    return paid


def _judge_line(line: Line, paid: _Paid, chain: Chain, found: Findings) -> None:
    about = f"{line.rma} ({line.state}, {line.remedy}, {line.disposition}): "
    about += f"{paid.total} of {line.due} {line.currency} paid: {', '.join(paid.ways) or 'nothing'}"
    has_token = chain.owners.get(line.token_id) == line.buyer
    keeps = line.disposition == "keep" and line.state == "settled"
    if paid.total > line.due:
        found.double_payments.append(about)
    elif line.state == "settled" and paid.total < line.due:
        found.lost_payments.append(about)
    elif not has_token and 0 < paid.total < line.due:
        found.lost_payments.append(f"{about}; the token is gone")
    if not has_token and paid.total <= 0:
        found.neither.append(f"{about}; the token is gone")
    if has_token and paid.total > 0 and not keeps:
        found.both.append(f"{about}; the customer has the token")


def _unexplained(books: Books, log: Log, over: Collection[str]) -> Iterator[str]:
    """Money that left for no leg, or for one that books say failed, or twice for one.

    `over`: lines whose double payment was found already.
    """
    legs = {leg.id: leg for leg in books.legs if leg.line_id not in over}
    others = {leg.id for leg in books.legs} - legs.keys()
    times: Counter[str] = Counter()
    for refund in log.refunds:
        if refund.status in _WITHOUT_EFFECT or refund.key in others:
            continue
        times[refund.key] += 1
        if refund.key not in legs:
            yield f"refund {refund.id} of {refund.amount} {refund.currency} is of no leg"
        elif legs[refund.key].state in ("failed", "compensated"):
            yield f"refund {refund.id} was paid, and its leg is {legs[refund.key].state}"
        elif times[refund.key] > 1:
            yield f"refund {refund.id} pays leg {refund.key} once more"


# -- the ledger ------------------------------------------------------------------------------------


def _entries(books: Books) -> Iterator[str]:
    sums: Counter[tuple[str, str]] = Counter()
    for one in books.postings:
        sums[one.entry_id, one.asset] += one.amount
    for (entry, asset), rest in sums.items():
        if rest:
            yield f"entry {entry} is off by {rest} {asset}"


def _accounts(books: Books, log: Log, chain: Chain) -> Iterator[str]:
    balance: Counter[tuple[str, str]] = Counter()
    for one in books.postings:
        balance[one.account, one.asset] += one.amount
    yield from _processor(balance, log)
    coin = -sum(swap.amount for swap in chain.swaps)
    if balance["float", "ETH"] != coin:
        yield f"the float is {balance['float', 'ETH']} ETH, the chain says {coin}"
    yield from _tokens(balance, chain)
    owed = {asset: rest for (name, asset), rest in balance.items() if name == "refunds_payable"}
    for currency, rest in owed.items():
        if rest:
            yield f"{-rest} {currency} are owed still, though everything is at rest"


def _processor(balance: Counter[tuple[str, str]], log: Log) -> Iterator[str]:
    ours = {asset for account, asset in balance if account == "processor:sandbox"}
    for currency in sorted(ours | set(log.balance)):
        booked, is_ = balance["processor:sandbox", currency], log.balance.get(currency, 0)
        if booked != is_:
            yield f"the processor's account is {booked} {currency}, its own log says {is_}"


def _tokens(balance: Counter[tuple[str, str]], chain: Chain) -> Iterator[str]:
    """Each token is booked where it is, and nowhere else."""
    places = {_IN_ESCROW: chain.escrow, _IN_VAULT: chain.vault}
    assets = {asset for account, asset in balance if account.startswith("tokens_")}
    for asset in sorted(assets):
        token_id = int(asset.rsplit("/", 1)[1])
        for account, owner in places.items():
            wanted = int(chain.owners.get(token_id) == owner)
            if balance[account, asset] != wanted:
                yield f"{account} has {balance[account, asset]} of {asset}, the chain {wanted}"


# -- what has not come to an end -------------------------------------------------------------------


def _leftovers(books: Books, log: Log) -> Iterator[str]:
    for line in books.lines:
        if line.state not in RESTING:
            yield f"{line.rma} is {line.state}"
    states = {line.id: line.state for line in books.lines}
    for leg in books.legs:
        if leg.state not in OVER and states[leg.line_id] == "settled":
            yield f"leg {leg.id} ({leg.kind}) of a settled line is {leg.state}"
    yield from books.open_work
    yield from (f"refund {one.id} is pending" for one in log.refunds if one.status == "pending")
    yield from (f"dispute {one.id} is open" for one in log.disputes if one.status == "open")
    if log.untold:
        yield f"the processor has {log.untold} things to tell"
