"""Ways in which a relayer or an indexer can be stopped: between any two of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlmodel import Session

from chain.client import ChainClient
from chain.signers import Signer
from returns.db import Database
from returns.errors import SignerUnavailable, UndropError


class Killed(BaseException):
    """The process is gone: nothing in the product may catch it, as nothing can catch SIGKILL."""


class Fuse:
    """Counts the moments at which a process can die, and kills it at a chosen one."""

    def __init__(self, at: int | None = None) -> None:
        self.moments: list[str] = []
        self._at = at

    def pass_by(self, moment: str) -> None:
        """One moment; raises `Killed` if it is the chosen one."""
        self.moments.append(moment)
        if len(self.moments) - 1 == self._at:
            raise Killed(moment)


class FusedClient(ChainClient):
    """A node's client that can die before a request leaves and before its answer is read."""

    def __init__(self, url: str, fuse: Fuse) -> None:
        super().__init__(url, timeout=30)
        self._fuse = fuse

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self._fuse.pass_by(f"before {calls[0][0]}")
        answers = super()._post(calls)
        self._fuse.pass_by(f"after {calls[0][0]}")
        return answers


class FusedDatabase(Database):
    """A database that can die before a commit and after it."""

    def __init__(self, url: str, fuse: Fuse) -> None:
        super().__init__(url)
        self._fuse = fuse

    @contextmanager
    def write(self) -> Iterator[Session]:
        with super().write() as session:
            yield session
            self._fuse.pass_by("before commit")
        self._fuse.pass_by("after commit")


class FusedSigner:
    """A signer that can die before and after it has signed."""

    def __init__(self, signer: Signer, fuse: Fuse) -> None:
        self._signer = signer
        self._fuse = fuse

    @property
    def address(self) -> str:
        return self._signer.address

    def sign(self, preimage: bytes) -> bytes:
        self._fuse.pass_by("before signing")
        signed = self._signer.sign(preimage)
        self._fuse.pass_by("after signing")
        return signed


class SilentSigner:
    """A signer that does not answer, until it is told to; counts what it was asked for."""

    def __init__(self, signer: Signer, fault: UndropError | None = None) -> None:
        self._signer = signer
        self.fault: UndropError | None = fault or SignerUnavailable(problem="it is away")
        self.asked = 0

    @property
    def address(self) -> str:
        return self._signer.address

    def sign(self, preimage: bytes) -> bytes:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return self._signer.sign(preimage)


class HookedClient(ChainClient):
    """A node's client whose requests are shown to the test first; it may raise, wait or answer."""

    def __init__(self, url: str, hook: Callable[[list[str]], list[Any] | None]) -> None:
        super().__init__(url, timeout=30)
        self._hook = hook

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        answers = self._hook([method for method, _ in calls])
        return super()._post(calls) if answers is None else answers


#: Given a call's parameters and how to ask the node itself: the answer, or the refusal.
Bend = Callable[[Sequence[Any], Callable[[], Any]], Any]


class BentClient(ChainClient):
    """A node's client that answers some methods as the test says."""

    def __init__(self, url: str, **bends: Bend) -> None:
        super().__init__(url, timeout=30)
        self.bends = bends

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        if not self.bends.keys() & {method for method, _ in calls}:
            return super()._post(calls)
        return [self._one(method, params) for method, params in calls]

    def _one(self, method: str, params: Sequence[Any]) -> Any:
        def ask() -> Any:
            return super(BentClient, self)._post([(method, params)])[0]

        return self.bends[method](params, ask) if method in self.bends else ask()
