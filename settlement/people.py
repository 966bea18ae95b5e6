"""Who is who, as far as a name tells: two people are wanted in several places."""

from __future__ import annotations


def is_same_person(one: str, other: str) -> bool:
    """Spelt alike, be it the name of an API key or one given at the command line."""
    names = (name.removeprefix("key:").strip().casefold() for name in (one, other))
    return len(set(names)) == 1
