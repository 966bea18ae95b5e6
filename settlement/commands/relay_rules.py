"""What a merchant's back end may have relayed: rules, made and taken back by who runs the desk."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Session, select

from chain.addresses import parse_address
from chain.relay.guard import rule_of
from returns import relay_reads
from returns.errors import NotFound, RelayRuleInvalid
from returns.money import parse_amount
from returns.tables import AuditRow, Merchant, RelayRule
from settlement.commands.relay import node_of
from settlement.runtime import Runtime

_ADDRESS = re.compile("0x[0-9a-fA-F]{40}")
_MAX_FUNCTION = 300


def allow(
    runtime: Runtime,
    merchant: Merchant,
    chain_id: int,
    contract: str,
    function: str,
    where: list[str],
    max_value: str,
) -> dict[str, Any]:
    """Allow a function of a contract, or (empty) a plain transfer of coin to an account.

    `where`: `place=value,value` for each argument that is held to something. Takes the place of an
    earlier rule about the same function. Raises `RelayRuleInvalid`, `RelayNotAllowed` for a chain
    that is not set up, `AddressInvalid`, `AmountInvalid`.
    """
    address, value = parse_address(contract), parse_amount(max_value)
    node_of(runtime, chain_id)
    if runtime.guard(chain_id).is_ours(address):
        problem = (
            f"{address} is a contract of this installation, and only its own rules speak of it"
        )
        raise RelayRuleInvalid(problem=problem)
    if len(function) > _MAX_FUNCTION:
        raise RelayRuleInvalid(problem=f"the signature has more than {_MAX_FUNCTION} characters")
    text = json.dumps(_constraints(where), sort_keys=True)
    rule_of(address, function, text, value)
    wanted = RelayRule(
        merchant_id=merchant.id,
        chain_id=chain_id,
        contract=address,
        function=function,
        where=text,
        max_value=value,
        created_at=runtime.clock(),
    )
    with runtime.database.write() as session:
        return _view(_stored(session, wanted))


def forbid(runtime: Runtime, merchant: Merchant, rule_id: str) -> dict[str, Any]:
    """Take a rule back; what it allowed and has no nonce yet fails. Raises `NotFound`."""
    with runtime.database.write() as session:
        row = _find(session, merchant.id, rule_id)
        _audit(session, row, "relay.forbid", runtime.clock())
        session.delete(row)
        return _view(row)


def listing(runtime: Runtime, merchant: Merchant) -> list[dict[str, Any]]:
    """A merchant's rules, in the order in which they were made."""
    with runtime.database.read() as session:
        return [_view(row) for row in relay_reads.rules(session, merchant.id)]


def _stored(session: Session, wanted: RelayRule) -> RelayRule:
    same = select(RelayRule).where(
        RelayRule.merchant_id == wanted.merchant_id,
        RelayRule.chain_id == wanted.chain_id,
        RelayRule.contract == wanted.contract,
        RelayRule.function == wanted.function,
    )
    row = session.exec(same).first() or wanted
    row.where, row.max_value = wanted.where, wanted.max_value
    session.add(row)
    _audit(session, row, "relay.allow", wanted.created_at)
    return row


def _find(session: Session, merchant_id: UUID, rule_id: str) -> RelayRule:
    try:
        row = session.get(RelayRule, UUID(rule_id))
    except ValueError:
        row = None
    if row is None or row.merchant_id != merchant_id:
        raise NotFound(what="rule")
    return row


def _constraints(where: list[str]) -> dict[str, str | list[str]]:
    found = dict(map(_held_to, where))
    if len(found) != len(where):
        raise RelayRuleInvalid(problem="one argument is named twice")
    return found


def _held_to(text: str) -> tuple[str, str | list[str]]:
    """`0=0xab…,0xcd…` as place and values; addresses are checked as everywhere."""
    place, separator, values = text.partition("=")
    several = [_value(one) for one in values.split(",")]
    if not separator or not all(several):
        raise RelayRuleInvalid(problem=f"{text!r} is not of the form place=value,value")
    return place.strip(), several[0] if len(several) == 1 else several


def _value(text: str) -> str:
    value = text.strip()
    if value.startswith("$"):
        # Facts are what the books know of a return; of others' calls they know nothing.
        raise RelayRuleInvalid(problem=f"{value} is known of returns only")
    return parse_address(value) if _ADDRESS.fullmatch(value) else value


def _audit(session: Session, row: RelayRule, action: str, now: datetime) -> None:
    session.add(
        AuditRow(
            merchant_id=row.merchant_id,
            subject_id=row.id,
            actor="cli",
            action=action,
            reason=json.dumps(_view(row))[:1000],
            at=now,
        )
    )


def _view(row: RelayRule) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "chain_id": row.chain_id,
        "contract": row.contract,
        "function": row.function,
        "where": json.loads(row.where),
        "max_value": str(row.max_value),
    }
