"""The one composition root: API, worker, beat, indexer and command line are all built here."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from celery import Celery

from chain.client import ChainClient
from chain.contracts import Deployment
from chain.indexer import Finality, Indexer
from chain.local import OPERATOR, anvil_keys
from chain.relayer import Relayer
from chain.signers import LocalSigner, Signer
from returns.clock import Clock, system_clock
from returns.db import Database
from returns.errors import ModelInvalid, NotFound
from settlement.broker import make_celery, wake
from settlement.plans import Terms
from settlement.processors.base import Processor
from settlement.processors.sandbox import SandboxProcessor
from settlement.settings import Settings, load_settings
from triage.model import Model

log = logging.getLogger(__name__)


@dataclass
class Runtime:
    """Everything that a process needs, built when first wanted; tests pass their own parts."""

    settings: Settings = field(default_factory=load_settings)
    clock: Clock = system_clock

    @cached_property
    def database(self) -> Database:
        """The books."""
        return Database(self.settings.database)

    @cached_property
    def client(self) -> ChainClient:
        """The node."""
        return ChainClient(self.settings.rpc_url)

    @cached_property
    def deployment(self) -> Deployment:
        """Our contracts. Raises `ContractsMissing` until they are deployed."""
        return Deployment.load(self.settings.deployment_file)

    @cached_property
    def terms(self) -> Terms:
        """What legs need to know."""
        settings = self.settings
        return Terms(
            deployment=self.deployment,
            sign_within=timedelta(seconds=settings.signature_seconds),
            reclaim_after=timedelta(seconds=settings.reclaim_seconds),
            commit_until=timedelta(seconds=settings.commit_seconds),
            processor_worst_case=timedelta(seconds=settings.processor_worst_case_seconds),
        )

    @cached_property
    def signer(self) -> Signer:
        """The operator's key. Local use falls back to one of Anvil's accounts."""
        key = self.settings.operator_key.get_secret_value() or anvil_keys()[OPERATOR]
        return LocalSigner(key)

    @cached_property
    def relayer(self) -> Relayer:
        """The operator's lane. It follows a transaction until nothing can undo it."""
        return Relayer(
            self.database,
            self.client,
            self.signer,
            self.settings.chain_id,
            self.clock,
            confirmations=self.settings.finality,
            lease=self.settings.lease,
        )

    @cached_property
    def indexer(self) -> Indexer:
        """The follower of the chain."""
        contracts = self.deployment
        return Indexer(
            self.database,
            self.client,
            self.settings.chain_id,
            self.clock,
            watched={contracts.escrow: "ReturnEscrow", contracts.collection: "ReturnableNFT"},
            delivered=contracts.escrow,
            start_block=contracts.block,
            finality=Finality(self.settings.confirmations, self.settings.finality),
        )

    @cached_property
    def processors(self) -> dict[str, Processor]:
        """Payment processors by name."""
        settings = self.settings
        sandbox = SandboxProcessor(
            settings.processor_url,
            settings.processor_key.get_secret_value(),
            settings.webhook_secret.get_secret_value(),
        )
        return {sandbox.name: sandbox}

    def processor(self, name: str) -> Processor:
        """One processor; raises `NotFound` for a name that is not configured."""
        if name not in self.processors:
            raise NotFound(what="processor")
        return self.processors[name]

    @cached_property
    def model(self) -> Model | None:
        """The risk model; None leaves decisions to the rules alone, and they say so."""
        try:
            return Model.from_json(self.settings.model_file.read_text())
        except (OSError, UnicodeDecodeError, ModelInvalid) as problem:
            log.warning("model.unavailable problem=%s", problem)
            return None

    @cached_property
    def _celery(self) -> Celery:
        return make_celery(self.settings)

    def wake(self, task: str, row_id: str) -> None:
        """Ask a worker to look at a queue at once, after the transaction that filled it."""
        wake(self._celery, task, row_id)

    def close(self) -> None:
        """Give connections back."""
        self.database.close()
