"""Do the Forge tests notice a fault? Each mutant of the contracts is built and tested on its own.

Copies of the contracts are worked on side by side. The profile `mutants` compiles without the
optimizer and links tests dynamically, so that a change in a function's body recompiles one file.
A mutant that does not compile is none. One whose tests do not end in time is caught.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from queue import SimpleQueue

from tests.mutation.operators import Mutant, Node, mutants

_ROOT = Path(__file__).parents[2]
_CONTRACTS = _ROOT / "contracts"
_KEPT = _ROOT / "var" / "mutants.json"
_COPIES = _ROOT / "var" / "mutants"
#: Survivors that no test can tell from the original, or that do not matter; each with its reason.
_EXPLAINED = _CONTRACTS / "mutants-survivors.toml"
_NAMES = os.environ.get("MUTATE") or "ReturnEscrow *Zone"
_SAMPLE = int(os.environ.get("MUTANTS") or 0)
#: Only what survived the last full run: for work on the tests.
_AGAIN = bool(os.environ.get("AGAIN"))
_WORKERS = int(os.environ.get("WORKERS") or 2)
_SEED = 8
_KEY = ("file", "operator", "before", "after")
_LIMIT_S = 120
_FLOOR_PERCENT = 95


@dataclass(frozen=True)
class Outcome:
    """A mutant's fate (caught, survived, or stillborn where it does not compile) and its text."""

    file: str
    line: int
    operator: str
    before: str
    after: str
    fate: str
    reason: str = ""

    def key(self) -> tuple[str, str, str, str]:
        """What an explanation is found by; line numbers move."""
        return self.file, self.operator, self.before, self.after

    def text(self) -> str:
        """Place, operator, the line as it was and as it became, and the reason if there is one."""
        told = f"    explained: {self.reason}\n" if self.reason else ""
        place = f"{self.file}:{self.line} {self.operator}"
        return f"{place}\n  - {self.before}\n  + {self.after}\n{told}"


class Copy:
    """A copy of the contracts in which one mutant at a time lives."""

    def __init__(self, number: int) -> None:
        self.folder = _COPIES / str(number) / "contracts"
        shutil.rmtree(self.folder.parent, ignore_errors=True)
        leave = shutil.ignore_patterns("out", "cache")
        shutil.copytree(_CONTRACTS, self.folder, symlinks=True, ignore=leave)
        (self.folder.parent / "node_modules").symlink_to(_ROOT / "node_modules")

    def forge(self, *args: str, **settings: str) -> tuple[int | None, str]:
        """Exit status and output; the status is None where it did not end in time."""
        run = subprocess.Popen(
            [self.folder / "forge", *args],
            env={**os.environ, "FOUNDRY_PROFILE": "mutants", **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = run.communicate(timeout=_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
            return None, ""
        return run.returncode, output

    def _fate_by(self, *rounds: list[str]) -> str:
        """What the first round of test files that notices anything says."""
        fate = "survived"
        for files in rounds:
            if files and fate == "survived":
                chosen = "test/{" + ",".join(files) + "}"
                fate = _fate(*self.forge("test", "--fail-fast", "--match-path", chosen))
        return fate

    def try_out(self, mutant: Mutant) -> Outcome:
        """Put the fault in, run the tests, take it out again."""
        path = self.folder / mutant.file
        source = path.read_bytes()
        path.write_bytes(mutant.applied(source))
        try:
            fate = self._fate_by(*_suites(self.folder, mutant.file))
        finally:
            path.write_bytes(source)
            # A failure that was kept would be replayed on the next mutant.
            for kept in ("fuzz", "invariant"):
                shutil.rmtree(self.folder / "cache" / kept, ignore_errors=True)
        before, after = mutant.before(source), mutant.after(source)
        return Outcome(mutant.file, mutant.line(source), mutant.operator, before, after, fate)


def main() -> int:
    """Mutate, test, print, keep; 1 where fewer are caught than should be."""
    copies = [Copy(number) for number in range(_WORKERS)]
    chosen = _sampled(_discovered(copies[0]))
    if _AGAIN:
        chosen = _survivors(chosen, copies[0])
    outcomes = _explained(_all_tried(chosen, copies))
    live = [outcome for outcome in outcomes if outcome.fate != "stillborn"]
    caught = sum(outcome.fate == "caught" for outcome in live)
    _report(live)
    figures = {"mutants": len(live), "caught": caught}
    details = {"seed": _SEED, "survivors": [o.__dict__ for o in live if o.fate == "survived"]}
    if not _AGAIN:
        _KEPT.write_text(json.dumps({**figures, **details}, indent=2) + "\n")
    sys.stdout.write(json.dumps(figures) + "\n")
    return int(not live or 100 * caught < _FLOOR_PERCENT * len(live))


def _discovered(copy: Copy) -> list[Mutant]:
    """The faults of the named contracts and of every source of ours that they import."""
    trees = _trees(copy)
    wanted = [file for file, tree in trees.items() if any(map(_is_named, tree["nodes"]))]
    files: set[str] = set()
    while wanted:
        file = wanted.pop()
        files.add(file)
        imports = (n.get("absolutePath") for n in trees[file]["nodes"])
        wanted += [path for path in imports if path in trees and path not in files]
    return [
        mutant
        for file in sorted(files)
        for mutant in mutants(file, (copy.folder / file).read_bytes(), trees[file])
    ]


def _trees(copy: Copy) -> dict[str, Node]:
    """Syntax trees of our sources by file. Built apart: linked tests compile from other text."""
    apart = {"FOUNDRY_OUT": "tree", "FOUNDRY_CACHE_PATH": "tree/cache"}
    status, output = copy.forge("build", "--build-info", "--ast", "--skip", "./test/**", **apart)
    if status != 0:
        raise SystemExit(output or "the contracts do not compile in time")
    built = json.loads(next((copy.folder / "tree" / "build-info").glob("*.json")).read_text())
    sources = built["output"]["sources"]
    return {file: one["ast"] for file, one in sources.items() if file.startswith("src/")}


def _is_named(node: Node) -> bool:
    name = node.get("name", "")
    is_contract = node["nodeType"] == "ContractDefinition" and node["contractKind"] != "interface"
    return is_contract and any(fnmatch(name, wanted) for wanted in _NAMES.split())


def _sampled(found: list[Mutant]) -> list[Mutant]:
    """Some of them, always the same, in the order of the sources; or all."""
    if not 0 < _SAMPLE < len(found):
        return found
    picked = random.Random(_SEED).sample(range(len(found)), _SAMPLE)
    return [found[index] for index in sorted(picked)]


def _survivors(found: list[Mutant], copy: Copy) -> list[Mutant]:
    kept = json.loads(_KEPT.read_text())["survivors"]
    wanted = {tuple(row[k] for k in _KEY) for row in kept}
    return [one for one in found if (one.file, one.operator, *_lines(one, copy)) in wanted]


def _lines(mutant: Mutant, copy: Copy) -> tuple[str, str]:
    source = (copy.folder / mutant.file).read_bytes()
    return mutant.before(source), mutant.after(source)


def _all_tried(chosen: list[Mutant], copies: list[Copy]) -> list[Outcome]:
    free: SimpleQueue[Copy] = SimpleQueue()

    def one(numbered: tuple[int, Mutant]) -> Outcome:
        copy = free.get()
        try:
            outcome = copy.try_out(numbered[1])
        finally:
            free.put(copy)
        if numbered[0] % 50 == 0:
            sys.stderr.write(f"{numbered[0]} of {len(chosen)}\n")
        return outcome

    with ThreadPoolExecutor(len(copies)) as pool:
        for copy in pool.map(_warmed, copies):
            free.put(copy)
        return list(pool.map(one, enumerate(chosen, 1)))


def _warmed(copy: Copy) -> Copy:
    """Everything compiled once; without a fault every test must pass, or nothing is measured."""
    status, output = copy.forge("test")
    if status != 0:
        raise SystemExit(f"the tests fail without any mutant:\n{output}")
    return copy


@cache
def _suites(folder: Path, file: str) -> tuple[list[str], list[str]]:
    """Names of the test files that can notice a fault in a source: quick ones, random walks."""
    found = [one.name for one in sorted((folder / "test").glob("*.t.sol")) if file in _reach(one)]
    walks = [name for name in found if "Invariants" in name]
    return [name for name in found if name not in walks and "Gas" not in name], walks


@cache
def _reach(path: Path) -> frozenset[str]:
    """Our sources that a file imports, near or far, as paths from the contracts' folder."""
    imports = re.findall(r'from "(\.[^"]+)"', path.read_text())
    near = {Path(os.path.normpath(path.parent / one)) for one in imports}
    top = next(up for up in path.parents if (up / "foundry.toml").exists())
    return frozenset(str(one.relative_to(top)) for one in near).union(*map(_reach, near))


def _fate(status: int | None, output: str) -> str:
    if status == 0:
        return "survived"
    if status is None or "Failing tests:" in output:
        return "caught"
    if "Compiler run failed" in output:
        return "stillborn"
    raise SystemExit(f"neither a failed test nor a failed compilation:\n{output}")


def _explained(outcomes: list[Outcome]) -> list[Outcome]:
    """Survivors with the reasons of the checked-in list; its leftovers are named on stderr."""
    listed = tomllib.loads(_EXPLAINED.read_text()).get("survivor", [])
    reasons = {tuple(row[k] for k in _KEY): row["reason"] for row in listed}
    survived = {outcome.key() for outcome in outcomes if outcome.fate == "survived"}
    if not (_SAMPLE or _AGAIN):
        for key in reasons.keys() - survived:
            sys.stderr.write(f"listed as a survivor, but is none: {' | '.join(key)}\n")
    return [
        Outcome(**{**o.__dict__, "reason": reasons.get(o.key(), "")}) if o.fate == "survived" else o
        for o in outcomes
    ]


def _report(live: list[Outcome]) -> None:
    """Caught of all by operator, then each survivor."""
    total = Counter(outcome.operator for outcome in live)
    caught = Counter(outcome.operator for outcome in live if outcome.fate == "caught")
    for operator in sorted(total):
        sys.stdout.write(f"{operator:<20} {caught[operator]:>4}/{total[operator]}\n")
    for outcome in live:
        if outcome.fate == "survived":
            sys.stdout.write(outcome.text())


if __name__ == "__main__":
    sys.exit(main())
