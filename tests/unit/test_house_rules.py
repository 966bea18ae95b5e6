"""House rules that a linter does not know, checked on the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import SQLModel

import returns.tables  # noqa: F401  (fills the metadata)
import settlement.processors.base  # noqa: F401  (has one of its own)
from returns import errors

ROOT = Path(__file__).parents[2]
FOLDERS = ("api", "chain", "custody", "returns", "settlement", "triage")

#: Processes that keep time for themselves: no rule of the product reads their clocks.
OWN_TIME = {
    "api/cli.py": "pauses between looks, and how long an import took",
    "api/events.py": "how long a stream lasts, and when it last said something",
    "api/metrics.py": "how long a request took",
    "api/sandbox_processor.py": "another company's process",
    "api/supervisor.py": "waits for its children",
    "chain/account.py": "waits for receipts of deployments",
    "settlement/webhooks_out/road.py": "how long one request may take in all",
}
#: Tables that belong to no merchant: the tenant itself, and facts of a chain and its keys.
OF_NO_MERCHANT = {
    "merchant", "chain", "block", "chain_event", "token_transfer", "index_scan", "index_gap",
    "lane", "relay_slot", "relay_attempt",
    "recon_side", "recon_refund", "recon_movement", "recon_effect",
}  # fmt: skip
#: Words of network calls that must not stand within a transaction.
NETWORK = {"client", "processor", "_client", "_http", "_signer", "httpx"}


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def dotted(node: ast.AST) -> str:
    """The name of what is called: `a.b.c`."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def calls(*folders: str) -> Iterator[tuple[str, int, str]]:
    for name, tree in sources(*folders):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield name, node.lineno, dotted(node.func)


def where(suffixes: tuple[str, ...], *folders: str) -> set[str]:
    return {name for name, _, called in calls(*(folders or FOLDERS)) if called.endswith(suffixes)}


def test_only_one_place_commits() -> None:
    # The sandbox processor is another company: it has a database of its own.
    assert where((".commit",)) == {"returns/db.py"}


def test_only_one_place_takes_row_locks() -> None:
    assert where((".with_for_update",)) == {"returns/locks.py"}


def test_rules_never_read_the_clock() -> None:
    readers = where(("datetime.now", "datetime.utcnow", "date.today", "time.time", "time.monotonic",
                     "time.perf_counter", "time.sleep"))  # fmt: skip
    assert readers - set(OWN_TIME) == {"returns/clock.py"}


def test_no_float_comes_near_money() -> None:
    assert where(("float",), "returns", "settlement", "custody") == set()
    for name, tree in sources("returns", "custody"):
        divisions = [n.lineno for n in ast.walk(tree)
                     if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)
                     and not isinstance(n.right, ast.Constant | ast.JoinedStr)]  # fmt: skip
        assert not divisions or name.endswith(("migrate.py",)), (name, divisions)


def test_moves_of_a_line_are_asked_of_lifecycle_only() -> None:
    users = {
        name
        for name, tree in sources(*FOLDERS)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr == "MOVES")
        or (isinstance(node, ast.Name) and node.id == "MOVES")
    }
    assert users == {"returns/lifecycle.py"}


def test_only_cases_sets_the_state_of_a_line() -> None:
    writers = {
        (name, dotted(target))
        for name, tree in sources("returns", "custody", "settlement", "api")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for one in node.targets
        for target in (one.elts if isinstance(one, ast.Tuple) else [one])
        if isinstance(target, ast.Attribute) and dotted(target) == "line.state"
    }
    assert writers == {("returns/cases.py", "line.state")}


def test_no_transaction_is_open_across_a_network_call() -> None:
    found = []
    for name, tree in sources("settlement", "custody", "chain"):
        for node in ast.walk(tree):
            if isinstance(node, ast.With) and "session" in ast.unparse(node.items[-1]):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Call):
                        owner = dotted(inner.func).split(".")[:-1]
                        if NETWORK & set(owner):
                            found.append((name, inner.lineno, dotted(inner.func)))
    assert found == []


def refusals(base: type[errors.UndropError] = errors.UndropError) -> Iterator[type]:
    for kind in base.__subclasses__():
        yield kind
        yield from refusals(kind)


@pytest.mark.parametrize("kind", sorted(set(refusals()), key=lambda k: k.__name__))
def test_every_refusal_says_what_to_do_next(kind: type[errors.UndropError]) -> None:
    refusal = kind()
    assert 400 <= refusal.status <= 503
    assert str(refusal).endswith((".", "…"))
    assert refusal.next_step.endswith(".")
    assert refusal.code == refusal.code.lower()
    assert refusal.moved == "nothing"


def test_every_table_belongs_to_a_merchant() -> None:
    without = {t.name for t in SQLModel.metadata.sorted_tables if "merchant_id" not in t.columns}
    assert without == OF_NO_MERCHANT
