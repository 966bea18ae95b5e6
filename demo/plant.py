"""Plants one break of each code behind the product's back, each on a case of its own.

Books and processor log are changed by SQL, the chain by transactions that the product never sent.
Every plant is made so that it shows as exactly one code: (code, subject).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from chain import safe, safe_tx
from chain.client import ChainClient
from chain.contracts import encode_call
from chain.local import ADMIN, VAULT_OWNERS, VAULT_THRESHOLD, anvil_keys
from chain.signers import LocalSigner
from demo.customers import Case
from demo.faults import CannotPlay
from demo.keys import wallet_of
from demo.kinds import CREDIT, CRYPTO, FIAT
from demo.oracle import SETTLED
from demo.sales import CARD
from demo.sending import Call, send_all
from demo.shop import Shop

Mark = tuple[str, str]

#: Beyond every token id of a sales file.
_STRAY_TOKEN = 10**12
#: How uint256 stands in SQLite: padded, so that it sorts.
_DIGITS = 78
_LONG_AGO = "2020-01-01 00:00:00.000000"


@dataclass(frozen=True)
class Field:
    """Where breaks are planted."""

    client: ChainClient
    shop: Shop
    about: dict[str, Any]
    cases: Sequence[Case]


def plant_all(field: Field) -> set[Mark]:
    """Plant everything; returns what reconciliation must find: (code, subject)."""
    settled = [case for case in field.cases if case.expected.end == SETTLED]
    by_remedy = {
        remedy: iter([case for case in settled if case.expected.remedy == remedy])
        for remedy in (FIAT, CRYPTO, CREDIT)
    }
    marks = {_unknown_refund(field), _stray_token(field)}
    for remedy, code, plant in _PLANTS:
        marks.add((code, plant(field, _next(by_remedy, remedy))))
    return marks


def needed() -> dict[str, int]:
    """How many settled cases of each remedy the plants use up."""
    remedies = [remedy for remedy, _, _ in _PLANTS]
    return {remedy: remedies.count(remedy) for remedy in remedies}


def _next(by_remedy: dict[str, Iterator[Case]], remedy: str) -> Case:
    case = next(by_remedy[remedy], None)
    if case is None:
        raise CannotPlay(f"There are too few settled cases of {remedy} to plant a break on each.")
    return case


# -- at the processor ------------------------------------------------------------------------------


def _unknown_refund(field: Field) -> Mark:
    """A refund that nobody at the product asked for, on a charge that has room."""
    charged = next(
        case.request.purchase
        for case in field.cases
        if case.expected.end != SETTLED and case.request.purchase.tender == CARD
    )
    body = {"charge": charged.charge, "amount": "1", "currency": "USD", "key": str(uuid4())}
    return "processor.unknown", str(field.shop.processor("POST", "/v1/refunds", body)["id"])


def _missing_refund(field: Field, case: Case) -> str:
    leg = _leg(field, case, "processor_refund")
    with _processor_log(field) as log:
        _change_one(log, "DELETE FROM refund WHERE key = ?", str(UUID(leg)))
    return str(UUID(leg))


def _other_refund(field: Field, case: Case) -> str:
    leg = _leg(field, case, "processor_refund")
    with _processor_log(field) as log:
        _change_one(log, "UPDATE refund SET amount = amount - 1 WHERE key = ?", str(UUID(leg)))
    return str(UUID(leg))


def _second_refund(field: Field, case: Case) -> str:
    leg = _leg(field, case, "processor_refund")
    with _processor_log(field) as log:
        _change_one(
            log,
            "INSERT INTO refund (id, key, charge, amount, currency, status, told)"
            " SELECT id || '_again', key, charge, amount, currency, status, told"
            " FROM refund WHERE key = ?",
            str(UUID(leg)),
        )
    return str(UUID(leg))


# -- on chain --------------------------------------------------------------------------------------


def _stray_token(field: Field) -> Mark:
    """A token that comes to the escrow without a return."""
    collection, escrow = (field.about["deployment"][name] for name in ("collection", "escrow"))
    data = encode_call("ReturnableNFT", "mintBatch", [escrow], [_STRAY_TOKEN], [0])
    send_all(field.client, [Call(LocalSigner(anvil_keys()[ADMIN]), collection, data)])
    return "chain.unknown_inbound", _asset(field, _STRAY_TOKEN)


def _moved_out(field: Field, case: Case) -> str:
    """A returned token leaves the vault by the will of two of its owners."""
    keys = [LocalSigner(key) for key in anvil_keys()]
    vault = safe.read(field.client, field.about["vault"])
    collection, token = field.about["deployment"]["collection"], case.request.purchase.token_id
    move = safe_tx.move_erc721(vault, collection, wallet_of("a stranger"), token)
    owners = [keys[index] for index in VAULT_OWNERS[:VAULT_THRESHOLD]]
    signatures = safe_tx.sign(safe_tx.transaction_request(vault, move), owners)
    safe_tx.execute(field.client, keys[ADMIN], vault.address, move, signatures)
    return _asset(field, token)


def _never_on_chain(field: Field, case: Case) -> str:
    """The books come to say that a hold was committed for a line that was swapped in one step."""
    swap, made_up = _leg(field, case, "swap"), uuid4().hex
    with _books(field) as books:
        columns = "merchant_id, line_id, part, attempt, amount, currency, created_at, updated_at"
        _change_one(
            books,
            f"INSERT INTO leg (id, kind, state, {columns})"  # noqa: S608  (our own words)
            f" SELECT ?, 'commit', 'final', {columns} FROM leg WHERE id = ?",
            made_up,
            swap,
        )
    return str(UUID(made_up))


def _other_payout(field: Field, case: Case) -> str:
    """Leg and ledger agree on an amount that the chain did not pay."""
    leg = _leg(field, case, "swap")
    with _books(field) as books:
        less = _padded(_amount_of(books, leg) - 1)
        _change_one(books, "UPDATE leg SET amount = ? WHERE id = ?", less, leg)
        _change_postings(books, leg, less, sides=2)
    return str(UUID(leg))


def _other_recipient(field: Field, case: Case) -> str:
    leg = _leg(field, case, "swap")
    with _books(field) as books:
        stranger = wallet_of("a stranger")
        _change_one(books, "UPDATE leg SET recipient = ? WHERE id = ?", stranger, leg)
    return str(UUID(leg))


# -- in the ledger, the orders, the legs -----------------------------------------------------------


def _unbooked(field: Field, case: Case) -> str:
    leg = _leg(field, case, "settle")
    with _books(field) as books:
        entry = _entry(books, leg)
        books.execute("DELETE FROM posting WHERE entry_id = ?", (entry,))
        _change_one(books, "DELETE FROM journal_entry WHERE id = ?", entry)
    return str(UUID(leg))


def _booked_otherwise(field: Field, case: Case) -> str:
    leg = _leg(field, case, "credit")
    with _books(field) as books:
        _change_postings(books, leg, _padded(_amount_of(books, leg) - 1), sides=2)
    return str(UUID(leg))


def _unbalanced(field: Field, case: Case) -> str:
    leg = _leg(field, case, "credit")
    with _books(field) as books:
        _change_postings(books, leg, _padded(_amount_of(books, leg) - 1), sides=1)
        return str(UUID(_entry(books, leg)))


def _cheaper(field: Field, case: Case) -> str:
    """The order comes to say that less was paid than has been given back."""
    leg = _leg(field, case, "credit")
    with _books(field) as books:
        bought, order = books.execute(
            "SELECT o.id, o.order_id FROM order_line o"
            " JOIN return_line r ON r.order_line_id = o.id JOIN leg ON leg.line_id = r.id"
            " WHERE leg.id = ?",
            (leg,),
        ).fetchone()
        less = _padded(_amount_of(books, leg) - 1)
        _change_one(books, "UPDATE order_line SET price = ? WHERE id = ?", less, bought)
        _change_one(books, "UPDATE payment SET captured = ? WHERE order_id = ?", less, order)
    return case.request.purchase.number


def _stuck(field: Field, case: Case) -> str:
    """A commit seems stuck at being sent; it books nothing, so that nothing else shows."""
    leg = _leg(field, case, "commit")
    with _books(field) as books:
        old = "UPDATE leg SET state = 'sent', updated_at = ? WHERE id = ?"
        _change_one(books, old, _LONG_AGO, leg)
    return str(UUID(leg))


#: (remedy of the case, code, how to plant it and what its subject is)
_PLANTS: tuple[tuple[str, str, Callable[[Field, Case], str]], ...] = (
    (FIAT, "processor.missing", _missing_refund),
    (FIAT, "processor.amount", _other_refund),
    (FIAT, "processor.duplicate", _second_refund),
    (FIAT, "timing", _stuck),
    (FIAT, "ledger.missing", _unbooked),
    (CRYPTO, "chain.missing", _never_on_chain),
    (CRYPTO, "chain.amount", _other_payout),
    (CRYPTO, "chain.wrong_recipient", _other_recipient),
    (CRYPTO, "chain.wrong_holder", _moved_out),
    (CREDIT, "ledger.amount", _booked_otherwise),
    (CREDIT, "ledger.unbalanced", _unbalanced),
    (CREDIT, "order.over_refunded", _cheaper),
)


# -- tables ----------------------------------------------------------------------------------------


def _books(field: Field) -> Any:
    return _opened(field.about["database"])


def _processor_log(field: Field) -> Any:
    return _opened(field.about["processor_database"])


@contextmanager
def _opened(path: str) -> Iterator[sqlite3.Connection]:
    """One transaction on a SQLite file that others have open too."""
    with closing(sqlite3.connect(path, timeout=20)) as connection, connection:
        yield connection


def _change_one(connection: sqlite3.Connection, statement: str, *values: object) -> None:
    changed = connection.execute(statement, values).rowcount
    if changed != 1:
        raise CannotPlay(f"A plant changed {changed} rows instead of one: {statement}")


def _leg(field: Field, case: Case, kind: str) -> str:
    """The id (32 hex characters) of a case's leg of a kind."""
    with _books(field) as books:
        row = books.execute(
            "SELECT leg.id FROM leg JOIN return_line l ON l.id = leg.line_id"
            " JOIN return_case c ON c.id = l.case_id WHERE c.rma = ? AND leg.kind = ?"
            " ORDER BY leg.attempt DESC",
            (case.rma, kind),
        ).fetchone()
    if row is None:
        raise CannotPlay(f"{case.rma} has no {kind} to plant a break on.")
    return str(row[0])


def _amount_of(books: sqlite3.Connection, leg: str) -> int:
    return int(books.execute("SELECT amount FROM leg WHERE id = ?", (leg,)).fetchone()[0])


def _entry(books: sqlite3.Connection, leg: str) -> str:
    query = "SELECT id FROM journal_entry WHERE cause = ? ORDER BY id DESC"
    return str(books.execute(query, (leg,)).fetchone()[0])


def _change_postings(books: sqlite3.Connection, leg: str, amount: str, sides: int) -> None:
    """Set the amount of the money postings of a leg's entry: of both sides, or of the debit."""
    statement = (
        "UPDATE posting SET amount = ? WHERE entry_id = ?"
        " AND asset = (SELECT currency FROM leg WHERE id = ?)"
    )
    if sides == 1:
        statement += " AND side = 'debit'"
    changed = books.execute(statement, (amount, _entry(books, leg), leg)).rowcount
    if changed != sides:
        raise CannotPlay(f"A plant changed {changed} postings instead of {sides}.")


def _padded(amount: int) -> str:
    return f"{amount:0{_DIGITS}d}"


def _asset(field: Field, token_id: int) -> str:
    """The token in CAIP-19."""
    deployment = field.about["deployment"]
    return f"eip155:{deployment['chain_id']}/erc721:{deployment['collection']}/{token_id}"
