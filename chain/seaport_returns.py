"""Returns by Seaport: one order, token against refund, that only our zone contract can fill.

For tokens that are approved for Seaport and not for our escrow. The customer signs the order (see
`chain.seaport` for wallet request and digest) and sends no transaction; an operator has the zone
fill it. Amounts are minor units, times Unix seconds, bytes32 0x-hex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from chain.addresses import NATIVE, ZERO
from chain.client import BlockHeader, ChainClient, RpcError
from chain.contracts import encode_call, encode_signature, is_revert
from chain.keccak import keccak
from chain.seaport import (
    NO_CONDUIT,
    ConsiderationItem,
    ItemType,
    OfferItem,
    OrderComponents,
    OrderType,
    Seaport,
    parameters,
)
from returns.errors import ChainUnavailable

#: What most collections are approved for: the conduit of the largest marketplace, by its key.
OPENSEA_CONDUIT = "0x0000007b02230091a7ed01230072f7006a004d60a8d4e71d599b8104250f0000"

_ZONE, _ZONE_NAME, _ZONE_VERSION = "SeaportReturnZone", "Undrop SeaportReturnZone", "1"
_Question = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class SeaportReturn:
    """Exactly this token against exactly this refund, until `deadline` (its last second).

    `line`: the last 16 bytes of the holder's address, then the return line (a UUID). `asset`: an
    ERC-20, or the coin as `NATIVE`. `kind` says which standard `token` follows.
    """

    line: str
    vault: str
    holder: str
    token: str
    token_id: int
    amount: int
    kind: ItemType
    asset: str
    refund: int
    recipient: str
    deadline: int


def zone_hash(line: str, vault: str) -> str:
    """What binds an order to the return line and the merchant: `zoneHashOf` of the contract."""
    return "0x" + keccak(encode(["bytes32", "address"], [_word(line), vault])).hex()


def return_order(
    wanted: SeaportReturn, zone: str, counter: int, conduit_key: str = NO_CONDUIT
) -> OrderComponents:
    """The order that the holder signs; the same return gives the same order.

    `counter` is the holder's at Seaport now (`counter_of`), `conduit_key` what `conduit_key_for`
    found.
    """
    offered = OfferItem(wanted.kind, wanted.token, wanted.token_id, wanted.amount, wanted.amount)
    return OrderComponents(
        offerer=wanted.holder,
        zone=zone,
        offer=(offered,),
        consideration=(_refund(wanted),),
        orderType=OrderType.FULL_RESTRICTED,
        startTime=0,
        # Seaport's end is the first second that is too late.
        endTime=wanted.deadline + 1,
        zoneHash=zone_hash(wanted.line, wanted.vault),
        salt=int(wanted.line, 16),
        conduitKey=conduit_key,
        counter=counter,
    )


def fulfilment(
    wanted: SeaportReturn, order: OrderComponents, signature: bytes, approval: bytes = b""
) -> bytes:
    """Calldata for the zone by which an operator exchanges token and refund, or neither.

    `approval`: above the operator's limits, what a second person signed; see `RefundApproval`.
    """
    advanced = (parameters(order), 1, 1, signature, b"")
    return encode_call(_ZONE, "fulfil", _word(wanted.line), wanted.vault, advanced, approval)


def conduit_key_for(
    client: ChainClient,
    seaport: Seaport,
    holder: str,
    token: str,
    token_id: int,
    conduits: Sequence[str] = (OPENSEA_CONDUIT,),
) -> str | None:
    """Under which key Seaport may move the holder's token now: Seaport's own, or one of these.

    None if the holder has approved none of them: then the token needs an approval first. A token
    that does not answer has approved nothing. Raises `ChainUnavailable`.
    """
    block = client.newest()
    operators = {NO_CONDUIT: seaport.address} | _open_conduits(client, seaport, conduits, block)
    approved = encode_signature("getApproved(uint256)", token_id)
    questions = [(token, _operator_call(holder, one)) for one in operators.values()]
    *for_all, single = _ask(client, block, [*questions, (token, approved)])
    for (key, operator), answer in zip(operators.items(), for_all, strict=True):
        if _value("bool", answer) or _value("address", single) == operator:
            return key
    return None


def cancellation(line: str) -> bytes:
    """Calldata for the zone by which a holder makes its own line unusable there."""
    return encode_call(_ZONE, "cancel", _word(line))


def signed_cancellation(line: str, holder: str, signature: bytes) -> bytes:
    """Calldata for the zone by which anybody brings a cancellation that the holder signed."""
    return encode_call(_ZONE, "cancelBySignature", _word(line), holder, signature)


def cancellation_request(line: str, holder: str, chain_id: int, zone: str) -> dict[str, Any]:
    """The argument of eth_signTypedData_v4 for `signed_cancellation`."""
    domain = {"name": "string", "version": "string", "chainId": "uint256"}
    fields = {
        "EIP712Domain": domain | {"verifyingContract": "address"},
        "LineCancellation": {"line": "bytes32", "holder": "address"},
    }
    return {
        "types": {k: [{"name": n, "type": t} for n, t in v.items()] for k, v in fields.items()},
        "primaryType": "LineCancellation",
        "domain": {
            "name": _ZONE_NAME,
            "version": _ZONE_VERSION,
            "chainId": chain_id,
            "verifyingContract": zone,
        },
        "message": {"line": line, "holder": holder},
    }


def _refund(wanted: SeaportReturn) -> ConsiderationItem:
    coin = wanted.asset == NATIVE
    kind, token = (ItemType.NATIVE, ZERO) if coin else (ItemType.ERC20, wanted.asset)
    return ConsiderationItem(kind, token, 0, wanted.refund, wanted.refund, wanted.recipient)


def _open_conduits(
    client: ChainClient, seaport: Seaport, keys: Sequence[str], block: BlockHeader
) -> dict[str, str]:
    """The conduits that exist and let Seaport in, by key."""
    controller = seaport.conduit_controller
    calls = [(controller, encode_signature("getConduit(bytes32)", _word(key))) for key in keys]
    found = [_value("address", one) or ZERO for one in _ask(client, block, calls)]
    call = "getChannelStatus(address,address)"
    channels = [(controller, encode_signature(call, one, seaport.address)) for one in found]
    answers = _ask(client, block, channels)
    named = zip(keys, found, answers, strict=True)
    return {key: conduit for key, conduit, answer in named if _value("bool", answer)}


def _ask(client: ChainClient, block: BlockHeader, questions: Sequence[_Question]) -> list[bytes]:
    return [_said(answer) for answer in client.eth_calls(questions, block)]


def _said(answer: bytes | RpcError) -> bytes:
    if isinstance(answer, bytes):
        return answer
    if not is_revert(answer):
        raise ChainUnavailable(problem=str(answer)) from answer
    return b""


def _value(kind: str, answer: bytes) -> Any:
    """The first word of an answer; None for nothing, or for something else."""
    try:
        return decode([kind], answer)[0]
    except DecodingError:
        return None


def _operator_call(holder: str, operator: str) -> bytes:
    return encode_signature("isApprovedForAll(address,address)", holder, operator)


def _word(text: str) -> bytes:
    return bytes.fromhex(text[2:])
