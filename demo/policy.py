"""The written policy, read by the demonstration itself: keys of the YAML file, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.faults import CannotPlay

#: The policy that ships with the product and that a new merchant gets.
STANDARD = Path(__file__).parent.parent / "triage" / "policies" / "standard.yaml"


@dataclass(frozen=True, slots=True)
class Written:
    """The sentences that the oracle applies. Caps are in minor units by currency.

    The band of the model (`risk`) is left out: a model is no rule that can be computed by hand.
    The demonstration stays out of the band instead; `demo.choose` says how.
    """

    window_days: int
    caps: dict[str, int]
    final_sale: bool | frozenset[int]
    #: Most earlier returns of a customer in a year; one more is denied.
    yearly_limit: int
    #: So many earlier returns in so many days, and a person looks at the next one.
    review_after_returns: int
    review_after_days: int
    remedies: frozenset[str]
    third_party: str

    def is_final(self, token_id: int) -> bool:
        """Whether the token is never taken back."""
        sold = self.final_sale
        return sold if isinstance(sold, bool) else token_id in sold


def read(path: Path = STANDARD) -> Written:
    """Read a policy file; raises `CannotPlay` for one that says more than the oracle knows."""
    text: dict[str, Any] = yaml.safe_load(path.read_text())
    if text["collections"]:
        raise CannotPlay(f"The oracle does not read words of single collections: {path}.")
    final = text["final_sale"]
    of_customers = [limit for limit in text["limits"] if limit["what"] == "returns"]
    denied, reviewed = of_customers
    if (denied["then"], denied["days"], reviewed["then"]) != ("deny", 365, "review"):
        raise CannotPlay(
            f"The oracle reads a limit that denies in a year, then one that reviews: {path}."
        )
    return Written(
        window_days=int(text["window_days"]),
        caps={currency: int(cap) for currency, cap in text["caps"].items()},
        final_sale=final if isinstance(final, bool) else frozenset(map(int, final)),
        yearly_limit=int(denied["most"]),
        review_after_returns=int(reviewed["most"]),
        review_after_days=int(reviewed["days"]),
        remedies=frozenset(text["remedies"]),
        third_party=str(text["rules"]["holder_not_buyer"]),
    )
