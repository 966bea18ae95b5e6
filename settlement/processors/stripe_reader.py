"""Reads charges, refunds and the report at Stripe, page by page, and asks with our errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import stripe

from returns.errors import ProcessorUnavailable
from returns.words import DisputeStatus
from settlement.processors import stripe_objects as objects
from settlement.processors.base import Movement, RefundDeclined
from settlement.processors.stripe_errors import NAME, translated

# The client's own log has requests and answers in it; what matters is told by our errors.
logging.getLogger("stripe").setLevel(logging.CRITICAL)

_T = TypeVar("_T")

#: The most that Stripe gives at once.
_PAGE = 100
#: Pages of refunds of one charge that are looked through.
_MOST_PAGES = 10


class StripeReader:
    """What is asked of Stripe, and how. Lists are newest first there, and come in pages."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._api = client.v1

    def answer(self, ask: Callable[[], _T]) -> _T:
        """One request. Raises `RefundDeclined`, `ProcessorUnavailable`."""
        try:
            return ask()
        except stripe.StripeError as fault:
            # Without the original: it carries the whole answer, and a part of the key.
            raise translated(fault) from None

    def charge(self, reference: str) -> dict[str, Any]:
        """A charge with its newest refunds, in one request."""
        if not reference.startswith("pi_"):
            return self.answer(
                lambda: self._api.charges.retrieve(reference, {"expand": ["refunds"]})
            ).to_dict()
        intent = self.answer(
            lambda: self._api.payment_intents.retrieve(
                reference, {"expand": ["latest_charge.refunds"]}
            )
        ).to_dict()
        charge: dict[str, Any] | None = intent.get("latest_charge")
        if charge is None:
            raise RefundDeclined(problem="nothing was ever charged for this payment")
        return charge

    def refunds_of(self, charge: dict[str, Any]) -> list[dict[str, Any]]:
        """All refunds of a charge; a further request only where there are many."""
        shown = charge.get("refunds") or {"data": [], "has_more": True}
        if not shown["has_more"]:
            return list(shown["data"])
        found: list[dict[str, Any]] = []
        for number, page in enumerate(self._back(self._api.refunds.list, charge=charge["id"])):
            if number >= _MOST_PAGES:
                what = f"{NAME} (the charge has too many refunds to look through)"
                raise ProcessorUnavailable(processor=what)
            found += page
        return found

    def disputed(self, charge: dict[str, Any]) -> int:
        """What disputes hold or have taken of a charge, in Stripe's units."""
        total = 0
        for page in self._back(self._api.disputes.list, charge=charge["id"]):
            for raw in page:
                told = objects.dispute(raw)
                total += 0 if told is None or told.status is DisputeStatus.WON else raw["amount"]
        return total

    def refunds(self) -> Iterator[dict[str, Any]]:
        """Every refund of the account, newest first."""
        for page in self._back(self._api.refunds.list):
            yield from page

    def movements(self, after: str | None) -> Iterator[Movement]:
        """The balance transactions behind a place, oldest first.

        From the beginning, the oldest page is found first by going back all the way; from there,
        as from any place, the way is forward, so that nothing needs to be held.
        """
        if after is None:
            pages = 0
            oldest: list[dict[str, Any]] = []
            for page in self._back(self._api.balance_transactions.list):
                oldest, pages = page, pages + 1
            yield from _told(oldest)
            if pages <= 1:
                return
            after = oldest[0]["id"]
        elif after.endswith(objects.FEE):
            after = after.removesuffix(objects.FEE)
            found = self.answer(lambda: self._api.balance_transactions.retrieve(after))
            yield list(objects.movements(found.to_dict()))[-1]
        yield from self._forward(after)

    def _forward(self, place: str) -> Iterator[Movement]:
        more = True
        while more:
            ask = self._api.balance_transactions.list
            page, more = self._page(ask, {"ending_before": place})
            yield from _told(page)
            place = page[0]["id"] if page else place

    def _back(self, ask: Callable[[Any], Any], **params: Any) -> Iterator[list[dict[str, Any]]]:
        """Pages from the newest back to the oldest: what is new meanwhile shifts none of them."""
        more = True
        while more:
            page, more = self._page(ask, params)
            if page:
                yield page
                params["starting_after"] = page[-1]["id"]

    def _page(
        self, ask: Callable[[Any], Any], params: dict[str, Any]
    ) -> tuple[list[dict[str, Any]], bool]:
        answer = self.answer(lambda: ask({**params, "limit": _PAGE}))
        page = [one.to_dict() for one in answer.data]
        return page, bool(page and answer.has_more)


def _told(page: list[dict[str, Any]]) -> Iterator[Movement]:
    """Within a page, too, Stripe has the newest first."""
    for raw in reversed(page):
        yield from objects.movements(raw)
