"""Gas that has to be there although it is not used, found with returns that are paid in coin."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from chain_books import CHAIN_ID, Books, MovingClock
from chain_life import Life
from chain_node import VAULT
from chain_relay import relayer, run

from chain.contracts import encode_call
from chain.relay.guard import BOUND_FIELDS, Guard, escrow_rules
from chain.relay.queue import Intent, enqueue
from chain.typed_data import ReturnAuthorization
from returns.ids import new_id

pytestmark = pytest.mark.chain


def facts(auth: ReturnAuthorization) -> dict[str, str]:
    return {name: str(asdict(auth)[name]) for name in BOUND_FIELDS}


def owe_swap(books: Books, life: Life, auth: ReturnAuthorization, **more: Any) -> Any:
    """A return that is paid in coin as the token leaves its holder, as its leg owes it."""
    data = encode_call("ReturnEscrow", "swap", auth.as_tuple(), life.sign(auth), b"")
    relay_id = new_id()
    with books.database.write() as session:
        intent = Intent(
            relay_id, books.merchant_id, CHAIN_ID, life.escrow, data, facts=facts(auth), **more
        )
        enqueue(session, intent, MovingClock()())
    return relay_id


@pytest.mark.parametrize("batch_limit", [1, 25])
def test_a_refund_in_coin_is_sent_with_the_gas_that_its_payment_asks_for(
    life: Life, sqlite: Books, clock: MovingClock, batch_limit: int
) -> None:
    """Half as much again as a simulation had used was too little: the payment asks for 90,794 gas
    that it hardly uses (MerchantFloat), and every such return was mined and reverted."""
    chain = life.stage
    auth = life.crypto()
    relay_id = owe_swap(sqlite, life, auth, batch_limit=batch_limit)
    guard = Guard(escrow_rules(chain.deployment))
    run(relayer(chain, sqlite, clock, guard=guard), chain, clock)
    row = sqlite.relay(relay_id)
    assert (row.state.value, row.error) == ("confirmed", None)
    assert life.state(auth) == "settled"
    assert life.owner() == VAULT
