"""Does what the plan says: to processes, broker, processor, chain and customers' banks."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from tests.chaos.chain.plan import Deed
from tests.chaos.chain.processes import wait
from tests.chaos.settlement.agenda import Agenda, Unanswered
from tests.chaos.settlement.bank import Bank
from tests.chaos.settlement.house import FINAL, House

_MODES = {
    "processor_down": "down",
    "processor_loses_answers": "lost_answer",
    "processor_declines": "decline",
    "processor_fails_later": "fail_later",
}
#: A stall is longer than a lease now and then, a partition and a switch than a few retries.
_STALL, _SWITCH = 4.0, 2.0
#: Blocks of the newest that may be replaced: nothing that was final once is ever undone.
_DEEPEST = FINAL - 3


class Doer:
    """Has hands. `done`: what happened, as (Unix time, kind)."""

    def __init__(self, house: House, bank: Bank, agenda: Agenda) -> None:
        self.done: list[tuple[float, str]] = []
        self._house, self._bank, self._agenda = house, bank, agenda
        self._node = house.node()
        self._snapshots: list[tuple[int, str]] = []
        self._highest = 0
        self._ways: dict[str, Callable[[Deed], bool]] = {
            "broker_lost": self._lose_broker,
            "partition": self._partition,
            "reorg": self._reorg,
            "rewind": self._rewind,
            "refund_fails_after_success": lambda _: self._bank.fail_a_refund(),
            "dispute": lambda deed: self._bank.dispute(deed.seconds * _STALL),
            **{kind: partial(self._switch, mode) for kind, mode in _MODES.items()},
        }

    def do(self, deed: Deed) -> None:
        """One deed and its pause. What finds nobody, or nothing to happen to, has not happened."""
        self._remember()
        kind, _, whom = deed.kind.partition(" ")
        ways = {"kill": self._kill, "freeze": self._freeze}
        began = time.time()
        try:
            happened = ways[kind](deed, whom) if whom else self._ways[kind](deed)
        except Unanswered:
            happened = False
        if happened:
            self.done.append((began, deed.kind))
        wait(deed.pause, self._house.members)

    def make_up(self) -> None:
        """Everybody awake, nobody failing on purpose, nothing held back, chargebacks closed."""
        self._house.members.thaw_all()
        self._house.wires.heal()
        self._agenda.after(0.0, lambda: self._bank.switch("none"))
        self._bank.close_all()

    # -- processes ---------------------------------------------------------------------------------

    def _kill(self, deed: Deed, whom: str) -> bool:
        members = self._house.members.kinds(whom)
        self._house.members.kill(members[deed.step % len(members)])
        return True

    def _freeze(self, deed: Deed, whom: str) -> bool:
        members = self._house.members.kinds(whom)
        member = members[deed.step % len(members)]
        self._house.members.freeze(member, deed.seconds * _STALL)
        return True

    def _lose_broker(self, _: Deed) -> bool:
        self._house.broker.lose()
        return True

    def _partition(self, deed: Deed) -> bool:
        self._house.wires.darken(deed.seconds * _STALL)
        return True

    def _switch(self, mode: str, deed: Deed) -> bool:
        self._bank.switch(mode)
        self._agenda.after(deed.seconds * _SWITCH, lambda: self._bank.switch("none"))
        return True

    # -- the chain ---------------------------------------------------------------------------------

    def _remember(self) -> None:
        """The present, to be gone back to."""
        with self._house.miner.still():
            head = self._node.head()
            self._highest = max(self._highest, head)
            if not self._snapshots or self._snapshots[-1][0] < head:
                self._snapshots.append((head, self._node.call("evm_snapshot")))

    def _allowed(self, head: int) -> int:
        """How many of the newest blocks were never final, and never will have been."""
        self._highest = max(self._highest, head)
        return head - (self._highest - _DEEPEST)

    def _reorg(self, deed: Deed) -> bool:
        """Empty blocks in the place of the newest ones."""
        with self._house.miner.still():
            head = self._node.head()
            depth = min(deed.depth, self._allowed(head))
            if depth < 1:
                return False
            self._snapshots = [one for one in self._snapshots if one[0] <= head - depth]
            self._node.call("anvil_reorg", depth, [])
        return True

    def _rewind(self, deed: Deed) -> bool:
        """Back to a snapshot; the new branch grows as time passes."""
        with self._house.miner.still():
            head = self._node.head()
            lowest = head - self._allowed(head)
            kept = [one for one in self._snapshots if lowest <= one[0] < head]
            if not kept:
                return False
            block, name = kept[deed.step % len(kept)]
            self._snapshots = [one for one in self._snapshots if one[0] < block]
            if deed.flip:
                self._node.call("anvil_dropAllTransactions")
            self._node.call("evm_revert", name)
        return True
