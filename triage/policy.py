"""The door to policies: read one from text, and hold facts against it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from returns.errors import PolicyInvalid
from triage import rules
from triage.canonical import canonical_json
from triage.facts import Facts
from triage.hits import RuleHit, verdict_of
from triage.schema import Misplaced, Policy
from triage.situation import situation_of
from triage.terms import Terms
from triage.yaml_text import Lines, read_yaml

__all__ = ["Policy", "RuleHit", "Terms", "evaluate", "parse_policy", "policy_hash", "verdict_of"]

_PROBLEMS_SHOWN = 5


def parse_policy(text: str) -> Policy:
    """Read a policy from YAML text of at most 64 kB.

    Raises `PolicyInvalid` whose problem names the line and the key of the first few mistakes.
    """
    content, lines = read_yaml(text)
    try:
        # By way of JSON, where strict means: enumerations from text, but never 1 from "1" or true.
        return Policy.model_validate_json(canonical_json(content))
    except ValidationError as bad:
        shown = [_problem(error, lines) for error in bad.errors()[:_PROBLEMS_SHOWN]]
        raise PolicyInvalid(problem="; ".join(dict.fromkeys(shown))) from bad


def evaluate(policy: Policy, facts: Facts) -> list[RuleHit]:
    """Return every rule that the facts hit; see `triage.rules` for how conflicts are resolved."""
    return rules.evaluate(situation_of(policy, facts))


def policy_hash(policy: Policy) -> str:
    """Return the policy's SHA-256 in hex; comments, order and quotes do not change it."""
    return policy.policy_hash


def _problem(error: ErrorDetails, lines: Lines) -> str:
    fault = error.get("ctx", {}).get("error")
    path = _known(fault.path if isinstance(fault, Misplaced) else error["loc"], lines)
    where = ".".join(str(step)[:60] for step in path)
    message = error["msg"].removeprefix("Value error, ")
    if not path:
        # Absent keys and rules across keys have no line of their own.
        absent = ".".join(map(str, error["loc"]))
        return f"{absent}: {message}" if absent else message
    if error["type"] == "missing":
        where = ".".join(map(str, error["loc"]))
    return f"line {lines[path]}: {where}: {message}"


def _known(loc: Sequence[str | int], lines: Lines) -> tuple[str | int, ...]:
    """Cut off what the validator adds to a path (branches of a union): down to one with a line."""
    path = tuple(loc)
    while path and path not in lines:
        path = path[:-1]
    return path
