"""A private key shows itself nowhere."""

import logging
import pickle

import pytest
from eth_account import Account

from chain.relayer import Relayer
from chain.signers import LocalSigner
from returns.errors import SettingsInvalid

KEY = "0x" + "5e" * 31 + "01"
TRANSACTION = {
    "type": 2,
    "chainId": 1,
    "nonce": 0,
    "maxFeePerGas": 2,
    "maxPriorityFeePerGas": 1,
    "gas": 21_000,
    "to": "0x" + "11" * 20,
    "value": 0,
    "data": b"",
}


def shows(text: str) -> bool:
    raw = bytes.fromhex(KEY[2:])
    forms = (raw.hex(), str(int.from_bytes(raw, "big")), repr(raw)[2:-1].lower())
    return any(form in text.lower() for form in forms)


def test_a_signer_shows_its_address_only() -> None:
    signer = LocalSigner(KEY)
    for text in (repr(signer), str(signer), f"{signer}", repr({"signer": signer}), repr([signer])):
        assert signer.address in text
        assert not shows(text)


def test_the_same_transaction_gives_the_same_bytes() -> None:
    first, second = LocalSigner(KEY).sign(TRANSACTION), LocalSigner(KEY).sign(TRANSACTION)
    assert first == second
    assert Account.recover_transaction(first[1]).lower() == LocalSigner(KEY).address


@pytest.mark.parametrize(
    "wrong", [KEY + "ff", KEY[:-2], "zz" + KEY[2:], "", "0x" + "00" * 32, "0x" + "ff" * 32]
)
def test_a_wrong_key_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        LocalSigner(wrong)
    fault: BaseException | None = caught.value
    text = f"{fault} {fault!r} {caught.value.values}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert not wrong or wrong not in text


@pytest.mark.parametrize(
    "broken",
    [{"nonce": -1}, {"to": "nobody"}, {"gas": None}, {"chainId": "x"}, {"data": object()}],
)
def test_a_transaction_that_cannot_be_signed_does_not_show_the_key(
    broken: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        LocalSigner(KEY).sign({**TRANSACTION, **broken})
    fault: BaseException | None = caught.value
    while fault is not None:
        assert not shows(f"{fault} {fault!r}")
        fault = fault.__cause__ or fault.__context__
    assert not shows(caplog.text)


def test_a_relayer_shows_no_key() -> None:
    relayer = Relayer(None, None, LocalSigner(KEY), 1, None)  # type: ignore[arg-type]
    assert not shows(repr(relayer))
    assert not shows(repr(vars(relayer)))


def test_signing_logs_nothing_of_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    LocalSigner(KEY).sign(TRANSACTION)
    assert not shows(caplog.text)


def test_this_test_would_see_a_key() -> None:
    assert shows(KEY.upper())
    assert shows(str(int(KEY, 16)))
    assert not shows(pickle.dumps("nothing").hex())
