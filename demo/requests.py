"""A composed request: what a simulated customer asks, and what an agent does about it."""

from __future__ import annotations

from dataclasses import dataclass

from demo.kinds import Kind
from demo.sales import Purchase


@dataclass(frozen=True, slots=True)
class Request:
    """One return of one purchase.

    `place` is its rank in the order in which requests are made. `amount` is in minor units, None
    for the whole price. `wallet` and `recipient` are addresses where the customer names any;
    `signer` is the name of the simulated wallet that would sign. `agent` is what a person decides
    if the request goes to review (approve, deny, or nobody looks); `agent_remedy` another remedy
    that the person grants.
    """

    place: int
    kind: Kind
    purchase: Purchase
    remedy: str
    signer: str
    amount: int | None = None
    wallet: str | None = None
    recipient: str | None = None
    agent: str | None = None
    agent_remedy: str | None = None

    @property
    def asked(self) -> int:
        """Minor units that are asked for."""
        return self.purchase.price if self.amount is None else self.amount
