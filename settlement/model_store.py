"""Models and readers as files: the one in force, and every one that ever was, by its hash."""

from __future__ import annotations

import os
import re
from pathlib import Path

from returns.errors import NotFound
from settlement.settings import Settings

_HASH = re.compile("[0-9a-f]{64}")


def put(settings: Settings, in_force: Path, text: str, digest: str) -> None:
    """Keep a model and put it in force; the copy first, so that it can always be found again."""
    for path in (_kept(settings, digest), in_force):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)


def get(settings: Settings, digest: str) -> str:
    """The text of an earlier model; raises `NotFound`."""
    if not _HASH.fullmatch(digest):
        raise NotFound(what="model")
    try:
        return _kept(settings, digest).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise NotFound(what="model") from fault


def _kept(settings: Settings, digest: str) -> Path:
    return settings.models_folder / f"{digest}.json"


def _replace(path: Path, text: str) -> None:
    """Write beside and rename, so that nobody ever reads half a model."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as target:
            target.write(text)
            target.flush()
            os.fsync(target.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
