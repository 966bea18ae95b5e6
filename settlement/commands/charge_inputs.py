"""What a marketplace may tell of what an order's prices are made of."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from returns.errors import ChargesInvalid
from returns.words import ChargeKind
from settlement.commands.inputs import Amount, Input
from settlement.itemisation import Charges, LineCharges, spread

_ALL = frozenset({ChargeKind.TAX, ChargeKind.ROYALTY, ChargeKind.PLATFORM_FEE, ChargeKind.GAS})
_WITHIN = frozenset({ChargeKind.ROYALTY, ChargeKind.PLATFORM_FEE})


class ChargesIn(Input):
    """Charges of a whole order, in minor units of its currency.

    Without `list_prices` all of them are parts of the lines' prices. With them, a discount is
    taken off, tax (unless `tax_included`) and gas are paid on top, and what comes out must be the
    lines' prices.
    """

    list_prices: Annotated[list[Amount], Field(min_length=1, max_length=50)] | None = None
    discount: Amount = 0
    tax: Amount = 0
    tax_included: bool = False
    royalty: Amount = 0
    platform_fee: Amount = 0
    gas: Amount = 0

    @model_validator(mode="after")
    def _discount_has_prices(self) -> Self:
        if self.discount and self.list_prices is None:
            raise ValueError("a discount needs the list prices that it was taken off")
        return self

    def of_lines(self, prices: list[int]) -> tuple[LineCharges, ...]:
        """What each line is made of; raises `ChargesInvalid` where it is not what was paid."""
        found = spread(self._charges(prices))
        for position, (line, price) in enumerate(zip(found, prices, strict=True)):
            if line.total != price:
                told = f"line {position} comes to {line.total}, and its price is {price}"
                raise ChargesInvalid(problem=told)
        return found

    def _charges(self, prices: list[int]) -> Charges:
        amounts = {
            ChargeKind.TAX: self.tax,
            ChargeKind.ROYALTY: self.royalty,
            ChargeKind.PLATFORM_FEE: self.platform_fee,
            ChargeKind.GAS: self.gas,
        }
        if self.list_prices is None:
            return Charges(tuple(prices), 0, amounts, _ALL)
        if len(self.list_prices) != len(prices):
            told = f"there are {len(self.list_prices)} list prices for {len(prices)} lines"
            raise ChargesInvalid(problem=told)
        included = _WITHIN | ({ChargeKind.TAX} if self.tax_included else frozenset())
        return Charges(tuple(self.list_prices), self.discount, amounts, included)
