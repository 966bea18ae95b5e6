"""What settlement asks of a payment processor."""

from dataclasses import asdict, dataclass
from typing import Protocol
from uuid import UUID

from returns.errors import UndropError


@dataclass(frozen=True, slots=True)
class ProcessorRefund:
    """A refund as the processor tells it. `status`: pending, succeeded or failed."""

    id: str
    key: str
    charge: str
    amount: int
    currency: str
    status: str

    def to_payload(self) -> dict[str, str]:
        """As inbox rows and webhooks carry it: amounts as strings."""
        return {name: str(value) for name, value in asdict(self).items()}


class RefundDeclined(UndropError):
    """The processor understood the request and will not do it: asking again changes nothing."""

    status = 409
    sentence = "The processor declined the refund: {problem}."
    next_step = "Choose another remedy, or clear it with the processor."


class Processor(Protocol):
    """A refund is asked for under a key of ours; the same key never pays twice."""

    name: str

    def refund(self, key: UUID, charge: str, amount: int, currency: str) -> ProcessorRefund:
        """Ask for a refund. Raises `RefundDeclined`, or `ProcessorUnavailable`: then unknown."""

    def find(self, key: UUID) -> ProcessorRefund | None:
        """Look up what became of a key, None if the processor has never seen it."""

    def refunds(self) -> list[ProcessorRefund]:
        """The processor's own log of all refunds, for reconciliation."""

    def read_webhook(self, body: bytes, headers: dict[str, str]) -> ProcessorRefund:
        """Verify and read an incoming webhook. Raises `WebhookRefused`."""
