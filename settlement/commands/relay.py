"""Transactions that a merchant's own back end has relayed, and the relayer as a process."""

from __future__ import annotations

import json
import logging
import signal
from datetime import datetime
from threading import Event, Thread
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlmodel import Session

from chain.client import ChainClient
from chain.relay import queue
from chain.relay.rules import rules_of
from chain.relay.simulation import Move
from returns import idempotency, locks, relay_reads
from returns.errors import (
    ChainMismatch,
    ChainUnavailable,
    FieldInvalid,
    NotFound,
    RelayNotAllowed,
    SettingsInvalid,
)
from returns.ids import new_id
from settlement.commands.access import Caller
from settlement.commands.inputs import RelayIn
from settlement.commands.intake import Answer
from settlement.runtime import Runtime

log = logging.getLogger(__name__)

#: Where these transactions are found, for the links of an answer.
PATH = "/v1/relay/transactions"


# -- transactions ----------------------------------------------------------------------------------


def submit(runtime: Runtime, caller: Caller, request: RelayIn, key: str, body_hash: str) -> Answer:
    """Store a transaction that a rule allows; a lane sends it. Refusals store nothing.

    Raises `RelayNotAllowed`, `FieldInvalid`, `ChainMismatch`, `IdempotencyKeyReused`.
    """
    with runtime.database.read() as session:
        known = idempotency.stored_answer(session, caller.merchant_id, key, body_hash)
    if known is not None:
        return Answer(known.status, known.body, replayed=True)
    now, node = runtime.clock(), node_of(runtime, request.chain_id)
    _check_rules(runtime, caller.merchant_id, request)
    _check_times(request, now)
    _check_chain(node, request)
    intent = _intent(caller.merchant_id, request)
    body = json.dumps(_accepted(intent.id))
    with runtime.database.write() as session:
        # Locked before the answer is looked for: the same request may be at work just now.
        locks.lock_request(session, caller.merchant_id, key)
        known = idempotency.stored_answer(session, caller.merchant_id, key, body_hash)
        if known is not None:
            return Answer(known.status, known.body, replayed=True)
        queue.enqueue(session, intent, now)
        idempotency.store_answer(session, caller.merchant_id, key, body_hash, 201, body, now)
    return Answer(201, body)


def status(runtime: Runtime, merchant_id: UUID, relay_id: str) -> dict[str, Any]:
    """A transaction with every attempt; raises `NotFound`."""
    with runtime.database.read() as session:
        return _shown(session, merchant_id, _parsed(relay_id))


def newest(
    runtime: Runtime, merchant_id: UUID, state: str | None, cursor: UUID | None, limit: int
) -> dict[str, Any]:
    """A page of transactions, the newest first; `next` is the cursor of the page after it."""
    with runtime.database.read() as session:
        rows = relay_reads.relay_list(session, merchant_id, state, cursor, limit + 1)
    page = [row | {"links": links(row["id"])} for row in rows[:limit]]
    return {"transactions": page, "next": page[-1]["id"] if len(rows) > limit else None}


def cancel(runtime: Runtime, merchant_id: UUID, relay_id: str) -> dict[str, Any]:
    """Take a transaction back: what came of it is on the chain to say. Repeating it is harmless.

    Raises `NotFound`, `NotCancelable`; nothing is changed then.
    """
    with runtime.database.write() as session:
        row = queue.cancel(session, merchant_id, _parsed(relay_id), runtime.clock())
        session.flush()
        return _shown(session, merchant_id, row.id)


def speed_up(runtime: Runtime, merchant_id: UUID, relay_id: str) -> dict[str, Any]:
    """Ask for a higher fee. Raises `NotFound`, `NotCancelable`; nothing is changed then."""
    with runtime.database.write() as session:
        row = queue.speed_up(session, merchant_id, _parsed(relay_id), runtime.clock())
        session.flush()
        return _shown(session, merchant_id, row.id)


def links(relay_id: str) -> dict[str, str]:
    """Where a transaction is read and changed."""
    own = f"{PATH}/{relay_id}"
    return {"self": own, "cancel": f"{own}/cancel", "speed_up": f"{own}/speed-up"}


def node_of(runtime: Runtime, chain_id: int) -> ChainClient:
    """The node of a chain; raises `RelayNotAllowed` for a chain that is not set up."""
    if chain_id not in runtime.chains:
        known = ", ".join(map(str, sorted(runtime.chains)))
        raise RelayNotAllowed(problem=f"chain {chain_id} is not set up here, only {known}")
    return runtime.chains[chain_id]


def _check_rules(runtime: Runtime, merchant_id: UUID, request: RelayIn) -> None:
    """Default deny: what the lane would refuse is not taken in."""
    guard = runtime.guard(request.chain_id)
    if guard.is_ours(request.to):
        problem = f"{request.to} is a contract of this installation, which no rule opens to others"
        raise RelayNotAllowed(problem=problem)
    with runtime.database.read() as session:
        rules = rules_of(session, request.chain_id, [merchant_id])[merchant_id]
    data = bytes.fromhex(request.data[2:])
    refusal = guard.refusal(merchant_id, request.to, data, request.value, _facts(request), rules)
    if refusal is not None:
        raise RelayNotAllowed(problem=refusal)


def _check_times(request: RelayIn, now: datetime) -> None:
    for field, moment in (("send_by", request.send_by), ("expires_at", request.expires_at)):
        if moment is not None and moment <= now:
            raise FieldInvalid(field=field, problem="it is in the past")
    if request.send_by and request.expires_at and request.send_by > request.expires_at:
        raise FieldInvalid(field="send_by", problem="it is after expires_at")


def _check_chain(node: ChainClient, request: RelayIn) -> None:
    """What the node can tell already; a lane looks again, so that no answer is no obstacle."""
    try:
        check_node(node, request.chain_id)
        code = node.code(request.to)
    except ChainUnavailable as problem:
        log.warning("relay.unchecked chain=%s problem=%s", request.chain_id, problem)
        return
    if request.data != "0x" and not code:
        nothing = f"there is no contract at {request.to}: a call of it would do nothing"
        raise FieldInvalid(field="to", problem=nothing)


def _intent(merchant_id: UUID, request: RelayIn) -> queue.Intent:
    return queue.Intent(
        id=new_id(),
        merchant_id=merchant_id,
        chain_id=request.chain_id,
        to=request.to,
        data=bytes.fromhex(request.data[2:]),
        value=request.value,
        facts=_facts(request),
        moves=_moves(request),
        # Budgets are kept by id: the caller's reference becomes one of the merchant's own.
        case_id=None if request.case is None else uuid5(merchant_id, request.case),
        customer=request.customer,
        send_by=request.send_by,
        expires_at=request.expires_at,
    )


def _moves(request: RelayIn) -> list[Move] | None:
    if request.expects is None:
        return None
    return [
        Move(one.asset, one.sender, one.recipient, one.amount, one.token_id)
        for one in request.expects
    ]


def _facts(request: RelayIn) -> dict[str, str]:
    return {} if request.case is None else {"case": request.case}


def _accepted(relay_id: UUID) -> dict[str, Any]:
    return {"id": str(relay_id), "state": "pending", "links": links(str(relay_id))}


def _shown(session: Session, merchant_id: UUID, relay_id: UUID) -> dict[str, Any]:
    view = relay_reads.relay_view(session, merchant_id, relay_id)
    return view | {"links": links(view["id"])}


def _parsed(relay_id: str) -> UUID:
    """An id; what is none looks like one that nobody has."""
    try:
        return UUID(relay_id)
    except ValueError as fault:
        raise NotFound(what="relayed transaction") from fault


# -- the process -----------------------------------------------------------------------------------


def run(runtime: Runtime) -> None:
    """Bring the lanes of every chain forward until SIGTERM or SIGINT.

    Raises `SettingsInvalid`, `ContractsMissing`, `ChainMismatch`, what opening a signer raises and
    what SQLAlchemy raises for a database that is not migrated, before anything is sent.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    check(runtime)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threads = [Thread(target=fleet.run, args=(stop,)) for fleet in runtime.fleets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check(runtime: Runtime) -> None:
    """Whether lanes could work at all. A node that is away may come back: it is waited for."""
    signers = [*runtime.signers, *([runtime.treasury] if runtime.treasury else [])]
    if len({signer.address for signer in signers}) != len(signers):
        raise SettingsInvalid(problem="one key is given for two lanes: each needs its own")
    with runtime.database.read() as session:
        session.connection().execute(sa.text("SELECT 1 FROM lane WHERE 1 = 0"))
    for chain_id, parts in runtime.relays.items():
        try:
            check_node(parts.client, chain_id)
        except ChainUnavailable as problem:
            log.warning("relay.waiting chain=%s problem=%s", chain_id, problem)


def check_node(node: ChainClient, chain_id: int) -> None:
    """Raises `ChainMismatch` where the node serves another chain, and `ChainUnavailable`."""
    actual = node.chain_id()
    if actual != chain_id:
        raise ChainMismatch(actual=actual, expected=chain_id)
