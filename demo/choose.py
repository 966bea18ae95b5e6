"""Chooses purchases and composes the requests: deterministic by seed, each token at most once.

Figures from it are composed: no public set of token returns with outcomes exists.

Purchases are taken from well inside or well outside the window, so that midnight does not decide a
case. What is to be approved is a customer's first or second return: the model's band (see the
policy's `risk`) is no rule that the oracle could apply, and such requests are far from it. A
customer with many purchases makes a series: two returns, one for the other tender, then as many
as the policy leaves to a person, then those above its yearly limit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from demo.book import Book
from demo.compose import compose
from demo.faults import CannotPlay
from demo.kinds import INSTEAD, Kind, quotas
from demo.policy import Written
from demo.requests import Request
from demo.sales import CARD, WALLET, Purchase

#: Returns of one customer outside a series; see above.
_PER_CUSTOMER = 2
#: Days that keep a purchase clear of the window's end, whatever the hour of the run.
_MARGIN = 2
_LATE_DAYS = 90
#: What must be able to settle.
_SHARE = 60

_SETTLING = (Kind.COIN_BACK, Kind.CARD_BACK, Kind.IN_PART, Kind.AS_CREDIT)
#: The scarce first.
_SINGLES = (
    Kind.NEW_HOLDER,
    Kind.RESOLD,
    Kind.LARGE,
    Kind.LATE,
    Kind.OTHER_PAYEE,
    Kind.OTHER_TENDER,
    *_SETTLING,
)


@dataclass
class _Stock:
    """Purchases by what they are good for."""

    held: list[Purchase] = field(default_factory=list)
    large: list[Purchase] = field(default_factory=list)
    resold: list[Purchase] = field(default_factory=list)
    passed_on: list[Purchase] = field(default_factory=list)
    late: list[Purchase] = field(default_factory=list)


class _Desk:
    """What is still wanted, what is taken, what has been chosen."""

    def __init__(self, book: Book, policy: Written, wanted: dict[Kind, int]) -> None:
        self.stock = _sorted_out(book, policy)
        self.policy = policy
        self.wanted = Counter(wanted)
        self.tokens: set[int] = set()
        self.customers: Counter[str] = Counter()
        self.chosen: list[tuple[Kind, Purchase]] = []

    def take(self, kind: Kind, purchase: Purchase) -> None:
        self.tokens.add(purchase.token_id)
        self.customers[purchase.customer] += 1
        self.wanted[kind] -= 1
        self.chosen.append((kind, purchase))

    def is_free(self, purchase: Purchase) -> bool:
        fresh = purchase.token_id not in self.tokens
        return fresh and self.customers[purchase.customer] < _PER_CUSTOMER


def choose(book: Book, policy: Written, returns: int, seed: int) -> list[Request]:
    """Compose `returns` requests; raises `CannotPlay` if the book does not have that many."""
    if returns < 1:
        raise CannotPlay(f"RETURNS is {returns}; it must be at least 1.")
    if returns > len(book.purchases):
        raise CannotPlay(f"RETURNS is {returns}; the book has {len(book.purchases)} purchases.")
    desk = _Desk(book, policy, quotas(returns))
    rng = Random(seed)  # noqa: S311  reproducible on purpose; nothing secret is drawn
    _choose_series(desk)
    _even_out(desk.wanted)
    for kind in (Kind.TOO_OFTEN, Kind.FREQUENT, *_SINGLES):
        _choose_singles(desk, kind, rng)
    _fill(desk, rng)
    if len(desk.chosen) < returns:
        raise CannotPlay(
            f"RETURNS is {returns}; of this book's purchases of the last {policy.window_days} days"
            f" only {len(desk.chosen)} returns can be composed of which {_SHARE} % settle."
        )
    return compose(book, _interleaved(desk.chosen, rng))


def _sorted_out(book: Book, policy: Written) -> _Stock:
    stock = _Stock()
    for purchase in reversed(book.purchases):
        age = (book.newest - purchase.day).days
        shelf = _shelf(book, policy, purchase, age)
        if purchase.price and shelf:
            getattr(stock, shelf).append(purchase)
    return stock


def _shelf(book: Book, policy: Written, purchase: Purchase, age: int) -> str | None:
    """Where a purchase belongs; `age` is in days before the book's newest one."""
    if policy.is_final(purchase.token_id) or purchase.currency not in policy.caps:
        return None
    if age > policy.window_days + _MARGIN:
        return "late" if age <= policy.window_days + _LATE_DAYS else None
    if age > policy.window_days - _MARGIN - 1:
        return None
    later = book.receivers_after(purchase)
    if later and later[-1] != purchase.customer:
        return "resold" if later[-1].startswith("nobody:") else "passed_on"
    return "large" if purchase.price > policy.caps[purchase.currency] else "held"


def _choose_series(desk: _Desk) -> None:
    by_customer: dict[str, dict[int, Purchase]] = defaultdict(dict)
    for purchase in desk.stock.held:
        by_customer[purchase.customer].setdefault(purchase.token_id, purchase)
    richest = sorted(by_customer.items(), key=lambda item: (-len(item[1]), item[0]))
    for _, tokens in richest:
        purchases = [p for p in tokens.values() if p.token_id not in desk.tokens]
        kinds = list(_series(desk, len(purchases)))
        for kind, purchase in zip(kinds, purchases, strict=False):
            desk.take(_fitting(desk, kind, purchase), purchase)


def _even_out(wanted: Counter[Kind]) -> None:
    """A series may take more of a kind than was wanted; the most wanted kinds give way."""
    for kind in [kind for kind, count in wanted.items() if count < 0]:
        excess, wanted[kind] = -wanted[kind], 0
        for _ in range(excess):
            wanted[max(wanted, key=lambda kind: wanted[kind])] -= 1


def _series(desk: _Desk, purchases: int) -> Iterator[Kind]:
    """The kinds of one customer's returns in their order; none if too little can be made of it."""
    before = desk.policy.review_after_returns
    in_review = desk.policy.yearly_limit - before
    frequent = min(desk.wanted[Kind.FREQUENT], in_review, purchases - before)
    filler = before - _PER_CUSTOMER
    if frequent < 1 or not 1 <= filler <= desk.wanted[Kind.OTHER_TENDER]:
        return
    yield from [Kind.AS_CREDIT] * _PER_CUSTOMER
    yield from [Kind.OTHER_TENDER] * filler
    yield from [Kind.FREQUENT] * frequent
    if frequent == in_review:
        above = purchases - desk.policy.yearly_limit
        yield from [Kind.TOO_OFTEN] * min(max(0, above), desk.wanted[Kind.TOO_OFTEN])


def _fitting(desk: _Desk, kind: Kind, purchase: Purchase) -> Kind:
    """Of the settling kinds, the one for this tender that is most wanted."""
    if kind is not Kind.AS_CREDIT:
        return kind
    own = Kind.CARD_BACK if purchase.tender == CARD else Kind.COIN_BACK
    return max((own, Kind.AS_CREDIT), key=lambda kind: desk.wanted[kind])


def _choose_singles(desk: _Desk, kind: Kind, rng: Random) -> None:
    """Take what a kind still wants; what is not to be had is wanted of its substitute."""
    pool = _pool(desk.stock, kind)
    rng.shuffle(pool)
    for purchase in pool:
        if desk.wanted[kind] <= 0:
            return
        if desk.is_free(purchase):
            desk.take(kind, purchase)
    if desk.wanted[kind] > 0 and kind in INSTEAD:
        desk.wanted[INSTEAD[kind]] += desk.wanted.pop(kind)


def _fill(desk: _Desk, rng: Random) -> None:
    """What came too late for kinds that were served before is made good with whatever settles."""
    missing = sum(desk.wanted.values())
    for kind in _SETTLING:
        desk.wanted = Counter({kind: missing})
        _choose_singles(desk, kind, rng)
        missing = sum(desk.wanted.values())


def _pool(stock: _Stock, kind: Kind) -> list[Purchase]:
    pick: dict[Kind, Callable[[], list[Purchase]]] = {
        Kind.LATE: lambda: stock.late,
        Kind.LARGE: lambda: stock.large,
        Kind.RESOLD: lambda: stock.resold + stock.passed_on,
        Kind.NEW_HOLDER: lambda: stock.passed_on,
        Kind.COIN_BACK: lambda: _paid_by(stock.held, WALLET),
        Kind.OTHER_PAYEE: lambda: _paid_by(stock.held, WALLET),
        Kind.CARD_BACK: lambda: _paid_by(stock.held, CARD),
        Kind.FREQUENT: list,
        Kind.TOO_OFTEN: list,
    }
    return list(pick.get(kind, lambda: stock.held)())


def _paid_by(purchases: list[Purchase], tender: str) -> list[Purchase]:
    return [purchase for purchase in purchases if purchase.tender == tender]


def _interleaved(chosen: list[tuple[Kind, Purchase]], rng: Random) -> list[tuple[Kind, Purchase]]:
    """Customers in a random order, each one's requests in the order in which they were chosen."""
    queues: dict[str, list[tuple[Kind, Purchase]]] = defaultdict(list)
    for kind, purchase in chosen:
        queues[purchase.customer].append((kind, purchase))
    turns = [purchase.customer for _, purchase in chosen]
    rng.shuffle(turns)
    return [queues[customer].pop(0) for customer in turns]
