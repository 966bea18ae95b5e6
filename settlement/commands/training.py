"""Trains the risk model, on a merchant's own labelled requests or on the generator, and stores it.

Every model is kept under its hash: a decision that was made with it can be made again.
"""

from __future__ import annotations

import csv
import itertools
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from returns.errors import FileInvalid, ModelInvalid, UndropError
from settlement import model_store
from settlement.commands.messages import examples_from, message_sets
from settlement.importer import bounded_lines, open_text, why_unreadable
from settlement.runtime import Runtime
from triage.facts import Facts
from triage.features import FEATURE_NAMES
from triage.generator import SOURCE
from triage.table import Table

_SEED = 7
_LABEL = "label"
_KEYS = {"facts", _LABEL}
#: What an export says besides; training does not look at it.
_BESIDES = {"verdict_before", "verdict_after", "reason", "at"}


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What was trained: `skipped` rows had no label; `card` says how well the model did."""

    model_hash: str
    rows: int
    skipped: int
    file: Path
    card: Mapping[str, object]


def train_model(runtime: Runtime, data: Path | None = None) -> TrainingReport:
    """Train on a file of labelled requests, or else on the generator, and put the model in force.

    The file, gzip or not, is a table (CSV or TSV) with a column `label` (0 or 1) and columns named
    as features, or has a JSON object {"facts": {…}, "label": true} on each line. A row without a
    label is skipped. Raises `FileInvalid` with line and column, `ModelInvalid` for a table that
    cannot be learned from; the model in force stays as it was then.
    """
    # scikit-learn takes two seconds to load: only training pays them.
    from triage.training import generated_table, train_table  # noqa: PLC0415

    if data is None:
        table, skipped, source = generated_table(_SEED), 0, SOURCE
    else:
        source = f"Labelled requests of the file {data.name}."
        table, skipped = _read(data)
    model = train_table(table, _SEED, source)
    file = runtime.settings.model_file
    model_store.put(runtime.settings, file, model.to_json(), model.model_hash)
    return TrainingReport(model.model_hash, len(table), skipped, file, model.card)


def train_reader(runtime: Runtime, folder: Path | None = None) -> TrainingReport:
    """Train the reader of messages on our own wording and on the sets of a folder, if one is given.

    The reader is put in force. Raises `FileInvalid`, `ModelInvalid`; the one in force stays then.
    """
    # scikit-learn takes two seconds to load: only training pays them.
    from triage import reader_training  # noqa: PLC0415

    examples = examples_from(folder, _SEED)
    source = "Wording that ships with the product"
    source += "." if folder is None else f", and the message sets of the folder {folder.name}."
    reader = reader_training.train_reader(examples, _SEED, source)
    file, digest = runtime.settings.reader_file, reader.reader_hash
    model_store.put(runtime.settings, file, reader.to_json(), digest)
    return TrainingReport(digest, len(examples), 0, file, reader.model.card)


def evaluate(runtime: Runtime, data: Path | None, folder: Path | None) -> dict[str, object]:
    """How good model and reader are, with confidence intervals; nothing is stored.

    The model on labelled requests that it has not seen (`data`, or else composed ones), the reader
    on the sets of a folder. Raises `FileInvalid`, `ModelInvalid`.
    """
    from triage import evaluation, reader_evaluation  # noqa: PLC0415

    found: dict[str, object] = {}
    if data is None:
        found["risk"] = evaluation.evaluate_on_generated(_SEED)
    else:
        facts, labels = _labelled_facts(data)
        found["risk"] = {"data": data.name, **evaluation.evaluate_risk(facts, labels, _SEED)}
    if folder is not None and runtime.reader is not None:
        sets = message_sets(folder)
        found["messages"] = reader_evaluation.evaluate_reader(sets, runtime.reader, _SEED)
    return found


def _labelled_facts(file: Path) -> tuple[list[Facts], list[int]]:
    """The facts and labels of a file of JSON lines; the rule score needs facts, not features."""
    facts, labels = [], []
    with open_text(file) as source:
        for number, line in enumerate(bounded_lines(file, source), start=1):
            try:
                found = _labelled(line) if line.strip() else None
            except UndropError as bad:
                raise _on_line(file, number, bad) from bad
            if found is not None:
                facts.append(found[0])
                labels.append(found[1])
    return facts, labels


def _read(file: Path) -> tuple[Table, int]:
    """The rows with a label, and how many have none."""
    table = Table()
    try:
        with open_text(file) as source:
            lines = bounded_lines(file, source)
            first = next(lines, "")
            every = itertools.chain([first], lines)
            add = _add_objects if first.lstrip().startswith("{") else _add_cells
            return table, sum(not labelled for labelled in add(file, every, table))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as fault:
        raise FileInvalid(file=file.name, problem=why_unreadable(fault)) from fault


def _add_cells(file: Path, lines: Iterator[str], table: Table) -> Iterator[bool]:
    """Add the rows of a table; tells of each whether it has a label."""
    header = next(lines, "")
    dialect = csv.excel_tab if header.count("\t") > header.count(",") else csv.excel
    reader = csv.reader(itertools.chain([header], lines), dialect=dialect)
    names = [name.strip() for name in next(reader, [])]
    _check_header(file, names)
    for cells in filter(None, reader):
        if len(cells) != len(names):
            problem = f"it has {len(cells)} columns and the header {len(names)}"
            raise _on_line(file, reader.line_num, problem)
        row = dict(zip(names, cells, strict=True))
        label = row.pop(_LABEL)
        if label.strip():
            try:
                table.add_text(row, label)
            except UndropError as bad:
                raise _on_line(file, reader.line_num, bad) from bad
        yield bool(label.strip())


def _check_header(file: Path, names: list[str]) -> None:
    unknown = [name for name in names if name not in (_LABEL, *FEATURE_NAMES)]
    twice = [name for name in names if names.count(name) > 1]
    if _LABEL not in names:
        problem = f"its header has no column {_LABEL!r}"
    elif unknown:
        problem = f"its header has the column {unknown[0][:60]!r}, which is no feature"
    elif twice:
        problem = f"its header has the column {twice[0]!r} twice"
    elif len(names) == 1:
        problem = "its header has no feature"
    else:
        return
    raise FileInvalid(file=file.name, problem=problem)


def _add_objects(file: Path, lines: Iterator[str], table: Table) -> Iterator[bool]:
    """Add facts with their labels; tells of each line whether it has one."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _add_object(line, table)
            except UndropError as bad:
                raise _on_line(file, number, bad) from bad


def _add_object(line: str, table: Table) -> bool:
    found = _labelled(line)
    if found is not None:
        table.add_facts(*found)
    return found is not None


def _labelled(line: str) -> tuple[Facts, int] | None:
    """The facts and label of a line, as `undrop labels export` writes it; None without a label."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as bad:
        raise ModelInvalid(problem="it is not JSON") from bad
    if not isinstance(content, dict) or not _KEYS <= content.keys() <= _KEYS | _BESIDES:
        raise ModelInvalid(problem="it is not an object with 'facts' and 'label'")
    label = content[_LABEL]
    if label is None:
        return None
    facts = Facts.from_json(json.dumps(content["facts"]))
    return facts, int(label) if isinstance(label, bool) else label


def _on_line(file: Path, number: int, fault: UndropError | str) -> FileInvalid:
    problem = fault if isinstance(fault, str) else fault.values.get("problem", str(fault))
    if isinstance(fault, UndropError) and "field" in fault.values:
        problem = f"the fact {fault.values['field']!r}: {problem}"
    return FileInvalid(file=file.name, problem=f"line {number}: {problem}")
