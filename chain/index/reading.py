"""Reads a range of blocks: headers that are linked, logs that are proven to be all there, as rows.

Nothing here writes. What a node refuses, mixes up or leaves out is told by type, so that whoever
reads on knows whether to ask for less, to ask again, or to tell a person.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from chain.client import ChainClient, RpcError, quantity
from chain.index.decoding import Rows
from chain.index.proof import (
    Evidence,
    Header,
    Incomplete,
    ends_with,
    evidence_for,
    header_of,
    logs_in,
)
from chain.index.watch import Log, Watch
from returns.errors import ChainUnavailable

#: Every so many ranges a second node, where there is one, is asked for the same.
_SAMPLE_EVERY = 16

#: How providers say that a range holds too many logs, or is too long: Infura and Alchemy by the
#: number of results (-32005, "query returned more than 10000 results") and by the number of blocks
#: (-32602, "range 1000000 exceeds limit of 10000"), Erigon ("narrow your filter"), Reth ("exceeds
#: max results"), QuickNode ("is limited to a 10,000 range"), BSC.
_TOO_MUCH = re.compile(
    r"more than \d+ results|response size|exceeds? .*(limit|range)|limit exceeded|too large"
    r"|max results|limited to"
    r"|block range|range limit|too many (logs|results|blocks)|narrow your filter|query timeout",
    re.IGNORECASE,
)
#: Where the text names the blocks that would do, or how many: `[0x10, 0x20]`, `limit of 10000`.
_BLOCKS = re.compile(r"\[(0x[0-9a-f]+), ?(0x[0-9a-f]+)\]", re.IGNORECASE)
#: A number of results is no number of blocks, and its first digits are none either.
_AT_MOST = re.compile(
    r"(?:limit|max)\w*(?:(?!results|logs)\D){0,30}?(\d[\d,]*+)(?!\w| *(?:results|logs))",
    re.IGNORECASE,
)
_LIMIT_CODES = frozenset({-32005, -32602, -32600, -32000, -32614})

#: The method is not there, or not for us (EIP-1474).
_METHOD_UNKNOWN = frozenset({-32601, -32004})
#: Blocks whose receipts are held at the same time.
_RECEIPTS_AT_ONCE = 10

#: What reading something else than blocks and logs raises; of times, the last two.
_NOT_JSON_RPC = (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError)
#: A log's address in lower case, its transaction's hash and its topics; and its data.
_LOG = re.compile(r"0x[0-9a-f]{40}(?:,0x[0-9a-fA-F]{64}){1,5}")
_DATA = re.compile(r"0x[0-9a-fA-F]*")


class TooMuch(Exception):
    """The node answers fewer blocks at a time; `blocks`: how many, where it says so.

    `always`: of any range, and not of this one with its many logs.
    """

    def __init__(self, problem: str, blocks: int | None, *, always: bool = False) -> None:
        super().__init__(problem)
        self.blocks = blocks
        self.always = always


class Moved(Exception):
    """The node's answers are of two branches: a reorg lies between them."""


class WitnessDiffers(Incomplete):
    """A second node knows another set of logs."""


@dataclass(frozen=True, slots=True)
class Span:
    """Blocks that follow each other, and all that is watched in them. `short`: those of which the
    node told too little at first, as (number, problem)."""

    headers: list[Header]
    rows: Rows
    logs: int
    short: list[tuple[int, str]]


@dataclass
class Reader:
    """One node, and perhaps a second one that witnesses samples."""

    client: ChainClient
    chain_id: int
    witness: ChainClient | None = None
    _reads: int = field(default=0, init=False)
    _blooms_tell: bool = field(default=True, init=False)

    def read(self, first: int, last: int, watch: Watch) -> Span:
        """All of `first` to `last`.

        Raises `TooMuch`, `Moved`, `Incomplete`, `ChainUnavailable`; nothing is half read.
        """
        filters = watch.filters(first, last)
        calls: list[tuple[str, Sequence[Any]]] = [("eth_getLogs", (one,)) for one in filters]
        calls += [("eth_getBlockByNumber", (hex(one), False)) for one in range(first, last + 1)]
        answers = self.client.batch(calls)
        try:
            headers = _linked(answers[len(filters) :], first)
            logs = _by_block(headers, _wanted(answers[: len(filters)], watch))
            short = self._prove(headers, logs, watch)
            self._sample(headers, logs, filters, watch)
            return self._span(headers, logs, watch, short)
        except _NOT_JSON_RPC as fault:
            raise ChainUnavailable(problem="its answer is not JSON-RPC") from fault

    def _span(
        self, headers: list[Header], logs: _Logs, watch: Watch, short: list[tuple[int, str]]
    ) -> Span:
        rows, count = Rows(watch), 0
        for header in headers:
            found = logs.get(header.number)
            if found is None:
                continue
            count += len(found)
            chain_id, number, block_hash, at = self.chain_id, header.number, header.hash, header.at
            for index, log in found.items():
                tx_hash = _checked(log)
                rows.add((chain_id, number, index, block_hash, at, tx_hash), log)
        return Span(headers, rows, count, short)

    # -- proof -------------------------------------------------------------------------------------

    def _prove(self, headers: Sequence[Header], logs: _Logs, watch: Watch) -> list[tuple[int, str]]:
        """Complete the logs of blocks where some were left out; returns those blocks."""
        needed: dict[Evidence, list[Header]] = defaultdict(list)
        for header in headers:
            indexes = list(logs.get(header.number, ()))
            if indexes and not watch.may_be_in(header.bloom):
                # Some chains tell none, or leave what their own system did out of it.
                self._blooms_tell = False
            needed[evidence_for(header, indexes, watch, self._blooms_tell)].append(header)
        unproven = self._by_last_receipt(needed[Evidence.LAST_RECEIPT], logs)
        return self._by_receipts(needed[Evidence.ALL_RECEIPTS] + unproven, logs, watch)

    def _by_last_receipt(self, headers: Sequence[Header], logs: _Logs) -> list[Header]:
        """Those that it does not prove."""
        last = [
            ("eth_getTransactionReceipt", (one.transactions[-1:] or ("0x",))) for one in headers
        ]
        receipts = self.client.batch(last)
        return [
            header
            for header, receipt in zip(headers, receipts, strict=True)
            if not isinstance(receipt, dict)
            or not ends_with(header, list(logs[header.number]), receipt)
        ]

    def _by_receipts(
        self, headers: Sequence[Header], logs: _Logs, watch: Watch
    ) -> list[tuple[int, str]]:
        short = []
        for start in range(0, len(headers), _RECEIPTS_AT_ONCE):
            part = headers[start : start + _RECEIPTS_AT_ONCE]
            answers = self.client.batch([("eth_getBlockReceipts", (one.hash,)) for one in part])
            for header, answer in zip(part, answers, strict=True):
                if problem := self._completed(header, answer, logs, watch):
                    short.append((header.number, problem))
        return short

    def _completed(self, header: Header, answer: Any, logs: _Logs, watch: Watch) -> str | None:
        """Put the logs that a block's receipts prove in place of what was told; what was wrong."""
        receipts = self._receipts_of(header, answer)
        for receipt in receipts:
            receipt["logs"] = list(_lowered(receipt["logs"]))
        proven = {quantity(log["logIndex"]): log for log in logs_in(header, receipts, watch)}
        told = logs.get(header.number, {})
        if told.keys() - proven.keys():
            raise Incomplete(header.number, "its logs are not in its receipts")
        if not (missing := proven.keys() - told.keys()):
            return None
        logs[header.number] = proven
        return f"{len(missing)} logs were left out"

    def _receipts_of(self, header: Header, answer: Any) -> list[dict[str, Any]]:
        if isinstance(answer, RpcError) and answer.code in _METHOD_UNKNOWN:
            calls = [("eth_getTransactionReceipt", (one,)) for one in header.transactions]
            singly = self.client.batch(calls)
            answer = next((one for one in singly if isinstance(one, RpcError)), singly)
        if isinstance(answer, RpcError):
            raise Incomplete(header.number, f"the node does not give its receipts: {answer}")
        if answer is None or any(not isinstance(one, dict) for one in answer):
            raise Moved
        receipts: list[dict[str, Any]] = answer
        return receipts

    # -- a second node -----------------------------------------------------------------------------

    def _sample(
        self,
        headers: Sequence[Header],
        logs: _Logs,
        filters: Iterable[dict[str, Any]],
        watch: Watch,
    ) -> None:
        """Ask the witness for the same. One that is behind, or on another branch, says nothing.

        While it objects it is asked again, and nothing is written past it.
        """
        if self.witness is not None and self._reads % _SAMPLE_EVERY == 0:
            self._compare(self.witness, headers, logs, filters, watch)
        self._reads += 1

    def _compare(
        self,
        witness: ChainClient,
        headers: Sequence[Header],
        logs: _Logs,
        filters: Iterable[dict[str, Any]],
        watch: Watch,
    ) -> None:
        calls: list[tuple[str, Sequence[Any]]] = [("eth_getLogs", (one,)) for one in filters]
        calls.append(("eth_getBlockByNumber", (hex(headers[-1].number), False)))
        try:
            *told, newest = witness.batch(calls)
        except ChainUnavailable:
            return
        if not isinstance(newest, dict) or newest.get("hash") != headers[-1].hash:
            return
        if any(isinstance(one, RpcError) for one in told):
            return
        theirs = {
            (quantity(log["blockNumber"]), quantity(log["logIndex"]))
            for log in _wanted(told, watch)
        }
        ours = {(number, index) for number, found in logs.items() for index in found}
        if unlike := sorted(theirs ^ ours):
            number, index = unlike[0]
            whose = "only the second node" if unlike[0] in theirs else "the second node does not"
            raise WitnessDiffers(
                number, f"{whose} know log {index}".replace("node know", "node knows")
            )


#: Logs by block number and by their index in the block, both ascending.
_Logs = dict[int, dict[int, Log]]


def _linked(answers: Sequence[Any], first: int) -> list[Header]:
    if any(isinstance(one, RpcError) for one in answers):
        refusal = next(one for one in answers if isinstance(one, RpcError))
        raise ChainUnavailable(problem=f"it refused eth_getBlockByNumber: {refusal}") from refusal
    if any(one is None for one in answers):
        raise Moved
    headers = [header_of(one) for one in answers]
    if [one.number for one in headers] != list(range(first, first + len(headers))):
        raise ChainUnavailable(problem="it answered other blocks than were asked")
    if any(child.parent_hash != parent.hash for parent, child in pairwise(headers)):
        raise Moved
    return headers


def _wanted(answers: Sequence[Any], watch: Watch) -> Iterable[Log]:
    for answer in answers:
        if isinstance(answer, RpcError):
            raise _refusal(answer) from answer
        yield from (log for log in _lowered(answer) if watch.wants(log))


def _lowered(logs: Iterable[Log]) -> Iterable[Log]:
    """Most nodes write addresses in lower case, some with a checksum."""
    for log in logs:
        if not log["address"].islower():
            log["address"] = log["address"].lower()
        yield log


def _by_block(headers: Sequence[Header], logs: Iterable[Log]) -> _Logs:
    """Logs of these blocks and no others; what is told twice counts once."""
    known = {header.hash: header.number for header in headers}
    found: defaultdict[int, dict[int, Log]] = defaultdict(dict)
    for log in logs:
        number = known.get(log["blockHash"])
        if number is None:
            raise Moved
        index = int(log["logIndex"], 16)
        if found[number].setdefault(index, log) != log:
            raise Incomplete(number, f"it tells two different logs {index}")
    return {number: dict(sorted(found[number].items())) for number in sorted(found)}


def _checked(log: Log) -> str:
    """The hash of a log's transaction. Raises `ValueError` or `TypeError` for what is no log:
    only what a contract chose is judged by what it says."""
    tx_hash: str = log["transactionHash"]
    # In one look, since there are so many.
    if _LOG.fullmatch(",".join((log["address"], tx_hash, *log["topics"]))) is None:
        raise ValueError("not a log")
    if log["data"] != "0x" and _DATA.fullmatch(log["data"]) is None:
        raise ValueError("not a log's data")
    return tx_hash


def _refusal(error: RpcError) -> Exception:
    """What a node means that refuses eth_getLogs."""
    text = str(error)
    if error.code in _LIMIT_CODES and _TOO_MUCH.search(text):
        return _too_much(text)
    if "block not found" in text.lower() or "unknown block" in text.lower():
        return Moved()
    return ChainUnavailable(problem=f"it refused eth_getLogs: {text}")


def _too_much(text: str) -> TooMuch:
    """With how many blocks the node says it would answer."""
    if found := _BLOCKS.search(text):
        return TooMuch(text, max(1, int(found[2], 16) - int(found[1], 16) + 1))
    if found := _AT_MOST.search(text):
        return TooMuch(text, max(1, int(found[1].replace(",", ""))), always=True)
    return TooMuch(text, None)
