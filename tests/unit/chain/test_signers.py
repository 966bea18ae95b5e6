"""A private key shows itself nowhere."""

import copy
import logging
import pickle
import traceback

import pytest
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.signers import LocalSigner
from chain.typed_data import Domain, ReturnAuthorization, wallet_request
from returns.errors import SettingsInvalid

KEY = "0x" + "5e" * 31 + "01"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PREIMAGE = b"\x02 what is hashed"


AUTHORIZATION = ReturnAuthorization(
    line="0x" + "01" * 32,
    vault="0x" + "02" * 20,
    holder="0x" + "03" * 20,
    token="0x" + "04" * 20,
    tokenId=7,
    amount=1,
    remedy=1,
    asset="0x" + "05" * 20,
    refund=10**18,
    recipient="0x" + "06" * 20,
    deadline=1,
    reclaimAfter=2,
    commitUntil=3,
)


def shows(text: str) -> bool:
    raw = bytes.fromhex(KEY[2:])
    forms = (raw.hex(), str(int.from_bytes(raw, "big")), repr(raw)[2:-1].lower())
    return any(form in text.lower() for form in forms)


def our_frames(fault: BaseException | None) -> str:
    """What a crash reporter shows of the product's own frames: source lines, and all locals."""
    assert fault is not None
    trace = traceback.TracebackException.from_exception(fault, capture_locals=True)
    frames = [frame for frame in trace.stack if "/tests/" not in frame.filename]
    assert frames
    return "".join(traceback.StackSummary.from_list(frames).format())


def test_a_signer_shows_its_address_only() -> None:
    signer = LocalSigner(KEY)
    for text in (repr(signer), str(signer), f"{signer}", repr({"signer": signer}), repr([signer])):
        assert signer.address in text
        assert not shows(text)


@given(st.binary(max_size=300), st.integers(1, ORDER - 1))
def test_signs_the_hash_of_what_it_is_given_as_the_reference_library_does(
    preimage: bytes, number: int
) -> None:
    key = f"0x{number:064x}"
    theirs = bytes(Account.unsafe_sign_hash(keccak(preimage), key).signature)
    assert LocalSigner(key).sign(preimage) == theirs
    assert LocalSigner(key).address == Account.from_key(key).address.lower()


@pytest.mark.parametrize("spelling", [KEY, KEY[2:], KEY.upper(), KEY[2:].upper()])
def test_a_key_is_the_same_however_it_is_spelled(spelling: str) -> None:
    assert LocalSigner(spelling).address == LocalSigner(KEY).address


def test_signs_typed_data_as_a_wallet_does() -> None:
    request = wallet_request(AUTHORIZATION, Domain(1, "0x" + "e5" * 20))
    theirs = bytes(Account.sign_typed_data(KEY, full_message=request).signature)
    assert LocalSigner(KEY).sign_typed_data(request) == theirs


@pytest.mark.parametrize(
    "wrong",
    [
        KEY + "ff",
        KEY[:-2],
        "zz" + KEY[2:],
        "0x zz" + KEY[2:],
        "",
        "0x" + "00" * 32,
        "0x" + "ff" * 32,
    ],
)
def test_a_wrong_key_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        LocalSigner(wrong)
    fault: BaseException | None = caught.value
    text = f"{fault} {fault!r} {caught.value.values}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert not wrong or wrong not in text + our_frames(fault)


def test_a_signer_is_not_pickled_or_copied() -> None:
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="stays in its process") as caught:
            act(LocalSigner(KEY))
        assert not shows(f"{caught.value}")


def test_signing_logs_nothing_of_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    LocalSigner(KEY).sign(PREIMAGE)
    assert not shows(caplog.text)


def test_this_test_would_see_a_key() -> None:
    assert shows(KEY.upper())
    assert shows(str(int(KEY, 16)))
    assert not shows(pickle.dumps("nothing").hex())
