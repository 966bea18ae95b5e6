"""Our contracts: ABIs that the build exports, addresses of a deployment, calls and events."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from chain.client import ChainClient, RpcError, printable
from chain.keccak import keccak
from returns.errors import ContractsMissing

#: Code of a revert (Geth, Erigon, Reth, Anvil), and what nodes say where they give none:
#: Nethermind (vm execution error), Anvil (evm error), Geth and Erigon (the rest).
_REVERT_CODE = 3
_REVERT_WORDS = (
    "revert",
    "vm execution error",
    "evm error",
    "execution failed",
    "invalid opcode",
    "invalid jump",
    "stack underflow",
    "stack limit reached",
    "out of gas",
    "gas required exceeds",
)

#: Where `forge build` leaves the compiled contracts.
BUILD = Path(__file__).parent.parent / "contracts" / "out"

#: Where `npm install` leaves the contracts of others.
PACKAGES = Path(__file__).parent.parent / "node_modules"

#: Error(string) and Panic(uint256) of the Solidity compiler.
_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")

#: Contracts of others that are called by name as ours are: npm package, and file in it.
_SEAPORT = "src/artifacts/seaport/contracts"
PACKAGED = {
    "Seaport": ("@opensea/seaport-js", f"{_SEAPORT}/Seaport.sol/Seaport.json"),
    "LocalConduitController": (
        "@opensea/seaport-js",
        f"{_SEAPORT}/conduit/ConduitController.sol/LocalConduitController.json",
    ),
}


@dataclass(frozen=True)
class Deployment:
    """Where our contracts stand on a chain, and since which block; Seaport is nobody's."""

    chain_id: int
    block: int
    escrow: str
    seaport: str
    zone: str
    collection: str
    dollar: str

    def save(self, path: Path) -> None:
        """Write the deployment's file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read the deployment's file; raises `ContractsMissing` where there is none."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as fault:
            raise ContractsMissing(problem=f"no deployment in {path.name}") from fault


@dataclass(frozen=True)
class DecodedEvent:
    """A log with its name and arguments: integers, lower-case addresses, 0x-hex bytes, structs."""

    name: str
    args: dict[str, Any]


@cache
def artifact(name: str) -> dict[str, Any]:
    """ABI and creation code of one of our contracts; raises `ContractsMissing` before a build."""
    path = BUILD / f"{name}.sol" / f"{name}.json"
    try:
        loaded: dict[str, Any] = json.loads(path.read_text())
    except OSError as fault:
        raise ContractsMissing(problem=f"{name} is not compiled") from fault
    return loaded


@cache
def npm_artifact(package: str, path: str) -> dict[str, Any]:
    """`abi` and `bytecode` (creation code, 0x-hex) of a contract that an npm package ships.

    Raises `ContractsMissing` where the package is not installed.
    """
    try:
        loaded = json.loads((PACKAGES / package / path).read_text())
        return {"abi": loaded["abi"], "bytecode": loaded["bytecode"]}
    except (OSError, ValueError, KeyError) as fault:
        raise ContractsMissing(problem=f"{package} does not have {path}") from fault


def abi_type(item: dict[str, Any]) -> str:
    """The canonical type of an ABI parameter, tuples spelled out."""
    kind: str = item["type"]
    if not kind.startswith("tuple"):
        return kind
    return "(" + ",".join(abi_type(part) for part in item["components"]) + ")" + kind[5:]


def signature_of(item: dict[str, Any]) -> str:
    """The text whose hash selects a function, event or error."""
    return f"{item['name']}({','.join(abi_type(part) for part in item['inputs'])})"


def encode_call(contract: str, function: str, *args: Any) -> bytes:
    """Calldata of a function of one of our contracts."""
    item = _members(contract, "function")[function]
    types = [abi_type(part) for part in item["inputs"]]
    return keccak(text=signature_of(item))[:4] + encode(types, args)


def spell_call(contract: str, data: bytes) -> str:
    """Calldata that `encode_call` made, as people read it: the function and its values."""
    functions = _members(contract, "function").values()
    item = next(one for one in functions if keccak(text=signature_of(one))[:4] == data[:4])
    return _spelled(item, data[4:])


def encode_signature(signature: str, *args: Any) -> bytes:
    """Calldata of `name(type,…)`, a function of somebody else's contract; no tuples."""
    types = signature.partition("(")[2][:-1]
    return keccak(text=signature)[:4] + encode(types.split(",") if types else [], args)


def view(client: ChainClient, address: str, contract: str, function: str, *args: Any) -> Any:
    """Call a view and decode what it returns: one value, or a tuple of them."""
    outputs = [abi_type(part) for part in _members(contract, "function")[function]["outputs"]]
    raw = client.eth_call(address, encode_call(contract, function, *args))
    try:
        values = decode(outputs, raw)
    except DecodingError as fault:
        # An account without code, or another contract: it answers, but not our question.
        raise RpcError(f"{address} does not answer {function}") from fault
    return values[0] if len(values) == 1 else values


@cache
def event_topic(contract: str, event: str) -> str:
    """The first topic of an event's logs: what tells it from others without decoding it."""
    return "0x" + keccak(text=signature_of(_members(contract, "event")[event])).hex()


def decode_event(contract: str, log: dict[str, Any]) -> DecodedEvent | None:
    """Name and arguments of a raw log; None if the contract's ABI does not know it."""
    if not log["topics"]:
        return None
    item = _events(contract).get(log["topics"][0])
    if item is None:
        return None
    indexed = [part for part in item["inputs"] if part["indexed"]]
    plain = [part for part in item["inputs"] if not part["indexed"]]
    args = {
        part["name"]: _plain(part, decode([abi_type(part)], bytes.fromhex(topic[2:]))[0])
        for part, topic in zip(indexed, log["topics"][1:], strict=True)
    }
    values = decode([abi_type(part) for part in plain], bytes.fromhex(log["data"][2:]))
    args |= {part["name"]: _plain(part, value) for part, value in zip(plain, values, strict=True)}
    return DecodedEvent(item["name"], args)


def is_revert(error: RpcError) -> bool:
    """Whether the chain refused the call, and not a node that is overloaded or broken."""
    text = str(error).lower()
    known = error.code == _REVERT_CODE or error.data is not None
    return known or any(words in text for words in _REVERT_WORDS)


def revert_reason(error: RpcError) -> str:
    """What a revert says: our custom error with its values, a string, or the node's words.

    Never raises, and the text can be stored: revert data is written by any contract on the way.
    """
    return _said(error.data or "0x", str(error))


def item_reason(failed: DecodedEvent) -> str:
    """Why an item of a batch did nothing, from its ItemFailed event; the same promises.

    The escrow keeps 256 bytes of a reason: what is cut cannot always be read, and is told as hex.
    """
    data = failed.args["reason"]
    return _said(data, "out of gas, or no reason" if data == "0x" else data)


def _said(data: str, otherwise: str) -> str:
    try:
        said = _decode_revert(bytes.fromhex(data[2:]))
    except (DecodingError, ValueError, OverflowError):
        said = None
    return printable(said or otherwise)


def _decode_revert(data: bytes) -> str | None:
    if data[:4] == _ERROR_STRING:
        return str(decode(["string"], data[4:])[0])
    if data[:4] == _PANIC:
        return f"Panic({decode(['uint256'], data[4:])[0]})"
    item = _errors().get(data[:4])
    if item is None:
        return None
    return _spelled(item, data[4:])


def _spelled(item: dict[str, Any], data: bytes) -> str:
    """A function or error with its values."""
    values = decode([abi_type(part) for part in item["inputs"]], data)
    said = (_plain(part, value) for part, value in zip(item["inputs"], values, strict=True))
    return f"{item['name']}({', '.join(map(str, said))})"


def _plain(part: dict[str, Any], value: Any) -> Any:
    """Bytes as 0x-hex, a struct as its fields by name, an array as a list of such."""
    if part["type"].endswith("[]"):
        item = {**part, "type": part["type"][:-2]}
        return [_plain(item, one) for one in value]
    if part["type"] == "tuple":
        fields = zip(part["components"], value, strict=True)
        return {field["name"]: _plain(field, one) for field, one in fields}
    return "0x" + value.hex() if isinstance(value, bytes) else value


@cache
def _members(contract: str, kind: str) -> dict[str, dict[str, Any]]:
    built = npm_artifact(*PACKAGED[contract]) if contract in PACKAGED else artifact(contract)
    return {item["name"]: item for item in built["abi"] if item["type"] == kind}


@cache
def _events(contract: str) -> dict[str, dict[str, Any]]:
    events = _members(contract, "event").values()
    return {"0x" + keccak(text=signature_of(item)).hex(): item for item in events}


@cache
def _errors() -> dict[bytes, dict[str, Any]]:
    known: dict[bytes, dict[str, Any]] = {}
    for name in ("ReturnEscrow", "SeaportReturnZone", "ReturnableNFT", "TestDollar", "Seaport"):
        # A reason in raw bytes is better than none: what is not installed is left out.
        with suppress(ContractsMissing):
            known |= _errors_of(name)
    return known


def _errors_of(contract: str) -> dict[bytes, dict[str, Any]]:
    errors = _members(contract, "error").values()
    return {keccak(text=signature_of(item))[:4]: item for item in errors}
