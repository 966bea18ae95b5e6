"""What one person may approve alone: a limit by currency, from the policy in force."""

from __future__ import annotations

from collections.abc import Mapping


def limit_for(policy: object, currency: str) -> int | None:
    """The most that one person approves alone, in minor units; None where there is no limit.

    A policy without `approval_limits` sets none. A currency that its table does not name has the
    limit 0, so that every amount needs a second person.
    """
    limits: Mapping[str, int] | None = getattr(policy, "approval_limits", None)
    return None if limits is None else limits.get(currency, 0)
