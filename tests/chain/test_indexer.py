"""The indexer on a real Anvil: nothing missed, nothing twice, and what a reorg undid is said."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import BentClient
from chain_index import (
    catch_up,
    delivered,
    emit,
    indexed,
    indexer_of,
    kinds_told,
    logs_on_chain,
    proposals,
)
from chain_node import CHAIN_ID, VAULT, Stage, person
from eth_utils.crypto import keccak
from sqlmodel import col, select

from chain.addresses import NATIVE, ZERO
from chain.client import ChainClient
from chain.contracts import encode_call
from chain.index.indexer import Finality, Indexer
from chain.index.reading import Reader
from chain.index.watch import Watch
from chain.local import ADMIN, SECOND_ADMIN
from returns.chain_reads import level_of
from returns.errors import ChainUnavailable
from returns.tables import Block, Chain
from returns.words import ChainLevel, TokenStandard, WatchKind

pytestmark = pytest.mark.chain

Make = Callable[..., Indexer]


@pytest.fixture
def make(chain: Stage, books: Books, clock: MovingClock) -> Make:
    """Builds indexers that watch the escrow."""

    def build(**parts: Any) -> Indexer:
        return indexer_of(chain, books.database, clock, **parts)

    return build


def assert_delivered_exactly(books: Books, head: int) -> None:
    """Confirmed minus undone is what stands on the chain: each event once, orphans not at all."""
    for kind, depth in (("chain.confirmed", 2), ("chain.final", 5)):
        told = Counter(_place(item.external_id) for item in books.inbox(kind))
        undone = Counter(_place(item.external_id) for item in books.inbox("chain.reorged"))
        standing = {
            (event.block_hash, str(event.log_index))
            for event in books.events()
            if event.block_number <= head - depth + 1
        }
        for place, times in told.items():
            if kind == "chain.confirmed":
                assert times - undone[place] == (place in standing), place
        assert standing <= set(told)


def _place(external_id: str) -> tuple[str, str]:
    block_hash, log_index, *_ = external_id.split(":")
    return block_hash, log_index


# -- forward ---------------------------------------------------------------------------------------


def test_blocks_are_linked_by_hash_up_to_the_head(chain: Stage, books: Books, make: Make) -> None:
    emit(chain, 1)
    chain.anvil.mine(60)
    catch_up(make())
    with books.database.read() as session:
        blocks = list(session.exec(select(Block).order_by(col(Block.number))))
        cursor = session.get_one(Chain, CHAIN_ID)
    head = chain.client.header(chain.client.block_number())
    assert [block.number for block in blocks] == list(range(1, head.number + 1))
    assert all(one.hash == two.parent_hash for one, two in pairwise(blocks))
    assert (cursor.cursor_number, cursor.cursor_hash) == (head.number, head.hash)
    assert cursor.anchor_hash == chain.client.header(1).hash


def test_events_and_transfers_are_decoded_with_exact_arguments(
    chain: Stage, books: Books, make: Make
) -> None:
    admin, vault, escrow = person(ADMIN).address, "0x" + "ab" * 20, chain.deployment.escrow
    chain.anvil.automine(True)
    chain.open_merchant(VAULT)
    chain.anvil.automine(False)
    first = chain.client.block_number() + 1
    huge, token = 2**256 - 2, 2**255 + 1
    register = encode_call("ReturnEscrow", "registerMerchant", vault)
    propose = encode_call("ReturnEscrow", "propose", register)
    chain.send(propose, to=escrow, sender=admin)
    chain.anvil.mine()
    confirm = encode_call("ReturnEscrow", "confirm", register)
    chain.send(confirm, to=escrow, sender=person(SECOND_ADMIN).address)
    expires = chain.client.newest().timestamp + 7 * 86_400
    chain.anvil.mine()
    fund = encode_call("ReturnEscrow", "fundFloat", VAULT, NATIVE, 9)
    call = {"from": admin, "to": escrow, "data": "0x" + fund.hex(), "value": hex(9)}
    chain.anvil.rpc("eth_sendTransaction", call)
    minted = encode_call("ReturnableNFT", "mintBatch", [vault], [token], [1])
    chain.send(minted, to=chain.deployment.collection, sender=admin)
    chain.send(chain.mint(huge, vault))
    chain.anvil.mine()
    ours = {
        escrow: WatchKind.ESCROW,
        chain.deployment.collection: WatchKind.COLLECTION,
        vault: WatchKind.TREASURY,
    }
    catch_up(make(ours=ours, start_block=first))
    found = {one.name + "@" + one.address: json.loads(one.args) for one in books.events()}
    assert found == {
        f"ChangeProposed@{escrow}": {
            "change": "0x" + keccak(register).hex(),
            "proposer": admin,
            "call": "0x" + register.hex(),
            "expires": str(expires),
        },
        f"ChangeConfirmed@{escrow}": {
            "change": "0x" + keccak(register).hex(),
            "confirmer": person(SECOND_ADMIN).address,
        },
        f"MerchantRegistered@{escrow}": {"vault": vault},
        f"FloatFunded@{escrow}": {
            "vault": VAULT,
            "asset": NATIVE,
            "amount": "9",
            "from": admin,
        },
    }
    moved = {
        (one.standard, one.token, one.token_id, one.sender, one.recipient, one.amount)
        for one in books.transfers()
    }
    assert moved == {
        (TokenStandard.ERC721, chain.deployment.collection, token, ZERO, vault, 1),
        (TokenStandard.ERC20, chain.dollar, None, ZERO, vault, huge),
    }


def test_levels_rise_at_their_depth_and_are_told_exactly_once(
    chain: Stage, books: Books, make: Make
) -> None:
    indexer, seen = make(), []
    emit(chain, 7)
    for _ in range(6):
        catch_up(indexer)
        catch_up(make())
        [event] = proposals(books)
        seen.append(level_of(books.chain(), event.block_number))
        chain.anvil.mine()
    early, middle, late = ChainLevel.PROVISIONAL, ChainLevel.CONFIRMED, ChainLevel.FINAL
    assert seen == [early, middle, middle, middle, late, late]
    assert delivered(books, "chain.confirmed") == ["7"]
    assert delivered(books, "chain.final") == ["7"]
    fact = books.told("chain.final")[-1]
    assert (fact["tx_hash"], fact["block_number"]) == (event.tx_hash, event.block_number)
    assert (fact["block_hash"], fact["depth"]) == (event.block_hash, 5)
    assert books.inbox("chain.reorged") == []


def test_with_tags_a_level_also_waits_for_the_nodes_own(
    chain: Stage, books: Books, make: Make
) -> None:
    tags = {"safe": 0, "finalized": 0}

    def block(params: Any, ask: Any) -> Any:
        return ask() if params[0] not in tags else {**ask(), "number": hex(tags[params[0]])}

    client = BentClient(chain.url, eth_getBlockByNumber=block)
    indexer = make(client=client, finality=Finality(1, 1, tags=True))
    emit(chain, 5)
    head = chain.client.block_number()
    catch_up(indexer)
    assert (books.chain().confirmed_number, books.chain().final_number) == (0, 0)
    tags["safe"] = head
    catch_up(indexer)
    assert (books.chain().confirmed_number, books.chain().final_number) == (head, 0)
    tags["finalized"] = head
    catch_up(indexer)
    assert (delivered(books, "chain.confirmed"), delivered(books, "chain.final")) == (["5"], ["5"])


@pytest.mark.parametrize(
    ("method", "answer", "sentence"),
    [
        ("eth_syncing", {"currentBlock": "0x1", "highestBlock": "0x9"}, "it is still syncing"),
        ("eth_getBlockByNumber", None, "it has pruned block 1; a node with all blocks has it"),
    ],
)
def test_a_node_that_does_not_have_the_whole_chain_is_named(
    chain: Stage, books: Books, make: Make, method: str, answer: Any, sentence: str
) -> None:
    before = books.rows()
    client = BentClient(chain.url, **{method: lambda *_: answer})
    with pytest.raises(ChainUnavailable, match=sentence):
        make(client=client).check_pinned()
    assert books.rows() == before


def test_what_moves_in_a_collection_does_not_reach_the_inbox(
    chain: Stage, books: Books, make: Make
) -> None:
    minted = encode_call("ReturnableNFT", "mintBatch", [VAULT], [5], [1])
    chain.send(minted, to=chain.deployment.collection, sender=person(ADMIN).address)
    chain.anvil.mine(6)
    catch_up(make(ours={chain.deployment.collection: WatchKind.COLLECTION}))
    assert [one.token_id for one in books.transfers()] == [5]
    assert books.inbox() == []


def test_many_events_in_many_blocks_are_all_there(chain: Stage, books: Books, make: Make) -> None:
    for block in range(6):
        emit(chain, *(1 + block * 20 + one for one in range(20)))
    chain.anvil.mine(5)
    catch_up(make())
    assert indexed(books) == logs_on_chain(chain)
    assert len(indexed(books)) == 120
    assert delivered(books, "chain.final") == [str(1 + one) for one in range(120)]


# -- reorgs ----------------------------------------------------------------------------------------


def _by_snapshot(chain: Stage, snapshot: str, depth: int) -> None:
    chain.anvil.revert(snapshot)


def _by_anvil(chain: Stage, snapshot: str, depth: int) -> None:
    chain.anvil.rpc("anvil_reorg", depth, [])
    chain.anvil.rpc("anvil_dropAllTransactions")


@pytest.mark.parametrize("undo", [_by_snapshot, _by_anvil])
@pytest.mark.parametrize("depth", [1, 2, 5, 10])
def test_a_reorg_is_undone_said_and_read_anew(
    chain: Stage, books: Books, make: Make, undo: Any, depth: int
) -> None:
    indexer = make()
    emit(chain, 1)
    snapshot = chain.anvil.snapshot()
    for one in range(depth):
        emit(chain, 100 + one)
    catch_up(indexer)
    gone = indexed(books)[1:]
    confirmed = delivered(books, "chain.confirmed")
    assert len(gone) == depth
    undo(chain, snapshot, depth)
    for one in range(depth + 1):
        emit(chain, 200 + one)
    catch_up(indexer)
    assert indexed(books) == logs_on_chain(chain)
    assert indexed(books, canonical=False) == gone
    told = {str(100 + one) for one in range(depth)} & set(confirmed)
    assert Counter(delivered(books, "chain.reorged")) == Counter(told)
    assert len(told) == max(0, depth - 1)
    chain.anvil.mine(6)
    catch_up(indexer)
    assert_delivered_exactly(books, chain.client.block_number())
    assert books.chain().final_number >= max(one.block_number for one in proposals(books))


def test_a_transaction_that_is_mined_again_elsewhere_is_told_again(
    chain: Stage, books: Books, make: Make
) -> None:
    indexer = make()
    snapshot = chain.anvil.snapshot()
    emit(chain, 5)
    chain.anvil.mine(2)
    catch_up(indexer)
    chain.anvil.revert(snapshot)
    chain.anvil.mine(3)
    emit(chain, 5)
    chain.anvil.mine(2)
    catch_up(indexer)
    assert kinds_told(books) == ["chain.confirmed", "chain.reorged", "chain.confirmed"]


def test_a_block_that_comes_back_is_delivered_again(chain: Stage, books: Books, make: Make) -> None:
    """The first branch is recorded and shown again after the second: same hashes, same logs."""
    snapshot = chain.anvil.snapshot()
    emit(chain, 5)
    chain.anvil.mine(3)
    recorded = _Recorded(chain.url)
    catch_up(make(client=recorded))
    head, watch = chain.client.block_number(), Watch({chain.deployment.escrow: WatchKind.ESCROW})
    Reader(recorded, CHAIN_ID).read(head - 3, head, watch)
    chain.anvil.revert(snapshot)
    chain.anvil.mine(5)
    catch_up(make())
    assert indexed(books) == []
    recorded.replaying = True
    catch_up(make(client=recorded))
    assert kinds_told(books) == ["chain.confirmed", "chain.reorged", "chain.confirmed"]
    [event] = proposals(books)
    with books.database.read() as session:
        assert session.get_one(Block, (CHAIN_ID, event.block_hash)).orphaned_times == 1
    assert level_of(books.chain(), event.block_number) is ChainLevel.CONFIRMED


class _Recorded(ChainClient):
    """Answers as the node did before, where it was asked the same before."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.replaying = False
        self._seen: dict[str, Any] = {}

    def _post(self, calls: Any) -> list[Any]:
        if not self.replaying:
            answers = super()._post(calls)
            self._seen |= {repr(one): answer for one, answer in zip(calls, answers, strict=True)}
            return answers
        return [self._seen.get(repr(one)) for one in calls]


@pytest.mark.parametrize("seed", range(3))
def test_after_any_sequence_of_blocks_and_reorgs_the_index_is_the_chain(
    chain: Stage, books: Books, make: Make, seed: int
) -> None:
    dice, indexer = random.Random(seed), make()
    snapshots: list[str] = []
    for amount in range(1, 24):
        if snapshots and dice.random() < 0.25:
            depth = dice.randint(1, min(10, len(snapshots)))
            chain.anvil.revert(snapshots[-depth])
            del snapshots[-depth:]
        for _ in range(dice.randint(1, 3)):
            snapshots.append(chain.anvil.snapshot())
            emit(chain, *range(amount * 10, amount * 10 + dice.randint(0, 3)))
        for _ in range(dice.randint(0, 2)):
            indexer.step()
    chain.anvil.mine(12)
    catch_up(indexer)
    assert indexed(books) == logs_on_chain(chain)
    assert_delivered_exactly(books, chain.client.block_number())
