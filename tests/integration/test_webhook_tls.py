"""TLS to an endpoint: connected by address, proven by name. Nothing goes to who cannot prove it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hooks
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fakes import FakeClock
from hooks import Receiver

from returns.deliveries import Failure
from settlement.webhooks_out.postman import Postman, Taken
from settlement.webhooks_out.targets import Targets

HOST = "hooks.example.com"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of HOST that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    file = tmp_path / "certificate.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, plain[1], plain[0])
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture
def real(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with hooks.receiver(context) as found:
        yield found


def post(real: Receiver, host: str, trusted: Path | None = None) -> Taken | Failure:
    here = Targets(local=True, resolver=lambda name, port: ["127.0.0.1"])
    sender = Postman(here, FakeClock())
    if trusted is not None:
        sender._tls.load_verify_locations(trusted)
    return sender.post(real.url.replace("127.0.0.1", host), {}, b"{}")


def test_a_host_that_proves_its_name_is_sent_to(real: Receiver, certificate: Path) -> None:
    assert post(real, HOST, certificate) == Taken(200)
    assert real.got[0].headers["host"].startswith(f"{HOST}:")


@pytest.mark.parametrize("host", ["other.example.com", "127.0.0.1"])
def test_a_host_that_has_another_name_gets_nothing(
    real: Receiver, certificate: Path, host: str
) -> None:
    failure = post(real, host, certificate)
    assert isinstance(failure, Failure)
    assert "certificate verify failed" in failure.error
    assert real.got == []


def test_a_host_that_nobody_vouches_for_gets_nothing(real: Receiver) -> None:
    failure = post(real, HOST)
    assert isinstance(failure, Failure)
    assert "certificate verify failed" in failure.error
    assert real.got == []
