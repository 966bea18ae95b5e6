"""Seaport 1.6: its orders as it hashes them, the calls that it takes, what it knows of an order.

Names, order and types of fields are Seaport's own. Amounts are minor units, times Unix seconds.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass
from enum import IntEnum
from functools import cache
from typing import Any

from eth_abi.abi import encode

from chain import create2
from chain.client import ChainClient, RpcError
from chain.contracts import PACKAGED, encode_call, npm_artifact, view
from chain.keccak import keccak
from chain.signers import Signer
from returns.errors import ContractsMissing

#: Where Seaport 1.6 stands on public chains.
CANONICAL = "0x0000000000000068f116a894984e2db1123eb395"
#: Tokens are approved for Seaport itself and not for one of its conduits.
NO_CONDUIT = "0x" + "00" * 32
#: For orders without a zone, which is who reads it.
NO_ZONE_HASH = "0x" + "00" * 32

_NAME, _VERSION = "Seaport", "1.6"

_DOMAIN = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_OFFER_ITEM = (
    ("itemType", "uint8"),
    ("token", "address"),
    ("identifierOrCriteria", "uint256"),
    ("startAmount", "uint256"),
    ("endAmount", "uint256"),
)
_CONSIDERATION_ITEM = (*_OFFER_ITEM, ("recipient", "address"))
_ORDER = (
    ("offerer", "address"),
    ("zone", "address"),
    ("offer", "OfferItem[]"),
    ("consideration", "ConsiderationItem[]"),
    ("orderType", "uint8"),
    ("startTime", "uint256"),
    ("endTime", "uint256"),
    ("zoneHash", "bytes32"),
    ("salt", "uint256"),
    ("conduitKey", "bytes32"),
    ("counter", "uint256"),
)
#: In the order in which EIP-712 writes referenced types: by name, after the primary one.
_TYPES = {
    "OrderComponents": _ORDER,
    "ConsiderationItem": _CONSIDERATION_ITEM,
    "OfferItem": _OFFER_ITEM,
}


class ItemType(IntEnum):
    """What an item is. Seaport's other two name a token by criteria, not by its id."""

    NATIVE = 0
    ERC20 = 1
    ERC721 = 2
    ERC1155 = 3


class OrderType(IntEnum):
    """Whether an order may be filled in parts, and whether its zone has a say."""

    FULL_OPEN = 0
    PARTIAL_OPEN = 1
    FULL_RESTRICTED = 2
    PARTIAL_RESTRICTED = 3


@dataclass(frozen=True, slots=True)
class OfferItem:
    """What is given. The amount moves evenly from start to end over the order's time."""

    itemType: int  # noqa: N815  (Seaport's names)
    token: str
    identifierOrCriteria: int  # noqa: N815
    startAmount: int  # noqa: N815
    endAmount: int  # noqa: N815


@dataclass(frozen=True, slots=True)
class ConsiderationItem(OfferItem):
    """What is wanted for it, and who gets that."""

    recipient: str


@dataclass(frozen=True, slots=True)
class OrderComponents:
    """All that an offerer signs. Good from `startTime` until just before `endTime`; bytes32 are
    0x-hex. `counter` is the offerer's at Seaport: raising it voids every order signed before.
    """

    offerer: str
    zone: str
    offer: tuple[OfferItem, ...]
    consideration: tuple[ConsiderationItem, ...]
    orderType: int  # noqa: N815
    startTime: int  # noqa: N815
    endTime: int  # noqa: N815
    zoneHash: str  # noqa: N815
    salt: int
    conduitKey: str  # noqa: N815
    counter: int


@dataclass(frozen=True, slots=True)
class Seaport:
    """One Seaport as the chain has it."""

    address: str
    chain_id: int
    domain_separator: bytes
    conduit_controller: str


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """What Seaport keeps of an order: `filled` parts of `size`; 0 of 0 before its first use."""

    validated: bool
    cancelled: bool
    filled: int
    size: int


def deploy_seaport(client: ChainClient, payer: Signer) -> str:
    """Seaport's lower-case address; for a local chain it is deployed, once, with its controller.

    Raises `ContractsMissing` where the npm package or the chain's CREATE2 deployer is missing.
    """
    if client.code(CANONICAL):
        return CANONICAL
    deployer = create2.find_deployer(client)
    for code in _own_code():
        address = create2.put(client, payer, deployer, code)
    return address


def place_of(client: ChainClient) -> str:
    """Where Seaport stands on this chain, or where `deploy_seaport` would put it."""
    if client.code(CANONICAL):
        return CANONICAL
    return create2.address_of(create2.DEPLOYER, create2.NO_SALT, _own_code()[-1])


def read(client: ChainClient, address: str) -> Seaport:
    """Check what stands there; raises `ContractsMissing` unless it is Seaport 1.6 of this chain.

    A signature is only asked for under a domain that we can show: it must be the usual one.
    """
    try:
        version, domain_separator, controller = view(client, address, _NAME, "information")
    except RpcError as fault:
        raise ContractsMissing(problem=f"{address} is not Seaport") from fault
    chain_id = client.chain_id()
    if version != _VERSION or domain_separator != _domain_separator(chain_id, address):
        raise ContractsMissing(problem=f"{address} is not Seaport {_VERSION} of this chain")
    return Seaport(address.lower(), chain_id, domain_separator, controller.lower())


def order_hash(order: OrderComponents) -> bytes:
    """The 32 bytes by which Seaport knows the order (EIP-712's hashStruct); of no chain's own."""
    offer = _array_hash("OfferItem", order.offer)
    consideration = _array_hash("ConsiderationItem", order.consideration)
    terms = _terms(order)
    signed = (*terms[:2], offer, consideration, *terms[4:], order.counter)
    return _struct_hash("OrderComponents", signed)


def digest(order: OrderComponents, seaport: Seaport) -> bytes:
    """The 32 bytes that the offerer signs (EIP-712)."""
    return keccak(b"\x19\x01" + seaport.domain_separator + order_hash(order))


def wallet_request(order: OrderComponents, seaport: Seaport) -> dict[str, Any]:
    """The argument of eth_signTypedData_v4. Integers are strings: JavaScript loses large ones."""
    types = {"EIP712Domain": _DOMAIN, **_TYPES}
    return {
        "types": {k: [{"name": n, "type": t} for n, t in v] for k, v in types.items()},
        "primaryType": "OrderComponents",
        "domain": {
            "name": _NAME,
            "version": _VERSION,
            "chainId": seaport.chain_id,
            "verifyingContract": seaport.address,
        },
        "message": _texts(asdict(order)),
    }


def components(order: OrderComponents) -> tuple[Any, ...]:
    """The order as it is signed, for the ABI encoder."""
    return (*_terms(order), order.counter)


def parameters(order: OrderComponents) -> tuple[Any, ...]:
    """The order as it is fulfilled: the counter is the chain's, the number of items is told."""
    return (*_terms(order), len(order.consideration))


def fulfilment(order: OrderComponents, signature: bytes) -> bytes:
    """Calldata for Seaport by which a buyer takes the offer; send `coin_due` with it.

    The buyer's ERC-20s are taken by Seaport itself, so they are approved for it. No signature is
    needed for an order that is validated, nor if its offerer sends the call.
    """
    return encode_call(_NAME, "fulfillOrder", (parameters(order), signature), _word(NO_CONDUIT))


def coin_due(order: OrderComponents) -> int:
    """Wei that a fulfilment must bring at most; Seaport sends back what is not used."""
    wanted = (one for one in order.consideration if one.itemType == ItemType.NATIVE)
    return sum(max(one.startAmount, one.endAmount) for one in wanted)


def validation(order: OrderComponents, signature: bytes) -> bytes:
    """Calldata for Seaport that checks the signature now, so that none is needed later."""
    return encode_call(_NAME, "validate", [(parameters(order), signature)])


def cancellation(*orders: OrderComponents) -> bytes:
    """Calldata for Seaport that ends these orders for good; only their offerer or zone may."""
    return encode_call(_NAME, "cancel", [components(order) for order in orders])


def increment_counter() -> bytes:
    """Calldata for Seaport that voids every order its sender has signed and not seen filled."""
    return encode_call(_NAME, "incrementCounter")


def order_status(client: ChainClient, seaport: Seaport, hashed: bytes) -> OrderStatus:
    """What Seaport knows of the order with this hash."""
    return OrderStatus(*view(client, seaport.address, _NAME, "getOrderStatus", hashed))


def counter_of(client: ChainClient, seaport: Seaport, offerer: str) -> int:
    """The counter that an order signed now must carry."""
    return int(view(client, seaport.address, _NAME, "getCounter", offerer))


def _own_code() -> tuple[bytes, bytes]:
    """Creation code of a conduit controller, and of a Seaport that knows it."""
    controller = _creation_code("LocalConduitController")
    place = create2.address_of(create2.DEPLOYER, create2.NO_SALT, controller)
    return controller, _creation_code("Seaport") + encode(["address"], [place])


def _creation_code(name: str) -> bytes:
    return bytes.fromhex(npm_artifact(*PACKAGED[name])["bytecode"][2:])


def _terms(order: OrderComponents) -> tuple[Any, ...]:
    return (
        order.offerer,
        order.zone,
        [astuple(item) for item in order.offer],
        [astuple(item) for item in order.consideration],
        order.orderType,
        order.startTime,
        order.endTime,
        _word(order.zoneHash),
        order.salt,
        _word(order.conduitKey),
    )


def _domain_separator(chain_id: int, address: str) -> bytes:
    kinds = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
    hashed = [keccak(text=one) for one in (_written("EIP712Domain", _DOMAIN), _NAME, _VERSION)]
    return keccak(encode(kinds, [*hashed, chain_id, address]))


def _array_hash(name: str, items: tuple[OfferItem, ...]) -> bytes:
    return keccak(b"".join(_struct_hash(name, astuple(item)) for item in items))


def _struct_hash(name: str, values: tuple[Any, ...]) -> bytes:
    kinds = ["bytes32" if "[]" in kind else kind for _, kind in _TYPES[name]]
    return keccak(encode(["bytes32", *kinds], [_type_hash(name), *values]))


@cache
def _type_hash(name: str) -> bytes:
    used = _TYPES if name == "OrderComponents" else {name: _TYPES[name]}
    return keccak(text="".join(_written(one, fields) for one, fields in used.items()))


def _written(name: str, fields: tuple[tuple[str, str], ...]) -> str:
    return f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})"


def _texts(value: Any) -> Any:
    """Numbers as text, however deep."""
    if isinstance(value, dict):
        return {key: _texts(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(one) for one in value]
    return str(int(value)) if isinstance(value, int) else value


def _word(text: str) -> bytes:
    return bytes.fromhex(text[2:])
