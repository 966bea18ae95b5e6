"""What stand-ins for other companies' servers share: faults, a server on a free port, its log."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from ports import free_port

#: Headers that belong to one connection.
_OF_A_HOP = {"host", "connection", "content-length", "accept-encoding"}


@dataclass
class Fault:
    """What happens to the next `times` requests of `method path-prefix` (-1: to all of them).

    Before the work: down (503), error_before (500), drop_before, rate_limit (429), forbidden,
    slow. After it, so that the answer is lost: error_after, drop_after, timeout_after (silent,
    then dropped).
    `per_mille` makes it happen by chance, `seconds` is how long it is slow or silent.
    """

    kind: str
    on: str = ""
    times: int = 1
    per_mille: int = 1000
    seconds: float = 30


@dataclass
class Faults:
    """The faults that are switched on; chance comes from a seed."""

    seed: int = 0
    active: list[Fault] = field(default_factory=list)
    met: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def next(self, request: str) -> Fault | None:
        """The fault that this request meets; it is used up by it."""
        for fault in self.active:
            if not fault.times or not request.startswith(fault.on):
                continue
            if self.random.randrange(1000) < fault.per_mille:
                fault.times -= fault.times > 0
                self.met[fault.kind] = self.met.get(fault.kind, 0) + 1
                return fault
        return None


def dropped() -> Response:
    """The connection ends in the middle of an answer."""

    async def half() -> AsyncIterator[bytes]:
        yield b"{"

    return StreamingResponse(half(), headers={"content-length": "1000"})


def fault_answer(fault: Fault, words: dict[str, Any]) -> Response | None:
    """What the client gets to see; None: the work goes on."""
    if fault.kind in ("drop_before", "drop_after", "timeout_after"):
        return dropped()
    if fault.kind == "forbidden":
        return JSONResponse(words, 403)
    if fault.kind == "rate_limit":
        return JSONResponse(words, 429)
    if fault.kind == "down":
        return JSONResponse(words, 503)
    if fault.kind in ("error_before", "error_after"):
        return JSONResponse(words, 500)
    return None


async def pause(fault: Fault | None, *kinds: str) -> None:
    """Let time pass, where the fault is that."""
    if fault is not None and fault.kind in kinds:
        await asyncio.sleep(fault.seconds)


def add_faults(app: FastAPI, faults: Faults) -> None:
    """POST /_faults {"kind", "on", "times", "per_mille", "seconds"}; DELETE /_faults."""

    @app.post("/_faults")
    async def post_fault(request: Request) -> dict[str, int]:
        faults.active.append(Fault(**await request.json()))
        return {"active": len(faults.active)}

    @app.delete("/_faults")
    async def delete_faults() -> dict[str, int]:
        faults.active.clear()
        return faults.met


class Book:
    """Objects of a stand-in in a SQLite file, in the order in which they came.

    The file outlives the process: what was committed before a kill is there after it.
    """

    def __init__(self, path: str | Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.executescript(
            "CREATE TABLE IF NOT EXISTS object (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
            " kind TEXT NOT NULL, id TEXT NOT NULL UNIQUE, parent TEXT, body TEXT NOT NULL);"
            "CREATE INDEX IF NOT EXISTS object_parent ON object (kind, parent, seq);"
            "CREATE TABLE IF NOT EXISTS answer (key TEXT PRIMARY KEY, asked TEXT NOT NULL,"
            " status INTEGER, body TEXT);"
            "CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
            "DELETE FROM answer WHERE status IS NULL"
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def put(self, kind: str, body: dict[str, Any], parent: str | None = None) -> dict[str, Any]:
        """Add an object, or replace it where it stands."""
        self.db.execute(
            "INSERT INTO object (kind, id, parent, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (kind, body["id"], parent, json.dumps(body)),
        )
        return body

    def get(self, kind: str, id_: str) -> dict[str, Any] | None:
        query = "SELECT body FROM object WHERE kind = ? AND id = ?"
        row = self.db.execute(query, (kind, id_)).fetchone()
        return None if row is None else json.loads(row[0])

    def seq(self, id_: str) -> int | None:
        row = self.db.execute("SELECT seq FROM object WHERE id = ?", (id_,)).fetchone()
        return None if row is None else int(row[0])

    def all(self, kind: str, parent: str | None = None) -> list[dict[str, Any]]:
        """Oldest first."""
        query = "SELECT body FROM object WHERE kind = ? AND (? IS NULL OR parent = ?) ORDER BY seq"
        return [json.loads(row[0]) for row in self.db.execute(query, (kind, parent, parent))]

    def select(self, where: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        query = f"SELECT body FROM object WHERE {where}"
        return [json.loads(row[0]) for row in self.db.execute(query, values)]

    def setting(self, name: str, default: Any = None) -> Any:
        query = "SELECT value FROM setting WHERE name = ?"
        row = self.db.execute(query, (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def set(self, name: str, value: Any) -> None:
        self.db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, json.dumps(value)))


def create_line(target: str) -> FastAPI:
    """A line to a server that has no faults of its own: everything is passed on, faults apply."""
    app, faults = FastAPI(), Faults()
    add_faults(app, faults)
    http = httpx.AsyncClient(base_url=target, timeout=10)

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def passed_on(request: Request, path: str) -> Response:
        fault = faults.next(f"{request.method} /{path}")
        lost = fault_answer(fault, {"detail": "the line was told to fail"}) if fault else None
        if lost is not None and fault is not None and "after" not in fault.kind:
            return lost
        headers = {name: text for name, text in request.headers.items() if name not in _OF_A_HOP}
        answer = await http.request(
            request.method,
            f"/{path}",
            params=request.query_params,
            content=await request.body(),
            headers=headers,
        )
        kind = answer.headers.get("content-type")
        return lost or Response(answer.content, answer.status_code, media_type=kind)

    return app


@contextmanager
def served(app: FastAPI, port: int = 0) -> Iterator[str]:
    """The address of a server that runs in a thread until the end of the block."""
    port = port or free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the stand-in did not start"
        assert time.monotonic() < end, "the stand-in does not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(timeout=10)
