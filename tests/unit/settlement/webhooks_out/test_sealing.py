"""Secrets at rest: only this installation reads them, and each only in its own row."""

from __future__ import annotations

import base64

import pytest

from returns.ids import new_id
from settlement.webhooks_out.sealing import CannotUnseal, Sealer, new_secret

ROW = new_id()


def test_what_was_sealed_is_read_again_and_is_not_to_be_seen() -> None:
    secret, sealer = new_secret(), Sealer("key-of-the-installation")
    sealed = sealer.seal(secret, ROW)
    assert sealer.unseal(sealed, ROW) == secret
    assert Sealer("key-of-the-installation").unseal(sealed, ROW) == secret
    assert secret.removeprefix("whsec_").encode() not in base64.b64decode(sealed)
    assert sealer.seal(secret, ROW) != sealed


def test_another_key_reads_nothing() -> None:
    sealed = Sealer("one").seal(new_secret(), ROW)
    with pytest.raises(CannotUnseal):
        Sealer("two").unseal(sealed, ROW)


def test_a_secret_does_not_fit_into_another_row() -> None:
    sealer = Sealer("one")
    with pytest.raises(CannotUnseal):
        sealer.unseal(sealer.seal(new_secret(), ROW), new_id())


@pytest.mark.parametrize("at", [0, 12, 28, -1])
def test_a_changed_byte_is_noticed(at: int) -> None:
    raw = bytearray(base64.b64decode(Sealer("one").seal(new_secret(), ROW)))
    raw[at] ^= 1
    with pytest.raises(CannotUnseal):
        Sealer("one").unseal(base64.b64encode(raw).decode(), ROW)


@pytest.mark.parametrize("text", ["", "x", "AAAA", "nicht base64!", "é"])
def test_what_was_never_sealed_is_not_read(text: str) -> None:
    with pytest.raises(CannotUnseal):
        Sealer("one").unseal(text, ROW)


def test_secrets_have_the_form_and_the_length_that_the_specification_asks_for() -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    for one in secrets:
        assert one.startswith("whsec_")
        assert 24 <= len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) <= 64
