"""Kills worker and relayer while they work; the supervisor starts them anew."""

from __future__ import annotations

import os
import signal
import time
from random import Random

from demo.faults import CannotPlay
from demo.stack import Installation

#: What a worker prints when it has started.
_UP = "[tasks]"
_START_S = 60.0
#: Seconds between the moment at which a worker is up and its end.
_LIFE_S = (0.05, 2.5)


class Killer:
    """Sends SIGKILL to their process groups, at a random moment of their work."""

    def __init__(self, installation: Installation, seed: int) -> None:
        self._installation = installation
        self._log = installation.home / "logs" / "worker.log"
        self._rng = Random(seed)  # noqa: S311  moments, not secrets
        self.kills = 0

    def strike(self) -> None:
        """Wait until the worker is up, let them work for a moment, kill both."""
        self._wait_until_up()
        time.sleep(self._rng.uniform(*_LIFE_S))
        for name in ("worker", "relayer"):
            os.killpg(int(self._installation.about["pids"][name]), signal.SIGKILL)
        self.kills += 1

    def _wait_until_up(self) -> None:
        """One worker more than were killed has started."""
        end = time.monotonic() + _START_S
        while self._log.read_text(errors="replace").count(_UP) <= self.kills:
            if time.monotonic() > end:
                raise CannotPlay("The worker was killed and did not come back.")
            time.sleep(0.05)
