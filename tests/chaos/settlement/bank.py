"""What banks and the processor do by themselves: switches, late failures, chargebacks.

A bank is fair: it does not let a customer keep a refund and the disputed money, nor the money and a
token that was never committed to the shop.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

import httpx

from tests.chaos.settlement.agenda import Agenda, Unanswered, ask
from tests.chaos.settlement.house import FINAL, House
from tests.chaos.settlement.people import HELD, state_of
from tests.chaos.settlement.purchases import Purchase

#: Why refunds come back: because the card is gone, or for what can be tried again with hope.
_GONE = ("expired_or_canceled_card", "lost_or_stolen_card")
_REASONS = (*_GONE, "declined", "declined", "insufficient_funds")
_REFUNDS = "SELECT id, charge, status, reason FROM refund"
_OPEN = "SELECT id, charge FROM dispute WHERE status = 'open'"


class Bank:
    """The processor's own side. `disputed`: orders with a chargeback that is open or was lost."""

    def __init__(self, house: House, agenda: Agenda, bought: Sequence[Purchase], seed: int) -> None:
        self.disputed: set[str] = set()
        self._house, self._agenda = house, agenda
        self._bought = bought
        self._node = house.node()
        self._draw = random.Random(f"{seed}:bank")
        self._ever: set[str] = set()
        self._under_way: dict[str, tuple[Purchase, str]] = {}
        headers = {"Authorization": f"Bearer {house.processor_key}"}
        self._http = httpx.Client(base_url=house.processor, headers=headers, timeout=6)
        self._shop = httpx.Client(
            base_url=house.api,
            headers={"Authorization": f"Bearer {house.keys['shop']}"},
            timeout=6,
        )

    @property
    def open(self) -> int:
        """How many chargebacks are not closed yet."""
        return len(self._under_way)

    def switch(self, mode: str) -> None:
        """A way of failing, or none."""
        ask(self._http, "POST", "/sandbox/failure", json={"mode": mode})

    def fail_a_refund(self) -> bool:
        """One that was paid comes back, as days later; False where there is none."""
        paid = [one for one in self._log(_REFUNDS) if one[2] == "succeeded"]
        if not paid:
            return False
        body = {"reason": self._draw.choice(_REASONS)}
        refund = self._draw.choice(paid)[0]
        return ask(self._http, "POST", f"/sandbox/refunds/{refund}/fail", json=body).is_success

    def dispute(self, seconds: float) -> bool:
        """A customer goes to the bank, which decides after a while; False where none would."""
        ripe = [one for one in self._bought if self._is_ripe(one)]
        if not ripe:
            return False
        one = self._draw.choice(ripe)
        charge = one.charges()[0]
        self._ever.add(one.number)
        self.disputed.add(one.number)
        wanted = {"charge": charge["id"], "amount": charge["amount"]}
        answer = ask(self._http, "POST", "/sandbox/disputes", json=wanted)
        dispute = answer.raise_for_status().json()["id"]
        self._under_way[dispute] = (one, charge["id"])
        self._agenda.after(seconds, lambda: self._close(dispute))
        return True

    def close_all(self) -> None:
        """What is open is decided now, also where nobody heard that it was opened."""
        buyers = {charge["id"]: one for one in self._bought for charge in one.charges()}
        for dispute, charge in self._log(_OPEN):
            self._under_way[dispute] = (buyers[charge], charge)
        for dispute in list(self._under_way):
            self._agenda.after(0.0, lambda dispute=dispute: self._close(dispute))

    def _is_ripe(self, one: Purchase) -> bool:
        """Asked for in full, on the way, and nobody who may take the token back in time."""
        whole = one.asked == one.price and bool(one.charges()) and one.kind != "racer"
        if not whole or not one.rma or one.remedy != "fiat_refund" or one.number in self._ever:
            return False
        return one.kind.endswith("kept") or self._is_committed(one)

    def _is_committed(self, one: Purchase) -> bool:
        """Whether the token cannot go back to the customer any more but by the shop's own will."""
        line = one.message.get("line")
        if line is None:
            return False
        name = line if isinstance(line, str) else "0x" + bytes(line).hex()
        block = hex(max(0, self._node.head() - FINAL))
        return state_of(self._node, self._house.deployment.escrow, name, block) > HELD

    def _close(self, dispute: str) -> None:
        found = self._under_way.get(dispute)
        if found is None:
            return
        one, charge = found
        lost = not self._has_paid(charge) and self._is_owed(one)
        outcome = "lost" if lost else "won"
        answer = ask(self._http, "POST", f"/sandbox/disputes/{dispute}/{outcome}")
        if answer.is_error and answer.status_code != httpx.codes.NOT_FOUND:
            raise Unanswered
        self._under_way.pop(dispute, None)
        if outcome == "won":
            self.disputed.discard(one.number)

    def _has_paid(self, charge: str) -> bool:
        """By the log: a refund that stands, or one whose card was gone and was credited instead."""
        return any(
            its == charge and (status != "failed" or reason in _GONE)
            for _, its, status, reason in self._log(_REFUNDS)
        )

    def _is_owed(self, one: Purchase) -> bool:
        """Whether the shop is bound to pay: not to who has the token back."""
        answer = ask(self._shop, "GET", f"/v1/returns/{one.rma}")
        return answer.json()["state"] in ("settling", "needs_attention")

    def _log(self, query: str) -> list[tuple[Any, ...]]:
        path = f"file:{self._house.log_file}?mode=ro"
        for _ in range(20):
            try:
                log = sqlite3.connect(path, uri=True, timeout=5)
                try:
                    return log.execute(query).fetchall()
                finally:
                    log.close()
            except sqlite3.OperationalError:
                time.sleep(0.1)
        return []
