"""One installation of the product on this machine, with a chain and a processor of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chain import account
from chain.contracts import Deployment, encode_call
from chain.local import ADMIN
from returns import migrate
from returns.tables import Merchant
from settlement.commands import setup
from settlement.commands.access import SCOPES, create_key
from settlement.runtime import Runtime
from settlement.settings import Settings
from tests.chaos.chain.evidence import Node
from tests.chaos.chain.proxy import Plan
from tests.chaos.chain.scene import Miner
from tests.chaos.ordeal import Logs, Order, own_database
from tests.chaos.settlement.amnesia import Amnesia
from tests.chaos.settlement.brokers import Files, RedisBroker
from tests.chaos.settlement.members import Member, Members
from tests.chaos.settlement.purchases import Purchase
from tests.chaos.settlement.steering import Wires
from tests.chaos.settlement.to_processor import ToProcessor
from tests.chaos.settlement.webhooks import Webhooks
from tests.chaos.settlement.wires import serving
from tests.support.chain_node import CHAIN_ID, ROOT, Anvil, free_port, person

POLICY = Path(__file__).parent / "policy.yaml"
#: Blocks from which a fact is acted on, and from which nothing undoes it.
CONFIRMED, FINAL = 2, 8
BLOCK_TIME = 1.0
#: Seconds to sign, and from then until a token that is not committed can be taken back.
SIGN_S, RECLAIM_S = 45, 1
#: Anvil keeps 500 states in memory and others on disk, whence a reorg does not get them back.
_KEEP_STATES = ("--prune-history", "10000")
_MINTED_AT_ONCE = 50
_COIN = 10**18


@dataclass
class House:
    """Everything that a run is about. `sabotaged`: the processor forgets, and has no ceiling."""

    home: Path
    url: str
    merchant: Merchant
    deployment: Deployment
    anvil: Anvil
    miner: Miner
    members: Members
    wires: Wires
    broker: Files | RedisBroker
    env: dict[str, str]
    api: str
    processor: str
    processor_key: str
    keys: dict[str, str]
    sabotaged: bool

    @property
    def log_file(self) -> Path:
        """The processor's own."""
        return self.home / "processor.db"

    def node(self) -> Node:
        """A connection of one's own."""
        return Node(self.anvil.port)

    def mint(self, bought: Sequence[Purchase]) -> None:
        """Every token to its buyer; who may send a transaction of their own gets coin for it."""
        for start in range(0, len(bought), _MINTED_AT_ONCE):
            few = bought[start : start + _MINTED_AT_ONCE]
            ids = [one.token_id for one in few]
            prices = [one.price if one.kind == "crypto" else 0 for one in few]
            wallets = [one.wallet for one in few]
            data = encode_call("ReturnableNFT", "mintBatch", wallets, ids, prices)
            to = self.deployment.collection
            account.send(self.anvil.client, person(ADMIN), to=to, data=data)
        racers = (one.wallet for one in bought if one.kind == "racer")
        self.node().batch([("anvil_setBalance", (wallet, hex(_COIN))) for wallet in racers])

    def begin(self) -> None:
        """From here on blocks come by themselves, and everybody works."""
        self.anvil.automine(False)
        self.miner.pause_s = BLOCK_TIME
        self.miner.start()
        self.members.start()


@contextmanager
def house(order: Order) -> Iterator[House]:
    """Set up, and gone in the end, whatever happens."""
    with ExitStack() as stack:
        home, url = stack.enter_context(own_database(order.database))
        yield _set_up(stack, order, home, url)


def _set_up(stack: ExitStack, order: Order, home: Path, url: str) -> House:
    anvil = Anvil("--chain-id", str(CHAIN_ID), *_KEEP_STATES)
    stack.callback(anvil.stop)
    broker = Files(home) if order.database == "sqlite" else RedisBroker()
    if isinstance(broker, RedisBroker):
        stack.callback(broker.close)
    plain = {"home": home, "database_url": url, "broker_url": broker.url, "rpc_url": anvil.url}
    own = Settings(**plain, port=free_port(), confirmations=CONFIRMED, finality=FINAL)
    processor = f"http://127.0.0.1:{free_port()}"
    api = f"http://{own.host}:{own.port}"
    secret = own.webhook_secret.get_secret_value()
    amnesia = Amnesia(secret) if order.sabotage else None
    plan = Plan()
    hooks = Webhooks(plan, api, amnesia)
    stack.callback(hooks.stop)
    before = stack.enter_context(serving(ToProcessor(plan, processor, amnesia)))
    told = stack.enter_context(serving(hooks))
    merchant, deployment, keys = _prepare(own)
    env = _environment(own, plain, before)
    members = _members(order, own, env, processor, told)
    stack.callback(members.stop)
    miner = Miner(anvil.port)
    stack.callback(lambda: miner.is_alive() and miner.stop())
    wires = Wires(plan, hooks)
    return House(
        home, url, merchant, deployment, anvil, miner, members, wires, broker, env, api, processor,
        own.processor_key.get_secret_value(), keys, bool(order.sabotage),
    )  # fmt: skip


def _prepare(settings: Settings) -> tuple[Merchant, Deployment, dict[str, str]]:
    runtime = Runtime(settings)
    try:
        migrate.upgrade(runtime.database)
        merchant = setup.create_merchant(runtime, "demo", "Demo Marketplace")
        setup.activate_policy(runtime, merchant, POLICY.read_text(), "setup")
        merchant = setup.prepare(runtime, "demo", "Demo Marketplace")
        keys = {
            who: create_key(runtime, merchant.id, who, SCOPES, None) for who in ("shop", "desk")
        }
        return merchant, runtime.deployment, keys
    finally:
        runtime.database.close()


def _environment(own: Settings, plain: dict[str, object], processor: str) -> dict[str, str]:
    words = plain | {
        "port": own.port,
        "confirmations": own.confirmations,
        "finality": own.finality,
        "processor_url": processor,
        "signature_seconds": SIGN_S,
        "reclaim_seconds": RECLAIM_S,
        "lease_seconds": 5,
        "relay_patience_seconds": 3,
        "relay_stuck_seconds": 10,
    }
    others = {key: value for key, value in os.environ.items() if not key.startswith("UNDROP_")}
    ours = {f"UNDROP_{name.upper()}": str(value) for name, value in words.items()}
    return others | {"PYTHONPATH": str(ROOT)} | ours


def _members(
    order: Order, own: Settings, env: dict[str, str], processor: str, webhooks: str
) -> Members:
    sandbox = env | {
        "UNDROP_PROCESSOR_DB": str(own.home / "processor.db"),
        "UNDROP_PROCESSOR_KEY": own.processor_key.get_secret_value(),
        "UNDROP_WEBHOOK_URL": f"{webhooks}/v1/processors/sandbox/webhook",
        "UNDROP_WEBHOOK_SECRET": own.webhook_secret.get_secret_value(),
    }
    commands = {
        "processor": (_uvicorn("api.sandbox_processor:create_app", processor), sandbox),
        "api": (_uvicorn("api.app:create_app", f"http://{own.host}:{own.port}"), env),
        "indexer": ([sys.executable, "-m", "api.cli", "indexer"], env),
        "relayer": ([sys.executable, "-m", "api.cli", "relayer"], env),
        "worker": (_worker("--beat", "--schedule", str(own.home / "beat")), env),
    }
    if order.database == "postgres":
        commands["worker-2"] = (_worker("-n", "second@%h"), env)
    logs = Logs("chaos-settlement", order.database)
    found = {
        name: Member(name, argv, its, logs.fresh(name)) for name, (argv, its) in commands.items()
    }
    return Members(found)


def _worker(*more: str) -> list[str]:
    celery = [sys.executable, "-m", "celery", "-A", "settlement.worker", "worker", *more]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [*celery, *alone, "--concurrency", "2", "--loglevel", "INFO"]


def _uvicorn(factory: str, address: str) -> list[str]:
    command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--host", "127.0.0.1"]
    return [*command, "--port", address.rsplit(":", 1)[1], "--log-level", "warning"]
