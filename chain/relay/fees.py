"""What a nonce's bytes may cost per gas (EIP-1559), first and when they are replaced. Pure.

All figures are wei per gas. Nodes take a replacement only if both the fee cap and the tip are at
least 10 % higher (Geth `txpool.pricebump`, Erigon, Reth and Nethermind likewise); some ask for
12.5 %, so that is what we raise by. Calls stay so far below the cap that a self-transfer can always
replace them, or a nonce could not be given up.
"""

from __future__ import annotations

from dataclasses import dataclass

_RAISE = (9, 8)
#: Gas of a plain transfer without data.
TRANSFER_GAS = 21_000


@dataclass(frozen=True, slots=True)
class Fee:
    """maxFeePerGas and maxPriorityFeePerGas; the tip is part of the first."""

    max_fee: int
    priority_fee: int


def first(base_fee: int, tip: int, cap: int) -> Fee | None:
    """Room for the base fee to double; None where calls may not pay even today's base fee."""
    ceiling = call_ceiling(cap)
    if base_fee + tip > ceiling:
        return None
    return Fee(min(2 * base_fee + tip, ceiling), tip)


def replacement(previous: Fee, market: Fee | None, ceiling: int) -> Fee | None:
    """What a node takes instead of `previous`, at least today's price; None above the ceiling."""
    max_fee, priority_fee = raised(previous.max_fee), raised(previous.priority_fee)
    if max_fee > ceiling:
        return None
    if market is None:
        return Fee(max_fee, priority_fee)
    return Fee(
        max(max_fee, min(market.max_fee, ceiling)),
        max(priority_fee, market.priority_fee),
    )


def call_ceiling(cap: int) -> int:
    """The most that a call may pay: one raise below the cap."""
    return cap * _RAISE[1] // _RAISE[0]


def raised(fee: int) -> int:
    """12.5 % more, rounded up, and never the same."""
    return max(-(-fee * _RAISE[0] // _RAISE[1]), fee + 1)
