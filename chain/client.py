"""A node, spoken to over JSON-RPC: batches, short time-outs, answers checked, faults typed.

web3's provider carries the calls. Its contract and middleware layers are left out: this product
needs raw answers in bulk, and decodes its few event types itself (`chain.contracts`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn, cast

import orjson
from requests import Request, RequestException, Response, Session
from requests.adapters import HTTPAdapter
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint, RPCResponse

from returns.errors import ChainUnavailable

# py_ecc, which web3 brings, raises it to 100,000 when it is imported: an answer of as many nested
# objects would overrun the stack and end the process. 1,000 is Python's own.
sys.setrecursionlimit(1_000)

#: JSON-RPC calls in one HTTP request; more is refused by several providers.
BATCH = 100

#: Connections to the node. Threads beyond them wait for one to be free.
CONNECTIONS = 16

#: What reading something else than JSON-RPC raises.
_NOT_JSON_RPC = (
    Web3Exception,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


class RpcError(Exception):
    """The node understood the call and refused it. `data` is the revert data where there is one.

    The message is a stranger's text: what no database stores (NUL, lone surrogates) is left out.
    """

    def __init__(self, message: str, code: int = 0, data: str | None = None) -> None:
        super().__init__(printable(message))
        self.code = code
        self.data = data


def printable(text: str) -> str:
    """At most 500 characters, and a question mark for each that cannot be shown or stored."""
    return "".join(char if char.isprintable() else "?" for char in text[:500])


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What following a chain needs of a block."""

    number: int
    hash: str
    parent_hash: str
    timestamp: int
    base_fee: int


class ChainClient:
    """JSON-RPC over one connection pool. Raises `ChainUnavailable` where no answer comes.

    Threads may share it: an answer is told from another's by its id and by its connection.
    """

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        # Retries are decided by whoever calls: they know whether repeating is harmless.
        self._session = _Session(url)
        self._sent = 0
        self._provider = _Provider(
            url,
            request_kwargs={"timeout": timeout, "headers": {}},
            session=self._session,
            exception_retry_configuration=None,
        )

    @property
    def calls(self) -> int:
        """Calls that were sent since the client was made."""
        return self._sent

    @property
    def bytes_read(self) -> int:
        """Bytes of answers since the client was made."""
        return self._session.read

    def call(self, method: str, *params: Any) -> Any:
        """One call; raises `RpcError` if the node refuses it."""
        answer = self._in_halves([(method, params)])[0]
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Many calls in few requests, answers in order; a refused one yields its `RpcError`."""
        chunks = (calls[start : start + BATCH] for start in range(0, len(calls), BATCH))
        return [answer for chunk in chunks for answer in self._in_halves(chunk)]

    def chain_id(self) -> int:
        """The chain that the node serves (EIP-155)."""
        return self._number("eth_chainId")

    def block_number(self) -> int:
        """The number of the newest block."""
        return self._number("eth_blockNumber")

    def header(self, number: int) -> BlockHeader | None:
        """A block's header, None if the node has no such block (yet)."""
        return self.headers([number])[0]

    def headers(self, numbers: Sequence[int]) -> list[BlockHeader | None]:
        """Headers in one go, None where the node has no such block."""
        calls = [("eth_getBlockByNumber", (hex(number), False)) for number in numbers]
        return [_header(raw) for raw in self.batch(calls)]

    def base_fees(self, count: int, ends: Sequence[int]) -> list[int]:
        """Base fees in wei per gas of `count` blocks up to each of these (eth_feeHistory)."""
        calls: list[tuple[str, Sequence[Any]]] = [
            ("eth_feeHistory", (hex(count), hex(end), [])) for end in ends
        ]
        pages = [_or_raise(answer)["baseFeePerGas"][:-1] for answer in self.batch(calls)]
        return [quantity(fee) for page in pages for fee in page]

    def logs_between(self, first: int, last: int, address: str) -> list[dict[str, Any]]:
        """Logs of one contract in a range of block numbers, both ends included."""
        query = {"fromBlock": hex(first), "toBlock": hex(last), "address": address}
        found: list[dict[str, Any]] = self._unrefused("eth_getLogs", query)
        return found

    def eth_call(self, to: str | None, data: bytes, block_hash: str | None = None) -> bytes:
        """Run a view at the newest block, or at one that is named by its hash (EIP-1898).

        Raises `RpcError` with the revert data if it reverts. With `to=None` the data is creation
        code, and the answer what it would leave as code.
        """
        receiver = {} if to is None else {"to": to}
        at = "latest" if block_hash is None else {"blockHash": block_hash}
        return _bytes(self.call("eth_call", {**receiver, "data": _hex(data)}, at))

    def eth_calls(
        self, calls: Sequence[tuple[str, bytes]], block: BlockHeader
    ) -> list[bytes | RpcError]:
        """Views (to, data) as of one block, in few requests; a refused one yields its error.

        The block is named by its hash (EIP-1898): answers of two branches cannot be mixed.
        """
        at = {"blockHash": block.hash}
        requests = [("eth_call", ({"to": to, "data": _hex(data)}, at)) for to, data in calls]
        answers = self.batch(requests)
        return [one if isinstance(one, RpcError) else _bytes(one) for one in answers]

    def newest(self) -> BlockHeader:
        """The newest block's header."""
        header = _header(self._unrefused("eth_getBlockByNumber", "latest", False))
        if header is None:
            raise ChainUnavailable(problem="it has no newest block")
        return header

    def estimates(
        self, sender: str, calls: Sequence[tuple[str, bytes, int]]
    ) -> list[int | RpcError]:
        """Gas that each (to, data, value) would use now, or why the node does not say."""
        transactions = [
            {"from": sender, "to": to, "data": _hex(data), "value": hex(value)}
            for to, data, value in calls
        ]
        answers = self.batch([("eth_estimateGas", (one,)) for one in transactions])
        return [one if isinstance(one, RpcError) else quantity(one) for one in answers]

    def transaction_count(self, address: str, tag: str = "latest") -> int:
        """The next nonce of an account as the node sees it."""
        return self._number("eth_getTransactionCount", address, tag)

    def balance(self, address: str) -> int:
        """The coin of an account in wei."""
        return self._number("eth_getBalance", address, "latest")

    def code(self, address: str, block: int | None = None) -> bytes:
        """The code at an address, now or at the end of a block; empty for an ordinary account."""
        tag = "latest" if block is None else hex(block)
        return _bytes(self._unrefused("eth_getCode", address, tag))

    def is_syncing(self) -> bool:
        """Whether the node says that it is still catching up with its chain."""
        return bool(self._unrefused("eth_syncing"))

    def tagged(self, tags: Sequence[str]) -> list[int]:
        """Numbers of the blocks that the node calls `safe` or `finalized`; -1 for none yet."""
        answers = self.batch([("eth_getBlockByNumber", (tag, False)) for tag in tags])
        headers = [None if isinstance(one, RpcError) else _header(one) for one in answers]
        return [-1 if one is None else one.number for one in headers]

    def _number(self, method: str, *params: Any) -> int:
        return quantity(self._unrefused(method, *params))

    def _unrefused(self, method: str, *params: Any) -> Any:
        """A call that a node has no reason to refuse: if it does, it is overloaded or broken."""
        try:
            return self.call(method, *params)
        except RpcError as error:
            raise ChainUnavailable(problem=f"it refused {method}: {error}") from error

    def _in_halves(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Where a node takes fewer calls, or shorter ones, at a time: as many as it takes.

        All of them may be repeated: what they send is known by its hash.
        """
        try:
            return self._post(calls)
        except _BatchRefused as refusal:
            if len(calls) == 1:
                raise ChainUnavailable(problem=str(refusal)) from refusal
            middle = len(calls) // 2
            return self._in_halves(calls[:middle]) + self._in_halves(calls[middle:])

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self._sent += len(calls)
        ids = [next(self._provider.request_counter) for _ in calls]
        requests = [
            (RPCEndpoint(method), (number, params))
            for number, (method, params) in zip(ids, calls, strict=True)
        ]
        try:
            return _results(self._provider.make_batch_request(requests), ids)
        except (RequestException, OSError) as fault:
            if _is_too_large(fault):
                raise _BatchRefused("the request is too large for it") from fault
            raise ChainUnavailable(problem=type(fault).__name__) from fault
        except _NOT_JSON_RPC as fault:
            raise ChainUnavailable(problem="its answer is not JSON-RPC") from fault


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number)
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class _Provider(HTTPProvider):
    """Plain JSON in place of web3's own, which looks for types that never occur here.

    A call is written in about half the time. NaN and Infinity, which only Python takes for JSON,
    are refused both ways.
    """

    def encode_rpc_request(self, method: RPCEndpoint, params: Any) -> bytes:
        """`params` are the call's id and its parameters: whoever asks knows the ids to expect."""
        number, given = params
        call = {"jsonrpc": "2.0", "method": method, "params": given, "id": number}
        return _ENCODER.encode(call).encode()

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        """Raises `ValueError` or `RecursionError` for what cannot be read."""
        try:
            return cast(RPCResponse, orjson.loads(raw_response))
        except orjson.JSONDecodeError:
            # It is stricter than JSON: half of a surrogate pair is allowed, in a stranger's text.
            return cast(RPCResponse, _DECODER.decode(raw_response.decode()))


class _Session(Session):
    """One for all threads: web3 would open one per thread, and keep it when the thread is gone.

    Every request is the same but for its body. So it is prepared once, and what the environment
    says of proxies and authorities is looked up once: for each call, both took longer than the node
    does. Redirects are not followed.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.read = 0
        found = self.merge_environment_settings(url, {}, None, None, None)
        self._how = {"proxies": found["proxies"], "verify": found["verify"]}
        headers = {"Content-Type": "application/json", "User-Agent": "undrop"}
        self._prepared = self.prepare_request(Request("POST", url, headers))
        pool = HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS, pool_block=True)
        self.mount("http://", pool)
        self.mount("https://", pool)
        self._adapter = self.get_adapter(url)

    def post(self, url: Any, data: Any = None, json: Any = None, **how: Any) -> Response:  # noqa: ARG002
        """Send a body to the node."""
        request = self._prepared.copy()
        request.body = data
        request.headers["Content-Length"] = str(len(data))
        response = self._adapter.send(request, timeout=how["timeout"], **self._how)
        self.read += len(response.content)
        return response


class _BatchRefused(Exception):
    """The node has not answered the calls, but said something of all of them together."""


def _is_too_large(fault: Exception) -> bool:
    response = fault.response if isinstance(fault, RequestException) else None
    return response is not None and response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def _results(answers: Any, ids: list[int]) -> list[Any]:
    """The answers in order of their ids, which must be those that were asked, each once.

    Otherwise one would stand for another, or a confused proxy's answer to somebody else for ours.
    """
    if isinstance(answers, dict) and answers.get("error"):
        raise _BatchRefused(f"it refused the request: {printable(str(answers['error']))}")
    if not isinstance(answers, list) or len(answers) != len(ids):
        raise ChainUnavailable(problem="its answer is not complete")
    if [answer["id"] for answer in answers] != ids:
        raise ChainUnavailable(problem="it answered other calls than were asked")
    return [_result(answer) for answer in answers]


def _result(answer: Any) -> Any:
    error = answer.get("error")
    if error is None:
        return answer["result"]
    data = error.get("data")
    return RpcError(
        str(error.get("message", "")),
        int(error.get("code", 0)),
        data if isinstance(data, str) and data.startswith("0x") else None,
    )


def _or_raise(answer: Any) -> Any:
    if isinstance(answer, RpcError):
        raise answer
    return answer


def _header(raw: Any) -> BlockHeader | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise ChainUnavailable(problem=f"it refused eth_getBlockByNumber: {raw}")
    return BlockHeader(
        number=quantity(raw.get("number")),
        hash=str(raw.get("hash")),
        parent_hash=str(raw.get("parentHash")),
        timestamp=quantity(raw.get("timestamp")),
        base_fee=quantity(raw.get("baseFeePerGas", "0x0")),
    )


def quantity(text: Any) -> int:
    """A number as JSON-RPC writes it, in hex; raises `ChainUnavailable` for anything else."""
    try:
        return int(text, 16)
    except (TypeError, ValueError) as fault:
        raise ChainUnavailable(problem="its answer is not JSON-RPC") from fault


def _bytes(text: Any) -> bytes:
    try:
        return bytes.fromhex(text[2:])
    except (TypeError, ValueError) as fault:
        raise ChainUnavailable(problem="its answer is not JSON-RPC") from fault


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
