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
    yearly_limit: int
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
    return Written(
        window_days=int(text["window_days"]),
        caps={currency: int(cap) for currency, cap in text["caps"].items()},
        final_sale=final if isinstance(final, bool) else frozenset(map(int, final)),
        yearly_limit=int(text["yearly_limit"]),
        review_after_returns=int(text["review_after"]["returns"]),
        review_after_days=int(text["review_after"]["days"]),
        remedies=frozenset(text["remedies"]),
        third_party=str(text["third_party"]),
    )
