"""Both directions between desk and processor, as they are steered."""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos.chain.proxy import Armed, Plan
from tests.chaos.settlement import to_processor, webhooks
from tests.chaos.settlement.webhooks import Webhooks

KINDS = (*to_processor.KINDS, *webhooks.KINDS)


@dataclass
class Wires:
    """Both directions, as they are steered: what is armed strikes the next one that it fits."""

    plan: Plan
    webhooks: Webhooks

    def arm(self, fault: Armed) -> None:
        """Let it happen to the next that it fits."""
        self.plan.arm(fault)

    def fired(self) -> list[tuple[float, str]]:
        """What has happened: (Unix time, kind)."""
        return [(at, kind) for at, kind in self.plan.report()["fired"]]

    def darken(self, seconds: float) -> None:
        """Nothing gets through to the processor."""
        self.plan.darken(seconds)

    def heal(self) -> None:
        """No more faults."""
        self.plan.forget()
        self.webhooks.hurry()
