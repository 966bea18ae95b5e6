"""Returns that are owed to the escrow: signed by their holder, as settlement enqueues them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chain_books import Books, MovingClock
from chain_life import HOLDER, Life, mint_token
from chain_node import person
from chain_relay import facts_of

from chain.contracts import encode_call
from chain.local import CUSTOMERS
from chain.relay.simulation import Move
from chain.typed_data import ReturnAuthorization
from returns.words import RelayState

#: The first of the tokens that tests return, and somebody who has nothing to do with it.
FIRST, STRANGER = 100, person(CUSTOMERS[3])


def deposit(life: Life, token: int, **changes: Any) -> ReturnAuthorization:
    """An authorization of the holder for a token of its own."""
    return life.authorization(number=token, tokenId=token, **changes)


def owe(
    books: Books, life: Life, auth: ReturnAuthorization, clock: MovingClock, **more: Any
) -> UUID:
    """What settlement owes for a deposit."""
    data = encode_call("ReturnEscrow", "deposit", auth.as_tuple(), life.sign(auth))
    moves = [Move(auth.token, auth.holder, life.escrow, 1, auth.tokenId)]
    given = {"facts": facts_of(auth), "moves": moves, "batch_limit": 25, "at": clock(), **more}
    return books.owe(life.escrow, data, **given)[0]


def owe_many(books: Books, life: Life, clock: MovingClock, count: int) -> list[UUID]:
    """Deposits of so many tokens that the holder has."""
    mint_tokens(life, count)
    return [owe(books, life, deposit(life, FIRST + index), clock) for index in range(count)]


def mint_tokens(life: Life, count: int) -> None:
    """So many tokens for the holder; from then on the chain mines when told to."""
    life.stage.anvil.automine(True)
    for index in range(count):
        mint_token(life, HOLDER.address, FIRST + index)
    life.stage.anvil.automine(False)


def moved_away(life: Life, token: int) -> None:
    """The holder gives a token to somebody else, after its return was signed."""
    life.stage.anvil.automine(True)
    life.send(HOLDER, life.collection, "transferFrom(address,address,uint256)",
              HOLDER.address, STRANGER.address, token)  # fmt: skip
    life.stage.anvil.automine(False)


def sent(life: Life, since: int) -> list[dict[str, Any]]:
    """What the operator has sent since then."""
    return life.stage.sent_by(life.stage.operator.address)[since:]


def owners(life: Life, count: int) -> list[str | None]:
    """Who has each of the tokens."""
    return [life.owner(token=FIRST + index) for index in range(count)]


def states(books: Books, ids: list[UUID]) -> list[RelayState]:
    """What became of each intent."""
    return [books.relay(relay_id).state for relay_id in ids]
