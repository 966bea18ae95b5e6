"""Reads the files that the reader of messages is trained and tried on."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from returns.errors import FileInvalid
from triage.examples import Example, MessageSet, example_of, wording

#: Of each set: name, stem of its files, columns of text and label.
_SETS = (
    ("banking77", "banking77", "text", "category"),
    ("hint3_curekart", "hint3_curekart", "sentence", "label"),
    ("hint3_sofmattress", "hint3_sofmattress", "sentence", "label"),
)
_MAX_BYTES = 64 * 1024 * 1024


def message_sets(folder: Path) -> list[MessageSet]:
    """Read the sets whose `NAME_train.csv` lies in a folder, gzipped or not, and `NAME_test.csv`.

    Raises `FileInvalid` for a folder without any, and for a file that is not such a table.
    """
    found = []
    for name, stem, text, label in _SETS:
        train = _file(folder, f"{stem}_train.csv")
        if train is not None:
            test = _file(folder, f"{stem}_test.csv")
            tried = [] if test is None else _rows(test, text, label)
            found.append(MessageSet(name, _rows(train, text, label), tried))
    if not found:
        stems = ", ".join(f"{stem}_train.csv" for _, stem, _, _ in _SETS)
        raise FileInvalid(file=folder, problem=f"it has none of {stems}, nor one with .gz")
    return found


def examples_from(folder: Path | None, seed: int) -> list[Example]:
    """Return our own wording and, with a folder, the train parts of the sets in it."""
    sets = [] if folder is None else message_sets(folder)
    rows = [example_of(one.name, *row) for one in sets for row in one.train]
    return [*wording(seed), *rows]


def _file(folder: Path, name: str) -> Path | None:
    paths = (folder / f"{name}.gz", folder / name)
    return next((path for path in paths if path.is_file()), None)


def _rows(path: Path, text: str, label: str) -> list[tuple[str, str]]:
    lines = csv.DictReader(_content(path).splitlines(keepends=True), strict=True)
    try:
        if not {text, label} <= set(lines.fieldnames or ()):
            raise FileInvalid(file=path.name, problem=f"it has no columns {text} and {label}")
        rows = list(_filled(path, lines, text, label))
    except csv.Error as bad:
        problem = f"line {lines.line_num} is not CSV: {bad}"
        raise FileInvalid(file=path.name, problem=problem) from bad
    if not rows:
        raise FileInvalid(file=path.name, problem="it has no rows")
    return rows


def _filled(
    path: Path, lines: csv.DictReader[str], text: str, label: str
) -> Iterator[tuple[str, str]]:
    for row in lines:
        if not row[text] or not row[label]:
            problem = f"line {lines.line_num} lacks {text} or {label}"
            raise FileInvalid(file=path.name, problem=problem)
        yield row[text], row[label]


def _content(path: Path) -> str:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as bad:
        raise FileInvalid(file=path.name, problem=f"it cannot be read: {bad}") from bad
    if len(content) > _MAX_BYTES:
        raise FileInvalid(file=path.name, problem=f"it has more than {_MAX_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise FileInvalid(file=path.name, problem="it is not UTF-8 text") from bad
