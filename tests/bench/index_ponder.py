"""Ponder, the indexer from npm, on the same chain: where a folder has it installed.

`npm install ponder hono viem typescript` in an empty folder makes one. It reads the same node into
the same kind of database, with one handler that stores each event.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.bench.index_chain import PER_BLOCK, EventChain
from tests.support.chain_node import CHAIN_ID, free_port

_PATIENCE_S = 300

_CONFIG = """
import { createConfig } from "ponder";
const abi = [{ type: "event", name: "Transfer", inputs: [
  { name: "from", type: "address", indexed: true },
  { name: "to", type: "address", indexed: true },
  { name: "tokenId", type: "uint256", indexed: true } ] }] as const;
export default createConfig({
  chains: { local: { id: %(chain_id)d, rpc: "%(rpc)s" } },
  contracts: { Tokens: {
    chain: "local", abi, address: "%(address)s", startBlock: %(first)d, endBlock: %(last)d } },
});
"""
_SCHEMA = """
import { onchainTable } from "ponder";
export const moved = onchainTable("moved", (t) => ({
  id: t.text().primaryKey(), block: t.bigint().notNull(), sender: t.hex().notNull(),
  recipient: t.hex().notNull(), token: t.bigint().notNull() }));
"""
_HANDLER = """
import { ponder } from "ponder:registry";
import { moved } from "ponder:schema";
ponder.on("Tokens:Transfer", async ({ event, context }) => {
  await context.db.insert(moved).values({ id: event.id, block: event.block.number,
    sender: event.args.from, recipient: event.args.to, token: event.args.tokenId });
});
"""
_API = 'import { Hono } from "hono";\nexport default new Hono();\n'


def ponder(chain: EventChain, installed: Path, database: str, events: int) -> float:
    """Events a second until Ponder has stored so many, its start included."""
    with _project(chain, installed, events // PER_BLOCK) as folder:
        command = [str(installed / "node_modules" / ".bin" / "ponder"), "start"]
        command += ["--schema", "bench", "--port", str(free_port())]
        environment = {**os.environ, "DATABASE_URL": database.replace("+psycopg", "")}
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait_until_stored(environment["DATABASE_URL"], events, process)
            return events / (time.perf_counter() - began)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_stored(database: str, events: int, process: subprocess.Popen[bytes]) -> None:
    """What it says of itself is not enough: the rows are counted."""
    end = time.monotonic() + _PATIENCE_S
    with psycopg.connect(database, autocommit=True) as connection:
        while time.monotonic() < end and process.poll() is None:
            there = connection.execute("SELECT to_regclass('bench.moved')").fetchone()
            if there != (None,):
                stored = connection.execute("SELECT count(*) FROM bench.moved").fetchone()
                if stored == (events,):
                    return
            time.sleep(0.1)
    raise SystemExit("Ponder does not come to the end: nothing to compare with")


@contextmanager
def _project(chain: EventChain, installed: Path, blocks: int) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=installed))
    about = {"chain_id": CHAIN_ID, "rpc": chain.anvil.url, "address": chain.collection}
    files = {
        "package.json": '{"name": "bench", "type": "module"}',
        "ponder.config.ts": _CONFIG % {**about, "first": chain.first, "last": chain.first + blocks},
        "ponder.schema.ts": _SCHEMA,
        "src/index.ts": _HANDLER,
        "src/api/index.ts": _API,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
