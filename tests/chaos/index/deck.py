"""What will happen around an index: kinds of faults, by how often they come in one round."""

from __future__ import annotations

from tests.chaos.chain.plan import Decks

WIRE = {
    "drop_request": 2,
    "drop_answer": 2,
    "delay": 3,
    "late_request": 1,
    "late_answer": 2,
    "http_429": 2,
    "http_500": 2,
    "truncated": 2,
    "shuffled": 1,
    "one_missing": 1,
    "wrong_chain": 1,
    "stale_head": 3,
    "null_receipts": 3,
    "missing_receipts": 3,
    "null_block": 2,
    "other_block": 4,
    "logs_left_out": 8,
    "logs_twice": 4,
    "logs_elsewhere": 4,
    "other_branch": 6,
}
DEEDS = {
    "kill": 4,
    "kill_at_a_step": 5,
    "reorg": 6,
    "rewind": 6,
    "nested": 5,
    "behind": 5,
    "watch": 3,
    "replay": 3,
    "node_away": 1,
}
#: Where an indexer can be told to die, counted from then on.
MOMENTS = {
    "": 20,
    "before eth_getLogs": 3,
    "after eth_getLogs": 3,
    "after eth_getBlockReceipts": 2,
    "before commit": 4,
    "after commit": 4,
}
_PAUSES = (0.5, 2.0)
#: By what is sabotaged; there, the deeds against which it would have helped.
DECKS = {
    "": Decks(WIRE, DEEDS, MOMENTS, sends=0.0, pauses=_PAUSES),
    "rewind": Decks(WIRE, {"reorg": 1, "rewind": 1}, MOMENTS, sends=0.0, pauses=_PAUSES),
}
