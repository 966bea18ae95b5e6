"""Permits and the other ways to the escrow, on real tokens: what is told is what then happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from chain_market import signed_by
from chain_node import CHAIN_ID, VAULT, Stage, create, person

from chain import account
from chain.addresses import NATIVE, ZERO, fiat_asset
from chain.client import ChainClient, RpcError
from chain.contracts import (
    decode_event,
    encode_call,
    encode_signature,
    revert_reason,
    view,
)
from chain.local import ADMIN, CUSTOMERS, OPERATOR
from chain.permits import Permit, PermitTerms, digest, read_terms, wallet_request, with_permit
from chain.seaport import Seaport, deploy_seaport, read
from chain.typed_data import Domain, ReturnAuthorization, line_key
from chain.typed_data import digest as authorization_digest
from custody.ways import Way, way_in
from returns.errors import ChainUnavailable
from returns.words import WayIn

pytestmark = pytest.mark.chain

HOLDER, STRANGER = CUSTOMERS[:2]
TOKEN = 7
FAR = 2**48 - 1


@dataclass
class Desk:
    """One holder with one token, in whichever collection."""

    stage: Stage
    seaport: Seaport

    @property
    def client(self) -> ChainClient:
        return self.stage.client

    @property
    def escrow(self) -> str:
        return self.stage.deployment.escrow

    @property
    def ours(self) -> str:
        return self.stage.deployment.collection

    @property
    def holder(self) -> str:
        return person(HOLDER).address

    def send(self, who: int, to: str, data: bytes) -> dict[str, Any]:
        return account.send(self.client, person(who), to=to, data=data)

    def mint(self, collection: str) -> str:
        if collection == self.ours:
            data = encode_call("ReturnableNFT", "mintBatch", [self.holder], [TOKEN], [1])
        else:
            data = encode_signature("mint(address,uint256)", self.holder, TOKEN)
        self.send(ADMIN, collection, data)
        return collection

    def new(self, name: str, *args: Any, file: str = "PermitTokens") -> str:
        """A collection with the holder's token in it."""
        return self.mint(create(self.client, name, *args, file=file))

    def unapproved(self) -> str:
        """Our own collection, with the escrow switched off by the holder."""
        self.mint(self.ours)
        self.send(HOLDER, self.ours, encode_call("ReturnableNFT", "setEscrowApproval", False))
        return self.ours

    def way(self, token: str, seaport: Seaport | None = None) -> Way:
        return way_in(self.client, token, TOKEN, self.holder, self.escrow, seaport)

    def terms(self, token: str) -> PermitTerms:
        terms = read_terms(self.client, token, TOKEN)
        assert terms is not None
        return terms

    def permit(self, token: str, signer: int = HOLDER, **changed: Any) -> tuple[Permit, bytes]:
        """A permit for the escrow, signed."""
        permit = replace(Permit(self.terms(token), self.escrow, FAR), **changed)
        return permit, signed_by(signer)(digest(permit))

    def deposit(self, token: str) -> bytes:
        """Calldata of a deposit that the holder has signed."""
        auth = self._authorization(token, remedy=0, asset=fiat_asset(840))
        return encode_call("ReturnEscrow", "deposit", auth.as_tuple(), self._signed(auth))

    def swap(self, token: str) -> bytes:
        """The same for a swap against a coin."""
        auth = self._authorization(token, remedy=1, asset=NATIVE)
        return encode_call("ReturnEscrow", "swap", auth.as_tuple(), self._signed(auth), b"")

    def _signed(self, auth: ReturnAuthorization) -> bytes:
        return bytes(signed_by(HOLDER)(authorization_digest(auth, Domain(CHAIN_ID, self.escrow))))

    def _authorization(self, token: str, remedy: int, asset: str) -> ReturnAuthorization:
        return ReturnAuthorization(
            line="0x" + line_key(UUID(int=1), self.holder).hex(),
            vault=VAULT,
            holder=self.holder,
            token=token,
            tokenId=TOKEN,
            amount=1,
            remedy=remedy,
            asset=asset,
            refund=1,
            recipient=self.holder,
            deadline=FAR,
            reclaimAfter=FAR,
            commitUntil=FAR,
        )

    def operate(self, data: bytes) -> list[Any]:
        """Sent by the operator; the escrow's events."""
        receipt = self.send(OPERATOR, self.escrow, data)
        logs = [log for log in receipt["logs"] if log["address"] == self.escrow]
        return [decode_event("ReturnEscrow", log) for log in logs]

    def owner(self, token: str) -> str:
        return str(view(self.client, token, "ReturnableNFT", "ownerOf", TOKEN))

    def is_preapproved(self, token: str) -> bool:
        call = encode_signature("isApprovedForAll(address,address)", self.holder, self.escrow)
        return bool(int.from_bytes(self.client.eth_call(token, call)))


@pytest.fixture(scope="module")
def opened(stage: Stage) -> Desk:
    stage.anvil.automine(True)
    stage.open_merchant(coin=10**18)
    return Desk(stage, read(stage.client, deploy_seaport(stage.client, person(ADMIN))))


@pytest.fixture
def desk(opened: Desk, chain: Stage) -> Desk:
    """The module's desk; whatever a test does to it is taken back."""
    return opened


# -- permits ---------------------------------------------------------------------------------------


def test_a_permit_brings_a_token_into_an_escrow_that_is_switched_off(desk: Desk) -> None:
    token = desk.unapproved()
    assert desk.way(token).kind is WayIn.PERMIT
    with pytest.raises(ChainUnavailable, match="TokenTransferFailed"):
        desk.operate(desk.deposit(token))
    events = desk.operate(with_permit(*desk.permit(token), desk.deposit(token)))
    assert [event.name for event in events] == ["Deposited"]
    assert desk.owner(token) == desk.escrow
    assert not desk.is_preapproved(token)


def test_a_permit_serves_a_swap_as_well(desk: Desk) -> None:
    token = desk.unapproved()
    events = desk.operate(with_permit(*desk.permit(token), desk.swap(token)))
    assert [event.name for event in events] == ["Swapped"]
    assert desk.owner(token) == VAULT


def test_a_permit_that_somebody_else_brought_first_does_no_harm(desk: Desk) -> None:
    token = desk.unapproved()
    permit, signature = desk.permit(token)
    args = (desk.escrow, TOKEN, permit.deadline, signature)
    desk.send(STRANGER, token, encode_call("ReturnableNFT", "permit", *args))
    assert desk.terms(token).nonce == permit.terms.nonce + 1
    assert desk.way(token).kind is WayIn.PREAPPROVED
    events = desk.operate(with_permit(permit, signature, desk.deposit(token)))
    assert [event.name for event in events] == ["Deposited"]
    assert desk.owner(token) == desk.escrow


WRONG = {
    "signed by another": lambda desk, token: desk.permit(token, signer=STRANGER),
    "for another spender": lambda desk, token: (
        desk.permit(token)[0],
        desk.permit(token, spender=desk.seaport.address)[1],
    ),
    "of another nonce": lambda desk, token: desk.permit(
        token, terms=replace(desk.terms(token), nonce=desk.terms(token).nonce + 1)
    ),
    "too late": lambda desk, token: desk.permit(token, deadline=1),
    "no signature": lambda desk, token: (desk.permit(token)[0], b""),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_with_a_wrong_permit_only_the_deposit_fails_and_nothing_moves(
    desk: Desk, wrong: str
) -> None:
    token = desk.unapproved()
    data = desk.deposit(token)
    nonce = desk.terms(token).nonce
    (failed,) = desk.operate(with_permit(*WRONG[wrong](desk, token), data))
    assert failed.name == "ItemFailed"
    assert (failed.args["index"], failed.args["selector"]) == (1, "0x" + data[:4].hex())
    why = revert_reason(RpcError("", 3, failed.args["reason"]))
    assert why.startswith(f"TokenTransferFailed({token}, {TOKEN}, 0x")
    assert desk.owner(token) == desk.holder
    assert desk.terms(token).nonce == nonce
    line = bytes.fromhex(failed.args["id"][2:])
    assert view(desk.client, desk.escrow, "ReturnEscrow", "stateOf", line) == 0
    # The authorization is as good as before: with the right permit it goes through.
    (done,) = desk.operate(with_permit(*desk.permit(token), data))
    assert done.name == "Deposited"


def test_a_permit_ends_when_its_token_moves(desk: Desk) -> None:
    token = desk.unapproved()
    permit, signature = desk.permit(token)
    for sender, to in ((HOLDER, STRANGER), (STRANGER, HOLDER)):
        pair = (person(sender).address, person(to).address)
        data = encode_call("ReturnableNFT", "transferFrom", *pair, TOKEN)
        desk.send(sender, token, data)
    (failed,) = desk.operate(with_permit(permit, signature, desk.deposit(token)))
    assert failed.name == "ItemFailed"
    assert desk.owner(token) == desk.holder


def test_the_domain_that_a_collection_tells_is_the_one_that_is_signed(desk: Desk) -> None:
    token = desk.unapproved()
    request = wallet_request(desk.permit(token)[0])
    assert request["domain"] == {
        "name": "Undrop Demo Collection",
        "version": "1",
        "chainId": CHAIN_ID,
        "verifyingContract": token,
    }
    assert request["message"]["nonce"] == "0"


def test_a_collection_that_does_not_tell_its_domain_takes_permits_too(desk: Desk) -> None:
    token = desk.new("OldPermitNFT", "1")
    assert desk.way(token).kind is WayIn.PERMIT
    desk.operate(with_permit(*desk.permit(token), desk.deposit(token)))
    assert desk.owner(token) == desk.escrow


def test_no_signature_is_asked_for_under_a_domain_that_does_not_hash(desk: Desk) -> None:
    token = desk.new("OldPermitNFT", "2")
    assert read_terms(desk.client, token, TOKEN) is None
    assert desk.way(token).kind is WayIn.APPROVAL


# -- approvals -------------------------------------------------------------------------------------


def test_our_own_collection_needs_nothing_until_its_owner_switches_it_off(desk: Desk) -> None:
    token = desk.mint(desk.ours)
    way = desk.way(token)
    assert (way.kind, way.approve) == (WayIn.PREAPPROVED, None)
    carry_out(desk, way.revoke)
    assert not desk.is_preapproved(token)
    assert desk.way(token).kind is WayIn.PERMIT


def carry_out(desk: Desk, transaction: dict[str, str] | None) -> None:
    """As the holder's wallet does it."""
    assert transaction is not None
    assert (transaction["from"], transaction["chainId"]) == (desk.holder, hex(CHAIN_ID))
    desk.send(HOLDER, transaction["to"], bytes.fromhex(transaction["data"][2:]))


@pytest.mark.parametrize("name", ["PlainNFT", "Plain1155"])
def test_a_plain_collection_needs_one_approval_that_can_be_taken_back(
    desk: Desk, name: str
) -> None:
    token = create(desk.client, name, file="HonestTokens")
    amount = [1] if name == "Plain1155" else []
    mint = "mint(address,uint256,uint256)" if amount else "mint(address,uint256)"
    desk.send(ADMIN, token, encode_signature(mint, desk.holder, TOKEN, *amount))
    way = desk.way(token)
    assert way.kind is WayIn.APPROVAL
    assert desk.escrow in way.explanation
    carry_out(desk, way.approve)
    assert desk.way(token).kind is WayIn.PREAPPROVED
    carry_out(desk, way.revoke)
    assert desk.way(token) == way
    carry_out(desk, way.approve)
    (event,) = desk.operate(desk.deposit(token))
    assert event.name == "Deposited"


def test_an_approval_of_one_token_is_enough_and_can_be_taken_back(desk: Desk) -> None:
    token = desk.new("PlainNFT", file="HonestTokens")
    approve = encode_signature("approve(address,uint256)", desk.escrow, TOKEN)
    desk.send(HOLDER, token, approve)
    way = desk.way(token)
    assert way.kind is WayIn.PREAPPROVED
    assert "this one token" in way.explanation
    carry_out(desk, way.revoke)
    assert desk.way(token).kind is WayIn.APPROVAL
    desk.send(HOLDER, token, approve)
    (event,) = desk.operate(desk.deposit(token))
    assert event.name == "Deposited"


@pytest.mark.parametrize("for_all", [True, False])
def test_an_approval_for_seaport_is_a_way_where_orders_are_offered(
    desk: Desk, for_all: bool
) -> None:
    token = desk.new("PlainNFT", file="HonestTokens")
    assert desk.way(token, desk.seaport).kind is WayIn.APPROVAL
    call = "setApprovalForAll(address,bool)" if for_all else "approve(address,uint256)"
    args = (desk.seaport.address, True) if for_all else (desk.seaport.address, TOKEN)
    desk.send(HOLDER, token, encode_signature(call, *args))
    assert desk.way(token, desk.seaport).kind is WayIn.SEAPORT
    assert desk.way(token).kind is WayIn.APPROVAL


# -- tokens that cannot come -----------------------------------------------------------------------

REFUSING = {
    "SoulboundNFT": "bound to your wallet",
    "FrozenNFT": "refuses to let it move",
    "HandToHandNFT": "does not let the return escrow be approved",
}


@pytest.mark.parametrize("name", REFUSING)
def test_a_collection_that_refuses_gives_no_way_and_says_why(desk: Desk, name: str) -> None:
    token = desk.new(name)
    way = desk.way(token)
    assert (way.kind, way.approve, way.revoke) == (WayIn.NONE, None, None)
    assert REFUSING[name] in way.explanation
    with pytest.raises(ChainUnavailable):
        desk.operate(desk.deposit(token))
    assert desk.owner(token) == desk.holder


def test_a_frozen_token_has_no_way_although_the_escrow_is_approved(desk: Desk) -> None:
    token = desk.new("FrozenNFT")
    call = "setApprovalForAll(address,bool)"
    desk.send(HOLDER, token, encode_signature(call, desk.escrow, True))
    assert "refuses to let it move" in desk.way(token).explanation


def test_a_token_of_somebody_else_has_no_way(desk: Desk) -> None:
    token = desk.mint(desk.ours)
    stranger = person(STRANGER).address
    way = way_in(desk.client, token, TOKEN, stranger, desk.escrow, None)
    assert (way.kind, "does not hold it" in way.explanation) == (WayIn.NONE, True)


def test_a_token_that_does_not_exist_has_no_way(desk: Desk) -> None:
    way = way_in(desk.client, desk.ours, 999, desk.holder, desk.escrow, None)
    assert (way.kind, "knows no such token" in way.explanation) == (WayIn.NONE, True)


@pytest.mark.parametrize("address", [VAULT, ZERO, "0x" + "00" * 19 + "04"])
def test_what_is_not_a_contract_has_no_way(desk: Desk, address: str) -> None:
    """An account, nobody, and the precompile that gives back whatever it is given."""
    assert desk.way(address).kind is WayIn.NONE


#: Hand-written code at the token's address.
GARBAGE = {
    "a revert": "60006000fd",
    "nothing": "00",
    "one byte": "600160005260016000f3",
    "one": "600160005260206000f3",
    "no address": "60001960005260206000f3",
    "no end": "5b600056",
    "invalid": "fe",
    "a whole page": "6110006000f3",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_a_token_that_answers_garbage_has_no_way(desk: Desk, name: str) -> None:
    token = "0x" + "c2" * 20
    desk.stage.anvil.rpc("anvil_setCode", token, "0x" + GARBAGE[name])
    way = desk.way(token, desk.seaport)
    assert (way.kind, way.approve, way.revoke) == (WayIn.NONE, None, None)


# -- the node --------------------------------------------------------------------------------------


class Counting(ChainClient):
    """Counts its requests, and may be too busy for views."""

    requests = 0
    busy = False

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.requests += 1
        if self.busy and calls[0][0] == "eth_call":
            return [RpcError("limit exceeded", -32005) for _ in calls]
        return super()._post(calls)


def test_a_way_is_found_in_four_requests_and_a_busy_node_is_no_answer(desk: Desk) -> None:
    token = desk.new("PlainNFT", file="HonestTokens")
    client = Counting(desk.stage.url)
    way = way_in(client, token, TOKEN, desk.holder, desk.escrow, desk.seaport)
    # The chain's id, the block, all questions, all trials.
    assert (way.kind, client.requests) == (WayIn.APPROVAL, 4)
    client.busy = True
    with pytest.raises(ChainUnavailable, match="limit exceeded"):
        way_in(client, token, TOKEN, desk.holder, desk.escrow, None)
