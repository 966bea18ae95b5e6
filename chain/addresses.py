"""Addresses: EIP-55 on the way in, lower case inside."""

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address

from chain.keccak import keccak
from returns.errors import AddressInvalid

ZERO = "0x" + "00" * 20

#: Where tokens go that cannot be destroyed.
DEAD = "0x" + "00" * 18 + "dead"
#: EIP-7528: stands for the chain's own coin where an asset's address is wanted.
NATIVE = "0x" + "ee" * 20


def parse_address(text: object) -> str:
    """Return the lower-case form; mixed case must carry a right EIP-55 checksum.

    Raises `AddressInvalid` for anything else, the zero address included.
    """
    if not isinstance(text, str) or not is_hex_address(text) or not text.startswith("0x"):
        raise AddressInvalid(address=text)
    digits = text[2:]
    one_case = digits in (digits.lower(), digits.upper())
    if (not one_case and not is_checksum_address(text)) or text.lower() == ZERO:
        raise AddressInvalid(address=text)
    return text.lower()


def fiat_asset(number: int) -> str:
    """A fiat currency as an address: its ISO 4217 number (the custom of Chainlink's feeds)."""
    return f"0x{number:040x}"


def of_public_key(point: bytes) -> str:
    """The account of a public key, given as 65 bytes: 4, x, y (yellow paper, appendix F)."""
    return "0x" + keccak(point[1:])[-20:].hex()


def to_checksum(address: str) -> str:
    """The form with an EIP-55 checksum, for people and for eth-account."""
    return str(to_checksum_address(address))
