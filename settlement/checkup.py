"""What has to be right for an installation to work: each check looks at one thing and says it.

A check raises whatever it meets; `settlement.commands.doctor` turns that into a sentence, and ends
what takes too long.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from kombu import Connection
from sqlmodel import Session, col, select

from returns import chain_reads, migrate, relay_reads
from returns import policies as books
from returns.errors import ModelInvalid
from returns.tables import InboxItem, Merchant, OutboxItem
from settlement import lists
from settlement.commands import policies
from settlement.commands.relay import check_node
from settlement.runtime import Runtime
from triage.generator import SOURCE
from triage.model import Model
from triage.reader import Reader

_LIST_AGE = timedelta(days=30)
#: Work that is due for longer than this has nobody who does it.
_IDLE = timedelta(minutes=1)
_SKEW = timedelta(seconds=30)
_STANDSTILL = timedelta(minutes=10)
_LITTLE_BYTES, _TOO_LITTLE_BYTES = 1 << 30, 100 << 20
_LOCAL_CHAINS = (1337, 31337)
_LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")


class Level(StrEnum):
    """`warn` works, but not as it should; `fail` does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, and how to mend it (nothing where it is well)."""

    name: str
    level: Level
    sentence: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's result before it has its name."""

    level: Level
    sentence: str
    mend: str = ""


def well(sentence: str) -> Finding:
    """All right."""
    return Finding(Level.OK, sentence)


def warn(sentence: str, mend: str) -> Finding:
    """Works, but not as it should."""
    return Finding(Level.WARN, sentence, mend)


def fail(sentence: str, mend: str) -> Finding:
    """Does not work."""
    return Finding(Level.FAIL, sentence, mend)


def secrets(runtime: Runtime, _slug: str) -> Finding:
    """Public secrets are for this machine and its own chain. Production refuses them by itself."""
    settings = runtime.settings
    if settings.environment != "local":
        return well("The secrets are this installation's own.")
    mend = "Set UNDROP_ENVIRONMENT=production and the secrets of .env.example."
    if settings.chain_id not in _LOCAL_CHAINS:
        return warn(f"Secrets that everybody knows are used on chain {settings.chain_id}.", mend)
    if settings.host not in _LOCAL_HOSTS:
        return warn(f"Secrets that everybody knows are used at {settings.host}.", mend)
    return well("Local use: secrets that everybody knows, on this machine only.")


def database(runtime: Runtime, _slug: str) -> Finding:
    """It answers and has the schema of this release."""
    url = sa.make_url(runtime.settings.database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return fail("There is no database yet.", "Run 'undrop setup' or 'undrop migrate'.")
    if not migrate.is_current(runtime.database):
        mend = "Run 'undrop migrate'; a database of an unreleased version has to be made anew."
        return fail("The database does not have the schema of this release.", mend)
    return well(f"{url.get_backend_name()}, with the schema of this release.")


def node(runtime: Runtime, _slug: str) -> Finding:
    """Every chain's node answers, and is of that chain."""
    for chain_id, client in runtime.chains.items():
        check_node(client, chain_id)
        if client.is_syncing():
            mend = "Wait until it is done, or set UNDROP_RPC_URL to another node."
            return warn(f"The node of chain {chain_id} is still syncing.", mend)
    named = ", ".join(map(str, runtime.chains))
    return well(f"{urlsplit(runtime.settings.rpc_url).hostname} serves chain {named}.")


def contracts(runtime: Runtime, _slug: str) -> Finding:
    """The deployment's file is there, and so is code at its addresses."""
    found = runtime.deployment
    for name in ("escrow", "zone", "seaport", "collection"):
        address = getattr(found, name)
        if not runtime.client.code(address):
            mend = "Was the chain begun anew? 'undrop deploy', or locally 'make reset', mends it."
            return fail(f"There is no code at the {name} {address}.", mend)
    return well(f"The escrow is {found.escrow}.")


def merchant(runtime: Runtime, slug: str) -> Finding:
    """It is known, and its tokens have a place to come back to."""
    row = _merchant(runtime, slug)
    if row is None:
        return fail(f"There is no merchant {slug}.", f"Run 'undrop merchant {slug}'.")
    if row.vault is None:
        mend = (
            f"Have two admins register a vault, then run 'undrop vault ADDRESS --merchant {slug}'."
        )
        return fail(f"The merchant {slug} has no vault.", mend)
    return well(f"{slug} has the vault {row.vault}.")


def policy(runtime: Runtime, slug: str) -> Finding:
    """One is in force and can be read; what begins later is named."""
    row, now = _merchant(runtime, slug), runtime.clock()
    nothing = fail(
        f"No policy of {slug} is in force.",
        "Run 'undrop policy draft' and 'undrop policy activate'.",
    )
    if row is None:
        return nothing
    with runtime.database.read() as session:
        if books.in_force(session, row.id, now) is None:
            return nothing
        version, _ = policies.in_force(session, row.id, now)
        ahead = [one for one in books.activations(session, row.id) if one.effective_from > now]
    later = f"; another one follows on {ahead[0].effective_from.isoformat()}" if ahead else ""
    return well(f"Version {version.version} ({version.name}) is in force{later}.")


def risk_model(runtime: Runtime, _slug: str) -> Finding:
    """Its hash is that of its content, and it was trained on something real."""
    file, mend = runtime.settings.model_file, "Run 'undrop train'."
    if not file.exists():
        return warn("There is no risk model: decisions are made by rules alone.", mend)
    model = Model.from_json(file.read_text())
    if model.card.get("source") == SOURCE:
        sentence = f"The risk model {model.model_hash[:12]} was trained on generated requests."
        return warn(sentence, "Train it on returns of your own before you rely on it.")
    return well(f"The risk model is {model.model_hash[:12]}.")


def message_reader(runtime: Runtime, _slug: str) -> Finding:
    """The file of what reads customers' messages."""
    file = runtime.settings.reader_file
    mend = "Run 'undrop train --messages FOLDER', or 'undrop setup' for our own wording."
    if not file.exists():
        return warn("There is no message reader: messages are left to people.", mend)
    try:
        reader = Reader.from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ModelInvalid) as fault:
        return fail(f"The message reader cannot be used: {fault}", mend)
    return well(f"The message reader is {reader.reader_hash[:12]}.")


def known_lists(runtime: Runtime, slug: str) -> Finding:
    """Lists were brought in, and not long ago."""
    row = _merchant(runtime, slug)
    mend = "Run 'undrop import list FILE --kind …' with a fresh file."
    with runtime.database.read() as session:
        newest = lists.newest_by_kind(session, row.id) if row else {}
    if not newest:
        return warn("No list was imported: nobody is held against sanctions.", mend)
    oldest = runtime.clock() - _LIST_AGE
    stale = sorted(kind.value for kind, at in newest.items() if at < oldest)
    if stale:
        return warn(f"Older than {_LIST_AGE.days} days: {', '.join(stale)}.", mend)
    return well(f"Fresh: {', '.join(sorted(newest))}.")


def broker(runtime: Runtime, _slug: str) -> Finding:
    """Processes can wake each other: a server that answers, or a folder that can be written."""
    settings = runtime.settings
    if settings.broker_url:
        with Connection(settings.broker_url, connect_timeout=2) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        return well(f"{urlsplit(settings.broker_url).scheme} answers.")
    folder = settings.home / "broker"
    if not folder.exists():
        return warn("Nobody has begun to work here yet.", "Start it with 'make run'.")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return fail(
            f"{folder} cannot be written to.", "Give it to the user who runs the processes."
        )
    return well("Files in the home folder.")


def worker(runtime: Runtime, _slug: str) -> Finding:
    """Whether somebody does what is due. A worker leaves no other trace."""
    now = runtime.clock()
    with runtime.database.read() as session:
        due = [_oldest(session, table) for table in (OutboxItem, InboxItem)]
        sent = relay_reads.waiting_since(session, runtime.chains, now)
    late = min((one for one in due if one is not None), default=now)
    if late < now - _IDLE:
        return warn(f"Work waits since {late.isoformat()}.", "Is a worker running? See its log.")
    if min(sent.values(), default=now) < now - _IDLE:
        oldest = min(sent.values()).isoformat()
        sentence = f"A transaction waits since {oldest}."
        return warn(sentence, "Is 'undrop relayer' running? See 'undrop relay lanes'.")
    return well("Nothing is late.")


def indexer(runtime: Runtime, _slug: str) -> Finding:
    """When the node was last looked at, and whether anything is missing."""
    mend = "Is 'undrop indexer' running? See 'undrop index status'."
    now, chain_id = runtime.clock(), runtime.settings.chain_id
    with runtime.database.read() as session:
        found = [s for s in chain_reads.index_status(session) if s.chain.chain_id == chain_id]
    if not found or found[0].chain.head_seen_at is None:
        return warn("The chain was never read.", mend)
    seen = found[0].chain.head_seen_at
    if seen < now - _IDLE:
        return warn(f"The chain was last looked at on {seen.isoformat()}.", mend)
    if found[0].open_gaps:
        return warn(f"{found[0].open_gaps} gaps are open.", "See 'undrop index gaps'.")
    return well(f"{found[0].lag} blocks behind the node.")


def disk(runtime: Runtime, _slug: str) -> Finding:
    """Room where this installation keeps its files, or will."""
    home = runtime.settings.home.absolute()
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    sentence, mend = f"{free >> 20} MiB are free.", f"Make room at {home}."
    if free < _TOO_LITTLE_BYTES:
        return fail(sentence, mend)
    return warn(sentence, mend) if free < _LITTLE_BYTES else well(sentence)


def clock(runtime: Runtime, _slug: str) -> Finding:
    """Our clock against the newest block. A quiet local chain has old blocks."""
    newest = datetime.fromtimestamp(runtime.client.newest().timestamp, UTC)
    now = runtime.clock()
    mend = "Set this machine's clock (NTP), or look after the node."
    if newest > now + _SKEW:
        ahead = int((newest - now).total_seconds())
        return warn(f"The newest block is {ahead} s ahead of this machine's clock.", mend)
    if newest < now - _STANDSTILL and runtime.settings.environment != "local":
        behind = int((now - newest).total_seconds())
        return warn(f"The newest block is {behind} s behind this machine's clock.", mend)
    return well("This machine's clock and the chain's agree.")


def _merchant(runtime: Runtime, slug: str) -> Merchant | None:
    with runtime.database.read() as session:
        return session.exec(select(Merchant).where(Merchant.slug == slug)).first()


def _oldest(session: Session, table: type[OutboxItem | InboxItem]) -> datetime | None:
    query = select(sa.func.min(table.due_at)).where(col(table.done_at).is_(None))
    found: datetime | None = session.exec(query).one()
    return found
