"""How a token can reach the escrow, on a chain in memory: what decides, and what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from desk import ADDRESSES, Desk
from doors import open_door
from eth_abi import encode
from eth_utils.crypto import keccak
from fake_chain import DEPLOYMENT, FakeChain
from fake_collection import Fake1155, FakeCollection, FakeNft
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.holdings import Holding
from chain.permits import ERC4494, Permit, digest, read_terms
from chain.seaport import Seaport
from custody.ways import CONDUITS, Way, way_in, ways_in
from returns.errors import ChainUnavailable
from returns.words import WayIn
from settlement.commands import authorizations

TOKEN, ID = "0x" + "ab" * 20, 7
HOLDER, ESCROW, CHAIN_ID = ADDRESSES[0], DEPLOYMENT.escrow, DEPLOYMENT.chain_id
SEAPORT = Seaport("0x" + "5e" * 20, CHAIN_ID, bytes(32), "0x" + "cc" * 20)
FIELDS = {
    "name": ("string", "Fake"),
    "version": ("string", "1"),
    "chainId": ("uint256", CHAIN_ID),
    "verifyingContract": ("address", TOKEN),
    "salt": ("bytes32", b"\5" * 32),
}


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
def nft(chain: FakeChain) -> FakeNft:
    """A plain collection with the holder's token."""
    nft = chain.strangers[TOKEN] = FakeNft()
    nft.owners[ID] = HOLDER
    return nft


def way(chain: FakeChain, seaport: Seaport | None = None) -> Way:
    return way_in(chain, TOKEN, ID, HOLDER, ESCROW, seaport)


def separator(*names: str, **changed: Any) -> bytes:
    """The hash of a domain of these fields, by EIP-712's own words."""
    values = {name: value for name, (_, value) in FIELDS.items()} | changed
    kinds = [FIELDS[name][0] for name in names]
    written = ",".join(f"{kind} {name}" for kind, name in zip(kinds, names, strict=True))
    words = [keccak(text=values[n]) if FIELDS[n][0] == "string" else values[n] for n in names]
    kinds = ["bytes32" if kind == "string" else kind for kind in kinds]
    head = keccak(text=f"EIP712Domain({written})")
    return keccak(encode(["bytes32", *kinds], [head, *words]))


def takes_permits(nft: FakeNft, hashed: bytes, nonce: int = 3) -> None:
    nft.interfaces.add(ERC4494)
    nft.teach("DOMAIN_SEPARATOR()", "bytes32", lambda **_: [hashed])
    nft.teach("nonces(uint256)", "uint256", lambda _, **__: [nonce])


def tells_domain(
    nft: FakeNft, *names: str, extensions: tuple[int, ...] = (), **changed: Any
) -> None:
    """By EIP-5267."""
    values = {name: value for name, (_, value) in FIELDS.items()} | changed
    mask = sum(1 << bit for bit, name in enumerate(FIELDS) if name in names)
    told = [bytes([mask | changed.get("mask", 0)]), *(values[name] for name in FIELDS), extensions]
    kinds = "bytes1,string,string,uint256,address,bytes32,uint256[]"
    nft.teach("eip712Domain()", kinds, lambda **_: told)


# -- permits ---------------------------------------------------------------------------------------

USUAL = ("name", "version", "chainId", "verifyingContract")
DOMAINS = [USUAL, (*USUAL, "salt"), ("chainId", "verifyingContract"), ("name", *USUAL[2:])]


@pytest.mark.parametrize("names", DOMAINS, ids=len)
def test_a_told_domain_is_taken_with_the_fields_that_it_has(
    chain: FakeChain, nft: FakeNft, names: tuple[str, ...]
) -> None:
    takes_permits(nft, separator(*names))
    tells_domain(nft, *names)
    terms = read_terms(chain, TOKEN, ID)
    assert terms is not None
    assert (tuple(terms.domain), terms.nonce) == (names, 3)
    kind = b"Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)"
    values = [keccak(kind), ESCROW, ID, 3, 99]
    said = keccak(encode(["bytes32", "address", "uint256", "uint256", "uint256"], values))
    expected = keccak(b"\x19\x01" + separator(*names) + said)
    assert digest(Permit(terms, ESCROW, 99)) == expected
    told = way(chain)
    assert (told.kind, told.approve) == (WayIn.PERMIT, None)
    assert "this one token and no other" in told.explanation


def test_an_untold_domain_is_the_usual_one_if_it_hashes(chain: FakeChain, nft: FakeNft) -> None:
    takes_permits(nft, separator(*USUAL))
    assert way(chain).kind is WayIn.PERMIT
    nft.forget("name()")
    assert read_terms(chain, TOKEN, ID) is None


#: Domains under which no signature is asked for, although each hashes to what the contract says.
FOREIGN: dict[str, dict[str, Any]] = {
    "another chain": {"names": USUAL, "chainId": 1},
    "another contract": {"names": USUAL, "verifyingContract": "0x" + "12" * 20},
    "no contract": {"names": USUAL[:3]},
    "no chain": {"names": ("name", "version", "verifyingContract")},
}


@pytest.mark.parametrize("case", FOREIGN)
def test_no_signature_is_asked_for_that_would_be_good_elsewhere(
    chain: FakeChain, nft: FakeNft, case: str
) -> None:
    changed = dict(FOREIGN[case])
    names = changed.pop("names")
    takes_permits(nft, separator(*names, **changed))
    tells_domain(nft, *names, **changed)
    assert read_terms(chain, TOKEN, ID) is None
    assert way(chain).kind is WayIn.APPROVAL


def test_a_domain_that_does_not_hash_or_has_extensions_is_not_signed_for(
    chain: FakeChain, nft: FakeNft
) -> None:
    takes_permits(nft, separator(*USUAL))
    tells_domain(nft, *USUAL, version="2")
    assert read_terms(chain, TOKEN, ID) is None
    tells_domain(nft, *USUAL, extensions=(1,))
    assert read_terms(chain, TOKEN, ID) is None
    tells_domain(nft, *USUAL, mask=0x20)
    assert read_terms(chain, TOKEN, ID) is None
    tells_domain(nft, *USUAL)
    assert read_terms(chain, TOKEN, ID) is not None


def test_permits_are_believed_only_if_claimed_and_answered(chain: FakeChain, nft: FakeNft) -> None:
    takes_permits(nft, separator(*USUAL))
    nft.interfaces.add(bytes.fromhex("ffffffff"))
    assert read_terms(chain, TOKEN, ID) is None
    nft.interfaces -= {bytes.fromhex("ffffffff"), ERC4494}
    assert read_terms(chain, TOKEN, ID) is None
    nft.interfaces.add(ERC4494)
    assert read_terms(chain, TOKEN, ID) is not None
    for view in ("nonces(uint256)", "DOMAIN_SEPARATOR()"):
        takes_permits(nft, separator(*USUAL))
        nft.forget(view)
        assert read_terms(chain, TOKEN, ID) is None


# -- which way -------------------------------------------------------------------------------------


def test_the_easiest_way_is_named_first(chain: FakeChain, nft: FakeNft) -> None:
    found = [way(chain, SEAPORT).kind]
    nft.operators.add((HOLDER, SEAPORT.address))
    found.append(way(chain, SEAPORT).kind)
    takes_permits(nft, separator(*USUAL))
    found.append(way(chain, SEAPORT).kind)
    nft.approved[ID] = ESCROW
    found.append(way(chain, SEAPORT).kind)
    assert found == [WayIn.APPROVAL, WayIn.SEAPORT, WayIn.PERMIT, WayIn.PREAPPROVED]


def test_a_conduit_counts_while_seaport_may_use_it(chain: FakeChain, nft: FakeNft) -> None:
    nft.operators.add((HOLDER, CONDUITS[0]))
    assert way(chain, SEAPORT).kind is WayIn.APPROVAL
    controller = chain.strangers[SEAPORT.conduit_controller] = FakeCollection()
    for is_open in (False, True):
        answer = [is_open]
        controller.teach("getChannelStatus(address,address)", "bool", lambda *_, a=answer, **__: a)
        expected = WayIn.SEAPORT if is_open else WayIn.APPROVAL
        assert way(chain, SEAPORT).kind is expected
    assert way(chain).kind is WayIn.APPROVAL


def test_an_erc1155_token_needs_an_approval_for_all(chain: FakeChain) -> None:
    many = chain.strangers[TOKEN] = Fake1155()
    assert "does not hold it" in way(chain).explanation
    many.balances[HOLDER, ID] = 2
    assert way(chain).kind is WayIn.APPROVAL
    many.operators.add((HOLDER, ESCROW))
    assert way(chain).kind is WayIn.PREAPPROVED


def test_every_sentence_says_how_to_take_it_back_or_that_nothing_moves(
    chain: FakeChain, nft: FakeNft
) -> None:
    said = [way(chain)]
    nft.operators.add((HOLDER, SEAPORT.address))
    said.append(way(chain, SEAPORT))
    takes_permits(nft, separator(*USUAL))
    said.append(way(chain))
    nft.approved[ID] = ESCROW
    said.append(way(chain))
    nft.operators.add((HOLDER, ESCROW))
    said.append(way(chain))
    assert all("back at" in one.explanation or "takes it back" in one.explanation for one in said)
    nft.owners.clear()
    assert "Nothing moves" in way(chain).explanation


# -- what refuses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        ("transferFrom(address,address,uint256)", "refuses to let it move"),
        ("setApprovalForAll(address,bool)", "does not let the return escrow be approved"),
        ("ownerOf(uint256)", "knows no such token"),
    ],
)
def test_what_a_collection_refuses_is_no_way(
    chain: FakeChain, nft: FakeNft, refused: str, why: str
) -> None:
    nft.forget(refused)
    found = way(chain)
    assert (found.kind, found.approve, found.revoke) == (WayIn.NONE, None, None)
    assert why in found.explanation


def test_a_locked_token_is_bound_and_an_unlocked_one_is_not(chain: FakeChain, nft: FakeNft) -> None:
    nft.teach("locked(uint256)", "bool", lambda _, **__: [True])
    assert "bound to your wallet" in way(chain).explanation
    nft.teach("locked(uint256)", "bool", lambda _, **__: [False])
    assert way(chain).kind is WayIn.APPROVAL


def test_where_there_is_no_contract_that_is_said(chain: FakeChain) -> None:
    assert "no contract" in way(chain).explanation


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=300) | st.integers(0, 9).map(lambda n: b"\xff" * 32 * n))
def test_no_answer_whatever_is_a_fault_of_ours(raw: bytes) -> None:
    chain = FakeChain()
    chain.strangers[TOKEN] = FakeCollection(raw)
    assert way(chain, SEAPORT).kind in WayIn


@settings(max_examples=200, deadline=None)
@given(name=st.binary(max_size=200), told=st.binary(max_size=500))
def test_no_name_and_no_domain_is_a_fault_of_ours(name: bytes, told: bytes) -> None:
    chain = FakeChain()
    nft = chain.strangers[TOKEN] = FakeNft()
    nft.owners[ID] = HOLDER
    takes_permits(nft, bytes(32))
    nft.teach("name()", "bytes", lambda **_: [name])
    assert way(chain).kind is WayIn.APPROVAL
    mask = bytes([len(told) % 256])
    kinds = "bytes1,bytes,bytes,uint256,address,bytes32,uint256[]"
    nft.teach(
        "eip712Domain()", kinds, lambda **_: [mask, told, name, CHAIN_ID, TOKEN, bytes(32), []]
    )
    assert way(chain).kind is WayIn.APPROVAL


@pytest.mark.parametrize("fault", ["down", "refuses"])
def test_a_node_without_an_answer_is_no_answer(chain: FakeChain, nft: FakeNft, fault: str) -> None:
    setattr(chain, fault, True)
    with pytest.raises(ChainUnavailable):
        way(chain)


def test_many_tokens_get_each_their_own_way(chain: FakeChain, nft: FakeNft) -> None:
    nft.owners |= {8: HOLDER, 9: ADDRESSES[1]}
    nft.approved[8] = ESCROW
    tokens = [Holding(TOKEN, token_id, HOLDER) for token_id in (9, 8, 7)]
    found = ways_in(chain, tokens, ESCROW, None)
    assert [one.kind for one in found] == [WayIn.NONE, WayIn.PREAPPROVED, WayIn.APPROVAL]
    assert ways_in(chain, [], ESCROW, None) == []
    again = ways_in(chain, [replace(one, token_id=8) for one in tokens], ESCROW, None)
    assert [one.kind for one in again] == [WayIn.PREAPPROVED] * 3


# -- where the message is offered ------------------------------------------------------------------


def offers(desk: Desk, rma: str) -> list[dict[str, Any]]:
    return list(authorizations.offered(desk.runtime, desk.shop, rma)["authorizations"])


def test_every_offer_says_how_its_token_reaches_the_escrow(desk: Desk) -> None:
    rma = desk.ask(desk.buy(tokens=2))["rma"]
    found = [offer["way"] for offer in offers(desk, rma)]
    assert [one["kind"] for one in found] == ["preapproved"] * 2
    assert [(one["approve"], one["revoke"]["from"]) for one in found] == [(None, HOLDER)] * 2


def test_the_way_goes_out_over_http_as_plain_words(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    answer = open_door(desk).send("GET", f"/v1/returns/{rma}/authorization")
    (offer,) = answer.json()["authorizations"]
    assert set(offer["way"]) == {"kind", "explanation", "approve", "revoke"}
    assert offer["way"]["kind"] == "preapproved"
    assert offer["way"]["revoke"]["chainId"] == hex(CHAIN_ID)


def test_a_signed_offer_has_no_way_to_tell(desk: Desk) -> None:
    rma = desk.ask(desk.buy())["rma"]
    desk.sign(rma)
    assert [offer["way"] for offer in offers(desk, rma)] == [None]


@pytest.mark.parametrize("fault", ["down", "refuses"])
def test_a_silent_node_leaves_the_way_out_and_the_message_in(desk: Desk, fault: str) -> None:
    rma = desk.ask(desk.buy())["rma"]
    with_way = offers(desk, rma)
    before = desk.count_all()
    setattr(desk.chain, fault, True)
    assert offers(desk, rma) == [offer | {"way": None} for offer in with_way]
    assert desk.count_all() == before


def test_the_holder_is_asked_about_and_not_whoever_has_the_token_now(desk: Desk) -> None:
    order = desk.buy()
    rma = desk.ask(order)["rma"]
    desk.chain.give(order.lines[0].token_id, ADDRESSES[1])
    assert [offer["way"]["kind"] for offer in offers(desk, rma)] == ["none"]
