"""Signatures of ordinary accounts: who signed, or nobody; never an exception."""

from collections.abc import Sequence
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_account import Account
from eth_keys import keys
from fake_node import FakeBranch
from hypothesis import given
from hypothesis import strategies as st

from chain.client import ChainClient, RpcError
from chain.signatures import is_wrapped, normalise, recover, verify, wrap_undeployed
from returns.errors import ChainUnavailable

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = "0x" + "42" * 32
SIGNER = Account.from_key(KEY).address.lower()
DIGEST = bytes(range(32))

digests = st.binary(min_size=32, max_size=32)
private_keys = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32, "big"))


def sign(digest: bytes = DIGEST, key: str | bytes = KEY) -> bytes:
    """r, s and v as 27 or 28."""
    raw = bytes.fromhex(key[2:]) if isinstance(key, str) else key
    signature = keys.PrivateKey(raw).sign_msg_hash(digest).to_bytes()
    return signature[:64] + bytes([signature[64] + 27])


def with_v(signature: bytes, v: int) -> bytes:
    return signature[:64] + bytes([v])


def twin(signature: bytes) -> bytes:
    """The other signature of the same message by the same key: a high s, the other v."""
    s = ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


@given(digests, private_keys)
def test_finds_the_signer_in_either_form_of_v(digest: bytes, key: bytes) -> None:
    signature, signer = sign(digest, key), Account.from_key(key).address.lower()
    assert recover(digest, signature) == signer
    assert recover(digest, with_v(signature, signature[64] - 27)) == signer


@given(digests, private_keys)
def test_refuses_the_malleable_twin(digest: bytes, key: bytes) -> None:
    assert recover(digest, twin(sign(digest, key))) is None


@given(digests)
def test_another_message_has_another_signer(digest: bytes) -> None:
    assert (recover(digest, sign()) == SIGNER) is (digest == DIGEST)


@pytest.mark.parametrize("v", [*range(2, 27), *range(29, 256)])
def test_refuses_every_other_v(v: int) -> None:
    assert recover(DIGEST, with_v(sign(), v)) is None


@pytest.mark.parametrize("length", [*range(65), 66, 96, 130, 4096])
def test_refuses_every_other_length(length: int) -> None:
    assert recover(DIGEST, (sign() * 64)[:length]) is None


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, 1),
        (1, 0),
        (0, 0),
        (ORDER, 1),
        (ORDER - 1, ORDER - 1),
        (1, ORDER // 2 + 1),
        (2**256 - 1, 1),
        (5, 1),
    ],
)
@pytest.mark.parametrize("v", [0, 1, 27, 28])
def test_refuses_numbers_that_make_no_signature(r: int, s: int, v: int) -> None:
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
    assert recover(DIGEST, signature) is None


def test_takes_the_largest_low_s_and_not_one_more() -> None:
    """r = 1 is the abscissa of a point, so that only s decides."""
    half = ORDER // 2
    low = (1).to_bytes(32, "big") + half.to_bytes(32, "big") + b"\x1b"
    high = (1).to_bytes(32, "big") + (half + 1).to_bytes(32, "big") + b"\x1b"
    assert recover(DIGEST, low) is not None
    assert recover(DIGEST, high) is None


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_never_raises(digest: bytes, signature: bytes) -> None:
    assert recover(digest, signature) is None or len(digest) == 32


@given(digests, st.binary(min_size=65, max_size=65))
def test_agrees_with_the_reference_library(digest: bytes, signature: bytes) -> None:
    ours = recover(digest, with_v(signature, signature[64] % 2 + 27))
    if ours is None:
        return
    theirs = keys.Signature(with_v(signature, signature[64] % 2))
    assert theirs.recover_public_key_from_msg_hash(digest).to_address() == ours


def test_brings_a_keys_signature_into_the_contracts_form() -> None:
    signature = sign()
    raw = with_v(signature, signature[64] - 27)
    assert normalise(SIGNER, DIGEST, raw) == signature
    assert normalise(SIGNER, DIGEST, signature) == signature


@given(st.binary(max_size=200))
def test_leaves_what_is_not_the_holders_own_signature_alone(signature: bytes) -> None:
    assert normalise(SIGNER, DIGEST, signature) == signature


addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


@given(addresses, st.binary(max_size=300), st.binary(max_size=300))
def test_a_wrapping_has_what_deploys_the_wallet_and_ends_in_the_mark(
    factory: str, call: bytes, inner: bytes
) -> None:
    wrapped = wrap_undeployed(factory, call, inner)
    assert wrapped[-32:].hex() == "6492" * 16
    assert decode(["address", "bytes", "bytes"], wrapped[:-32]) == (factory, call, inner)
    assert is_wrapped(wrapped)
    assert recover(DIGEST, wrapped) is None
    assert normalise(SIGNER, DIGEST, wrapped) == wrapped


@given(digests)
def test_a_keys_signature_is_never_taken_for_a_wrapping(digest: bytes) -> None:
    assert not is_wrapped(sign(digest))
    assert not is_wrapped(bytes.fromhex("6492" * 16))


class Node(ChainClient):
    """A node with one answer for everything."""

    def __init__(self, answer: Any) -> None:
        super().__init__("http://127.0.0.1:1")
        self._answer = answer
        self.asked = 0

        self.branch = FakeBranch()

    def answer(self, answer: Any) -> None:
        self._answer = answer

    def _post(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        [(method, params)] = calls
        if method == "eth_getBlockByNumber":
            return [self.branch.block(*params)]
        assert params[1] == {"blockHash": self.branch.head["hash"]}
        self.asked += 1
        return [self._answer]


YES = "0x" + "00" * 31 + "01"


@pytest.mark.parametrize(
    "answer",
    [
        "0x" + "00" * 32,
        "0x" + "00" * 31 + "02",
        YES + "00",
        YES[:-2],
        "0x01",
        "0x",
        RpcError("execution reverted", 3, "0x"),
        RpcError("VM execution error.", -32015),
        RpcError("EVM error OutOfGas", -32003),
        RpcError("invalid opcode: INVALID", -32000),
        RpcError("out of gas", -32000),
    ],
)
def test_what_is_not_yes_is_no(answer: Any) -> None:
    node = Node(answer)
    assert not verify(node, "0x" + "c0" * 20, DIGEST, b"any")
    assert node.asked == 1


def test_yes_is_yes() -> None:
    assert verify(Node(YES), "0x" + "c0" * 20, DIGEST, b"any")


@pytest.mark.parametrize("answer", [YES, "0x" + "00" * 32, RpcError("execution reverted", 3, "0x")])
def test_within_a_block_a_wallet_is_asked_once(answer: Any) -> None:
    node, wallet = Node(answer), "0x" + "c0" * 20
    said = [verify(node, wallet, DIGEST, b"any") for _ in range(3)]
    assert (said, node.asked) == ([answer == YES] * 3, 1)
    node.branch.mine()
    assert verify(node, wallet, DIGEST, b"any") is (answer == YES)
    assert node.asked == 2
    for other in (
        (wallet, DIGEST, b"other"),
        (wallet, b"\1" * 32, b"any"),
        (wallet[:-1] + "1", DIGEST, b"any"),
    ):
        verify(node, *other)
    assert node.asked == 5


def test_a_wallet_may_change_its_mind_with_each_block() -> None:
    node, wallet = Node(YES), "0x" + "c0" * 20
    assert verify(node, wallet, DIGEST, b"any")
    node.answer("0x" + "00" * 32)
    node.branch.mine()
    assert not verify(node, wallet, DIGEST, b"any")


def test_no_answer_is_not_remembered() -> None:
    node, wallet = Node(RpcError("limit exceeded", -32005)), "0x" + "c0" * 20
    with pytest.raises(ChainUnavailable):
        verify(node, wallet, DIGEST, b"any")
    node.answer(YES)
    assert verify(node, wallet, DIGEST, b"any")


@pytest.mark.parametrize(
    "answer",
    [
        RpcError("limit exceeded", -32005),
        RpcError("header not found", -32000),
        RpcError("Too Many Requests", 429),
        RpcError("", 0),
        7,
        None,
        "0xzz",
        {"result": YES},
    ],
)
def test_a_node_that_is_broken_has_refused_nobody(answer: Any) -> None:
    with pytest.raises(ChainUnavailable):
        verify(Node(answer), "0x" + "c0" * 20, DIGEST, b"any")


@given(st.text(max_size=50), st.binary(max_size=80), st.binary(max_size=300))
def test_verify_has_an_answer_for_everything(holder: str, digest: bytes, signature: bytes) -> None:
    assert verify(Node("0x" + "00" * 32), holder, digest, signature) is False


@given(digests, private_keys)
def test_a_key_needs_no_node(digest: bytes, key: bytes) -> None:
    node, signer = Node(None), Account.from_key(key).address.lower()
    assert verify(node, signer, digest, sign(digest, key))
    assert node.asked == 0
