"""The one composition root: API, worker, beat, indexer and command line are all built here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from celery import Celery

from chain.client import ChainClient
from chain.contracts import Deployment
from chain.index.indexer import Finality, Indexer
from chain.index.samples import HolderSamples
from chain.local import OPERATOR, anvil_keys
from chain.relay.fleet import Fleet
from chain.relay.guard import Guard, escrow_rules
from chain.relay.parts import Parts
from chain.signers import LocalSigner, Secrets, Signer, open_signer
from returns.clock import Clock, system_clock
from returns.db import Database
from returns.errors import ModelInvalid, NotFound
from returns.words import WatchKind
from settlement.broker import make_celery, wake
from settlement.plans import Terms
from settlement.processors.bank import BankProcessor
from settlement.processors.base import Processor
from settlement.processors.configured import configured
from settlement.processors.ramp import RampProcessor
from settlement.rates.sources import ChainFeeds, FixedRates, RateFile, Rates
from settlement.rates.stored import used_quotes
from settlement.settings import Settings, load_settings
from settlement.webhooks_out.dispatch import Dispatcher
from settlement.webhooks_out.postman import Postman
from settlement.webhooks_out.sealing import Sealer
from settlement.webhooks_out.targets import Targets
from triage.model import Model
from triage.reader import Reader

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
    def evidence_client(self) -> ChainClient:
        """The node that reconciliation asks: the second one where there is one."""
        witness = self.settings.witness_url
        return ChainClient(witness) if witness else self.client

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
            batch_limit=settings.relay_batch,
            batch_window=timedelta(milliseconds=settings.relay_batch_wait_ms),
            patience=timedelta(seconds=settings.relay_patience_seconds),
        )

    @cached_property
    def signers(self) -> list[Signer]:
        """The operators' keys, a lane each. Local use falls back to one of Anvil's accounts.

        Raises `SettingsInvalid`, `KeystoreLocked`, `SignerUnavailable`: then nothing is sent.
        """
        settings = self.settings
        if settings.signers:
            secrets = Secrets(
                keystore_password=settings.keystore_password,
                keystore_password_file=settings.keystore_password_file,
            )
            return [open_signer(spec.strip(), secrets) for spec in settings.signers.split(",")]
        return [LocalSigner(settings.operator_key.get_secret_value() or anvil_keys()[OPERATOR])]

    @cached_property
    def treasury(self) -> Signer | None:
        """The key that sends gas to the lanes, if there is one."""
        key = self.settings.treasury_key.get_secret_value()
        return LocalSigner(key) if key else None

    @cached_property
    def chains(self) -> dict[int, ChainClient]:
        """The node of each chain on which something may be relayed."""
        others = self.settings.relay_chains.items()
        clients = {chain_id: ChainClient(url) for chain_id, url in others}
        return {**clients, self.settings.chain_id: self.client}

    @cached_property
    def relays(self) -> dict[int, Parts]:
        """What the lanes of each chain share. They follow a transaction until it is final."""
        settings = self.settings
        policy = settings.relay_policy(settings.finality, settings.lease)
        lanes = [signer.address for signer in self.signers]
        return {
            chain_id: Parts(
                self.database, client, chain_id, self.clock, self.guard(chain_id, lanes), policy
            )
            for chain_id, client in self.chains.items()
        }

    def guard(self, chain_id: int, lanes: Sequence[str] = ()) -> Guard:
        """Our own contracts are on one chain; elsewhere merchants' rules are all there is.

        `lanes` may be sent gas. Who sends nothing has no need of them, nor of their keys.
        """
        has_ours = chain_id == self.settings.chain_id and not self.settings.relay_alone
        own = escrow_rules(self.deployment) if has_ours else []
        return Guard(own, lanes, self.settings.relay_top_up_by)

    @cached_property
    def fleets(self) -> list[Fleet]:
        """The lanes of every chain."""
        return [Fleet(parts, self.signers, self.treasury) for parts in self.relays.values()]

    @cached_property
    def indexer(self) -> Indexer:
        """The follower of the chain."""
        contracts, settings = self.deployment, self.settings
        witness = settings.witness_url
        return Indexer(
            self.database,
            self.client,
            settings.chain_id,
            self.clock,
            ours={
                contracts.escrow: WatchKind.ESCROW,
                contracts.zone: WatchKind.ZONE,
                contracts.collection: WatchKind.COLLECTION,
                contracts.seaport: WatchKind.SEAPORT,
            },
            start_block=contracts.block,
            finality=Finality(settings.confirmations, settings.finality, settings.finality_tags),
            witness=ChainClient(witness) if witness else None,
        )

    @cached_property
    def holder_samples(self) -> HolderSamples:
        """What holds the index against the chain."""
        parts = (self.database, self.client, self.settings.chain_id, self.clock)
        return HolderSamples(*parts)

    @cached_property
    def processors(self) -> dict[str, Processor]:
        """Payment processors by name."""
        bank = BankProcessor(self.database, self.clock)
        ramps = [] if self.settings.ramp_url is None else [self._ramp()]
        named = [*configured(self.settings, self.clock), bank, *ramps]
        return {one.name: one for one in named}

    def _ramp(self) -> Processor:
        settings = self.settings
        return RampProcessor(
            str(settings.ramp_url),
            settings.ramp_key.get_secret_value(),
            settings.ramp_webhook_secret.get_secret_value(),
            used_quotes(self.database),
            settings.quote_slippage_bps,
        )

    @cached_property
    def rates(self) -> Rates:
        """Exchange rates: feeds before the file, and fixed ones for what neither covers."""
        settings = self.settings
        heartbeat = timedelta(seconds=settings.rates_heartbeat_seconds)
        max_age = timedelta(seconds=settings.rates_file_seconds)
        file = settings.rates_file
        return Rates(
            [
                ChainFeeds(self.client, settings.rates_feeds, heartbeat),
                *([RateFile(file, max_age)] if file else []),
                FixedRates(settings.rates_fixed),
            ]
        )

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
    def sealer(self) -> Sealer:
        """Seals the secrets of webhook endpoints."""
        return Sealer(self.settings.secret_key.get_secret_value())

    @cached_property
    def targets(self) -> Targets:
        """Where merchants' webhooks may go."""
        return Targets(local=self.settings.webhook_private_targets)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """What sends webhooks from this process."""
        return Dispatcher(self.database, self.clock, Postman(self.targets, self.clock), self.sealer)

    @cached_property
    def _celery(self) -> Celery:
        return make_celery(self.settings)

    @cached_property
    def reader(self) -> Reader | None:
        """The reader of messages; without one, messages are kept for people alone."""
        try:
            return Reader.from_json(self.settings.reader_file.read_text())
        except (OSError, UnicodeDecodeError, ModelInvalid) as problem:
            log.warning("reader.unavailable problem=%s", problem)
            return None

    def wake(self, task: str, row_id: str) -> None:
        """Ask a worker to look at a queue at once, after the transaction that filled it."""
        wake(self._celery, task, row_id)

    def close(self) -> None:
        """Give connections back."""
        if "indexer" in vars(self):
            self.indexer.close()
        if "dispatcher" in vars(self):
            self.dispatcher.close()
        self.database.close()
