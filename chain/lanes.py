"""A signer key's queue of nonces, owned by one worker at a time.

A lease ends by itself when its worker dies; a fence keeps whoever overslept it from writing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, select

from chain.client import ChainClient
from returns import locks
from returns.clock import Clock
from returns.db import Database
from returns.errors import LeaseLost
from returns.ids import new_id
from returns.tables import Lane


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a lane until somebody else has taken it over."""

    lane_id: UUID
    fence: int


class LaneKeeper:
    """Opens, leases and gives back the lane of one key on one chain."""

    def __init__(
        self,
        database: Database,
        client: ChainClient,
        address: str,
        chain_id: int,
        clock: Clock,
        lease: timedelta,
    ) -> None:
        self._database = database
        self._client = client
        self._address = address
        self._chain_id = chain_id
        self._clock = clock
        self._lease = lease

    def acquire(self) -> Lease | None:
        """Take the lane over; None while another worker's lease lasts."""
        now = self._clock()
        lane_id = self._lane_id()
        with self._database.write() as session:
            lane = locks.lock_lane(session, lane_id)
            if lane.lease_until is not None and lane.lease_until > now:
                return None
            lane.fence += 1
            lane.lease_until = now + self._lease
            return Lease(lane.id, lane.fence)

    def owned(self, session: Session, lease: Lease) -> Lane:
        """Lock the lane and prolong the lease; raises `LeaseLost` for an outdated fence."""
        lane = locks.lock_lane(session, lease.lane_id)
        if lane.fence != lease.fence:
            raise LeaseLost(row=f"lane {lane.address}")
        lane.lease_until = self._clock() + self._lease
        return lane

    def release(self, lease: Lease) -> None:
        """Let the next worker in at once. Raises `LeaseLost` where it is in already."""
        with self._database.write() as session:
            self.owned(session, lease).lease_until = None

    def _lane_id(self) -> UUID:
        mine = select(Lane.id).where(Lane.chain_id == self._chain_id, Lane.address == self._address)
        with self._database.read() as session:
            lane_id = session.exec(mine).first()
        return lane_id or self._open() or self._lane_id()

    def _open(self) -> UUID | None:
        """Start the lane at the key's nonce; None where another worker was first."""
        lane = Lane(
            id=new_id(),
            chain_id=self._chain_id,
            address=self._address,
            next_nonce=self._client.transaction_count(self._address, "pending"),
        )
        try:
            with self._database.write() as session:
                session.add(lane)
        except IntegrityError:
            return None
        return lane.id
