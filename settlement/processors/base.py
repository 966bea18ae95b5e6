"""What settlement asks of a payment processor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from returns.errors import UndropError
from returns.words import DisputeStatus, MovementKind, RefundStatus


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """What is to be paid back: `amount` minor units of `currency`, of what `charge` brought in.

    `key` is the id of the leg. `payee` is an account where a payment is not given back the way it
    came (an IBAN); `note` is what the customer reads on the statement.
    """

    key: UUID
    charge: str
    amount: int
    currency: str
    payee: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProcessorRefund:
    """A refund as the processor tells it; `reason` says why it failed, in the processor's words."""

    id: str
    key: str
    charge: str
    amount: int
    currency: str
    status: RefundStatus
    reason: str = ""

    def to_payload(self) -> dict[str, str]:
        """As inbox rows and webhooks carry it: amounts as strings."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_payload(cls, told: Mapping[str, str]) -> ProcessorRefund:
        """Read it back."""
        names = ("id", "key", "charge", "currency")
        texts = {name: told[name] for name in names}
        status, reason = RefundStatus(told["status"]), told.get("reason", "")
        return cls(**texts, amount=int(told["amount"]), status=status, reason=reason)


@dataclass(frozen=True, slots=True)
class ProcessorDispute:
    """A chargeback as the processor tells it.

    `payment` is another name of the charge, where the processor has two (Stripe's payment intent).
    """

    id: str
    charge: str
    amount: int
    currency: str
    status: DisputeStatus
    payment: str = ""

    def to_payload(self) -> dict[str, str]:
        """As inbox rows carry it."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_payload(cls, told: Mapping[str, str]) -> ProcessorDispute:
        """Read it back."""
        texts = {name: told[name] for name in ("id", "charge", "currency")}
        status, payment = DisputeStatus(told["status"]), told.get("payment", "")
        return cls(**texts, amount=int(told["amount"]), status=status, payment=payment)


#: What a webhook can tell.
Fact = ProcessorRefund | ProcessorDispute


@dataclass(frozen=True, slots=True)
class Movement:
    """A line of the processor's own report: its balance changed by `amount` (signed minor units).

    `about` is the id of the refund, charge or dispute; `id` is the balance transaction's.
    """

    id: str
    kind: MovementKind
    about: str
    amount: int
    currency: str
    at: datetime


#: Why a refund finds nobody who takes it: Stripe's `failure_reason`, ISO 20022's reason codes.
_METHOD_GONE = frozenset(
    {"expired_or_canceled_card", "lost_or_stolen_card", "AC01", "AC04", "AC06", "AC13"}
)


#: Why a refund is declined for the time being: the customer's bank has the money.
DISPUTED = frozenset({"charge_disputed"})


def is_method_gone(reason: str) -> bool:
    """Whether a refund failed because its payment method does not exist any more."""
    return reason.split(" ", maxsplit=1)[0] in _METHOD_GONE


class RefundDeclined(UndropError):
    """The processor understood the request and will not do it: asking again changes nothing.

    The value `reason` is the processor's code for why, where it has one.
    """

    status = 409
    sentence = "The processor declined the refund: {problem}."
    next_step = "Choose another remedy, or clear it with the processor."


class Processor(Protocol):
    """A refund is asked for under a key of ours; the same key never pays twice."""

    name: str

    def refund(self, request: RefundRequest) -> ProcessorRefund:
        """Ask for a refund. Raises `RefundDeclined`, or `ProcessorUnavailable`: then unknown."""

    def find(self, request: RefundRequest) -> ProcessorRefund | None:
        """Look up what became of a request, None if the processor has never seen its key."""

    def refunds(self) -> Iterable[ProcessorRefund]:
        """The processor's own log of all refunds, for reconciliation."""

    def movements(self, after: str | None = None) -> Iterable[Movement]:
        """The processor's report, oldest first: what follows the movement with the id `after`."""

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> Fact | None:
        """Verify and read an incoming webhook; None: about nothing that settlement follows.

        Raises `WebhookRefused`.
        """
