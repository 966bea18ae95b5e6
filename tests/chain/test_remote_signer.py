"""The remote signer over real HTTP: it signs, refuses, lies, sleeps or answers nonsense."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import web3signer
from chain_node import free_port
from eth_utils.crypto import keccak
from web3signer import Web3Signer, hexed

from chain.signers import LocalSigner, Secrets, open_signer
from chain.signers.remote import RemoteSigner
from chain.transactions import Transaction, payload, sign
from returns.errors import SettingsInvalid, SignerRefused, SignerUnavailable

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY, OTHER = "0x" + "5e" * 32, "0x" + "0a" * 32
MINE, THEIRS = LocalSigner(KEY), LocalSigner(OTHER)
PLAIN = Transaction(1, 0, 1, 2, 21_000, "0x" + "11" * 20, 0, b"\x01" * 5_000)
KEYS, SIGN = "/api/v1/eth1/publicKeys", "/api/v1/eth1/sign/"


@pytest.fixture
def service() -> Iterator[Web3Signer]:
    with web3signer.running(OTHER, KEY) as started:
        yield started


def signer(service: Web3Signer, address: str = MINE.address, timeout: float = 10) -> RemoteSigner:
    return RemoteSigner(service.url, address, timeout=timeout)


def high_s(data: bytes) -> bytes:
    low = MINE.sign(data)
    s = ORDER - int.from_bytes(low[32:64], "big")
    return low[:32] + s.to_bytes(32, "big") + bytes([55 - low[64]])


def test_signs_as_the_key_itself_does(service: Web3Signer) -> None:
    remote = signer(service)
    assert remote.address == MINE.address
    assert sign(remote, PLAIN) == sign(MINE, PLAIN)
    assert service.asked == [f"GET {KEYS}", f"POST {SIGN}{web3signer.name_of(KEY)}"]


def test_the_keys_are_listed_once(service: Web3Signer) -> None:
    remote = signer(service)
    for preimage in (b"", b"\x02", b"\x02" * 100_000):
        assert remote.sign(preimage) == MINE.sign(preimage)
    assert service.asked.count(f"GET {KEYS}") == 1


def test_nothing_is_asked_before_the_first_signature(service: Web3Signer) -> None:
    assert signer(service).address == MINE.address
    assert service.asked == []


def test_settings_name_it(service: Web3Signer) -> None:
    named = open_signer(f"remote:{service.url}#{MINE.address}", Secrets())
    assert named.sign(b"\x02") == MINE.sign(b"\x02")


def test_threads_share_it(service: Web3Signer) -> None:
    remote = signer(service)
    preimages = [bytes([number]) for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(remote.sign, preimages)) == [MINE.sign(one) for one in preimages]


@pytest.mark.parametrize("form", ["with the byte before it", "compressed", "address", "no prefix"])
def test_other_names_of_the_key_are_understood(service: Web3Signer, form: str) -> None:
    point = web3signer.name_of(KEY)[2:]
    parity = "03" if int(point[-1], 16) % 2 else "02"
    name = {
        "with the byte before it": "0x04" + point,
        "compressed": "0x" + parity + point[:64],
        "address": MINE.address,
        "no prefix": point,
    }[form]
    service.listed = json.dumps([web3signer.name_of(OTHER), "0x12", name]).encode()
    with pytest.raises(SignerRefused, match="404"):
        signer(service).sign(b"\x02")
    assert service.asked[-1] == f"POST {SIGN}{name}"


def test_a_signature_in_quotes_or_with_v_as_0_or_1_is_taken(service: Web3Signer) -> None:
    right = MINE.sign(payload(PLAIN))
    raw = right[:64] + bytes([right[64] - 27])
    for text in (b'"' + hexed(right) + b'"', hexed(right) + b"\n", hexed(raw), hexed(right)[2:]):
        service.answer = lambda _, text=text: (200, text)
        assert signer(service).sign(payload(PLAIN)) == right


LIES: dict[str, Callable[[bytes], bytes]] = {
    "another key": lambda data: hexed(THEIRS.sign(data)),
    "other data": lambda data: hexed(MINE.sign(data + b"\x00")),
    "data hashed twice": lambda data: hexed(MINE.sign(keccak(data))),
    "a high s": lambda data: hexed(high_s(data)),
    "the other v": lambda data: hexed(MINE.sign(data)[:64] + bytes([55 - MINE.sign(data)[64]])),
    "an odd v": lambda data: hexed(MINE.sign(data)[:64] + b"\x25"),
    "no v": lambda data: hexed(MINE.sign(data)[:64]),
    "a byte too much": lambda data: hexed(MINE.sign(data) + b"\x00"),
    "zeros": lambda data: hexed(bytes(65)),
    "nothing": lambda data: b"",
    "a page": lambda data: b"<html>Welcome</html>",
    "an object": lambda data: b'{"signature": "0x12"}',
    "bytes that are no text": lambda data: b"\xff\xfe\x00" * 40,
    "half of it": lambda data: hexed(MINE.sign(data))[:-1],
    "a megabyte": lambda data: hexed(MINE.sign(data)) + b"0" * 1_048_576,
    "a megabyte of blanks": lambda data: hexed(MINE.sign(data)) + b" " * 1_048_576,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_never_returned(service: Web3Signer, lie: str) -> None:
    service.answer = lambda data: (200, LIES[lie](data))
    remote = signer(service)
    with pytest.raises(SignerRefused):
        remote.sign(payload(PLAIN))
    with pytest.raises(SignerRefused):
        sign(remote, PLAIN)


@pytest.mark.parametrize("status", [201, 204, 301, 307, 400, 401, 403, 404, 412, 418])
def test_a_refusal_is_a_refusal(service: Web3Signer, status: int) -> None:
    service.answer = lambda _: (status, b"" if status == 204 else hexed(MINE.sign(payload(PLAIN))))
    with pytest.raises(SignerRefused, match=str(status)):
        signer(service).sign(payload(PLAIN))
    assert len(service.asked) == 2, "no redirect is followed"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_signer_that_is_unwell_is_waited_for(service: Web3Signer, status: int) -> None:
    remote = signer(service)
    service.answer = lambda _: (status, b"later")
    with pytest.raises(SignerUnavailable, match=str(status)):
        remote.sign(payload(PLAIN))
    service.answer = None
    assert remote.sign(payload(PLAIN)) == MINE.sign(payload(PLAIN))


def test_a_signer_that_sleeps_is_given_up(service: Web3Signer) -> None:
    service.delay_s = 1.5
    with pytest.raises(SignerUnavailable, match="ReadTimeout"):
        signer(service, timeout=0.5).sign(b"\x02")


def test_nobody_listening_is_no_answer() -> None:
    remote = RemoteSigner(f"http://127.0.0.1:{free_port()}", MINE.address, timeout=0.5)
    with pytest.raises(SignerUnavailable, match="ConnectError"):
        remote.sign(b"\x02")


def test_a_key_that_the_signer_does_not_have_is_refused(service: Web3Signer) -> None:
    with pytest.raises(SignerRefused, match="it has no key of 0x1111"):
        signer(service, "0x" + "11" * 20).sign(b"\x02")
    assert service.asked == [f"GET {KEYS}"]


def test_a_key_that_is_named_anew_is_found_again(service: Web3Signer) -> None:
    remote = signer(service)
    remote.sign(b"\x02")
    service.answer = lambda _: (404, b"Resource not found")
    with pytest.raises(SignerRefused):
        remote.sign(b"\x02")
    service.answer = None
    assert remote.sign(b"\x02") == MINE.sign(b"\x02")
    assert service.asked.count(f"GET {KEYS}") == 2


@pytest.mark.parametrize(
    "listed",
    [
        b"",
        b"null",
        b"{}",
        b'"0x12"',
        b"[1, 2]",
        b"[null]",
        b"<html>",
        b"\xff",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'["0x12"]',
        b'["0xzz", ""]',
        b'["' + b"0" * 2_000_000 + b'"]',
    ],
)
def test_a_list_of_keys_that_cannot_be_read_is_refused(service: Web3Signer, listed: bytes) -> None:
    service.listed = listed
    with pytest.raises(SignerRefused):
        signer(service).sign(b"\x02")
    assert service.asked == [f"GET {KEYS}"]


@pytest.mark.parametrize(
    "url",
    [
        "http://signer.example:9000",
        "http://10.0.0.1:9000",
        "http://127.0.0.1.example",
        "ftp://127.0.0.1",
        "127.0.0.1:9000",
        "",
        "https://",
        "https://signer:99999",
        "https://signer/?key=1",
        "https://user:secret@signer",
        "http://secret@127.0.0.1",
    ],
)
def test_other_machines_are_asked_over_https_and_without_a_password(url: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        RemoteSigner(url, MINE.address)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://signer:9000", "http://localhost:9000", "http://[::1]:9000", "http://127.9.9.9"]
)
def test_https_and_this_machine_are_fine(url: str) -> None:
    assert repr(RemoteSigner(url, MINE.address)) == f"RemoteSigner({url}, {MINE.address})"


def test_plain_http_is_not_tls(service: Web3Signer) -> None:
    remote = RemoteSigner(service.url.replace("http:", "https:"), MINE.address, timeout=0.5)
    with pytest.raises(SignerUnavailable):
        remote.sign(b"\x02")
    assert service.asked == []
