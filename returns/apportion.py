"""Shares that only ever grow: how an amount that is paid in parts is made up, part by part."""

from __future__ import annotations

from fractions import Fraction

from returns.errors import AmountInvalid


def apportion(total: int, wholes: list[int]) -> list[int]:
    """Split `total` minor units among `wholes`, none above its whole; the parts sum to `total`.

    A larger total gives no part less (Sainte-Laguë, ties to the earlier part), so that the
    difference of two totals is a split too. Largest remainder does not promise that: of 1, 3 and
    3 it gives 1, 1, 1 for 3, and 0, 2, 2 for 4. Raises `AmountInvalid` outside 0 to the sum.
    """
    whole = sum(wholes)
    if not 0 <= total <= whole or min(wholes, default=0) < 0:
        raise AmountInvalid(amount=total)
    if total in (0, whole):
        return list(wholes) if total else [0] * len(wholes)
    # All units that come before a threshold, ties included; then one by one to the sum.
    parts = [(2 * total * each + whole) // (2 * whole) for each in wholes]
    while (rest := total - sum(parts)) != 0:
        if rest > 0:
            parts[_next(wholes, parts)] += 1
        else:
            parts[_last(wholes, parts)] -= 1
    return parts


def _next(wholes: list[int], parts: list[int]) -> int:
    """The part that the next unit goes to."""
    return max(range(len(parts)), key=lambda i: (Fraction(wholes[i], 2 * parts[i] + 1), -i))


def _last(wholes: list[int], parts: list[int]) -> int:
    """The part that got the last unit."""
    taken = [i for i in range(len(parts)) if parts[i]]
    return min(taken, key=lambda i: (Fraction(wholes[i], 2 * parts[i] - 1), -i))
