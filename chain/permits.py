"""NFT permits (ERC-4494): approval of one ERC-721 token by a signature, brought by anybody.

ERC-7604, the permit of ERC-1155, is another call with an allowance behind it; the escrow does not
make it. Permits with v, r and s apart, or with numbers of their own, do not claim ERC-4494 either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account.messages import encode_typed_data

from chain.client import ChainClient
from chain.contracts import encode_call, encode_signature
from chain.facts import Facts, Question
from chain.typed_data import typed_data_digest

#: ERC-165 identifiers: of ERC-4494, and of nothing (whoever claims that one claims everything).
ERC4494 = bytes.fromhex("5604e225")
_NOTHING = bytes.fromhex("ffffffff")

#: Gas that each item of a batch is promised: a permit or a return of wallets and tokens with code.
ITEM_GAS = 600_000

_PERMIT = (
    ("spender", "address"),
    ("tokenId", "uint256"),
    ("nonce", "uint256"),
    ("deadline", "uint256"),
)
#: Fields of a domain in the order of EIP-712, which is the order of EIP-5267's bits.
_DOMAIN = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
)
_EIP5267 = ("bytes1", "string", "string", "uint256", "address", "bytes32", "uint256[]")


@dataclass(frozen=True)
class PermitTerms:
    """What a collection asks of the next permit of a token. `domain` in the order of EIP-712."""

    token: str
    token_id: int
    nonce: int
    domain: dict[str, Any]


@dataclass(frozen=True)
class Permit:
    """`spender` may move the token, once the owner's signature is brought by `deadline` (Unix
    seconds, its last one). Voided by the next transfer or permit of the token.
    """

    terms: PermitTerms
    spender: str
    deadline: int


def read_terms(client: ChainClient, token: str, token_id: int) -> PermitTerms | None:
    """What the next permit has to carry; None if the collection takes none that we would ask for.

    Raises `ChainUnavailable`.
    """
    facts = Facts(client, client.newest())
    facts.learn(questions(token, token_id))
    return terms_of(facts, token, token_id, client.chain_id())


def questions(token: str, token_id: int) -> list[Question]:
    """All that `terms_of` wants to know."""
    views = ("DOMAIN_SEPARATOR()", "eip712Domain()", "name()")
    return [
        claims(token, ERC4494),
        claims(token, _NOTHING),
        _nonce(token, token_id),
        *((token, encode_signature(one)) for one in views),
    ]


def terms_of(facts: Facts, token: str, token_id: int, chain_id: int) -> PermitTerms | None:
    """As `read_terms`, from answers that are known.

    A signature is only asked for under a domain that names this contract on this chain, and that
    hashes to what the contract says: under another it would be void here, or good elsewhere.
    """
    said = facts.one((token, encode_signature("DOMAIN_SEPARATOR()")), "bytes32")
    nonce = facts.one(_nonce(token, token_id), "uint256")
    if said is None or nonce is None or not _is_claimed(facts, token):
        return None
    domain = _domain(facts, token, chain_id)
    if domain is None or (domain["chainId"], domain["verifyingContract"]) != (chain_id, token):
        return None
    terms = PermitTerms(token, token_id, nonce, domain)
    return terms if _separator(terms) == said else None


def claims(token: str, interface: bytes) -> Question:
    """Whether a contract says that it has an interface (ERC-165)."""
    return token, encode_signature("supportsInterface(bytes4)", interface)


def wallet_request(permit: Permit) -> dict[str, Any]:
    """The argument of eth_signTypedData_v4 for the owner of the token.

    Integers are strings: JavaScript loses large ones.
    """
    terms = permit.terms
    kinds = dict(_DOMAIN)
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": kinds[name]} for name in terms.domain],
            "Permit": [{"name": name, "type": kind} for name, kind in _PERMIT],
        },
        "primaryType": "Permit",
        "domain": terms.domain,
        "message": {
            "spender": permit.spender,
            "tokenId": str(terms.token_id),
            "nonce": str(terms.nonce),
            "deadline": str(permit.deadline),
        },
    }


def digest(permit: Permit) -> bytes:
    """The 32 bytes that the owner signs."""
    return typed_data_digest(wallet_request(permit))


def try_permit(permit: Permit, signature: bytes) -> bytes:
    """Calldata of the escrow that brings a permit, and does not mind if it is refused."""
    terms = permit.terms
    args = (terms.token, terms.token_id, permit.deadline, signature)
    return encode_call("ReturnEscrow", "tryPermit", *args)


def with_permit(permit: Permit, signature: bytes, call: bytes, item_gas: int = ITEM_GAS) -> bytes:
    """Calldata of the escrow that brings a permit and then makes a `deposit` or `swap`.

    In one batch, so that nothing can come between. A permit that somebody else has brought before
    is refused by the token and has had its effect: the call goes through. With a permit that is
    wrong the call fails, undone, and says so in an ItemFailed event; the transaction succeeds.
    """
    return encode_call("ReturnEscrow", "batch", [try_permit(permit, signature), call], item_gas)


def _is_claimed(facts: Facts, token: str) -> bool:
    claimed = [facts.one(claims(token, one), "bool") for one in (ERC4494, _NOTHING)]
    return claimed == [True, False]


def _domain(facts: Facts, token: str, chain_id: int) -> dict[str, Any] | None:
    """The domain as the contract tells it (EIP-5267), or else the usual one of its name."""
    told = facts.decoded((token, encode_signature("eip712Domain()")), *_EIP5267)
    if told is not None:
        return _told_domain(*told)
    name = facts.one((token, encode_signature("name()")), "string")
    if name is None:
        return None
    return {"name": name, "version": "1", "chainId": chain_id, "verifyingContract": token}


def _told_domain(fields: bytes, *values: Any) -> dict[str, Any] | None:
    """None for a domain with extensions, or one that is not bound to a chain and a contract."""
    *plain, salt, extensions = values
    named = zip(_DOMAIN, (*plain, "0x" + salt.hex()), strict=True)
    used = {name: value for bit, ((name, _), value) in enumerate(named) if fields[0] >> bit & 1}
    bound = "chainId" in used and "verifyingContract" in used
    return used if bound and not extensions and fields[0] < 1 << len(_DOMAIN) else None


def _separator(terms: PermitTerms) -> bytes:
    """The hash of the domain, by the field's reference implementation."""
    return encode_typed_data(full_message=wallet_request(Permit(terms, terms.token, 0))).header


def _nonce(token: str, token_id: int) -> Question:
    return token, encode_signature("nonces(uint256)", token_id)
