"""A desk with somebody at its command line."""

from __future__ import annotations

import os
from pathlib import Path

from desk import Desk
from fake_chain import DEPLOYMENT
from typer.testing import CliRunner, Result

from api.cli import app


class Terminal:
    """Runs commands in this process, against the desk's database and no node."""

    def __init__(self, desk: Desk, home: Path) -> None:
        self.desk = desk
        DEPLOYMENT.save(home / "deployment-31337.json")
        self._environ = {
            **{name: "" for name in os.environ if name.startswith("UNDROP_")},
            "UNDROP_HOME": str(home),
            "UNDROP_DATABASE_URL": desk.runtime.settings.database_url,
            # Nobody listens there, and unit tests open no sockets.
            "UNDROP_RPC_URL": "http://127.0.0.1:1",
            "COLUMNS": "300",
        }

    def run(self, *words: str, **environ: str) -> Result:
        """One command."""
        return CliRunner().invoke(app, list(words), env={**self._environ, **environ})

    def done(self, *words: str) -> str:
        """What a command that succeeds prints."""
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def refused(self, *words: str, **environ: str) -> str:
        """One sentence (and what to do) on the error stream; every table as it was."""
        before = self.desk.count_all()
        result = self.run(*words, **environ)
        assert (result.exit_code, result.stdout) == (1, ""), result.output
        assert "Traceback" not in result.stderr
        assert self.desk.count_all() == before
        return result.stderr.strip()
