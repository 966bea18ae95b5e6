"""A whole returns desk on fakes: customers with real keys, a chain, a processor, a clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from eth_account import Account
from fake_chain import DEPLOYMENT, VAULT, FakeBlock, FakeChain
from fake_escrow import Reverted
from fakes import FakeClock, FakeProcessor, webhook
from sqlmodel import Session, SQLModel, select

from returns import idempotency, ids, ledger, reads, work
from returns.db import Database
from returns.tables import (
    AuditRow,
    Block,
    Chain,
    ChainEvent,
    Leg,
    Merchant,
    Order,
    RelayTransaction,
    ReturnCase,
    ReturnLine,
)
from returns.words import DisputeStatus, LegKind, RelayState
from settlement.commands import (
    authorizations,
    cases,
    intake,
    orders,
    policies,
    reviews,
    setup,
    webhooks,
)
from settlement.commands.access import SCOPES, Caller
from settlement.commands.inputs import OrderIn, ReturnIn, SignatureIn
from settlement.commands.review_inputs import ReviewIn
from settlement.drain import drain_inbox, drain_outbox
from settlement.processors.base import ProcessorDispute
from settlement.runtime import Runtime
from settlement.settings import Settings

WALLETS = [Account.from_key(bytes([n + 1]) * 32) for n in range(4)]
ADDRESSES = [wallet.address.lower() for wallet in WALLETS]
CONFIRMED, FINAL = 1, 3
#: The standard policy without points: what is shown here often has one wallet return many tokens.
POLICY = (
    (Path(__file__).parents[2] / "triage" / "policies" / "standard.yaml")
    .read_text()
    .replace("score_from: 75", "score_from: 100")
)


#: Customers keep their tokens: refunds by amount, as other systems know them.
KEPT = POLICY.replace("fiat_refund: vault", "fiat_refund: keep").replace(
    "store_credit: vault", "store_credit: keep"
)


def build(url: str, home: Path, **settings: Any) -> Desk:
    """A desk on the (migrated) database at `url`."""
    given = Settings(
        home=home, database_url=url, confirmations=CONFIRMED, finality=FINAL, **settings
    )
    runtime = Runtime(given, FakeClock())
    runtime.database = Database(url)
    runtime.client, runtime.deployment = FakeChain(), DEPLOYMENT
    runtime.processors = {FakeProcessor.name: FakeProcessor()}
    runtime.model = None
    return Desk(runtime)


class Desk:
    """What customers, staff, the chain and the processor do; every step is one call."""

    def __init__(self, runtime: Runtime, slug: str = "demo", policy: str = POLICY) -> None:
        self.runtime = runtime
        self.clock: FakeClock = runtime.clock
        self.chain: FakeChain = runtime.client
        self.processor: FakeProcessor = runtime.processors["sandbox"]
        self.woken: list[tuple[str, str]] = []
        runtime.wake = lambda task, row_id: self.woken.append((task, row_id))
        self.merchant = _opened(runtime, setup.create_merchant(runtime, slug, slug.title()))
        setup.activate_policy(runtime, self.merchant, policy, "test")
        self.shop = Caller(self.merchant.id, "key:shop", frozenset(SCOPES))
        self.staff = Caller(self.merchant.id, "key:staff", frozenset(SCOPES))
        self._told: dict[tuple[str, int], int] = {}
        self._orphaned: dict[str, int] = {}
        self._count = 0

    # -- people --------------------------------------------------------------------------------

    def buy(
        self,
        price: int = 1000,
        tender: str = "card",
        owner: int = 0,
        tokens: int = 1,
        customer: str | None = None,
        parts: dict[str, int] | None = None,
    ) -> OrderIn:
        """An order of new tokens in a customer's wallet, paid by card (USD) or wallet (ETH).

        `parts`: what each of several tenders paid of it.
        """
        self._count += 1
        numbers = [self._count * 100 + index for index in range(tokens)]
        for number in numbers:
            self.chain.give(number, ADDRESSES[owner])
        body = order_body(f"A-{self._count}", numbers, price, tender, owner)
        if parts is not None:
            del body["payment"]
        order = OrderIn.model_validate(
            body
            | {"placed_at": self.clock().isoformat()}
            | ({} if customer is None else {"customer": customer})
            | ({} if parts is None else {"payments": payments_body(f"A-{self._count}", parts)})
        )
        (result,) = orders.put_orders(self.runtime, self.merchant.id, [order])
        assert result.result == orders.STORED
        return order

    def ask(self, order: OrderIn, remedy: str | None = None, **changes: Any) -> dict[str, Any]:
        """Open a case for all tokens of an order; returns its view."""
        self._count += 1
        asked = request_body(order, remedy) | changes
        return self.ask_as(self.shop, asked, f"key-{self._count}")

    def ask_as(self, caller: Caller, asked: dict[str, Any], key: str) -> dict[str, Any]:
        body = ReturnIn.model_validate(asked)
        body_hash = idempotency.request_hash(caller.name, body.model_dump_json())
        answer = intake.request_return(self.runtime, caller, body, key, body_hash)
        return json.loads(answer.body)

    def sign(self, rma: str, owner: int = 0, caller: Caller | None = None) -> dict[str, Any]:
        """Sign everything that is offered and not signed yet, with a real key."""
        caller = caller or self.shop
        view: dict[str, Any] = {}
        for offer in authorizations.offered(self.runtime, caller, rma)["authorizations"]:
            if not offer["signed"]:
                given = SignatureIn(line=offer["line"], signature=signature(offer, owner))
                view = authorizations.sign(self.runtime, caller, rma, given)
        return view

    def cancel(self, rma: str) -> dict[str, Any]:
        return cases.cancel(self.runtime, self.shop, rma)

    def review(
        self, rma: str, decision: str, remedy: str | None = None, **further: Any
    ) -> dict[str, Any]:
        said = {"line": str(self.line(rma).id), "decision": decision, "reason": "looked at it"}
        given = ReviewIn(**said, remedy=remedy, **further)
        return reviews.decide_review(self.runtime, self.staff, rma, given)

    def use_policy(self, text: str) -> None:
        """One person drafts it, another puts it in force."""
        row = policies.draft(self.runtime, self.merchant.id, text, "drafter")
        policies.activate(self.runtime, self.merchant.id, row.version, "approver")

    # -- chain ---------------------------------------------------------------------------------

    def relay(self) -> int:
        """Send what is pending, each in a block of its own; returns how many were mined."""
        mined = 0
        for row in self.rows(RelayTransaction, RelayTransaction.state == RelayState.PENDING):
            try:
                self.chain.mine([(tx_hash(row.id), row.data)], int(self.clock().timestamp()))
                mined += 1
            except Reverted as refusal:
                self._relay_failed(row, str(refusal))
            self._set_relay(row.id, RelayState.CONFIRMED)
        return mined

    def tell(self, *, blocks: int = FINAL) -> None:
        """Mine empty blocks, then deliver what has become confirmed or final, oldest first."""
        for _ in range(blocks):
            self.chain.mine()
        head = self.chain.blocks[-1].number
        for level, kind in ((CONFIRMED, "chain.confirmed"), (FINAL, "chain.final")):
            for block in self.chain.blocks:
                for index in range(len(block.facts)):
                    due = head - block.number + 1 >= level
                    if due and self._told.get((block.hash, index), 0) < level:
                        self._told[block.hash, index] = level
                        self.deliver(block, index, kind)

    def deliver(self, block: FakeBlock, index: int, kind: str) -> bool:
        """One inbox row as the indexer writes it."""
        tx, name, args = block.facts[index]
        again = self._orphaned.get(block.hash, 0)
        payload = {
            "name": name,
            "args": {k: _plain(v) for k, v in args.items()},
            "address": DEPLOYMENT.escrow,
            "tx_hash": tx,
            "log_index": index,
            "block_number": block.number,
            "block_hash": block.hash,
            "orphaned_times": again,
            "depth": self.chain.blocks[-1].number - block.number + 1,
        }
        with self.runtime.database.write() as session:
            self._keep(session, block)
            return work.receive(
                session,
                source=f"chain:{DEPLOYMENT.chain_id}",
                external_id=f"{block.hash}:{index}:{again}:{kind}",
                kind=kind,
                payload=json.dumps(payload),
                now=self.clock(),
            )

    def _keep(self, session: Session, block: FakeBlock) -> Block:
        """The block's rows, which stand until a reorg."""
        key = (DEPLOYMENT.chain_id, block.hash)
        row = session.get(Block, key)
        if row is None:
            place = {"number": block.number, "parent_hash": ""}
            row = Block(chain_id=key[0], hash=block.hash, at=self.clock(), **place)
            session.add(row)
            for index in range(len(block.facts)):
                session.add(self._event(block, index))
        chain = session.get(Chain, key[0]) or Chain(
            chain_id=key[0], anchor_number=1, anchor_hash=""
        )
        chain.confirmed_number = max(one.number for one in self.chain.blocks)
        session.add(chain)
        return row

    def _event(self, block: FakeBlock, index: int) -> ChainEvent:
        tx, name, args = block.facts[index]
        plain = json.dumps({k: _plain(v) for k, v in args.items()}, sort_keys=True)
        place = {"block_number": block.number, "block_hash": block.hash, "log_index": index}
        about = {"tx_hash": tx, "address": DEPLOYMENT.escrow, "name": name, "args": plain}
        return ChainEvent(chain_id=DEPLOYMENT.chain_id, at=self.clock(), **place, **about)

    def reorg(self, depth: int, *, again: bool = True) -> None:
        """The newest blocks are gone; what they held is mined again unless told otherwise."""
        gone = self.chain.drop(depth)
        with self.runtime.database.write() as session:
            for block in gone:
                self._keep(session, block).canonical = False
        # The newest fact first, as the indexer tells it.
        for block in sorted(gone, key=lambda one: one.number, reverse=True):
            for index in reversed(range(len(block.facts))):
                if self._told.pop((block.hash, index), 0):
                    self.deliver(block, index, "chain.reorged")
            self._orphaned[block.hash] = self._orphaned.get(block.hash, 0) + 1
        calls = [call for block in gone for call in block.calls]
        for call in calls if again else []:
            self.chain.mine([call], int(self.clock().timestamp()))

    def _relay_failed(self, row: RelayTransaction, reason: str) -> None:
        with self.runtime.database.write() as session:
            work.receive(
                session,
                source="relay",
                external_id=f"{row.id}:failed",
                kind="relay.failed",
                payload=json.dumps({"relay": str(row.id), "reason": reason}),
                now=self.clock(),
                merchant_id=row.merchant_id,
            )

    def _set_relay(self, relay_id: UUID, state: RelayState) -> None:
        with self.runtime.database.write() as session:
            session.get_one(RelayTransaction, relay_id).state = state

    # -- processor and worker ------------------------------------------------------------------

    def webhook(self, leg: Leg, status: str) -> bool:
        """The processor says what became of a leg's refund."""
        body, headers = webhook(self.processor.turn(leg.id, status))
        return webhooks.receive(self.runtime, "sandbox", body, headers)

    def work(self) -> int:
        """One round of the worker."""
        return drain_inbox(self.runtime) + drain_outbox(self.runtime)

    def run(self, rounds: int = 12) -> None:
        """Everything goes its way until nothing is left to do at this moment."""
        for _ in range(rounds):
            done = self.relay()
            self.tell()
            if not done + self.work():
                return

    def dispute(self, order: OrderIn, status: str, amount: int | None = None) -> bool:
        """The customer's bank takes a payment back, or a dispute about it ends."""
        paid = order.payments[0]
        told = ProcessorDispute(
            f"dp_{order.number}",
            paid.reference,
            paid.captured if amount is None else amount,
            paid.currency,
            DisputeStatus(status),
        )
        return webhooks.receive(self.runtime, "sandbox", *webhook(told))

    # -- looking -------------------------------------------------------------------------------

    def rows(self, table: type[SQLModel], *conditions: Any) -> list[Any]:
        """Rows of a table in the order in which they were made."""
        with self.runtime.database.read() as session:
            # Ids are in order of creation too, but for relayed transactions: theirs is their leg's.
            order = [table.__table__.c[n] for n in ("created_at", "id") if n in table.__table__.c]
            return list(session.exec(select(table).where(*conditions).order_by(*order)))

    def audit(self) -> list[AuditRow]:
        """Who did what, without the policy that every desk begins with."""
        return [one for one in self.rows(AuditRow) if not one.action.startswith("policy.")]

    def line(self, rma: str) -> ReturnLine:
        """The first line of a case."""
        with self.runtime.database.read() as session:
            query = select(ReturnLine).join(ReturnCase, ReturnCase.id == ReturnLine.case_id)
            return session.exec(query.where(ReturnCase.rma == rma).order_by(ReturnLine.id)).first()

    def leg(self, rma: str, kind: LegKind) -> Leg:
        """The newest leg of a kind of the case's first line."""
        return self.rows(Leg, Leg.line_id == self.line(rma).id, Leg.kind == kind)[-1]

    def refunds(self) -> list[Leg]:
        """Every payout through a processor that was ever planned."""
        return self.rows(Leg, Leg.kind == LegKind.PROCESSOR_REFUND)

    def owner(self, order: OrderIn, position: int = 0) -> str:
        """Who holds a bought token."""
        line = order.lines[position]
        return self.chain.state.owners[line.collection, line.token_id]

    def client(self, order: OrderIn) -> Caller:
        """The buyer's browser."""
        (row,) = self.rows(Order, Order.number == order.number)
        scopes = frozenset({"returns:read", "returns:write"})
        return Caller(self.merchant.id, "customer", scopes, row.id)

    def owner_of(self, token_id: int) -> str:
        """Who holds a token of our collection."""
        return self.chain.state.owners[DEPLOYMENT.collection, token_id]

    def timeline(self, rma: str) -> list[dict[str, Any]]:
        """The events of a case, in order."""
        with self.runtime.database.read() as session:
            return reads.timeline(session, reads.find_case(session, self.merchant.id, rma))

    def states(self, rma: str) -> list[str]:
        """The states that they tell."""
        return [event["event"].removeprefix("return.line.") for event in self.timeline(rma)]

    def balances(self) -> dict[tuple[str, str], int]:
        """What the ledger says, without what is settled to zero."""
        with self.runtime.database.read() as session:
            found = ledger.balances(session, self.merchant.id)
        return {key: value for key, value in found.items() if value}

    def count_all(self) -> dict[str, int]:
        """Rows by table, but for what the chain brings: what "nothing stored" says."""
        brought = {"block", "chain", "chain_event"}
        tables = [one for one in SQLModel.metadata.sorted_tables if one.name not in brought]
        with self.runtime.database.read() as session:
            return {table.name: _count(session, table) for table in tables}


def order_body(
    number: str, tokens: list[int], price: int = 1000, tender: str = "card", owner: int = 0
) -> dict[str, Any]:
    """An order as JSON carries it."""
    line = {"collection": DEPLOYMENT.collection, "price": str(price)}
    card = tender == "card"
    return {
        "number": number,
        "placed_at": "2026-03-01T12:00:00+00:00",
        "customer": f"customer-{number}",
        "buyer_wallet": ADDRESSES[owner],
        "lines": [{**line, "token_id": str(token)} for token in tokens],
        "payment": {
            "tender": tender,
            "processor": "sandbox" if card else "chain",
            "reference": f"ch_{number}",
            "currency": "USD" if card else "ETH",
            "captured": str(price * len(tokens)),
        },
    }


def part(order: OrderIn, amount: int) -> list[dict[str, str]]:
    """The lines of a request for a part of the price of an order's only token."""
    (token,) = order.lines
    place = {"collection": token.collection, "token_id": str(token.token_id)}
    return [{**place, "amount": str(amount)}]


def payments_body(number: str, parts: dict[str, int]) -> list[dict[str, Any]]:
    """Several payments in dollars of one order: minor units by tender."""
    return [
        {
            "tender": tender,
            "processor": "sandbox" if tender == "card" else "credit",
            "reference": f"{tender}_{number}",
            "currency": "USD",
            "captured": str(captured),
        }
        for tender, captured in parts.items()
    ]


def request_body(order: OrderIn, remedy: str | None = None) -> dict[str, Any]:
    """A request for all tokens of an order, by default in the tender that was used."""
    by_card = any(one.tender == "card" for one in order.payments)
    natural = "fiat_refund" if by_card else "crypto_refund"
    tokens = [{"collection": x.collection, "token_id": str(x.token_id)} for x in order.lines]
    return {
        "order": order.number,
        "lines": tokens,
        "reason": "wrong_token",
        "remedy": remedy or natural,
    }


def signature(offer: dict[str, Any], owner: int = 0) -> str:
    """A wallet's answer to eth_signTypedData_v4."""
    signed = Account.sign_typed_data(WALLETS[owner].key, full_message=offer["typed_data"])
    return "0x" + signed.signature.hex()


def _opened(runtime: Runtime, merchant: Merchant) -> Merchant:
    """With a vault of its own, as a merchant has once it is known on chain."""
    with runtime.database.write() as session:
        row = session.get_one(Merchant, merchant.id)
        known = session.exec(select(Merchant).where(Merchant.vault == VAULT)).first()
        row.vault = row.vault or (VAULT if known is None else "0x" + row.id.hex.rjust(40, "b"))
        return row


def tx_hash(relay_id: UUID) -> str:
    return "0x" + ids.bytes32(relay_id).hex()


def _plain(value: Any) -> Any:
    return str(value) if type(value) is int else value


def _count(session: Session, table: Any) -> int:
    return session.connection().execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
