"""Faults that the indexer had, each with the promise that it broke."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import HookedClient
from chain_index import catch_up, emit, indexer_of, kinds_told, proposals
from chain_node import Stage
from sqlmodel import Session

from chain.client import ChainClient, RpcError
from chain.index.indexer import Finality, Indexer
from returns.db import Database
from returns.errors import ChainMismatch, ChainUnavailable, LeaseLost

pytestmark = pytest.mark.chain

Hook = Callable[[list[str]], list[Any] | None]


def indexer(chain: Stage, database: Database, clock: Any, hook: Hook | None = None) -> Indexer:
    client: ChainClient = chain.client if hook is None else HookedClient(chain.url, hook)
    return indexer_of(chain, database, clock, client=client, finality=Finality(2, 4))


@pytest.mark.parametrize("method", ["eth_getBlockByNumber", "eth_chainId", "eth_getLogs"])
def test_a_node_that_limits_its_rate_does_not_end_the_indexer(
    chain: Stage, sqlite: Books, clock: MovingClock, method: str
) -> None:
    """The refusal came out as an error that the process does not wait out, and ended it."""

    def limited(methods: list[str]) -> list[Any] | None:
        return [RpcError("limit exceeded", -32005)] * len(methods) if method in methods else None

    with pytest.raises(ChainUnavailable):
        indexer(chain, sqlite.database, clock, limited).step()
    assert sqlite.events() == []


def test_a_node_that_is_behind_undoes_nothing(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Behind a balancer the next answer may come from a node that lacks the last blocks."""
    emit(chain, 5)
    chain.anvil.mine(4)
    catch_up(indexer(chain, books.database, clock))
    told, late = books.inbox(), chain.client.block_number() - 3

    class Behind(ChainClient):
        def _post(self, calls: Any) -> list[Any]:
            answers = super()._post(calls)
            return [self._older(*one) for one in zip(calls, answers, strict=True)]

        def _older(self, call: Any, answer: Any) -> Any:
            method, params = call
            if method == "eth_getBlockByNumber" and params[0] == "latest":
                return super()._post([(method, (hex(late), False))])[0]
            known = method != "eth_getBlockByNumber" or int(params[0], 16) <= late
            return answer if known else None

    one = indexer(chain, books.database, clock)
    one._client = Behind(chain.url)
    assert one.step() is False
    assert books.inbox() == told
    assert books.events(canonical=False) == []
    emit(chain, 6)
    catch_up(indexer(chain, books.database, clock))
    assert books.inbox("chain.reorged") == []


def test_another_chain_behind_the_same_address_is_refused_while_running(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """Only a start compared the chain: a node swapped later was followed as a very deep reorg."""
    emit(chain, 5)
    chain.anvil.mine(4)
    one = indexer(chain, books.database, clock)
    catch_up(one)
    told = books.inbox()

    class Other(ChainClient):
        def _post(self, calls: Any) -> list[Any]:
            answers = super()._post(calls)
            return [self._other(*one) for one in zip(calls, answers, strict=True)]

        def _other(self, call: Any, answer: Any) -> Any:
            if call[0] != "eth_getBlockByNumber" or answer is None:
                return answer
            hashes = {name: "0x" + answer[name][2:][::-1] for name in ("hash", "parentHash")}
            return {**answer, **hashes}

    one._client = Other(chain.url)
    with pytest.raises(ChainMismatch):
        one.step()
    assert books.inbox() == told
    assert books.events(canonical=False) == []


@pytest.mark.servers
def test_an_event_that_another_indexer_undid_is_not_confirmed_for_good(
    chain: Stage, postgres: Books, clock: MovingClock
) -> None:
    """Raising a level was not tied to the cursor: settlement heard of it, never of its end."""
    before = chain.anvil.snapshot()
    emit(chain, 5)
    catch_up(indexer(chain, postgres.database, clock))
    chain.anvil.mine()
    threads: list[threading.Thread] = []

    def rewind() -> None:
        database = Database(postgres.database.url)
        with suppress(LeaseLost):
            catch_up(indexer(chain, database, clock))
        database.close()

    class Overtaken(Database):
        """Another one rewinds while the second transaction, which confirms, is open."""

        writes = 0

        @contextmanager
        def write(self) -> Iterator[Session]:
            with super().write() as session:
                yield session
                self.writes += 1
                if self.writes == 2:
                    chain.anvil.revert(before)
                    chain.anvil.mine(6)
                    threads.append(threading.Thread(target=rewind))
                    threads[0].start()
                    threads[0].join(1.0)

    indexer(chain, Overtaken(postgres.database.url), clock).step()
    threads[0].join()
    catch_up(indexer(chain, postgres.database, clock))
    assert kinds_told(postgres) == ["chain.confirmed", "chain.reorged"]
    [_] = proposals(postgres, canonical=False)


def test_two_processes_may_start_at_the_same_moment(
    chain: Stage, books: Books, clock: MovingClock
) -> None:
    """API and indexer both pin the chain on a fresh database: the second one ended."""
    pinned = []

    def meanwhile(methods: list[str]) -> None:
        if "eth_getBlockByNumber" in methods and not pinned:
            pinned.append(True)
            indexer(chain, books.database, clock).check_pinned()

    emit(chain, 1)
    one = indexer(chain, books.database, clock, meanwhile)
    one.check_pinned()
    catch_up(one)
    assert len(proposals(books)) == 1
