"""What the stand-in for Stripe keeps: charges, refunds, disputes, its balance, events to be sent.

Fields and words are those of Stripe's API reference, as far as a client of refunds reads them.
"""

from __future__ import annotations

import random
import secrets
import time
from typing import Any

from stand_ins import Book

#: Stripe's fee for a dispute, in the stand-in.
DISPUTE_FEE = 1500


class Refused(Exception):
    """An error as Stripe words it."""

    def __init__(self, status: int, code: str, message: str, kind: str = "invalid_request_error"):
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": message}}
        super().__init__(message)


class StripeBooks(Book):
    """One account. Every change is one transaction with its balance transaction and its event."""

    def charge(self, id_: str) -> dict[str, Any]:
        found = self.get("charge", id_)
        if found is None:
            raise Refused(404, "resource_missing", f"No such charge: '{id_}'")
        return found

    def add_charge(self, given: dict[str, Any]) -> None:
        """A paid charge of `amount` in `currency`; with `payment_intent` also an intent."""
        currency, amount = str(given["currency"]).lower(), int(given["amount"])
        captured = bool(given.get("captured", True))
        charge = {
            "id": given["id"],
            "object": "charge",
            "amount": amount,
            "amount_captured": amount if captured else 0,
            "amount_refunded": 0,
            "captured": captured,
            "created": _now(),
            "currency": currency,
            "disputed": False,
            "livemode": bool(given.get("livemode", False)),
            "payment_intent": given.get("payment_intent"),
            "refunded": False,
            "status": given.get("status", "succeeded"),
        }
        if self.get("charge", charge["id"]) is not None:
            return
        self.put("charge", charge)
        if charge["payment_intent"]:
            intent = {"id": charge["payment_intent"], "object": "payment_intent", "amount": amount,
                      "currency": currency, "latest_charge": charge["id"]}  # fmt: skip
            self.put("payment_intent", intent)
        if captured:
            self._move("charge", "charge", charge, amount, fee=int(given.get("fee", 0)))

    def refund(self, charge: dict[str, Any], amount: int, metadata: dict[str, str]) -> Any:
        """Accept a refund; how it goes on is a matter of `outcomes`."""
        outcome = self._outcome()
        status = "succeeded" if outcome == "fail_later" else outcome
        refund = {
            "id": _id("re"),
            "object": "refund",
            "amount": amount,
            "charge": charge["id"],
            "created": _now(),
            "currency": charge["currency"],
            "failure_reason": None,
            "metadata": metadata,
            "payment_intent": charge["payment_intent"],
            "status": status,
        }
        self.put("refund", refund, charge["id"])
        self._refunded(charge, amount)
        if status == "succeeded":
            self._move("refund", "refund", refund, -amount)
        if outcome != "succeeded":
            due = {"id": f"due_{refund['id']}", "refund": refund["id"], "to": _NEXT[outcome]}
            self.put("due", {**due, "at": time.time() + self.setting("seconds", 1)})
        self.tell("refund.created", refund)
        return refund

    def check(self, charge: dict[str, Any], amount: int) -> None:
        """Stripe's own rules about a refund."""
        if self.setting("allow_over_refund", False):
            return
        if charge["status"] != "succeeded" or not charge["captured"]:
            raise Refused(400, "charge_not_refundable", "This charge was not captured.")
        if charge["refunded"]:
            raise Refused(400, "charge_already_refunded", f"Charge {charge['id']} has already been"
                          " refunded.")  # fmt: skip
        if any(one["status"] in ("needs_response", "under_review", "lost")
               for one in self.all("dispute", charge["id"])):  # fmt: skip
            raise Refused(400, "charge_disputed", f"Charge {charge['id']} has been charged back;"
                          " cannot issue a refund.")  # fmt: skip
        left = charge["amount_captured"] - charge["amount_refunded"]
        if not 0 < amount <= left:
            raise Refused(400, "amount_too_large", f"Refund amount ({amount}) is greater than"
                          f" unrefunded amount on charge ({left})")  # fmt: skip

    def turn(self, refund_id: str, status: str, reason: str | None = None) -> dict[str, Any]:
        """A refund becomes pending, succeeded, failed or canceled, as days later."""
        refund = self.get("refund", refund_id)
        if refund is None or refund["status"] in ("failed", "canceled"):
            raise Refused(404, "resource_missing", f"No refund {refund_id} that could change")
        before, refund["status"] = refund["status"], status
        if status == "failed":
            refund["failure_reason"] = reason or "expired_or_canceled_card"
        if status in ("failed", "canceled"):
            self._refunded(self.charge(refund["charge"]), -refund["amount"])
        self.put("refund", refund)
        if status == "succeeded" and before != "succeeded":
            self._move("refund", "refund", refund, -refund["amount"])
        if status in ("failed", "canceled") and before == "succeeded":
            self._move("refund_failure", "refund_failure", refund, refund["amount"])
        self.tell("refund.failed" if status == "failed" else "refund.updated", refund)
        return refund

    def turn_due(self) -> None:
        """What is due happens."""
        for due in self.select("kind = 'due' ORDER BY seq", ()):
            if due["at"] <= time.time():
                with self.transaction():
                    self.db.execute("DELETE FROM object WHERE id = ?", (due["id"],))
                    if self.get("refund", due["refund"])["status"] not in ("failed", "canceled"):  # type: ignore[index]
                        self.turn(due["refund"], due["to"])

    def open_dispute(self, charge: dict[str, Any], amount: int, status: str) -> dict[str, Any]:
        """A chargeback; an inquiry (`warning_…`) moves nothing."""
        dispute = {
            "id": _id("dp"), "object": "dispute", "amount": amount, "charge": charge["id"],
            "currency": charge["currency"], "is_charge_refundable": status.startswith("warning"),
            "livemode": charge["livemode"], "payment_intent": charge["payment_intent"],
            "reason": "fraudulent", "status": status, "created": _now(), "metadata": {},
        }  # fmt: skip
        self.put("dispute", dispute, charge["id"])
        self.put("charge", {**charge, "disputed": True})
        self.tell("charge.dispute.created", dispute)
        if not status.startswith("warning"):
            self._move("adjustment", "dispute", dispute, -amount, fee=DISPUTE_FEE)
            self.tell("charge.dispute.funds_withdrawn", dispute)
        return dispute

    def close_dispute(self, dispute_id: str, status: str) -> dict[str, Any]:
        """Won, lost, or an inquiry that went away."""
        dispute = self.get("dispute", dispute_id)
        if dispute is None:
            raise Refused(404, "resource_missing", f"No such dispute: '{dispute_id}'")
        dispute["status"] = status
        self.put("dispute", dispute)
        self.tell("charge.dispute.closed", dispute)
        if status == "won":
            self._move("adjustment", "dispute_reversal", dispute, dispute["amount"])
            self.tell("charge.dispute.funds_reinstated", dispute)
        return dispute

    def tell(self, kind: str, about: dict[str, Any]) -> None:
        """An event, to be sent when webhooks are sent."""
        event = {
            "id": _id("evt"), "object": "event", "api_version": None, "created": _now(),
            "data": {"object": about}, "livemode": self.setting("livemode", False), "type": kind,
        }  # fmt: skip
        account = self.setting("account", "")
        self.put("event", {**event, "account": account} if account else event, "unsent")

    def _refunded(self, charge: dict[str, Any], amount: int) -> None:
        gone = charge["amount_refunded"] + amount
        self.put(
            "charge", {**charge, "amount_refunded": gone, "refunded": gone >= charge["amount"]}
        )

    def _move(
        self, kind: str, category: str, about: dict[str, Any], amount: int, fee: int = 0
    ) -> None:
        self.put("balance_transaction", {
            "id": _id("txn"), "object": "balance_transaction", "amount": amount, "fee": fee,
            "net": amount - fee, "created": _now(), "available_on": _now(),
            "currency": about["currency"], "reporting_category": category, "source": about["id"],
            "status": "available", "type": kind,
        })  # fmt: skip

    def _outcome(self) -> str:
        """By weight: {"succeeded": 900, "pending": 60, "requires_action": 20, "fail_later": 20}."""
        weights: dict[str, int] = self.setting("outcomes", {"succeeded": 1})
        number = self.db.execute("SELECT count(*) FROM object WHERE kind = 'refund'").fetchone()[0]
        chance = random.Random(f"{self.setting('seed', 0)}:{number}")
        return chance.choices(list(weights), list(weights.values()))[0]


#: What becomes of an outcome that is not the last word.
_NEXT = {
    "pending": "succeeded",
    "requires_action": "succeeded",
    "fail_later": "failed",
}


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def _now() -> int:
    return int(time.time())
