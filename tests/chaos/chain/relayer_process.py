"""The relayer as a process of its own: the product, with a clock that can be wrong and a death that
can be ordered. Everything else is as `undrop relayer` builds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from chain.contracts import Deployment
from chain.relay.guard import Guard, escrow_rules
from chain.relay.parts import Parts, RelayPolicy
from chain.signers import LocalSigner, Signer
from tests.chaos import process
from tests.chaos.chain import sabotage
from tests.chaos.chain.dial import Dial
from tests.support.chain_faults import FusedDatabase, FusedSigner
from tests.support.chain_node import CHAIN_ID, person

#: Quick, since a run has minutes for what takes a product days.
POLICY = RelayPolicy(
    confirmations=3,
    lease=timedelta(seconds=1),
    batch_window=timedelta(milliseconds=300),
    rebroadcast_after=timedelta(seconds=1),
    stuck_after=timedelta(seconds=4),
)


@dataclass(frozen=True, kw_only=True)
class Settings(process.Settings):
    """What a relayer process is told besides. `lanes`: Anvil's accounts by their index."""

    deployment: str
    lanes: Sequence[int]


def main(path: str) -> None:
    """Work until the process is told to stop, or dies."""
    settings = Settings.load(path)
    build(settings).run(process.begin(settings))


def build(settings: Settings) -> sabotage.Runnable:
    """The fleet of this process, sabotaged if it is to be."""
    dial = Dial(Path(settings.dial))
    fuse = process.DialFuse(dial)
    keys = [person(lane) for lane in settings.lanes]
    parts = Parts(
        database=FusedDatabase(settings.database, fuse),
        client=process.HastyClient(settings.node, fuse),
        chain_id=CHAIN_ID,
        clock=dial.now,
        guard=_guard(settings, keys),
        policy=POLICY,
    )
    signers: list[Signer] = [FusedSigner(key, fuse) for key in keys]
    return sabotage.FLEETS[settings.sabotage](parts, signers)


def _guard(settings: Settings, keys: Sequence[LocalSigner]) -> Guard:
    deployment = Deployment.load(Path(settings.deployment))
    return Guard(escrow_rules(deployment), [key.address for key in keys])
