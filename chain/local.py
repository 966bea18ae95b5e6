"""The well-known accounts of a local Anvil, and which of them plays whom."""

from __future__ import annotations

from functools import cache

from eth_account import Account

MNEMONIC = "test test test test test test test test test test test junk"

ADMIN, SECOND_ADMIN, OPERATOR, GUARDIAN, TREASURER, APPROVER, *CUSTOMERS = range(10)

#: Owners of the vaults, each of which takes two of them. Anvil gives them no coin; they only sign.
VAULT_OWNERS, VAULT_THRESHOLD = range(10, 13), 2


@cache
def anvil_addresses() -> frozenset[str]:
    """The lower-case addresses of those accounts."""
    return frozenset(Account.from_key(key).address.lower() for key in anvil_keys())


@cache
def anvil_keys() -> tuple[str, ...]:
    """The private keys of those accounts by index, 0x-hex. Public: never for real value."""
    Account.enable_unaudited_hdwallet_features()
    paths = (f"m/44'/60'/0'/0/{index}" for index in range(VAULT_OWNERS.stop))
    return tuple("0x" + Account.from_mnemonic(MNEMONIC, account_path=p).key.hex() for p in paths)
