"""Now and then the index is held against the chain itself: who holds a token, by both."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from chain.addresses import ZERO
from chain.client import ChainClient
from chain.facts import Facts
from chain.holdings import Holding
from chain.index import gaps, scans
from returns.chain_reads import holders_at, open_gaps
from returns.clock import Clock
from returns.db import Database
from returns.errors import ChainUnavailable
from returns.ids import Token, parse_token
from returns.tables import Chain, TokenTransfer
from returns.words import GapCode, TokenStandard

#: Tokens looked at each time, and how often.
_TOKENS, _EVERY = 5, timedelta(seconds=60)
#: Of tokens whose holder differed, so many are looked at again each time.
_DOUBTED = 50


@dataclass
class HolderSamples:
    """Compares random ERC-721 tokens with `ownerOf`, as of the block that the index has reached."""

    database: Database
    client: ChainClient
    chain_id: int
    clock: Clock
    dice: random.Random = field(default_factory=random.SystemRandom)
    _next: datetime | None = field(default=None, init=False)

    def look(self) -> None:
        """A few tokens, if it is time. Never raises for a node that does not answer."""
        now = self.clock()
        if self._next is not None and now < self._next:
            return
        self._next = now + _EVERY
        try:
            self.check(_TOKENS)
        except ChainUnavailable:
            return

    def check(self, count: int) -> list[Token]:
        """Compare so many tokens; returns those whose holder differs, a gap each.

        A later look at the same token that agrees closes its gap.
        """
        with self.database.read() as session:
            chain = session.get(Chain, self.chain_id)
            if chain is None or chain.cursor_number < 0:
                return []
            if scans.oldest(session, self.chain_id) is not None:
                # Of what is still being read, the last movement may not be known yet.
                return []
            moved = self._doubted(session) | self._some(session, chain, count)
            ours = {one: set(holders_at(session, one, chain.cursor_number)) for one in moved}
        theirs = self._owners(chain, list(moved))
        wrong = [one for one in theirs if ours[one] != theirs[one]]
        self._note({one: moved[one] for one in theirs}, wrong)
        return wrong

    def _doubted(self, session: Session) -> dict[Token, int]:
        """Those whose gap is open: it closes as soon as both agree."""
        found = open_gaps(session, self.chain_id)
        wrong = [one for one in found if one.code is GapCode.WRONG_HOLDER][:_DOUBTED]
        return {parse_token(one.problem.rsplit(" ", 1)[1]): one.first_number for one in wrong}

    def _some(self, session: Session, chain: Chain, count: int) -> dict[Token, int]:
        """Tokens, with a block in which they moved: in or after random ones, since no query may
        read the whole table."""
        found: dict[Token, int] = {}
        oldest = min(chain.anchor_number, chain.cursor_number)
        for _ in range(count):
            query = select(TokenTransfer).where(
                TokenTransfer.chain_id == self.chain_id,
                col(TokenTransfer.block_number) >= self.dice.randint(oldest, chain.cursor_number),
                TokenTransfer.standard == TokenStandard.ERC721,
            )
            place = (col(TokenTransfer.block_number), col(TokenTransfer.log_index))
            row = session.exec(query.order_by(*place).limit(1)).first()
            if row is not None and row.token_id is not None:
                token = Token(self.chain_id, row.standard, row.token, row.token_id)
                found[token] = row.block_number
        return found

    def _owners(self, chain: Chain, tokens: Sequence[Token]) -> dict[Token, set[str]]:
        """Who owns each, nobody for one that was burned; nothing if the block is gone."""
        header = self.client.header(chain.cursor_number)
        if header is None or header.hash != chain.cursor_hash:
            return {}
        facts = Facts(self.client, header)
        asked = {one: Holding(one.collection, one.token_id, "").owner() for one in tokens}
        facts.learn(asked.values())
        owners = {one: facts.one(question, "address") for one, question in asked.items()}
        return {one: set() if owner in (None, ZERO) else {owner} for one, owner in owners.items()}

    def _note(self, moved: Mapping[Token, int], wrong: Sequence[Token]) -> None:
        now = self.clock()
        with self.database.write() as session:
            for token, number in moved.items():
                # The token comes last: by it the gap is found again.
                problem = f"the chain has another holder of {token}"
                if token in wrong:
                    place = (self.chain_id, GapCode.WRONG_HOLDER, number, problem)
                    gaps.note(session, *place, now, address=token.collection)
                else:
                    gaps.close(session, self.chain_id, GapCode.WRONG_HOLDER, problem, now)
