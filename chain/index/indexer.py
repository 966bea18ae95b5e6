"""Follows the chain by block hash; a reorg is walked back, its blocks marked and never deleted.

    provisional (seen) ──► confirmed (deep enough to act on) ──► final (for what cannot be undone)

There is one way for what was long ago and for what is new: the range after the cursor. Each step of
an event towards final is one inbox row; so is the undoing of an event by a reorg.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlmodel import Session

from chain.client import BlockHeader, ChainClient
from chain.index import books, gaps, registry, scans
from chain.index.ahead import Ahead
from chain.index.proof import Incomplete
from chain.index.reading import Moved, Reader, Span, WitnessDiffers
from chain.index.scans import Scans
from chain.index.watch import Watch
from returns.clock import Clock
from returns.db import Database
from returns.errors import ChainMismatch, ChainUnavailable, UndropError
from returns.tables import Chain
from returns.words import GapCode, WatchKind

log = logging.getLogger(__name__)

#: Blocks that are compared at once on the way back to the common ancestor.
_STEP_BACK = 100
#: So often in a row a node may answer with pieces that do not fit, before it is a gap.
_MOST_WAITS = 20
#: What was seen of an idle chain is written this often.
_HEARTBEAT = timedelta(seconds=5)


@dataclass(frozen=True)
class Finality:
    """Blocks on top, the event's own included, from which it is confirmed and final.

    With `tags` the node's `safe` and `finalized` blocks have to be reached too.
    """

    confirmed: int
    final: int
    tags: bool = False


class Indexer:
    """One chain's blocks and the logs of watched addresses, in order.

    `ours` are the contracts that are followed from `start_block`; others are added to the registry
    while it runs. A second node may witness samples of what the first one says.
    """

    def __init__(
        self,
        database: Database,
        client: ChainClient,
        chain_id: int,
        clock: Clock,
        *,
        ours: Mapping[str, WatchKind],
        start_block: int,
        finality: Finality,
        witness: ChainClient | None = None,
    ) -> None:
        self._database = database
        self._client = client
        self._chain_id = chain_id
        self._clock = clock
        self._ours = dict(ours)
        self._start = start_block
        self._finality = finality
        self._reader = Reader(client, chain_id, witness)
        self._watch, self._version = Watch({}), -1
        self._ahead = Ahead(lambda first, last: self._reader.read(first, last, self._watch))
        self._scans = Scans(database, self._reader, chain_id, clock)
        self._counted = (0, 0)
        self._standing = (-1, 0)

    def step(self) -> bool:
        """Read what is new, or rewind what a reorg undid; True if there may be more at once.

        What a node leaves out is noted as a gap, and asked for again in the next step: the cursor
        does not pass it.
        """
        try:
            return self._step(self._chain())
        except Moved:
            return self._has_moved()
        except Incomplete as gap:
            self._note(gap)
            return False
        except UndropError:
            # Until the node answers again, what was read ahead may be of a branch that is gone.
            self._forget()
            raise

    def _step(self, chain: Chain) -> bool:
        head = self._client.newest()
        if self._is_undone(chain, head):
            return self._rewind(chain)
        more = self._read_on(chain, head)
        return self._scans.step(self._watch, self._version) or more

    def _forget(self) -> None:
        """What was read ahead is of no use any more."""
        self._ahead.forget()
        self._scans.forget()

    def close(self) -> None:
        """End the threads that read ahead."""
        self._ahead.close()
        self._scans.close()

    # -- the chain that this database belongs to -------------------------------------------------

    def _chain(self) -> Chain:
        with self._database.read() as session:
            pinned = session.get(Chain, self._chain_id)
        if pinned is None or self._version < 0:
            pinned = self._begin()
        if pinned.watch_version != self._version:
            self._look_at(pinned.watch_version)
        return pinned

    def _begin(self) -> Chain:
        """Pin the chain, once; and see that our own contracts are watched, at each start."""
        self.check_pinned()
        anchor = self._anchor(self._start)
        with self._database.write() as session:
            return registry.begin(session, anchor, self._chain_id, self._ours, self._clock())

    def _look_at(self, version: int) -> None:
        with self._database.read() as session:
            self._watch = Watch(registry.watched(session, self._chain_id))
        self._version = version
        self._forget()

    def check_pinned(self) -> None:
        """Raise `ChainMismatch` where the node serves another chain than the database knows, and
        `ChainUnavailable` where it does not have all of it: it is syncing, or has pruned it.

        Reads only; the first step pins.
        """
        with self._database.read() as session:
            pinned = session.get(Chain, self._chain_id)
        anchor = self._anchor(self._start if pinned is None else pinned.anchor_number)
        if pinned is not None and anchor.hash != pinned.anchor_hash:
            actual = f"{self._chain_id} without the block of our contracts"
            raise ChainMismatch(actual=actual, expected=self._chain_id)

    def _anchor(self, number: int) -> BlockHeader:
        actual, header = self._client.chain_id(), self._client.header(number)
        if actual != self._chain_id:
            raise ChainMismatch(actual=actual, expected=self._chain_id)
        if self._client.is_syncing():
            raise ChainUnavailable(problem="it is still syncing")
        if header is None:
            is_past = self._client.block_number() >= number
            pruned = f"it has pruned block {number}; a node with all blocks has it"
            raise ChainUnavailable(problem=pruned if is_past else f"it has no block {number} yet")
        return header

    # -- forward -----------------------------------------------------------------------------------

    def _read_on(self, chain: Chain, head: BlockHeader) -> bool:
        first = max(chain.cursor_number + 1, self._start)
        if first > head.number:
            if head.number < chain.cursor_number:
                log.info("index.node_behind chain=%s head=%s", self._chain_id, head.number)
            self._keep_up(chain, head)
            return False
        span = self._ahead.take(first, head.number)
        before = chain.cursor_hash if chain.cursor_number >= 0 else span.headers[0].parent_hash
        if span.headers[0].parent_hash != before:
            raise Moved
        last = self._client.header(span.headers[-1].number)
        if last is None or last.hash != span.headers[-1].hash:
            # Read ahead, and undone since.
            raise Moved
        self._write(chain, head, span)
        return span.headers[-1].number < head.number

    def _write(self, chain: Chain, head: BlockHeader, span: Span) -> None:
        now, last = self._clock(), span.headers[-1]
        seen = self._seen(chain, head, span.logs)
        levels = self._levels(chain, last.number)
        with self._database.write() as session:
            place = {"cursor_number": last.number, "cursor_hash": last.hash}
            moved = books.move(session, chain, **place, **levels, **seen)
            books.store(session, self._chain_id, span)
            gaps.note_findings(session, self._chain_id, span, now)
            self._tell_levels(session, chain, moved)
        if span.short:
            log.warning("index.short_answer chain=%s blocks=%s", self._chain_id, span.short)

    def _keep_up(self, chain: Chain, head: BlockHeader) -> None:
        """No new block: levels may rise all the same, and a person sees that the index lives."""
        levels = self._levels(chain, chain.cursor_number)
        is_quiet = all(getattr(chain, name) == value for name, value in levels.items())
        is_fresh = chain.head_seen_at and chain.head_seen_at + _HEARTBEAT > self._clock()
        if is_quiet and is_fresh and chain.head_number == head.number:
            return
        seen = self._seen(chain, head, 0)
        with self._database.write() as session:
            self._tell_levels(session, chain, books.move(session, chain, **levels, **seen))

    def _seen(self, chain: Chain, head: BlockHeader, logs: int) -> dict[str, Any]:
        calls, size = self._client.calls, self._client.bytes_read
        before, self._counted = self._counted, (calls, size)
        return {
            "head_number": head.number,
            "head_seen_at": self._clock(),
            "events": chain.events + logs,
            "rpc_calls": chain.rpc_calls + calls - before[0],
            "rpc_bytes": chain.rpc_bytes + size - before[1],
        }

    # -- levels ------------------------------------------------------------------------------------

    def _levels(self, chain: Chain, read_to: int) -> dict[str, int]:
        """Up to which block facts are confirmed and final; a level never sinks without a reorg.

        Depth is counted in blocks that were read and linked, whatever a node says is its newest.
        """
        depths = (self._finality.confirmed, self._finality.final)
        tags = self._client.tagged(("safe", "finalized")) if self._finality.tags else ()
        bounds = [read_to - depth + 1 for depth in depths]
        for at, tag in enumerate(tags):
            bounds[at] = min(bounds[at], tag)
        confirmed = max(chain.confirmed_number, bounds[0])
        final = max(chain.final_number, min(bounds[1], confirmed))
        return {"confirmed_number": confirmed, "final_number": final}

    def _tell_levels(self, session: Session, before: Chain, moved: Chain) -> None:
        told = zip(books.levels_told(before), books.levels_told(moved), strict=True)
        for (kind, after), (_, upto) in told:
            if upto > after:
                self._tell(session, moved, (after, upto), kind)

    def _tell(self, session: Session, chain: Chain, blocks: tuple[int, int], kind: str) -> None:
        books.tell(session, chain, self._watch.told, blocks, kind, self._clock())

    # -- back --------------------------------------------------------------------------------------

    def _is_undone(self, chain: Chain, head: BlockHeader) -> bool:
        """Whether the node's newest block is not ours although we are as far.

        A node that is behind (one of several behind a balancer) has undone nothing.
        """
        if head.number > chain.cursor_number:
            return False
        if head.number == chain.cursor_number:
            return head.hash != chain.cursor_hash
        with self._database.read() as session:
            ours = books.stored_hashes(session, self._chain_id, head.number, head.number)
        return head.number in ours and ours[head.number] != head.hash

    def _has_moved(self) -> bool:
        """Answers did not fit together: rewind if the node has another block where we have ours."""
        self._forget()
        # Not as the step began: it may have read on before its scan did not fit.
        chain = self._chain()
        newest = self._client.header(chain.cursor_number) if chain.cursor_number >= 0 else None
        if newest is None or newest.hash == chain.cursor_hash:
            return self._waits(chain)
        return self._rewind(chain)

    def _waits(self, chain: Chain) -> bool:
        """Where answers never fit together, a person has to know."""
        at, times = self._standing
        self._standing = (chain.cursor_number, times + 1 if at == chain.cursor_number else 1)
        if self._standing[1] % _MOST_WAITS == 0:
            problem = "its answers about this block do not fit together"
            self._note(Incomplete(max(chain.cursor_number + 1, self._start), problem))
        return False

    def _rewind(self, chain: Chain) -> bool:
        self.check_pinned()
        self._forget()
        number, block_hash = self._common_ancestor(chain.cursor_number)
        depth, now = chain.cursor_number - number, self._clock()
        about = {"reorgs": chain.reorgs + 1, "reorg_depth": depth, "reorg_at": now}
        levels = {
            "confirmed_number": min(chain.confirmed_number, number),
            "final_number": min(chain.final_number, number),
        }
        with self._database.write() as session:
            place = {"cursor_number": number, "cursor_hash": block_hash}
            books.move(session, chain, **place, **levels, **about)
            told = max(chain.confirmed_number, chain.final_number)
            self._tell(session, chain, (number, told), "chain.reorged")
            books.orphan(session, self._chain_id, number)
            scans.shorten(session, self._chain_id, number)
        log.warning("index.reorg chain=%s depth=%s ancestor=%s", self._chain_id, depth, number)
        if chain.final_number > number:
            log.error("index.final_undone chain=%s depth=%s", self._chain_id, depth)
        return True

    def _common_ancestor(self, cursor: int) -> tuple[int, str]:
        """Number and hash of the newest stored block that the node still has; -1 for none.

        Raises `ChainUnavailable` where the node does not show what follows it: it is behind.
        """
        newest, is_shown = cursor, True
        while newest >= self._start:
            oldest = max(self._start, newest - _STEP_BACK + 1)
            with self._database.read() as session:
                ours = books.stored_hashes(session, self._chain_id, oldest, newest)
            for header in reversed(self._client.headers(range(oldest, newest + 1))):
                if header is not None and ours.get(header.number) == header.hash:
                    if not is_shown:
                        raise ChainUnavailable(problem=f"it is behind, at block {header.number}")
                    return header.number, header.hash
                is_shown = header is not None
            newest = oldest - 1
        return -1, ""

    # -- gaps --------------------------------------------------------------------------------------

    def _note(self, gap: Incomplete) -> None:
        self._forget()
        is_witness = isinstance(gap, WitnessDiffers)
        code = GapCode.WITNESS_DIFFERS if is_witness else GapCode.UNPROVEN
        with self._database.write() as session:
            place = (self._chain_id, code, gap.number)
            gaps.note(session, *place, gap.problem, self._clock())
        log.error("index.gap chain=%s %s", self._chain_id, gap)
