"""Examples of the relay API for /openapi.json. What has one name belongs together.

The parameters, the body and the answer of one name are one request and what came of it. A test
sends every one of them to a real server with a real chain behind it, and compares.
"""

from __future__ import annotations

from typing import Any

from api.problems import MEDIA_TYPE, problem
from returns.errors import (
    FieldInvalid,
    IdempotencyKeyReused,
    NotCancelable,
    NotFound,
    RelayNotAllowed,
    UndropError,
)

Examples = dict[str, Any]

_LANE = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc"
_CUSTOMER = "0x976ea74026e726554db657fa54763abd0c3a0aa9"
_DOLLAR = "0xd0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0"
_NOBODY = "0x00000000000000000000000000000000000c0de0"
_STRANGER = "0x14dc79964da2c08b23698b3d3cc7ca32193d9955"

_POSTED = "0193a6e2-7b1c-7d10-8a52-6f0e5a1c2b00"
_CONFIRMED = "0193a6e2-7b1c-7d10-8a52-6f0e5a1c2b01"
_WAITING = "0193a6e2-7b1c-7d10-8a52-6f0e5a1c2b02"
_PATIENT = "0193a6e2-7b1c-7d10-8a52-6f0e5a1c2b03"
_UNKNOWN = "0193a6e2-7b1c-7d10-8a52-6f0e5a1c2bff"


def _transfer(to: str, amount: int) -> str:
    """Calldata of `transfer(address,uint256)`."""
    return f"0xa9059cbb{to[2:]:0>64}{amount:064x}"


_PAYOUT = {
    "chain_id": 31337,
    "to": _DOLLAR,
    "data": _transfer(_CUSTOMER, 25_000_000),
    "expects": [{"asset": _DOLLAR, "from": _LANE, "to": _CUSTOMER, "amount": "25000000"}],
    "case": "order-1001",
    "customer": "customer-77",
}
_COIN = {"chain_id": 31337, "to": _CUSTOMER, "value": "1000", "case": "gift-12"}
_UNLISTED = {"chain_id": 31337, "to": _DOLLAR, "data": _transfer(_STRANGER, 25_000_000)}
_EMPTY = {"chain_id": 31337, "to": _NOBODY, "data": _transfer(_CUSTOMER, 1)}


def _links(relay_id: str) -> dict[str, str]:
    own = f"/v1/relay/transactions/{relay_id}"
    return {"self": own, "cancel": f"{own}/cancel", "speed_up": f"{own}/speed-up"}


def _view(relay_id: str, **changes: Any) -> dict[str, Any]:
    """A payout as it is read while it waits, with changes."""
    waiting = {
        "id": relay_id,
        "state": "pending",
        "ends_as": None,
        "value": "0",
        **_PAYOUT,
        "expects": [{**_PAYOUT["expects"][0], "token_id": None}],  # type: ignore[index]
        "lane": None,
        "nonce": None,
        "hash": None,
        "block_number": None,
        "gas_used": None,
        "cost": "0",
        "shared_by": 1,
        "error": None,
        "send_by": "2100-01-01T00:00:00+00:00",
        "expires_at": None,
        "created_at": "2026-11-21T09:00:00.120000+00:00",
        "updated_at": "2026-11-21T09:00:00.120000+00:00",
        "attempts": [],
        "links": _links(relay_id),
    }
    return waiting | changes


_HASH = "0x8f1c4f0c0c7d2b6f0f4d4a3a9c52c7a0f3a3f6f4ad6f5a1e9f3b6c1d7e8a9b0c"
_SENT = {
    "state": "confirmed",
    "lane": _LANE,
    "nonce": 41,
    "hash": _HASH,
    "block_number": 1204,
    "gas_used": 51_374,
    "cost": "102748000000000",
    "send_by": None,
    "updated_at": "2026-11-21T09:00:04.300000+00:00",
}
_ATTEMPT = {
    "hash": _HASH,
    "filler": False,
    "max_fee": "3000000000",
    "priority_fee": "1000000000",
    "gas_limit": 77_061,
    "created_at": "2026-11-21T09:00:00.190000+00:00",
    "sent_at": "2026-11-21T09:00:00.210000+00:00",
    "error": None,
}
_DONE = _view(_CONFIRMED, **_SENT, attempts=[_ATTEMPT])
_GIFT = _view(
    _POSTED,
    **_SENT,
    **_COIN,
    data="0x",
    expects=None,
    customer=None,
)
del _GIFT["attempts"]


def _lane(mode: str) -> dict[str, Any]:
    return {
        "address": _LANE,
        "chain_id": 31337,
        "purpose": "operate",
        "mode": mode,
        "next_nonce": 42,
        "under_way": 0,
        "head": None,
        "balance": "9999998210000000000000",
        "checked_at": "2026-11-21T09:00:05.120000+00:00",
        "alarms": [],
    }


def _named(**values: Any) -> Examples:
    return {name: {"value": value} for name, value in values.items()}


def _answers(**by_name: tuple[int, Any]) -> dict[int | str, dict[str, Any]]:
    """By status what OpenAPI lists as answers; a refusal's is made of the refusal itself."""
    listed: dict[int | str, dict[str, Any]] = {}
    for name, (status, value) in by_name.items():
        refused = isinstance(value, UndropError)
        media = MEDIA_TYPE if refused else "application/json"
        content = listed.setdefault(status, {"content": {}})["content"]
        examples = content.setdefault(media, {"examples": {}})["examples"]
        examples[name] = {"value": problem(value) if refused else value}
    return listed


_ACCEPTED = {"id": _POSTED, "state": "pending", "links": _links(_POSTED)}
_TOO_LATE = NotCancelable(relay=_CONFIRMED, problem="it is confirmed")

KEYS = _named(
    payout="payout-order-1001",
    coin="gift-12",
    outside_the_rules="payout-order-1002",
    no_contract="payout-order-1003",
    key_reused="payout-order-1001",
)
BODIES = _named(
    payout=_PAYOUT, coin=_COIN, outside_the_rules=_UNLISTED, no_contract=_EMPTY, key_reused=_COIN
)
SUBMITTED = _answers(
    payout=(201, _ACCEPTED),
    coin=(201, _ACCEPTED),
    outside_the_rules=(
        403,
        RelayNotAllowed(problem="argument 0 of transfer(address,uint256) is not what it must be"),
    ),
    no_contract=(
        422,
        FieldInvalid(
            field="to",
            problem=f"there is no contract at {_NOBODY}: a call of it would do nothing",
        ),
    ),
    key_reused=(409, IdempotencyKeyReused()),
)

STATES = _named(newest_confirmed="confirmed")
LIMITS = _named(newest_confirmed=1)
LISTED = _answers(newest_confirmed=(200, {"transactions": [_GIFT], "next": _POSTED}))

READ_IDS = _named(confirmed=_CONFIRMED, unknown=_UNKNOWN)
READ = _answers(confirmed=(200, _DONE), unknown=(404, NotFound(what="relayed transaction")))

CANCEL_IDS = _named(waiting=_WAITING, too_late=_CONFIRMED)
CANCELED = _answers(
    waiting=(
        200,
        _view(_WAITING, state="canceled", error="it was canceled before it had a nonce"),
    ),
    too_late=(409, _TOO_LATE),
)

SPEED_UP_IDS = _named(patient=_PATIENT, too_late=_CONFIRMED)
SPED_UP = _answers(patient=(200, _view(_PATIENT, send_by=None)), too_late=(409, _TOO_LATE))

LANES = _answers(lanes=(200, {"lanes": [_lane("running")], "waiting": []}))
LANE_ADDRESSES = _named(lane=_LANE, unknown=_STRANGER)


def mode_answers(mode: str) -> dict[int | str, dict[str, Any]]:
    """What a change of a lane's mode answers."""
    return _answers(lane=(200, {"lanes": [_lane(mode)]}), unknown=(404, NotFound(what="lane")))
