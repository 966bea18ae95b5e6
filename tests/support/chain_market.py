"""A marketplace for tests: Seaport on the stage's chain, a vault that sells, a buyer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chain_node import Stage, create, person
from eth_account import Account

from chain import account
from chain.addresses import NATIVE
from chain.client import ChainClient
from chain.contracts import encode_call, encode_signature, view
from chain.listings import Lot, Terms, relisting, sign_order
from chain.local import ADMIN, CUSTOMERS, OPERATOR, anvil_keys
from chain.seaport import (
    ItemType,
    OrderComponents,
    Seaport,
    coin_due,
    deploy_seaport,
    fulfilment,
    read,
)

SELLER, BUYER, STRANGER = CUSTOMERS[:3]
DAY = 86_400


def signed_by(index: int) -> Any:
    """What signs a digest with one of Anvil's keys."""
    return lambda digest: bytes(Account.unsafe_sign_hash(digest, anvil_keys()[index]).signature)


@dataclass
class Market:
    """`royal` takes 5 % for `artist`; `plain` and `many` (ERC-1155) take nothing."""

    stage: Stage
    seaport: Seaport
    plain: str
    many: str
    wallet: str

    @property
    def client(self) -> ChainClient:
        """The node."""
        return self.stage.client

    @property
    def royal(self) -> str:
        """A collection with a royalty."""
        return self.stage.deployment.collection

    @property
    def artist(self) -> str:
        """Who gets the royalty."""
        return self.stage.deployment.vault

    @property
    def seller(self) -> str:
        """A vault that is an ordinary account."""
        return person(SELLER).address

    @property
    def buyer(self) -> str:
        """Whoever comes first."""
        return person(BUYER).address

    def now(self) -> int:
        """The newest block's time."""
        return self.client.newest().timestamp

    def send(self, who: int, to: str, data: bytes, value: int = 0) -> dict[str, Any]:
        """Send as one of Anvil's accounts; a revert raises with its reason."""
        return account.send(self.client, person(who), to=to, data=data, value=value)

    def run(self, to: str, data: bytes) -> None:
        """Have the contract wallet call."""
        self.send(SELLER, self.wallet, encode_signature("run(address,bytes)", to, data))

    def lot(self, collection: str, owner: str | None = None, token_id: int = 7) -> Lot:
        """A token of the owner's (the seller's), approved for Seaport."""
        owner = owner or self.seller
        if collection == self.royal:
            data = encode_call("ReturnableNFT", "mintBatch", [owner], [token_id], [1])
        else:
            data = encode_signature("mint(address,uint256)", owner, token_id)
        self.send(ADMIN, collection, data)
        approval = encode_signature("approve(address,uint256)", self.seaport.address, token_id)
        if owner == self.wallet:
            self.run(collection, approval)
        else:
            self.send(SELLER, collection, approval)
        return Lot(collection, token_id)

    def lots(self, amount: int, token_id: int = 7) -> Lot:
        """An amount of an ERC-1155 token of the seller's, approved for Seaport."""
        call = "mint(address,uint256,uint256)"
        self.send(ADMIN, self.many, encode_signature(call, self.seller, token_id, amount))
        self.approve_all(self.many, True)
        return Lot(self.many, token_id, amount, ItemType.ERC1155)

    def approve_all(self, collection: str, approved: bool, operator: str | None = None) -> None:
        """The seller's approval for Seaport, or for another operator."""
        operator = operator or self.seaport.address
        data = encode_signature("setApprovalForAll(address,bool)", operator, approved)
        self.send(SELLER, collection, data)

    def terms(self, price: int = 1_000_003, currency: str = NATIVE, **changed: int) -> Terms:
        """Terms that hold from now on, for a day."""
        now = self.now()
        return Terms(**({"price": price, "currency": currency, "starts": now, "ends": now + DAY,
                         "salt": 1} | changed))  # fmt: skip

    def listed(
        self, lot: Lot, terms: Terms | None = None, vault: str | None = None
    ) -> tuple[OrderComponents, bytes]:
        """A listing signed by the seller's key."""
        order = relisting(
            self.client, self.seaport, vault or self.seller, lot, terms or self.terms()
        )
        return order, sign_order(self.client, self.seaport, order, signed_by(SELLER))

    def buy(self, order: OrderComponents, signature: bytes, who: int = BUYER) -> dict[str, Any]:
        """Fulfil an order."""
        data = fulfilment(order, signature)
        return self.send(who, self.seaport.address, data, coin_due(order))

    def give_dollars(self, amount: int) -> None:
        """Test dollars for the buyer, approved for Seaport."""
        data = encode_call("TestDollar", "mint", self.buyer, amount)
        self.send(OPERATOR, self.stage.dollar, data)
        approval = encode_call("TestDollar", "approve", self.seaport.address, amount)
        self.send(BUYER, self.stage.dollar, approval)

    def dollars(self, address: str) -> int:
        """Test dollars of an account, minor units."""
        return int(view(self.client, self.stage.dollar, "TestDollar", "balanceOf", address))

    def coin(self, address: str) -> int:
        """Wei of an account."""
        return int(self.client.call("eth_getBalance", address, "latest"), 16)

    def owner(self, lot: Lot) -> str:
        """Who has the token."""
        return str(view(self.client, lot.collection, "ReturnableNFT", "ownerOf", lot.token_id))

    def count(self, lot: Lot, owner: str) -> int:
        """How many of an ERC-1155 token an account has."""
        data = encode_signature("balanceOf(address,uint256)", owner, lot.token_id)
        return int.from_bytes(self.client.eth_call(lot.collection, data))

    def later(self, seconds: int) -> None:
        """Let time pass."""
        self.stage.anvil.rpc("evm_increaseTime", seconds)
        self.stage.anvil.mine()


def open_market(stage: Stage) -> Market:
    """Seaport and three collections; from then on each transaction is mined at once."""
    stage.anvil.automine(True)
    client = stage.client
    return Market(
        stage=stage,
        seaport=read(client, deploy_seaport(client, person(ADMIN))),
        plain=create(client, "PlainNFT", file="HonestTokens"),
        many=create(client, "Plain1155", file="HonestTokens"),
        wallet=create(client, "ContractWallet", person(SELLER).address, file="Accounts"),
    )
