"""Mechanical faults for Solidity: a compiler's syntax tree in, small edits of the source out.

Each operator is a small, typical slip (DeMillo, Lipton, Sayward 1978); the words are those of
slither-mutate where it has the same. Offsets are bytes, as the compiler counts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]
Edit = tuple[str, int, int, str]

_COMPARISONS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "&&": "||",
    "||": "&&",
}
_ARITHMETIC = {
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "%": "*",
    "**": "*",
    "&": "|",
    "|": "&",
    "^": "&",
    "<<": ">>",
    ">>": "<<",
}
_ASSEMBLY = {
    "lt": "gt",
    "gt": "lt",
    "slt": "sgt",
    "sgt": "slt",
    "eq": "sub",
    "add": "sub",
    "sub": "add",
    "mul": "div",
    "div": "mul",
    "and": "or",
    "or": "and",
    "shl": "shr",
    "shr": "shl",
}
_STEPS = {"++": "--", "--": "++"}
_BOOLEANS = {"true": "false", "false": "true"}


@dataclass(frozen=True)
class Mutant:
    """One edit: bytes [start, end) of a file become `text`."""

    file: str
    operator: str
    start: int
    end: int
    text: str

    def applied(self, source: bytes) -> bytes:
        """The file with this fault in it."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def line(self, source: bytes) -> int:
        """The line of the fault, from 1."""
        return source.count(b"\n", 0, self.start) + 1

    def before(self, source: bytes) -> str:
        """The lines that the fault touches, as one."""
        return _lines(source, self.start, self.end)

    def after(self, source: bytes) -> str:
        """The same lines with the fault in them."""
        return _lines(self.applied(source), self.start, self.start + len(self.text.encode()))


def mutants(file: str, source: bytes, tree: Node) -> list[Mutant]:
    """Every fault that the operators know for this file, each once, in the order of the source."""
    found = {(start, end, text): operator for operator, start, end, text in _edits(tree, source)}
    changed = {
        key: name for key, name in found.items() if source[key[0] : key[1]] != key[2].encode()
    }
    return [Mutant(file, name, *key) for key, name in sorted(changed.items())]


def _edits(node: Node, source: bytes) -> Iterator[Edit]:
    if node.get("nodeType") == "ContractDefinition" and node["contractKind"] == "interface":
        return
    act = _OPERATORS.get(node.get("nodeType", ""))
    if act:
        yield from act(node, source)
    for child in _children(node):
        yield from _edits(child, source)


def _children(node: Node) -> Iterator[Node]:
    for value in node.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield item


def _condition(node: Node, source: bytes) -> Iterator[Edit]:
    """A condition turned round. A guard's removal is the deletion of its revert."""
    test = node["condition"]
    start, end, text = _span(test, source)
    # A lone comparison for equality is turned round by its own operator already.
    if test.get("operator") not in ("==", "!="):
        yield "condition-negated", start, end, f"!({text})"


def _binary(node: Node, source: bytes) -> Iterator[Edit]:
    sign = node["operator"]
    left, right = _span(node["leftExpression"], source), _span(node["rightExpression"], source)
    at = source.index(sign.encode(), left[1], right[0])
    for name, table in (("comparison", _COMPARISONS), ("arithmetic", _ARITHMETIC)):
        if sign in table:
            yield name, at, at + len(sign), table[sign]


def _unary(node: Node, source: bytes) -> Iterator[Edit]:
    start, end, text = _span(node, source)
    if node["operator"] == "!":
        yield "negation-removed", start, end, text.removeprefix("!")
    elif node["operator"] in _STEPS:
        yield "arithmetic", start, end, text.replace(node["operator"], _STEPS[node["operator"]])


def _assignment(node: Node, source: bytes) -> Iterator[Edit]:
    left, right = _span(node["leftHandSide"], source), _span(node["rightHandSide"], source)
    sign = node["operator"].removesuffix("=")
    if sign:
        at = source.index(sign.encode(), left[1], right[0])
        yield "arithmetic", at, at + len(sign), _ARITHMETIC[sign]
    else:
        yield from _zeroed(node["leftHandSide"], right)


def _declared(node: Node, source: bytes) -> Iterator[Edit]:
    """`uint256 x = …` in a body; a list of variables has no one zero."""
    if node.get("initialValue") and len(node["declarations"]) == 1:
        yield from _zeroed(node["declarations"][0], _span(node["initialValue"], source))


def _zeroed(target: Node, value: tuple[int, int, str]) -> Iterator[Edit]:
    kind = target["typeDescriptions"]["typeString"]
    zero = "0" if re.fullmatch(r"u?int\d*", kind) else f"{kind.removeprefix('enum ')}(0)"
    if kind == "bool":
        zero = "false"
    # Contracts, structs and arrays have no zero that could be written here.
    if re.match(r"(u?int\d*|bytes\d+|address|bool)$|enum ", kind):
        yield "assigned-zero", value[0], value[1], zero


def _literal(node: Node, source: bytes) -> Iterator[Edit]:
    start, end, text = _span(node, source)
    if node["kind"] == "bool":
        yield "boolean", start, end, _BOOLEANS[text]
    elif node["kind"] == "number":
        yield "constant", start, end, f"({text} + 1)"
        if text != "0":
            yield "constant", start, end, f"({text} - 1)"


def _statement(node: Node, source: bytes) -> Iterator[Edit]:
    start, end, _ = _span(node, source)
    yield "statement-deleted", start, end + (source[end : end + 1] == b";"), "{}"


def _function(node: Node, source: bytes) -> Iterator[Edit]:
    for modifier in node["modifiers"]:
        if modifier.get("kind") == "modifierInvocation":
            start, end, _ = _span(modifier, source)
            yield "modifier-removed", start, end, ""


def _call(node: Node, source: bytes) -> Iterator[Edit]:
    """`require(condition, …)` turned round; its removal is the deletion of the statement."""
    if node["expression"].get("name") == "require":
        start, end, text = _span(node["arguments"][0], source)
        yield "condition-negated", start, end, f"!({text})"


def _assembly_call(node: Node, source: bytes) -> Iterator[Edit]:
    start, end, name = _span(node["functionName"], source)
    if name in _ASSEMBLY:
        yield "assembly", start, end, _ASSEMBLY[name]
    elif name == "iszero":
        yield "negation-removed", *_span(node, source)[:2], _span(node["arguments"][0], source)[2]


def _assembly_if(node: Node, source: bytes) -> Iterator[Edit]:
    start, end, text = _span(node["condition"], source)
    yield "condition-negated", start, end, f"iszero({text})"


def _assembly_literal(node: Node, source: bytes) -> Iterator[Edit]:
    start, end, text = _span(node, source)
    if node["kind"] == "number":
        yield "constant", start, end, f"add({text}, 1)"
        yield "constant", start, end, f"sub({text}, 1)"


def _assembly_statement(node: Node, source: bytes) -> Iterator[Edit]:
    start, end, _ = _span(node, source)
    yield "statement-deleted", start, end, "{}"


def _span(node: Node, source: bytes) -> tuple[int, int, str]:
    start, length, _ = (int(part) for part in node["src"].split(":"))
    return start, start + length, source[start : start + length].decode()


def _lines(source: bytes, start: int, end: int) -> str:
    first = source.rfind(b"\n", 0, start) + 1
    last = source.find(b"\n", max(end, first))
    return " ".join(source[first : last if last >= 0 else None].decode().split())


_OPERATORS = {
    "Assignment": _assignment,
    "BinaryOperation": _binary,
    "Conditional": _condition,
    "EmitStatement": _statement,
    "ExpressionStatement": _statement,
    "FunctionCall": _call,
    "FunctionDefinition": _function,
    "IfStatement": _condition,
    "Literal": _literal,
    "RevertStatement": _statement,
    "UnaryOperation": _unary,
    "VariableDeclarationStatement": _declared,
    "YulAssignment": _assembly_statement,
    "YulExpressionStatement": _assembly_statement,
    "YulFunctionCall": _assembly_call,
    "YulIf": _assembly_if,
    "YulLiteral": _assembly_literal,
}
