"""Relayers as tests build them, and what such tests ask of them again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from chain_books import Books, MovingClock
from chain_faults import HookedClient
from chain_node import CHAIN_ID, Stage

from chain.addresses import ZERO
from chain.contracts import encode_call
from chain.relay.guard import BOUND_FIELDS, Guard, Rule, escrow_rules
from chain.relay.parts import Parts, RelayPolicy
from chain.relay.relayer import Relayer
from chain.typed_data import ReturnAuthorization
from returns.words import LanePurpose

Hook = Callable[[list[str]], list[Any] | None]


def guard_of(chain: Stage, *more: Rule, **limits: Any) -> Guard:
    """The product's rules of the escrow, and minting, which the operator may do in tests."""
    mint = Rule(chain.dollar, "mint(address,uint256)")
    return Guard([*escrow_rules(chain.deployment), mint, *more], **limits)


def parts_of(
    chain: Stage,
    books: Books,
    clock: Any,
    *,
    hook: Hook | None = None,
    guard: Guard | None = None,
    client: Any = None,
    chain_id: int = CHAIN_ID,
    **policy: Any,
) -> Parts:
    """What the lanes of one process share; `hook` sees every request to the node first."""
    return Parts(
        books.database,
        client or (chain.client if hook is None else HookedClient(chain.url, hook)),
        chain_id,
        clock,
        guard or guard_of(chain),
        RelayPolicy(**policy),
    )


def relayer(
    chain: Stage,
    books: Books,
    clock: Any,
    hook: Hook | None = None,
    *,
    signer: Any = None,
    purpose: LanePurpose = LanePurpose.OPERATE,
    **parts: Any,
) -> Relayer:
    """A relayer of the operator's lane, unless another key is given."""
    given = parts_of(chain, books, clock, hook=hook, **parts)
    return Relayer(given, signer or chain.operator, purpose)


def run(one: Relayer, chain: Stage, clock: MovingClock, rounds: int = 6) -> None:
    """Let a relayer and the chain take turns, each under a lease of its own."""
    for _ in range(rounds):
        one.run_once()
        chain.anvil.mine()
        clock.move(6)


@pytest.fixture
def usual_price(chain: Stage) -> None:
    """A snapshot that is taken back leaves Anvil's base fee as it was."""
    next_base_fee(chain, 10**9)
    chain.anvil.mine()


def keep_out(chain: Stage, fee: int) -> int:
    """Mine a block whose base fee no bytes pay that offer `fee`; returns that base fee."""
    base_fee = 2 * fee
    next_base_fee(chain, base_fee)
    chain.anvil.mine()
    return base_fee


def next_base_fee(chain: Stage, wei: int) -> None:
    """What the next block costs per gas."""
    chain.anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))


def set_coin(chain: Stage, wei: int) -> None:
    """What the operator's account has."""
    chain.anvil.rpc("anvil_setBalance", chain.operator.address, hex(wei))


def worst_of_a_mint(chain: Stage, books: Books, clock: MovingClock) -> int:
    """What one mint may cost at most in the next block, in wei: a block of one gwei is mined."""
    for _ in range(2):
        # The first one pays for storage that the second finds.
        [probe] = books.owe(chain.dollar, chain.mint(1), at=clock())
        run(relayer(chain, books, clock), chain, clock, 3)
        next_base_fee(chain, 10**9)
        chain.anvil.mine()
    [offer] = books.attempts(probe)
    return offer.gas_limit * offer.max_fee


def look(one: Relayer) -> bool:
    """One round of a lane that is kept, once the newest block was read: what a fleet does."""
    one._parts.canon.refresh()
    return one.round()


def nonces(chain: Stage, address: str | None = None) -> list[int]:
    """The nonces that an account has used, in the order in which they were mined."""
    return [int(one["nonce"], 16) for one in chain.sent_by(address or chain.operator.address)]


def authorization_of(line: bytes) -> ReturnAuthorization:
    """An authorization of a line that nobody has deposited."""
    nobody = ("0x" + line.hex(), *[ZERO] * 3, 7, 1, 0, ZERO, 1, ZERO, 1, 1, 1)
    return ReturnAuthorization(*nobody)  # type: ignore[arg-type]


def facts_of(auth: ReturnAuthorization) -> dict[str, str]:
    """What the books would know of an authorization."""
    return {name: str(getattr(auth, name)) for name in BOUND_FIELDS}


def owe_commit(books: Books, chain: Stage, line: bytes, **more: Any) -> Any:
    """A commit of such a line, which the escrow refuses; returns the intent's id."""
    auth = authorization_of(line)
    data = encode_call("ReturnEscrow", "commit", auth.as_tuple(), b"")
    [relay_id] = books.owe(chain.deployment.escrow, data, facts=facts_of(auth), **more)
    return relay_id
