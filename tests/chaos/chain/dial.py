"""A few bytes shared with one relayer process: how wrong its clock is, and when it is to die."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

#: Seconds by which the clock is wrong; moments until death, 0 for never; which moments count.
_LAYOUT = struct.Struct("<dq48s")


class Dial:
    """Opened by the process itself and by whoever turns it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_LAYOUT.pack(0.0, 0, b""))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), _LAYOUT.size)
        self._lock = threading.Lock()

    @property
    def offset(self) -> float:
        """Seconds that the clock is ahead."""
        return float(self._read()[0])

    def turn(self, offset: float) -> None:
        """Make the clock so many seconds fast, or slow."""
        _, moments, at = self._read()
        self._write(offset, moments, at)

    def doom(self, moments: int, at: str = "") -> None:
        """Let the process die at the so-manieth moment from now whose name contains `at`."""
        self._write(self.offset, moments, at.encode())

    def spare(self) -> None:
        """Let it live."""
        self.doom(0)

    def now(self) -> datetime:
        """What the wrong clock says."""
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def pass_by(self, moment: str) -> None:
        """One moment of the process's life; kills it, as no code can, if it is the chosen one."""
        with self._lock:
            offset, left, at = self._read()
            if left <= 0 or at.rstrip(b"\0").decode() not in moment:
                return
            self._write(offset, left - 1, at)
        if left == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def _read(self) -> tuple[float, int, bytes]:
        return _LAYOUT.unpack_from(self._bytes)

    def _write(self, offset: float, moments: int, at: bytes) -> None:
        _LAYOUT.pack_into(self._bytes, 0, offset, moments, at)
