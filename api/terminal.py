"""What every command has in common: where it prints, how it is refused, how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from returns.errors import BadInput, UndropError
from settlement.runtime import Runtime

out = Console()
err = Console(stderr=True)

Slug = Annotated[str, typer.Option(help="The merchant's short name.")]


@contextmanager
def opened_runtime() -> Iterator[Runtime]:
    """A runtime whose refusals end the command with one sentence and what to do next."""
    with refusals():
        runtime = Runtime()
        yield runtime
        runtime.close()


@contextmanager
def refusals() -> Iterator[None]:
    """Ends the command with one sentence instead of a traceback."""
    try:
        yield
    except UndropError as problem:
        give_up(f"{problem} {_next_step(problem)}")
    except SQLAlchemyError as problem:
        give_up(
            f"The database refuses: {type(problem).__name__}. Is UNDROP_DATABASE_URL right, "
            "and has 'make run', 'undrop setup' or 'undrop migrate' been run?"
        )
    except OSError as problem:
        give_up(f"A file cannot be used: {problem}.")


def _next_step(problem: UndropError) -> str:
    """What to do, for somebody at a terminal: bad input is answered by its own sentence."""
    return "" if type(problem).next_step == BadInput.next_step else problem.next_step


def give_up(sentence: str) -> NoReturn:
    """Say why, and end with exit code 1."""
    err.print(sentence, style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
