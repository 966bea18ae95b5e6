"""A signer key's queue of nonces, owned by one worker at a time.

A lease ends by itself when its worker dies; a fence keeps whoever overslept it from writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from chain.relay.parts import Parts
from chain.signers import Signer
from returns import locks
from returns.errors import ChainUnavailable, LeaseLost
from returns.ids import new_id
from returns.tables import Lane
from returns.words import LanePurpose


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a lane until somebody else has taken it over."""

    lane_id: UUID
    fence: int


class LaneKeeper:
    """Opens, leases and gives back the lane of one key on one chain."""

    def __init__(
        self,
        parts: Parts,
        address: str,
        purpose: LanePurpose = LanePurpose.OPERATE,
        *,
        takes_new: bool = True,
    ) -> None:
        self._parts = parts
        self._address = address
        self.purpose = purpose
        self.takes_new = takes_new

    def acquire(self) -> Lease | None:
        """Take the lane over; None while another worker's lease lasts."""
        now = self._parts.clock()
        lane_id = self._lane_id()
        with self._parts.database.write() as session:
            lane = locks.lock_lane(session, lane_id)
            if lane.lease_until is not None and now < lane.lease_until <= self._latest(now):
                return None
            lane.fence += 1
            lane.lease_until = self._latest(now)
            return Lease(lane.id, lane.fence)

    @contextmanager
    def write(self, lease: Lease) -> Iterator[Session]:
        """One transaction of the lane's owner, which prolongs the lease.

        Raises `LeaseLost` for an outdated fence: then nothing is written.
        """
        now = self._parts.clock()
        with self._parts.database.write() as session:
            until = self._latest(now)
            if not locks.hold_lane(session, lease.lane_id, lease.fence, now, until):
                raise LeaseLost(row=f"lane {self._address}")
            yield session

    def release(self, lease: Lease) -> None:
        """Let the next worker in at once. Raises `LeaseLost` where it is in already."""
        with self.write(lease) as session:
            session.get_one(Lane, lease.lane_id).lease_until = None

    def _latest(self, now: datetime) -> datetime:
        """When a lease that begins now ends. A later end was written by a clock that jumped."""
        return now + self._parts.policy.lease

    def _lane_id(self) -> UUID:
        mine = select(Lane.id).where(
            Lane.chain_id == self._parts.chain_id, Lane.address == self._address
        )
        with self._parts.database.read() as session:
            lane_id = session.exec(mine).first()
        return lane_id or self._open() or self._lane_id()

    def _open(self) -> UUID | None:
        """Start the lane at the key's nonce; None where another worker was first.

        Asked twice: a nonce that the node made up would leave a hole at the very beginning.
        """
        client = self._parts.client
        counts = {client.transaction_count(self._address, tag) for tag in ("latest", "pending")}
        if len(counts) != 1:
            raise ChainUnavailable(problem=f"it tells two nonces of {self._address}: {counts}")
        lane = Lane(
            id=new_id(),
            chain_id=self._parts.chain_id,
            address=self._address,
            purpose=self.purpose,
            next_nonce=counts.pop(),
        )
        try:
            with self._parts.database.write() as session:
                session.add(lane)
        except IntegrityError:
            return None
        return lane.id


@dataclass(frozen=True)
class Held:
    """A lane that this worker owns: what each step of a round needs."""

    parts: Parts
    signer: Signer
    keeper: LaneKeeper
    lease: Lease
    #: What is wrong with the lane now, by the part of it that is.
    alarms: dict[str, str | None] = field(default_factory=dict)

    @property
    def lane_id(self) -> UUID:
        """The lane's row."""
        return self.lease.lane_id

    @property
    def address(self) -> str:
        """The lane's account."""
        return self.signer.address

    def write(self) -> AbstractContextManager[Session]:
        """One transaction of the owner; raises `LeaseLost` where somebody else is by now."""
        return self.keeper.write(self.lease)
