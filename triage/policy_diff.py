"""What one policy changes of another, path by path, and whether it is looser where that is certain.

Looser means: a return that was refused or left to a person may now be approved at once, or one left
to two people by one; stricter the reverse. Each change is judged by itself, everything else being
equal. What changes the amount alone is neither: less of it also stays under a cap more easily.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from math import inf
from typing import Any

from triage.schema import CHOICES, Policy

#: What a JSON value may be.
Json = Any
Flat = Mapping[str, Json]


class Effect(StrEnum):
    """What a change does to customers. `unsaid` where it depends, or where nobody can say."""

    LOOSER = "looser"
    STRICTER = "stricter"
    UNSAID = "unsaid"


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs. `old` or `new` is None where the key is absent."""

    path: str
    old: Json
    new: Json
    effect: Effect

    @property
    def sentence(self) -> str:
        """For a person who has to agree to it."""
        told = f"{self.path}: {_shown(self.old)} becomes {_shown(self.new)}"
        return told if self.effect is Effect.UNSAID else f"{told}, which is {self.effect.value}"


def diff(old: Policy, new: Policy) -> list[Change]:
    """Every path whose value differs, in the order of paths; equal policies have none.

    The words of a collection or channel are judged by what counts for it: a key that it leaves out
    is that of the base. Where it may be another layer's, the effect is unsaid. A limit's path is
    `limits`, of whom, what, over how many days, and what happens at its value.
    """
    before, after = _flat(old), _flat(new)
    paths = sorted(before.keys() | after.keys())
    return [
        Change(path, before.get(path), after.get(path), _effect(path, before, after))
        for path in paths
        if before.get(path) != after.get(path)
    ]


def _flat(policy: Policy) -> dict[str, Json]:
    content = policy.model_dump(mode="json", exclude_none=True) | {"limits": _limits(policy)}
    if "approval_limits" in content:
        # a table gives nobody the currencies that it leaves out; without one there is no limit
        content["approval_limits"]["others"] = "0"
    return dict(_leaves((), content))


def _limits(policy: Policy) -> dict[str, Json]:
    """Limits by what they limit, so that one that changes is held against itself."""
    found: dict[str, list[int]] = {}
    for one in policy.limits:
        path = f"{one.of}.{one.what}.{one.days}.{one.then.value}"
        found.setdefault(path, []).append(one.most)
    return {path: sorted(mosts) if len(mosts) > 1 else mosts[0] for path, mosts in found.items()}


def _leaves(path: tuple[str, ...], value: Json) -> Iterator[tuple[str, Json]]:
    """Tables are opened, lists are values: those of a policy are sets."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves((*path, key), child)
    else:
        yield ".".join(path), value


def _effect(path: str, before: Flat, after: Flat) -> Effect:
    steps = path.split(".")
    key = ".".join(steps[2:]) if steps[0] in _LAYERS else path
    judge = next((judge for keys, judge in _JUDGES.items() if fnmatchcase(key, keys)), None)
    if judge is None or (key != path and not _is_told(steps, before, after)):
        return Effect.UNSAID
    old, new = (_in_force(path, key, flat) for flat in (before, after))
    if key.startswith("rules."):
        old, new = (CHOICES[steps[1]][0] if choice is None else choice for choice in (old, new))
    return _BY_GROWTH.get(judge(old, new), Effect.UNSAID)


def _is_told(steps: Sequence[str], before: Flat, after: Flat) -> bool:
    """Whether what counts without a layer's own word is certain: then it is the base's."""
    path, key = ".".join(steps), ".".join(steps[2:])
    if path in before and path in after:
        return True
    both = before.keys() | after.keys()
    extends = ".".join((*steps[:2], "extends"))
    keys = [key, "window_days"] if key.startswith("windows.") else [key]
    others = [one for own in keys for one in both if fnmatchcase(one, f"channels.*.{own}")]
    return steps[0] != "profiles" and extends not in both and not set(others) - {path}


def _in_force(path: str, key: str, flat: Flat) -> Json:
    """What counts at a path: its own value, or the base's; None: nothing is said.

    A remedy without a window has that of all, a currency without a limit that of the others.
    """
    paths = [path, key]
    if key.startswith("windows."):
        paths += [path.removesuffix(key) + "window_days", "window_days"]
    if key.startswith("approval_limits."):
        paths.append("approval_limits.others")
    return next((flat[one] for one in paths if one in flat), None)


def _more(old: Json, new: Json) -> int:
    """1 where a number has grown, -1 where it has shrunk, 0 where that cannot be said."""
    if not (_is_number(old) and _is_number(new)):
        return 0
    return int(new > old) - int(new < old)


def _less(old: Json, new: Json) -> int:
    return -_more(old, new)


def _cap(old: Json, new: Json) -> int:
    """A currency without a cap always goes to a person: the least that a cap can allow."""
    return _more(_amount(old, -1), _amount(new, -1))


def _threshold(old: Json, new: Json) -> int:
    """Where none is set nothing ever reaches it: the highest that there can be."""
    return _more(_amount(old, inf), _amount(new, inf))


def _share(old: Json, new: Json) -> int:
    """Of a loss: where none is set none is expected, and nobody looks."""
    return _more(_amount(new, -1), _amount(old, -1))


def _amount(said: Json, unsaid: float) -> Json:
    """A number, in digits or not; of several limits the lowest, which is reached first."""
    if said is None:
        return unsaid
    if isinstance(said, list):
        return min(said)
    return int(said) if isinstance(said, str) and said.isdecimal() else said


def _wider(old: Json, new: Json) -> int:
    """1 where a set has all that the other has and more."""
    if not (isinstance(old, list) and isinstance(new, list)):
        return 0
    return (set(new) > set(old)) - (set(new) < set(old))


def _narrower(old: Json, new: Json) -> int:
    return -_wider(old, new)


def _wider_or_free(old: Json, new: Json) -> int:
    """A tender that is not named can be given back in every remedy."""
    if None in (old, new):
        return (new is None) - (old is None)
    return _wider(old, new)


def _fewer_final(old: Json, new: Json) -> int:
    """True is every token, and holds every list of them; false is none."""
    if True in (old, new):
        return (old is True) - (new is True)
    return -_wider(old or [], new or [])


def _switched_off(old: Json, new: Json) -> int:
    return int(old is True) - int(new is True)


def _gentler(old: Json, new: Json) -> int:
    order = ("deny", "review", "off")
    return _more(order.index(old), order.index(new))


def _less_asked(old: Json, new: Json) -> int:
    """A model on trial decides as little as none."""
    return int(old == "decide") - int(new == "decide")


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Json) -> str:
    if value is None:
        return "nothing"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


#: Tables of words that replace the base's, by name.
_LAYERS = ("channels", "collections", "profiles")

#: Keys whose growth has a sure effect: 1 says looser. Goodwill only concerns what is denied anyway;
#: fees, proration and bonuses change the amount.
_JUDGES: Mapping[str, Callable[[Json, Json], int]] = {
    "window_days": _more,
    "windows.*": _more,
    "window_blocks": _threshold,
    "caps.*": _cap,
    "final_sale": _fewer_final,
    "condition": _narrower,
    "remedies": _wider,
    "tenders.*": _wider_or_free,
    "person_for": _narrower,
    "limits.*.returns.*": _threshold,
    "rules.*": _gentler,
    "identity_above.*": _threshold,
    "approval_limits.*": _threshold,
    "lists_required": _switched_off,
    "risk.model": _less_asked,
    "risk.review_from": _more,
    "risk.confidence_below": _less,
    "risk.anomaly_from": _more,
    "risk.score_from": _more,
    "risk.costs.*.review": _threshold,
    "risk.costs.*.loss_bps": _share,
}
_BY_GROWTH = {1: Effect.LOOSER, -1: Effect.STRICTER}
