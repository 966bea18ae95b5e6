"""Reads the small part of YAML that a policy needs, and remembers on which line all of it stood.

Left out on purpose: aliases and anchors (they can expand to gigabytes), tags, duplicate keys, and
the YAML 1.1 scalars that surprise people: `no` as false, `1:30` as 90, 0x… as a number, which
would turn an unquoted address into an integer. What remains is text, true/false, null and decimal
numbers.
"""

import re
from collections.abc import Callable
from typing import Any

import yaml

from returns.errors import PolicyInvalid

#: A policy is a page or two; whatever is larger is not a policy.
MAX_BYTES = 64 * 1024

#: A policy nests four levels deep. The limit keeps the recursive composer off the stack's end.
MAX_DEPTH = 12

_TAG = "tag:yaml.org,2002:"
_CORE_SCALARS = (
    ("bool", r"true|false", "tf"),
    ("null", r"null|", ["n", ""]),
    ("int", r"-?(0|[1-9][0-9]{0,77})", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}", "-0123456789"),
)
_READ: dict[str, Callable[[str], object]] = {
    _TAG + "bool": lambda text: text == "true",
    _TAG + "null": lambda _: None,
    _TAG + "int": int,
    _TAG + "float": float,
    _TAG + "str": str,
}

Path = tuple[str | int, ...]
Lines = dict[Path, int]


class _Loader(yaml.SafeLoader):
    """Only its scanner, parser and composer are used: no Python object is built from a tag."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  the base declares it so
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise _refusal("aliases, anchors and tags are not read", event.start_mark)
        if self.depth >= MAX_DEPTH:
            raise _refusal("it nests too deeply", event.start_mark)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _name, _pattern, _first in _CORE_SCALARS:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), list(_first))


def read_yaml(text: str) -> tuple[dict[str, object], Lines]:
    """Read a mapping; also return the line (from 1) of every path in it.

    Raises `PolicyInvalid` with the line for everything that is not the YAML described above.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise PolicyInvalid(problem=f"it has more than {MAX_BYTES} bytes")
    try:
        root = yaml.compose(text, Loader=_Loader)
        lines: Lines = {}
        if not isinstance(root, yaml.MappingNode):
            raise PolicyInvalid(problem="it is not a mapping of keys to values")
        return _mapping(root, (), lines), lines
    except yaml.YAMLError as bad:
        raise PolicyInvalid(problem=_sentence(bad)) from bad


def _refusal(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _sentence(bad: yaml.YAMLError) -> str:
    """Say line and problem of a YAML error; unprintable characters have a position but no line."""
    mark, problem = getattr(bad, "problem_mark", None), getattr(bad, "problem", None)
    if mark is None:
        return "it has a character that YAML does not allow"
    return f"line {mark.line + 1}: {problem}"


def _value(node: yaml.Node, path: Path, lines: Lines) -> object:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*path, i), lines) for i, child in enumerate(node.value)]
    if any("\ud800" <= character <= "\udfff" for character in node.value):
        raise _refusal("half a character (a lone surrogate) is not text", node.start_mark)
    return _READ[node.tag](node.value)


def _mapping(node: yaml.MappingNode, path: Path, lines: Lines) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, child in node.value:
        if key.tag != _TAG + "str":
            raise _refusal("a key must be text; put it in quotes", key.start_mark)
        if key.value in found:
            raise _refusal(f"the key {key.value[:80]!r} stands twice", key.start_mark)
        found[key.value] = _value(child, (*path, key.value), lines)
        lines[(*path, key.value)] = key.start_mark.line + 1
    return found
