"""The escrow used from outside as people use it: everybody signs with a key. For tests only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import pytest
from chain_node import VAULT, Stage, create, person

from chain import account
from chain.addresses import NATIVE, fiat_asset
from chain.contracts import (
    DecodedEvent,
    artifact,
    decode_event,
    encode_call,
    encode_signature,
    view,
)
from chain.deploy import Limit
from chain.local import ADMIN, APPROVER, CUSTOMERS, OPERATOR, TREASURER
from chain.signers import LocalSigner
from chain.typed_data import (
    RefundApproval,
    ReturnAuthorization,
    approval_request,
    cancellation_request,
    line_key,
    read_domain,
    struct_hash,
    wallet_request,
)
from returns.errors import ChainUnavailable

HOLDER, PAYER, MERCHANT = (person(index) for index in CUSTOMERS[:3])
TOKEN, EURO, DEAD = 7, fiat_asset(978), "0x" + "00" * 18 + "dead"
COIN, DOLLARS = 10 * 10**18, 1_000 * 10**6
DAY = 86_400
FIAT_REFUND, CRYPTO_REFUND, STORE_CREDIT, REPLACEMENT, PARTIAL_REFUND = range(5)
STATES = (
    "none", "held", "committed", "settled", "burned", "released", "reclaimed", "paid", "canceled",
)  # fmt: skip

Test = TypeVar("Test", bound=Callable[..., None])
#: Functions of the escrow by the tests that promise to use them, filled by `exercises`.
PROMISED: dict[str, set[str]] = {}


def exercises(*functions: str) -> Callable[[Test], Test]:
    """A test's promise, held by the fixture `life`: these functions succeed in it."""

    def keep(test: Test) -> Test:
        PROMISED[test.__name__] = set(functions)
        return test

    return keep


def changing_functions() -> set[str]:
    """Every function of the escrow's ABI that can change something."""
    return {
        item["name"]
        for item in artifact("ReturnEscrow")["abi"]
        if item["type"] == "function" and item["stateMutability"] not in ("view", "pure")
    }


@dataclass
class Life:
    """A stage with a merchant, a customer who holds a token of it, and floats."""

    stage: Stage
    plain: str
    done: set[str] = field(default_factory=set)

    @property
    def escrow(self) -> str:
        """The escrow's address."""
        return self.stage.deployment.escrow

    @property
    def dollar(self) -> str:
        """The listed ERC-20."""
        return self.stage.deployment.dollar

    @property
    def collection(self) -> str:
        """Our own collection, which really burns."""
        return self.stage.deployment.collection

    def run(
        self, function: str, *args: Any, by: LocalSigner | None = None, value: int = 0
    ) -> list[DecodedEvent]:
        """One transaction of somebody (else: the operator) to the escrow, and what it told."""
        return self.run_raw(encode_call("ReturnEscrow", function, *args), function, by, value)

    def run_raw(
        self, data: bytes, function: str, by: LocalSigner | None = None, value: int = 0
    ) -> list[DecodedEvent]:
        """The same for calldata made before."""
        receipt = account.send(
            self.stage.client, by or person(OPERATOR), to=self.escrow, data=data, value=value
        )
        self.done.add(function)
        logs = [log for log in receipt["logs"] if log["address"].lower() == self.escrow]
        events = [decode_event("ReturnEscrow", log) for log in logs]
        assert None not in events
        return [event for event in events if event is not None]

    def by_two(self, function: str, *args: Any) -> list[DecodedEvent]:
        """A change by two people: the events of its confirmation."""
        call = encode_call("ReturnEscrow", function, *args)
        self.run("propose", call, by=person(ADMIN))
        events = self.run("confirm", call, by=person(ADMIN + 1))
        self.done.add(function)
        return events

    def refused(
        self, function: str, *args: Any, by: LocalSigner | None = None, value: int = 0
    ) -> str:
        """Why the escrow refuses; nothing that anybody could lose has changed."""
        before = self.fingerprint()
        with pytest.raises(ChainUnavailable) as caught:
            self.run(function, *args, by=by, value=value)
        assert self.fingerprint() == before, "a refusal changed something"
        return str(caught.value.values["problem"])

    def fingerprint(self) -> tuple[Any, ...]:
        """Owners, balances, floats, claims."""
        people = (HOLDER.address, PAYER.address, MERCHANT.address, VAULT, self.escrow)
        return (
            self.owner(),
            self.owner(self.plain),
            [self.dollars(one) for one in people],
            [self.coin(one) for one in (VAULT, self.escrow)],
            [self.float_of(asset) for asset in (NATIVE, self.dollar)],
        )

    def ask(self, function: str, *args: Any) -> Any:
        """A view of the escrow."""
        return view(self.stage.client, self.escrow, "ReturnEscrow", function, *args)

    def state(self, auth_or_id: ReturnAuthorization | bytes) -> str:
        """What became of a line or payout."""
        known = isinstance(auth_or_id, bytes)
        line = auth_or_id if known else bytes.fromhex(auth_or_id.line[2:])  # type: ignore[union-attr]
        return STATES[self.ask("stateOf", line)]

    def owner(self, collection: str | None = None, token: int = TOKEN) -> str | None:
        """Who has a token; None if nobody does."""
        found = encode_signature("ownerOf(uint256)", token)
        answer = self.stage.client.eth_calls(
            [(collection or self.collection, found)], self.stage.client.newest()
        )[0]
        return "0x" + answer[12:].hex() if isinstance(answer, bytes) else None

    def coin(self, who: str) -> int:
        """Wei of an account."""
        return int(self.stage.anvil.rpc("eth_getBalance", who, "latest"), 16)

    def dollars(self, who: str) -> int:
        """Millionths of a test dollar."""
        return int(view(self.stage.client, self.dollar, "TestDollar", "balanceOf", who))

    def float_of(self, asset: str, vault: str = VAULT) -> int:
        """A merchant's float in minor units."""
        return int(self.ask("floatOf", vault, asset)[0])

    def now(self) -> int:
        """The chain's time."""
        return self.stage.client.newest().timestamp

    def later(self, seconds: int) -> None:
        """Time passes."""
        self.stage.anvil.rpc("evm_increaseTime", seconds)
        self.stage.anvil.mine()

    def authorization(self, **changes: Any) -> ReturnAuthorization:
        """Token 7 of our collection against a refund to the card, unless changed."""
        holder = changes.get("holder", HOLDER.address)
        now = self.now()
        usual: dict[str, Any] = {
            "line": "0x" + line_key(UUID(int=changes.pop("number", 1)), holder).hex(),
            "vault": VAULT,
            "holder": holder,
            "token": self.collection,
            "tokenId": TOKEN,
            "amount": 1,
            "remedy": FIAT_REFUND,
            "asset": EURO,
            "refund": 49_99,
            "recipient": holder,
            "deadline": now + 3_600,
            "reclaimAfter": now + 7 * DAY,
            "commitUntil": now + 30 * DAY,
        }
        return ReturnAuthorization(**(usual | changes))

    def crypto(self, asset: str = NATIVE, refund: int = 10**18, **more: Any) -> ReturnAuthorization:
        """The same token against coin or dollars."""
        return self.authorization(remedy=CRYPTO_REFUND, asset=asset, refund=refund, **more)

    def sign(self, auth: ReturnAuthorization, key: LocalSigner = HOLDER) -> bytes:
        """What the holder's wallet answers."""
        return key.sign_typed_data(wallet_request(auth, self._domain()))

    def sign_cancellation(self, auth: ReturnAuthorization, key: LocalSigner = HOLDER) -> bytes:
        """The same for taking it back."""
        return key.sign_typed_data(cancellation_request(auth, self._domain()))

    def approve(
        self, auth: ReturnAuthorization, key: LocalSigner | None = None, **changes: Any
    ) -> bytes:
        """The second person's approval of what an authorization pays, as the escrow takes it."""
        fields = (auth.line, auth.vault, auth.asset, auth.refund, auth.recipient, auth.deadline)
        return self.approve_refund(RefundApproval(*fields), key, **changes)

    def approve_refund(
        self, approval: RefundApproval, key: LocalSigner | None = None, **changes: Any
    ) -> bytes:
        """The same for any refund."""
        approver = key or person(APPROVER)
        wanted = dataclasses.replace(approval, **changes)
        signature = approver.sign_typed_data(approval_request(wanted, self._domain()))
        return wanted.with_signature(approver.address, signature)

    def deposit(self, auth: ReturnAuthorization) -> list[DecodedEvent]:
        """Taken into custody on the holder's own signature."""
        return self.run("deposit", auth.as_tuple(), self.sign(auth))

    def send(self, by: LocalSigner, to: str, signature: str, *args: Any) -> dict[str, Any]:
        """A transaction to somebody else's contract."""
        data = encode_signature(signature, *args)
        return account.send(self.stage.client, by, to=to, data=data)

    def _domain(self) -> Any:
        return read_domain(self.stage.client, self.escrow)


def prepared(stage: Stage) -> Life:
    """The merchant open, floats in coin and dollars, token 7 of two collections with the holder."""
    stage.anvil.automine(True)
    stage.open_merchant(VAULT, COIN, Limit(EURO, 0, 10_000, 100_000))
    stage.open_merchant(MERCHANT.address, 0)
    life = Life(stage, create(stage.client, "PlainNFT", file="HonestTokens"))
    mint_token(life, HOLDER.address, TOKEN)
    life.send(HOLDER, life.plain, "mint(address,uint256)", HOLDER.address, TOKEN)
    life.send(HOLDER, life.plain, "setApprovalForAll(address,bool)", life.escrow, True)
    fund_dollars(life)
    return life


def mint_token(life: Life, to: str, token: int) -> None:
    """A token of our collection."""
    data = encode_call("ReturnableNFT", "mintBatch", [to], [token], [10**18])
    account.send(life.stage.client, person(ADMIN), to=life.collection, data=data)


def fund_dollars(life: Life) -> list[DecodedEvent]:
    """Dollars come into being at the treasurer, who puts them into the merchant's float."""
    treasurer = person(TREASURER)
    life.send(person(ADMIN), life.dollar, "mint(address,uint256)", treasurer.address, DOLLARS)
    life.send(treasurer, life.dollar, "approve(address,uint256)", life.escrow, DOLLARS)
    return life.run("fundFloat", VAULT, life.dollar, DOLLARS, by=treasurer)


def told(events: list[DecodedEvent], name: str) -> dict[str, Any]:
    """The arguments of the one event with this name."""
    found = [event.args for event in events if event.name == name]
    assert len(found) == 1, [event.name for event in events]
    return found[0]


def names(events: list[DecodedEvent]) -> list[str]:
    """What was told, in order."""
    return [event.name for event in events]


def struct(auth: ReturnAuthorization) -> dict[str, Any]:
    """An authorization as an event has it."""
    return dataclasses.asdict(auth)


def used_as(auth: ReturnAuthorization) -> str:
    """The struct hash under which the escrow remembers it."""
    return "0x" + struct_hash(auth).hex()


@pytest.fixture(scope="module")
def opened(stage: Stage) -> Life:
    """Built once; each test takes back what it does."""
    return prepared(stage)


@pytest.fixture
def life(opened: Life, chain: Stage, request: pytest.FixtureRequest) -> Iterator[Life]:
    """Mines by itself, and holds each test to the functions that it promises to use."""
    chain.anvil.automine(True)
    # A node's clock does not go back with its chain: the newest block tells the time again.
    chain.anvil.mine()
    opened.done.clear()
    yield opened
    unkept = PROMISED.get(request.function.__name__, set()) - opened.done
    assert not unkept, f"promised, and not done: {unkept}"
