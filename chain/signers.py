"""Keys behind one interface. A private key is never in a log, an argument list or an exception."""

from typing import Any, Protocol

from eth_account import Account
from eth_account.signers.local import LocalAccount

from returns.errors import SettingsInvalid


class Signer(Protocol):
    """Signs transactions of one account; may be remote and slow, so never within a transaction."""

    @property
    def address(self) -> str:
        """The lower-case address of the account."""

    def sign(self, transaction: dict[str, Any]) -> tuple[str, bytes]:
        """Return (transaction hash, raw bytes) of an EIP-1559 transaction."""


class TypedDataSigner(Protocol):
    """Signs messages that a person can read before signing (EIP-712)."""

    @property
    def address(self) -> str:
        """The lower-case address of the account."""

    def sign_typed_data(self, request: dict[str, Any]) -> bytes:
        """Sign the argument of eth_signTypedData_v4: 65 bytes r, s, v with a low s."""


class LocalSigner:
    """A key in this process's memory, for local chains and tests."""

    def __init__(self, private_key: str) -> None:
        try:
            account: LocalAccount = Account.from_key(private_key)
        except Exception:  # noqa: BLE001  (its text could hold the key)
            raise SettingsInvalid(problem="the signer's key is not a private key") from None
        self._account = account

    @property
    def address(self) -> str:
        """The lower-case address of the account."""
        return str(self._account.address).lower()

    def sign(self, transaction: dict[str, Any]) -> tuple[str, bytes]:
        """Sign with RFC 6979 nonces: the same transaction gives the same bytes."""
        signed = self._account.sign_transaction(transaction)
        return "0x" + signed.hash.hex(), bytes(signed.raw_transaction)

    def sign_typed_data(self, request: dict[str, Any]) -> bytes:
        """Sign a typed-data request as a wallet would: r, s, and v as 27 or 28."""
        return bytes(self._account.sign_typed_data(full_message=request).signature)

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"
