"""What the database says, by plain SQL: what stands of the index, and what settlement was told."""

from __future__ import annotations

from typing import Any

from tests.chaos.chain.evidence import read_tables
from tests.chaos.index.facts import Block, Books, Event, Move

#: Where in a stored movement.
_TOKEN_ID, _AMOUNT = 7, 10

_STANDS = """JOIN block ON block.chain_id = {table}.chain_id AND block.hash = {table}.block_hash
             WHERE block.canonical"""
_BLOCKS = "SELECT number, hash, parent_hash FROM block WHERE canonical ORDER BY number"
_EVENTS = f"""SELECT block_number, log_index, block_hash, tx_hash, address, name
              FROM chain_event {_STANDS.format(table="chain_event")}"""
_MOVES = f"""SELECT block_number, log_index, position, block_hash, tx_hash, standard, token,
                    token_id, sender, recipient, amount
             FROM token_transfer {_STANDS.format(table="token_transfer")}"""
_INBOX = "SELECT external_id FROM inbox WHERE source LIKE 'chain:%'"
_GAPS = "SELECT code, first_number, address, problem FROM index_gap WHERE resolved_at IS NULL"
_SCANS = "SELECT count(*) FROM index_scan WHERE done_at IS NULL"


def read_books(url: str) -> Books:
    """What the database says stands, in one transaction."""
    queries = (_BLOCKS, _EVENTS, _MOVES, _INBOX, _GAPS, _SCANS)
    blocks, events, moves, inbox, gaps, scans = read_tables(url, queries)
    return Books(
        blocks=[Block(*row) for row in blocks],
        events=[Event(*row) for row in events],
        moves=[_stored(row) for row in moves],
        inbox=[external_id for (external_id,) in inbox],
        open_gaps=[" ".join(map(str, row)) for row in gaps],
        open_scans=scans[0][0],
    )


_FIGURES = {
    "reorgs": "SELECT sum(reorgs) FROM chain",
    "blocks undone": "SELECT count(*) FROM block WHERE orphaned_times > 0",
    "blocks that came back": "SELECT count(*) FROM block WHERE orphaned_times > 0 AND canonical",
    "scans": "SELECT count(*) FROM index_scan",
    "gaps mended": "SELECT count(*) FROM index_gap WHERE resolved_at IS NOT NULL",
    "facts told": "SELECT count(*) FROM inbox",
    "facts undone": "SELECT count(*) FROM inbox WHERE kind = 'chain.reorged'",
}


def read_figures(url: str) -> dict[str, int]:
    """What the index went through, by its own account: nothing is judged by it."""
    tables = read_tables(url, list(_FIGURES.values()))
    return {name: int(rows[0][0] or 0) for name, rows in zip(_FIGURES, tables, strict=True)}


def _stored(row: tuple[Any, ...]) -> Move:
    """Numbers of 256 bits are text on SQLite and decimals on PostgreSQL."""
    values = list(row)
    values[_TOKEN_ID] = -1 if values[_TOKEN_ID] is None else int(values[_TOKEN_ID])
    values[_AMOUNT] = int(values[_AMOUNT])
    return Move(*values)
