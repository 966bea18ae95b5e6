"""What a price is made of, what a refund gives back of it, and who bears each part. Pure.

Amounts are minor units of the order's currency. An order's charges are spread over its lines once,
by largest remainder; a refund takes its share of a line, and refunds in parts sum to the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from returns.apportion import apportion
from returns.errors import ChargesInvalid, RefundAboveRemainder
from returns.money import allocate
from returns.words import ChargeKind, CostBearer

#: The order in which charges are taken out of the prices.
_CHARGES = (ChargeKind.TAX, ChargeKind.ROYALTY, ChargeKind.PLATFORM_FEE, ChargeKind.GAS)


@dataclass(frozen=True, slots=True)
class Charges:
    """An order's prices before its discount, and what is charged with them.

    What is `included` is a part of the prices, the rest was paid on top of them.
    """

    prices: tuple[int, ...]
    discount: int = 0
    amounts: Mapping[ChargeKind, int] = field(default_factory=lambda: MappingProxyType({}))
    included: frozenset[ChargeKind] = frozenset({ChargeKind.ROYALTY, ChargeKind.PLATFORM_FEE})


@dataclass(frozen=True, slots=True)
class LineCharges:
    """What one line cost, part by part; `total` is what was paid for it."""

    amounts: Mapping[ChargeKind, int]

    @property
    def total(self) -> int:
        """The line's price."""
        return sum(self.amounts.values())


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a refund, and who bears it in the end."""

    kind: ChargeKind
    amount: int
    bearer: CostBearer


@dataclass(frozen=True, slots=True)
class ItemisedRefund:
    """`parts` sum to what is paid; `kept` is what the customer has borne so far, this one included.

    A part that the policy lays on the customer, and that is given back nevertheless, is borne by
    the merchant.
    """

    parts: tuple[Part, ...]
    kept: tuple[Part, ...]

    @property
    def amount(self) -> int:
        """What the customer gets."""
        return sum(part.amount for part in self.parts)


@dataclass(frozen=True, slots=True)
class Claim:
    """A part that somebody else bears: `pulled` is got back at once, `receivable` is owed."""

    kind: ChargeKind
    debtor: CostBearer
    pulled: int
    receivable: int


def spread(charges: Charges) -> tuple[LineCharges, ...]:
    """Spread an order's charges over its lines; raises `ChargesInvalid`.

    Whatever is included is taken from what the charges before it have left of each line, so that
    no part is below zero and each charge sums to itself.
    """
    _check(charges)
    prices = list(charges.prices)
    net = _less(prices, _share(charges.discount, prices, "discount"))
    left, found = net, [dict[ChargeKind, int]() for _ in net]
    # What is paid on top of nothing, each line has the same share of.
    on_top = net if sum(net) else [1] * len(net)
    for kind in _CHARGES:
        is_included = kind in charges.included
        parts = _share(charges.amounts.get(kind, 0), left if is_included else on_top, kind.value)
        left = _less(left, parts) if is_included else left
        for line, part in zip(found, parts, strict=True):
            line[kind] = part
    items = [{ChargeKind.ITEM: rest} | line for rest, line in zip(left, found, strict=True)]
    return tuple(LineCharges(MappingProxyType(line)) for line in items)


def itemise(
    line: LineCharges, bearers: Mapping[ChargeKind, CostBearer], before: int, amount: int
) -> ItemisedRefund:
    """What a refund of `amount` gives back, after `before` was granted for the line already.

    Kinds that `bearers` does not name are borne by the merchant. What the customer bears is given
    back last. Raises `RefundAboveRemainder`.
    """
    if not 0 <= before <= before + amount <= line.total:
        raise RefundAboveRemainder(requested=amount, remaining=line.total - before)
    earlier, now = (_given(line, bearers, total) for total in (before, before + amount))
    parts = tuple(
        Part(kind, now[kind] - earlier[kind], _payer(bearers, kind))
        for kind in line.amounts
        if now[kind] > earlier[kind]
    )
    return ItemisedRefund(parts, tuple(_kept(line, bearers, now, before + amount)))


def claims(refund: ItemisedRefund, pullable: Mapping[ChargeKind, int]) -> tuple[Claim, ...]:
    """What creator and platform owe of a refund; `pullable` is what can be taken back at once."""
    others = (CostBearer.PLATFORM, CostBearer.CREATOR)
    return tuple(
        Claim(part.kind, part.bearer, pulled, part.amount - pulled)
        for part in refund.parts
        if part.bearer in others
        for pulled in [min(part.amount, pullable.get(part.kind, 0))]
    )


def _check(charges: Charges) -> None:
    amounts = (*charges.prices, charges.discount, *charges.amounts.values())
    if not charges.prices or min(amounts) < 0:
        raise ChargesInvalid(problem="an amount is below zero, or there is no price")
    unknown = [kind.value for kind in charges.amounts if kind not in _CHARGES]
    if unknown:
        raise ChargesInvalid(problem=f"{unknown[0]} is not charged, it is what remains")


def _share(amount: int, weights: list[int], name: str) -> list[int]:
    """By largest remainder; never more than the weight where the amount is within their sum."""
    if not amount:
        return [0] * len(weights)
    if not sum(weights):
        raise ChargesInvalid(problem=f"the {name} of {amount} has no price to stand on")
    return allocate(amount, weights)


def _less(amounts: list[int], parts: list[int]) -> list[int]:
    left = [amount - part for amount, part in zip(amounts, parts, strict=True)]
    if min(left) < 0:
        raise ChargesInvalid(problem=f"they take {sum(parts)} of prices of {sum(amounts)}")
    return left


def _given(
    line: LineCharges, bearers: Mapping[ChargeKind, CostBearer], total: int
) -> dict[ChargeKind, int]:
    """Parts of all that was ever granted: first what others bear, then what the customer does."""
    owed, own = _sides(line, bearers)
    first = min(total, sum(owed.values()))
    given = apportion(first, list(owed.values()))
    more = apportion(total - first, list(own.values()))
    return dict(zip([*owed, *own], [*given, *more], strict=True))


def _kept(
    line: LineCharges,
    bearers: Mapping[ChargeKind, CostBearer],
    given: Mapping[ChargeKind, int],
    total: int,
) -> list[Part]:
    """The customer's own share of what was granted, rounded down in the customer's favour."""
    owed, own = _sides(line, bearers)
    whole = sum(owed.values())
    reached = min(total, whole)
    shares = {
        kind: (amount * reached // whole if whole else amount) - given[kind]
        for kind, amount in own.items()
    }
    return [Part(kind, part, CostBearer.CUSTOMER) for kind, part in shares.items() if part > 0]


def _sides(
    line: LineCharges, bearers: Mapping[ChargeKind, CostBearer]
) -> tuple[dict[ChargeKind, int], dict[ChargeKind, int]]:
    own = {
        kind: amount
        for kind, amount in line.amounts.items()
        if bearers.get(kind) is CostBearer.CUSTOMER
    }
    return {kind: part for kind, part in line.amounts.items() if kind not in own}, own


def _payer(bearers: Mapping[ChargeKind, CostBearer], kind: ChargeKind) -> CostBearer:
    bearer = bearers.get(kind, CostBearer.MERCHANT)
    return CostBearer.MERCHANT if bearer is CostBearer.CUSTOMER else bearer
