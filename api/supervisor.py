"""Runs everything on one machine: starts the processes in order, watches them, stops them all."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn
from urllib.parse import urlsplit

import httpx

from returns.errors import HomeUnusable, PortBusy, ProcessDied, ToolMissing, UndropError
from returns.tables import Merchant
from settlement.commands import setup
from settlement.commands.access import OPERATOR_SCOPES, SCOPES, create_key
from settlement.runtime import Runtime
from settlement.settings import Settings, load_settings

_ROOT = Path(__file__).parent.parent
_MERCHANT, _MERCHANT_NAME = "demo", "Demo Marketplace"
#: Seconds in which a process must answer, and in which it must end.
_START, _STOP = 60.0, 10.0


@dataclass
class Child:
    """One process and how it is told apart from the others."""

    name: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None


class Supervisor:
    """The children of one run, in the order in which they were started."""

    def __init__(self, settings: Settings, *, restart_worker: bool) -> None:
        self._settings = settings
        self._restarts = {"worker", "relayer"} if restart_worker else set()
        self._children: list[Child] = []
        self._logs = settings.home / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)

    def start(self, child: Child) -> None:
        """Start a process in a group of its own; what it prints goes to its log."""
        log: IO[bytes] = (self._logs / f"{child.name}.log").open("ab")
        with log:
            child.process = subprocess.Popen(  # noqa: S603  (our own commands)
                child.argv,
                env={**os.environ, **child.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if child not in self._children:
            self._children.append(child)

    def wait_for(self, what: str, check: Callable[[], object]) -> None:
        """Wait until a process answers; a child that dies meanwhile ends the wait."""
        end = time.monotonic() + _START
        while time.monotonic() < end:
            self.check_alive()
            try:
                check()
            except (httpx.HTTPError, UndropError, OSError):
                time.sleep(0.1)
                continue
            return
        raise ProcessDied(name=what, code="no answer", log=self._logs / f"{what}.log")

    def check_alive(self) -> bool:
        """Raise `ProcessDied` for a dead child; True if one was started anew instead."""
        restarted = False
        for child in self._children:
            code = child.process.poll() if child.process else None
            if code is None:
                continue
            if child.name not in self._restarts:
                raise ProcessDied(name=child.name, code=code, log=self._logs / f"{child.name}.log")
            self.start(child)
            restarted = True
        return restarted

    def pids(self) -> dict[str, int]:
        """Process ids by name; each is also the id of its group."""
        return {child.name: child.process.pid for child in self._children if child.process}

    def stop(self) -> None:
        """End the children, the last one first, the chain last of all so that it saves itself."""
        for child in reversed(self._children):
            _end(child, signal.SIGTERM)
        for child in reversed(self._children):
            _wait(child)


def run(home: Path, *, with_book: bool, restart_worker: bool) -> None:
    """Start everything, then wait for Ctrl-C. Raises `UndropError` for what stands in the way."""
    os.environ["UNDROP_HOME"] = str(home.absolute())
    settings = load_settings()
    _check(settings)
    lock = _lock(settings.home)
    supervisor = Supervisor(settings, restart_worker=restart_worker)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _start_all(supervisor, settings, with_book=with_book)
        _watch(supervisor, settings)
    except KeyboardInterrupt:
        _say("Stopping…")
    finally:
        # Impatience must not leave children behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        supervisor.stop()
        lock.close()
    _say("Everything is stopped. The next start goes on from here; 'make reset' forgets.")


def _start_all(supervisor: Supervisor, settings: Settings, *, with_book: bool) -> None:
    runtime = Runtime(settings)
    _say("Starting the chain…")
    supervisor.start(_anvil(settings))
    supervisor.wait_for("anvil", runtime.client.chain_id)
    _say("Preparing database, policy, model and contracts…")
    merchant = setup.prepare(runtime, _MERCHANT, _MERCHANT_NAME)
    # Deployment is mined at once; from here on blocks come every second, as on a real chain.
    runtime.client.call("evm_setIntervalMining", 1)
    key = _api_key(runtime, merchant.id)
    for child in (_processor(settings), _api(settings), _worker(settings), *_chain_sides()):
        supervisor.start(child)
    supervisor.wait_for("processor", lambda: _get(settings.processor_url + "/sandbox", settings))
    supervisor.wait_for("api", lambda: _get(_base(settings) + "/readyz", settings))
    _write_run(runtime, supervisor, merchant, key)
    if with_book:
        _say("Loading the demo order book…")
        _load_book(settings)
    _announce(settings)
    runtime.close()


def _watch(supervisor: Supervisor, settings: Settings) -> NoReturn:
    path = settings.home / "run.json"
    while True:
        if supervisor.check_alive():
            _replace(path, {**json.loads(path.read_text()), "pids": supervisor.pids()})
        time.sleep(0.1)


# -- the processes ---------------------------------------------------------------------------------


def _anvil(settings: Settings) -> Child:
    port = str(_port(settings.rpc_url))
    options = ["--host", "127.0.0.1", "--port", port, "--chain-id", str(settings.chain_id)]
    keeping = ["--state", str(settings.home / "anvil.json"), "--state-interval", "5"]
    return Child("anvil", [_find_anvil(), *options, *keeping, "--silent"])


def _processor(settings: Settings) -> Child:
    env = {
        "UNDROP_PROCESSOR_DB": str(settings.home / "processor.db"),
        "UNDROP_PROCESSOR_KEY": settings.processor_key.get_secret_value(),
        "UNDROP_WEBHOOK_URL": f"{_base(settings)}/v1/processors/sandbox/webhook",
        "UNDROP_WEBHOOK_SECRET": settings.webhook_secret.get_secret_value(),
    }
    port = _port(settings.processor_url)
    return Child("processor", _uvicorn("api.sandbox_processor:create_app", port), env)


def _api(settings: Settings) -> Child:
    return Child("api", _uvicorn("api.app:create_app", settings.port))


def _worker(settings: Settings) -> Child:
    celery = [sys.executable, "-m", "celery", "-A", "settlement.worker", "worker", "--beat"]
    schedule = ["--schedule", str(settings.home / "celerybeat-schedule")]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    size = ["--concurrency", "2", "--loglevel", "INFO"]
    return Child("worker", [*celery, *schedule, *alone, *size])


def _chain_sides() -> list[Child]:
    """Who listens to the chain, and who speaks to it."""
    names = ("indexer", "relayer")
    return [Child(name, [sys.executable, "-m", "api.cli", name]) for name in names]


def _uvicorn(factory: str, port: int) -> list[str]:
    command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--host", "127.0.0.1"]
    return [*command, "--port", str(port), "--log-level", "warning"]


def _load_book(settings: Settings) -> None:
    command = [sys.executable, "-m", "demo.seed", str(settings.home / "run.json")]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        log = settings.home / "logs" / "book.log"
        log.write_text(done.stdout + done.stderr)
        raise ProcessDied(name="demo order book", code=done.returncode, log=log)


# -- what must be there ----------------------------------------------------------------------------


def _check(settings: Settings) -> None:
    _find_anvil()
    ports = {
        "UNDROP_PORT": settings.port,
        "UNDROP_RPC_URL": _port(settings.rpc_url),
        "UNDROP_PROCESSOR_URL": _port(settings.processor_url),
    }
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as fault:
                raise PortBusy(port=port, setting=name) from fault


def _lock(home: Path) -> IO[str]:
    """Hold the folder as long as the file is open: two runs would write the same files."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / "lock").open("w")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        raise HomeUnusable(home=home, problem="another run is using it") from fault
    except OSError as fault:
        raise HomeUnusable(home=home, problem="it cannot be written to") from fault
    return file


def _find_anvil() -> str:
    """Foundry on the PATH, or the one that package.json brings."""
    local = _ROOT / "node_modules" / ".bin" / "anvil"
    found = shutil.which("anvil") or (str(local) if local.exists() else None)
    if found is None:
        raise ToolMissing(tool="anvil", remedy="make install")
    return found


def _api_key(runtime: Runtime, merchant_id: object) -> str:
    """The key of this installation, made at its first start and kept readable to its owner only."""
    path = runtime.settings.home / "api_key"
    if path.exists():
        return path.read_text().strip()
    # Whoever has this machine is the merchant and runs the installation as well.
    scopes = (*SCOPES, *OPERATOR_SCOPES)
    key = create_key(runtime, merchant_id, "local", scopes, None)  # type: ignore[arg-type]
    path.touch(mode=0o600)
    path.write_text(key + "\n")
    return key


# -- small things ----------------------------------------------------------------------------------


def _write_run(runtime: Runtime, supervisor: Supervisor, merchant: Merchant, key: str) -> None:
    settings = runtime.settings
    content = {
        "api": _base(settings),
        "rpc": settings.rpc_url,
        "processor": settings.processor_url,
        "processor_key": settings.processor_key.get_secret_value(),
        "merchant": _MERCHANT,
        "merchant_id": str(merchant.id),
        "api_key": key,
        "deployment": asdict(runtime.deployment),
        "vault": merchant.vault,
        "pids": supervisor.pids(),
        "database": str(settings.home / "undrop.db"),
        "processor_database": str(settings.home / "processor.db"),
    }
    _replace(settings.home / "run.json", content)


def _replace(path: Path, content: object) -> None:
    """Write a file in one step: readers see the old or the new one."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(content, indent=2) + "\n")
    part.replace(path)


def _announce(settings: Settings) -> None:
    base = _base(settings)
    for name, address in (
        ("Shop", f"{base}/shop"),
        ("Console", f"{base}/console"),
        ("API", f"{base}/v1 (described at {base}/openapi.json)"),
        ("Chain", settings.rpc_url),
        ("Processor", settings.processor_url),
        ("API key", f"in {settings.home / 'api_key'}"),
        ("Logs", f"in {settings.home / 'logs'}"),
    ):
        _say(f"  {name:<10} {address}")
    _say("Ctrl-C stops everything.")


def _get(url: str, settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {settings.processor_key.get_secret_value()}"}
    response = httpx.get(url, headers=headers, timeout=5)
    if response.status_code >= 500:
        response.raise_for_status()


def _base(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}"


def _port(url: str) -> int:
    return urlsplit(url).port or 80


def _end(child: Child, what: signal.Signals) -> None:
    if child.process is not None:
        try:
            os.killpg(child.process.pid, what)
        except ProcessLookupError:
            return


def _wait(child: Child) -> None:
    if child.process is None:
        return
    try:
        child.process.wait(timeout=_STOP)
    except subprocess.TimeoutExpired:
        _end(child, signal.SIGKILL)
        child.process.wait()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()
