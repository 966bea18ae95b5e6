"""`python -m demo.run`: a whole installation, real purchases, composed requests, an oracle.

Exit 0 only if every case ended as the oracle says, the first reconciliation has no break, and,
with --plant, the breaks found afterwards are exactly those planted.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx
from rich.console import Console

from demo import scene
from demo.faults import CannotPlay
from demo.play import Play
from demo.scene import Options
from demo.shop import Refused
from demo.stack import Stack, log_tails
from returns.errors import UndropError

_RESULT = Path("var") / "demo.json"

#: As shells say it of a program that was ended by Ctrl-C.
_INTERRUPTED = 130
#: Wide enough for the table where the output is no terminal.
_WIDTH = 130

console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else _WIDTH)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play once; returns the exit code. The run's folder stays where something went wrong."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    home = Path(tempfile.mkdtemp(prefix="undrop-demo-"))
    try:
        code = _play(options, home)
    except (CannotPlay, Refused, UndropError, httpx.HTTPError) as fault:
        code = _give_up(str(fault), home)
    except KeyboardInterrupt:
        console.print("Interrupted; everything is stopped.")
        code = _INTERRUPTED
    if code in (0, _INTERRUPTED):
        shutil.rmtree(home, ignore_errors=True)
    return code


def _play(options: Options, home: Path) -> int:
    started = time.monotonic()
    prepared = scene.prepare(options, home)
    book = prepared.book
    source = "a sales file" if options.sales else "a generated book"
    console.print(f"{len(book.purchases)} purchases in {book.rows} rows of {source}.")
    with Stack(home, restart_worker=options.kills > 0) as installation:
        play = Play(options, prepared, installation, console, started)
        result, is_clean = play.run()
    is_good = is_clean and result.failed == 0
    if not is_good:
        _give_up("Not everything ended as it must.", home)
    result.keep(_RESULT)
    print(result.to_json())
    return 0 if is_good else 1


def _give_up(sentence: str, home: Path) -> int:
    tails = log_tails(home)
    if tails:
        console.print(tails, markup=False)
        console.print(f"The files of this run are in {home}.")
    else:
        shutil.rmtree(home, ignore_errors=True)
    console.print(sentence, style="red", markup=False)
    return 1


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m demo.run", description=__doc__)
    parser.add_argument("--returns", type=int, default=40, help="how many returns to ask for")
    parser.add_argument("--sales", type=Path, help="a sales file; without it a generated book")
    parser.add_argument("--plant", action="store_true", help="plant one break of each code")
    parser.add_argument(
        "--kills", type=int, default=0, help="kill worker and relayer so many times"
    )
    parser.add_argument("--seed", type=int, default=7, help="of the generated book and the choice")
    return Options(**vars(parser.parse_args(arguments)))


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
