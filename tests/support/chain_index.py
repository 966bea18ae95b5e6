"""What tests of the index need: events that are easily made, and what the node itself says."""

from __future__ import annotations

import json
from typing import Any

from chain_books import Books
from chain_node import CHAIN_ID, Stage, person

from chain.client import ChainClient
from chain.contracts import decode_event, encode_call, event_topic
from chain.index.indexer import Finality, Indexer
from chain.local import ADMIN
from returns.db import Database
from returns.tables import ChainEvent
from returns.words import WatchKind

#: (block hash, log index, number)
Seen = tuple[str, int, str]


def indexer_of(chain: Stage, database: Database, clock: Any, **parts: Any) -> Indexer:
    """An indexer that watches the escrow, whose events settlement is told."""
    given = {
        "client": chain.client,
        "chain_id": CHAIN_ID,
        "ours": {chain.deployment.escrow: WatchKind.ESCROW},
        "start_block": 1,
        "finality": Finality(2, 5),
        **parts,
    }
    client: ChainClient = given.pop("client")
    return Indexer(database, client, given.pop("chain_id"), clock, **given)


def catch_up(indexer: Indexer, limit: int = 60) -> None:
    """Step until there is nothing new."""
    for _ in range(limit):
        if not indexer.step():
            return
    raise AssertionError("the indexer does not come to rest")


def emit(chain: Stage, *numbers: int) -> None:
    """One block with one event of the escrow per number: an admin proposes something."""
    sender = person(ADMIN).address
    nonce = chain.client.transaction_count(sender, "pending")
    calls = [
        {
            "from": sender,
            "to": chain.deployment.escrow,
            "data": "0x" + encode_call("ReturnEscrow", "propose", _change(number)).hex(),
            "gas": hex(500_000),
            "nonce": hex(nonce + index),
        }
        for index, number in enumerate(numbers)
    ]
    answers = chain.client.batch([("eth_sendTransaction", (one,)) for one in calls])
    assert all(isinstance(answer, str) for answer in answers), answers
    chain.anvil.mine()


def _change(number: int) -> bytes:
    return encode_call("ReturnEscrow", "registerMerchant", f"0x{number:040x}")


def number_in(args: dict[str, Any]) -> str:
    """The number that an event was made with."""
    return str(int(args["call"][-40:], 16))


def logs_on_chain(chain: Stage, since: int = 1) -> list[Seen]:
    """What the node itself says of events that `emit` made."""
    head, topic = chain.client.block_number(), event_topic("ReturnEscrow", "ChangeProposed")
    raw = chain.client.logs_between(since, head, chain.deployment.escrow)
    found = []
    for log in raw:
        if log["topics"][0] == topic:
            decoded = decode_event("ReturnEscrow", log)
            assert decoded is not None
            found.append((log["blockHash"], int(log["logIndex"], 16), number_in(decoded.args)))
    return found


def indexed(books: Books, *, canonical: bool = True) -> list[Seen]:
    """What the index says of them."""
    events = proposals(books, canonical=canonical)
    return [(one.block_hash, one.log_index, number_in(json.loads(one.args))) for one in events]


def proposals(books: Books, *, canonical: bool = True) -> list[ChainEvent]:
    """The rows of what `emit` made; setting the contracts up has left others."""
    return [one for one in books.events(canonical=canonical) if one.name == "ChangeProposed"]


def kinds_told(books: Books) -> list[str]:
    """What settlement is told of them, in order."""
    return [item.kind for item in books.inbox() if '"ChangeProposed"' in item.payload]


def delivered(books: Books, kind: str) -> list[str]:
    """Their numbers in the order in which settlement is told of them."""
    told = [fact for fact in books.told(kind) if fact["name"] == "ChangeProposed"]
    return [number_in(fact["args"]) for fact in told]
