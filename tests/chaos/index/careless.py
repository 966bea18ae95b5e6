"""An indexer without what keeps the index from believing in branches that are gone.

It is a subclass that only the chaos run has: the product has no switch for it.
"""

from __future__ import annotations

from chain.index import books
from chain.index.indexer import Indexer
from returns.tables import Chain


class WithoutRewind(Indexer):
    """On a reorg it goes on at the common ancestor, and what it has of the old branch stands."""

    def _rewind(self, chain: Chain) -> bool:
        self._ahead.forget()
        number, block_hash = self._common_ancestor(chain.cursor_number)
        with self._database.write() as session:
            books.move(session, chain, cursor_number=number, cursor_hash=block_hash)
        return True
