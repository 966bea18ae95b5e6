"""docker-compose.yml starts what it says: its commands, with its variables, as processes here.

There need not be a Docker engine: each service's command runs with its environment, host names of
the compose network turned into addresses of this machine, on real PostgreSQL and Redis.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from ports import free_port
from walk import Walk

from chain.client import ChainClient
from chain.contracts import Deployment
from returns.errors import UndropError

pytestmark = [pytest.mark.servers, pytest.mark.chain]

ROOT = Path(__file__).parent.parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = ("anvil", "setup", "processor", "api", "worker", "beat", "indexer", "relayer")


@dataclass
class Services:
    """The services of the file as processes of this machine."""

    folder: Path
    database: str
    ports: dict[str, int]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, name: str) -> list[str]:
        words = [self._here(str(word)) for word in COMPOSE["services"][name]["command"]]
        anvil = ROOT / "node_modules" / ".bin" / "anvil"
        return [{"python": sys.executable, "anvil": str(anvil)}.get(w, w) for w in words]

    def environment(self, name: str) -> dict[str, str]:
        given = COMPOSE["services"][name].get("environment", {})
        return {**os.environ, **{key: self._here(str(value)) for key, value in given.items()}}

    def start(self, name: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self.command(name),
            cwd=ROOT,
            env=self.environment(name),
            stdout=(self.folder / f"{name}.log").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def stop(self) -> None:
        for process in reversed(self.running):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def _here(self, text: str) -> str:
        """What compose's network, volume and variables are on this machine."""
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        text = text.replace(
            "postgres@postgres:5432/undrop", f"postgres@127.0.0.1:5432/{self.database}"
        )
        text = text.replace("redis://redis:6379/0", "redis://127.0.0.1:6379/15")
        text = re.sub(r"^/data", str(self.folder), text)
        for name, default in (("api", 8080), ("anvil", 8545), ("processor", 8090)):
            port = str(self.ports[name])
            text = text.replace(f"http://{name}:{default}", f"http://127.0.0.1:{port}")
            text = port if text == str(default) else text
        return text.replace("0.0.0.0", "127.0.0.1")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    database = f"undrop_compose_{os.getpid()}"
    admin = "postgresql://postgres@127.0.0.1:5432/postgres"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}")
    ports = {name: free_port() for name in ("api", "anvil", "processor")}
    started = Services(tmp_path_factory.mktemp("compose"), database, ports)
    try:
        yield started
    finally:
        started.stop()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {database} WITH (FORCE)")


def test_every_process_of_the_design_is_a_service() -> None:
    assert set(COMPOSE["services"]) == {*OURS, "postgres", "redis"}


def test_the_services_settle_returns_on_postgresql_and_redis(services: Services) -> None:
    services.start("anvil")
    _until(lambda: ChainClient(services.url("anvil")).chain_id())
    setup = services.start("setup")
    assert setup.wait(timeout=120) == 0, (services.folder / "setup.log").read_text()
    for name in ("processor", "api", "worker", "beat", "indexer", "relayer"):
        services.start(name)
    _until(lambda: httpx.get(services.url("api") + "/readyz").raise_for_status())
    _until(lambda: httpx.get(services.url("processor") + "/openapi.json"))

    walk = _walk(services)
    remedies = {7001: "crypto_refund", 7002: "fiat_refund", 7003: "store_credit"}
    rmas = [walk.ask(walk.buy(token, how), token, how) for token, how in remedies.items()]
    states = walk.wait(rmas)

    assert list(states.values()) == ["settled"] * 3, _logs(services)
    reconciled = _undrop(services, "reconcile", "--format", "csv")
    assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr
    assert reconciled.stdout == "code,subject,rma,expected,found,owner,first_seen\n"
    assert all(process.poll() is None for process in services.running if process is not setup)


def _walk(services: Services) -> Walk:
    key = _undrop(services, "key").stdout.strip()
    environment = services.environment("api")
    return Walk(
        api=services.url("api"),
        api_key=key,
        rpc=services.url("anvil"),
        processor=services.url("processor"),
        processor_key=environment["UNDROP_PROCESSOR_KEY"],
        deployment=Deployment.load(services.folder / "deployment-31337.json"),
    )


def _undrop(services: Services, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *words],
        cwd=ROOT,
        env=services.environment("api"),
        capture_output=True,
        text=True,
        check=False,
    )


def _until(check: Any, patience_s: float = 60) -> None:
    end = time.monotonic() + patience_s
    while True:
        try:
            check()
        except (httpx.HTTPError, UndropError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


def _logs(services: Services) -> str:
    return "\n".join(
        f"== {log.name}\n{log.read_text()[-2000:]}" for log in services.folder.glob("*.log")
    )
