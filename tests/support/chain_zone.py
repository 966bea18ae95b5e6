"""A return desk on Seaport for tests: the zone on a real Anvil, a merchant with floats, people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chain_node import CHAIN_ID, Anvil, create, person
from eth_abi.abi import encode
from eth_account import Account

from chain import account
from chain.addresses import NATIVE
from chain.client import ChainClient, RpcError
from chain.contracts import (
    abi_type,
    artifact,
    decode_event,
    encode_call,
    encode_signature,
    revert_reason,
    view,
)
from chain.local import (
    ADMIN,
    CUSTOMERS,
    GUARDIAN,
    OPERATOR,
    SECOND_ADMIN,
    TREASURER,
    anvil_keys,
)
from chain.seaport import (
    NO_CONDUIT,
    ItemType,
    OrderComponents,
    Seaport,
    counter_of,
    deploy_seaport,
    digest,
    read,
)
from chain.seaport_returns import SeaportReturn, fulfilment, return_order
from chain.typed_data import typed_data_digest

ZONE = "SeaportReturnZone"
CUSTOMER, STRANGER, APPROVER, VAULT = CUSTOMERS
REFUND, TOKEN_ID = 50_000_000, 7
UUID = 0x0191F1C0AAAA7BBB8CCCDDDDEEEEFFFF
HOUR = 3_600


def key_signature(index: int, message: bytes) -> bytes:
    """The signature of one of Anvil's keys."""
    return bytes(Account.unsafe_sign_hash(message, anvil_keys()[index]).signature)


@dataclass
class Desk:
    """A customer's token 7 (`plain`) and 100 of token 3 (`many`), approved for Seaport only."""

    anvil: Anvil
    seaport: Seaport
    zone: str
    dollar: str
    plain: str
    many: str

    @property
    def client(self) -> ChainClient:
        """The node."""
        return self.anvil.client

    @property
    def customer(self) -> str:
        """Whose tokens they are."""
        return person(CUSTOMER).address

    @property
    def vault(self) -> str:
        """The merchant's."""
        return person(VAULT).address

    def now(self) -> int:
        """The newest block's time."""
        return self.client.newest().timestamp

    def wanted(self, **changed: Any) -> SeaportReturn:
        """Token 7 against 50 dollars, for an hour."""
        usual: dict[str, Any] = {
            "line": self.line(),
            "vault": self.vault,
            "holder": self.customer,
            "token": self.plain,
            "token_id": TOKEN_ID,
            "amount": 1,
            "kind": ItemType.ERC721,
            "asset": self.dollar,
            "refund": REFUND,
            "recipient": self.customer,
            "deadline": self.now() + HOUR,
        }
        return SeaportReturn(**(usual | changed))

    def line(self, uuid: int = UUID, holder: str | None = None) -> str:
        """A return line of the customer."""
        return "0x" + (holder or self.customer)[10:] + f"{uuid:032x}"

    def signed(
        self, wanted: SeaportReturn, conduit_key: str = NO_CONDUIT, who: int = CUSTOMER
    ) -> tuple[OrderComponents, bytes]:
        """The order of a return, signed under the holder's counter of this moment."""
        counter = counter_of(self.client, self.seaport, wanted.holder)
        order = return_order(wanted, self.zone, counter, conduit_key)
        return order, key_signature(who, digest(order, self.seaport))

    def call(self, wanted: SeaportReturn, approval: bytes = b"") -> bytes:
        """Calldata that fulfils a return, signed."""
        return fulfilment(wanted, *self.signed(wanted), approval)

    def fulfil(self, wanted: SeaportReturn, approval: bytes = b"") -> dict[str, Any]:
        """Sign and fulfil; returns the receipt."""
        return self.send(OPERATOR, self.zone, self.call(wanted, approval))

    def approval(self, wanted: SeaportReturn, who: int = APPROVER) -> bytes:
        """What a second person signs for a refund above the operator's limits."""
        fields = {
            "id": ("bytes32", wanted.line),
            "vault": ("address", wanted.vault),
            "asset": ("address", wanted.asset),
            "amount": ("uint256", str(wanted.refund)),
            "recipient": ("address", wanted.recipient),
            "deadline": ("uint48", str(self.now() + HOUR)),
        }
        request = self.typed("RefundApproval", fields)
        deadline = int(fields["deadline"][1]).to_bytes(6)
        by = bytes.fromhex(person(who).address[2:])
        return by + deadline + key_signature(who, typed_data_digest(request))

    def typed(self, name: str, fields: dict[str, tuple[str, str]]) -> dict[str, Any]:
        """A typed-data request under the domain that the zone itself tells (EIP-5267)."""
        _, domain, version, chain_id, contract, _, _ = view(
            self.client, self.zone, ZONE, "eip712Domain"
        )
        kinds = {"name": "string", "version": "string", "chainId": "uint256"}
        kinds["verifyingContract"] = "address"
        values = (domain, version, chain_id, contract)
        return {
            "types": {
                "EIP712Domain": [{"name": n, "type": t} for n, t in kinds.items()],
                name: [{"name": n, "type": t} for n, (t, _) in fields.items()],
            },
            "primaryType": name,
            "domain": dict(zip(kinds, values, strict=True)),
            "message": {n: value for n, (_, value) in fields.items()},
        }

    def send(self, who: int, to: str, data: bytes, value: int = 0) -> dict[str, Any]:
        """Send as one of Anvil's accounts; a revert raises with its reason."""
        return account.send(self.client, person(who), to=to, data=data, value=value)

    def refused(self, who: int, to: str, data: bytes, value: int = 0) -> str:
        """Send what must revert: it is mined, reverts, and moves nothing. Returns why."""
        before = self.fingerprint()
        call = {
            "from": person(who).address,
            "to": to,
            "data": "0x" + data.hex(),
            "value": hex(value),
            "gas": hex(1_500_000),
        }
        sent = self.anvil.rpc("eth_sendTransaction", call)
        assert self._mined(sent)["status"] == "0x0"
        assert self.fingerprint() == before, "a refusal moved something"
        try:
            self.client.call("eth_call", call, "latest")
        except RpcError as error:
            return revert_reason(error)
        raise AssertionError("it would pass")

    def _mined(self, sent: str) -> dict[str, Any]:
        """The receipt; on a busy machine a node mines some time after it took the transaction."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            receipt: dict[str, Any] | None = self.anvil.rpc("eth_getTransactionReceipt", sent)
            if receipt is not None:
                return receipt
            time.sleep(0.02)
        raise AssertionError("not mined")

    def change(self, data: bytes) -> None:
        """A change that takes two people."""
        for who, function in ((ADMIN, "propose"), (SECOND_ADMIN, "confirm")):
            self.send(who, self.zone, encode_call(ZONE, function, data))

    def limit(self, asset: str, unit: int, single: int, daily: int) -> None:
        """What an operator may pay alone, minor units."""
        limits = (self.vault, asset, unit, single >> unit, daily >> unit)
        self.change(encode_call(ZONE, "setLimits", *limits))

    def fund(self, dollars: int, coin: int) -> None:
        """Add to the merchant's float."""
        self.send(ADMIN, self.dollar, encode_call("TestDollar", "mint", self.admin, dollars))
        allow = encode_call("TestDollar", "approve", self.zone, dollars)
        self.send(ADMIN, self.dollar, allow)
        for asset, amount, value in ((self.dollar, dollars, 0), (NATIVE, coin, coin)):
            data = encode_call(ZONE, "fundFloat", self.vault, asset, amount)
            self.send(ADMIN, self.zone, data, value)

    @property
    def admin(self) -> str:
        """Owner of the dollar, and payer of all this."""
        return person(ADMIN).address

    def mint(self, token_id: int) -> None:
        """Another plain token for the customer."""
        data = encode_signature("mint(address,uint256)", self.customer, token_id)
        self.send(ADMIN, self.plain, data)

    def approve_all(self, collection: str, operator: str, approved: bool = True) -> None:
        """The customer's approval."""
        data = encode_signature("setApprovalForAll(address,bool)", operator, approved)
        self.send(CUSTOMER, collection, data)

    def owner(self, token_id: int = TOKEN_ID) -> str:
        """Who has the plain token."""
        return str(view(self.client, self.plain, "ReturnableNFT", "ownerOf", token_id))

    def count(self, owner: str, token_id: int = 3) -> int:
        """How many of the ERC-1155 token an account has."""
        data = encode_signature("balanceOf(address,uint256)", owner, token_id)
        return int.from_bytes(self.client.eth_call(self.many, data))

    def dollars(self, address: str) -> int:
        """Test dollars of an account, minor units."""
        return int(view(self.client, self.dollar, "TestDollar", "balanceOf", address))

    def allowance(self) -> int:
        """What Seaport may take from the zone."""
        args = (self.zone, self.seaport.address)
        return int(view(self.client, self.dollar, "TestDollar", "allowance", *args))

    def coin(self, address: str) -> int:
        """Wei of an account."""
        return int(self.client.call("eth_getBalance", address, "latest"), 16)

    def float_of(self, asset: str) -> int:
        """The merchant's float, minor units."""
        return int(view(self.client, self.zone, ZONE, "floatOf", self.vault, asset)[0])

    def state(self, line: str | None = None) -> int:
        """What became of a line: 0 nothing, 3 settled, 8 canceled."""
        word = bytes.fromhex((line or self.line())[2:])
        return int(view(self.client, self.zone, ZONE, "stateOf", word))

    def events(self, receipt: dict[str, Any]) -> list[Any]:
        """The zone's events of a transaction."""
        logs = [log for log in receipt["logs"] if log["address"] == self.zone]
        return [decode_event(ZONE, log) for log in logs]

    def fingerprint(self) -> tuple[Any, ...]:
        """Everything that anybody here could lose, gas left aside."""
        people = [person(one).address for one in (CUSTOMER, STRANGER, VAULT, OPERATOR)]
        money = [self.dollars(one) for one in (*people, self.zone)] + [self.coin(self.zone)]
        tokens = [self.owner(), *(self.count(one) for one in people)]
        floats = [self.float_of(asset) for asset in (self.dollar, NATIVE)]
        return (*money, *tokens, *floats, self.allowance(), self.state())


@contextmanager
def desk() -> Iterator[Desk]:
    """A fresh chain; each transaction is mined at once."""
    anvil = Anvil("--chain-id", str(CHAIN_ID))
    try:
        built = _build(anvil)
        built.change(encode_call(ZONE, "registerMerchant", built.vault))
        built.limit(built.dollar, 6, 100_000_000, 400_000_000)
        built.limit(NATIVE, 40, 10**18, 4 * 10**18)
        built.fund(1_000_000_000, 10 * 10**18)
        built.mint(TOKEN_ID)
        call = encode_signature("mint(address,uint256,uint256)", built.customer, 3, 100)
        built.send(ADMIN, built.many, call)
        for collection in (built.plain, built.many):
            built.approve_all(collection, built.seaport.address)
        yield built
    finally:
        anvil.stop()


def _build(anvil: Anvil) -> Desk:
    client, payer = anvil.client, person(ADMIN)
    seaport = read(client, deploy_seaport(client, payer))
    people = (ADMIN, SECOND_ADMIN, OPERATOR, APPROVER, GUARDIAN, TREASURER)
    args = (tuple(person(one).address for one in people), seaport.address)
    built = artifact(ZONE)
    constructor = next(item for item in built["abi"] if item["type"] == "constructor")
    types = [abi_type(part) for part in constructor["inputs"]]
    code = bytes.fromhex(built["bytecode"]["object"][2:]) + encode(types, args)
    receipt = account.send(client, payer, to=None, data=code)
    return Desk(
        anvil=anvil,
        seaport=seaport,
        zone=str(receipt["contractAddress"]).lower(),
        dollar=create(client, "TestDollar", payer.address),
        plain=create(client, "PlainNFT", file="HonestTokens"),
        many=create(client, "Plain1155", file="HonestTokens"),
    )
