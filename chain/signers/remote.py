"""A signer behind HTTP that speaks Web3Signer's eth1 API.

`GET /api/v1/eth1/publicKeys` lists the keys, 64 bytes in 0x-hex each; `POST
/api/v1/eth1/sign/{key}` with `{"data": "0x…"}` hashes the data itself and answers r, s and v as 27
or 28 in 0x-hex, as plain text (Web3Signer: Eth1SignForIdentifierHandler, SecpArtifactSignature).
"""

from __future__ import annotations

import json
import ssl
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote

import httpx
from coincurve import PublicKey

from chain.addresses import of_public_key
from chain.signers.base import checked
from returns.errors import SettingsInvalid, SignerRefused, SignerUnavailable

#: Bytes of an answer that are read: a signature, and a list of some thousand keys.
_SIGNATURE, _LIST = 1_024, 1_048_576

_KEYS, _SIGN = "/api/v1/eth1/publicKeys", "/api/v1/eth1/sign/"


class RemoteSigner:
    """Signs by the key of one account that a remote signer holds. Threads may share it.

    Nothing is asked before the first signature: a signer that is away when a lane starts is only
    waited for. Whatever is answered is checked to be the account's signature.
    """

    #: What a signer shows whose url turned out to be none.
    _base = "no url"

    def __init__(self, url: str, address: str, timeout: float = 5.0) -> None:
        """`url` is https, or http on this machine; `timeout` in seconds for each step of an answer.

        Raises `SettingsInvalid` for another url, or one that holds a password: urls are shown.
        """
        self._address = address
        self._base = _base(url)
        self._identifier: str | None = None
        # No proxy of the environment comes between, the machine's own authorities count, and what
        # arrives is what was sent: a compressed answer can be larger than it looks.
        self._http = httpx.Client(
            timeout=timeout,
            trust_env=False,
            verify=ssl.create_default_context(),
            headers={"accept-encoding": "identity"},
        )

    @property
    def address(self) -> str:
        """The lower-case address of the account."""
        return self._address

    def sign(self, preimage: bytes) -> bytes:
        """Sign keccak256(preimage): r, s and v as 27 or 28, s low."""
        path = _SIGN + quote(self._key(), safe="")
        try:
            answer = self._ask("POST", path, _SIGNATURE, {"data": "0x" + preimage.hex()})
        except SignerRefused:
            # Keys are added and named anew while a signer runs: it is asked again next time.
            self._identifier = None
            raise
        return checked(self._address, preimage, _bytes(answer.decode("ascii", "replace")))

    def _key(self) -> str:
        """How the signer itself names the key of the account."""
        if self._identifier is None:
            names = _names(self._ask("GET", _KEYS, _LIST))
            found = [name for name in names if _account(name) == self._address]
            if not found:
                raise SignerRefused(problem=f"it has no key of {self._address}")
            self._identifier = found[0]
        return self._identifier

    def _ask(self, method: str, path: str, limit: int, body: Any = None) -> bytes:
        try:
            with self._http.stream(method, self._base + path, json=body) as response:
                _raise_for(response.status_code)
                return _read(response, limit)
        except httpx.TransportError as fault:
            raise SignerUnavailable(problem=type(fault).__name__) from fault

    def __repr__(self) -> str:
        return f"RemoteSigner({self._base}, {self._address})"


def _base(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    whole = bool(url.host) and not (url.query or url.fragment) and (url.port or 0) < 65_536
    if url.scheme not in ("http", "https") or not whole:
        raise SettingsInvalid(problem="a remote signer's address is like https://signer:9000")
    if url.userinfo:
        raise SettingsInvalid(problem="a remote signer's address must not hold a password")
    if url.scheme == "http" and not _is_here(url.host):
        raise SettingsInvalid(problem="a remote signer on another machine must be https")
    return str(url).rstrip("/")


def _is_here(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _raise_for(status: int) -> None:
    """Web3Signer: 400 for data that it cannot read, 404 for a key that it does not have."""
    if status == 429 or status >= 500:
        raise SignerUnavailable(problem=f"it answered {status}")
    if status != 200:
        raise SignerRefused(problem=f"it answered {status}")


def _read(response: httpx.Response, limit: int) -> bytes:
    """The whole body. Raises `SignerRefused` as soon as there is more of it than anybody needs."""
    body = b""
    for piece in response.iter_raw():
        body += piece
        if len(body) > limit:
            raise SignerRefused(problem=f"its answer has more than {limit} bytes")
    return body


def _names(body: bytes) -> list[str]:
    try:
        names = json.loads(body)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SignerRefused(problem="its list of keys cannot be read")
    return names


def _account(name: str) -> str | None:
    """Whose key is listed: by its point, with or without the byte before it, or by its address."""
    raw = _bytes(name)
    if len(raw) == 20:
        return "0x" + raw.hex()
    point = b"\x04" + raw if len(raw) == 64 else raw
    try:
        return of_public_key(PublicKey(point).format(compressed=False))
    except ValueError:
        return None


def _bytes(text: str) -> bytes:
    """What 0x-hex says; nothing where it is something else. Some signers put quotes around it."""
    try:
        return bytes.fromhex(text.strip().strip('"').removeprefix("0x"))
    except ValueError:
        return b""
