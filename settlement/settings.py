"""Settings, read once from the environment (prefix UNDROP_) by the composition root."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from chain.addresses import parse_address
from chain.local import anvil_addresses
from chain.relay.fees import call_ceiling
from chain.relay.parts import RelayPolicy
from chain.signers import LocalSigner
from returns.errors import SettingsInvalid, UndropError
from settlement.processor_settings import ProcessorSettings
from settlement.rates.base import read_pair, read_rate

_S = TypeVar("_S", bound=BaseSettings)

#: What local use falls back to; refused everywhere else.
_LOCAL_SECRET = "local-only"  # noqa: S105


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("must be an address such as http://127.0.0.1:8545")
    return url


def _pair(text: str) -> str:
    try:
        read_pair(text)
    except UndropError as refusal:
        raise ValueError(str(refusal)) from None
    return text


def _rate(text: str) -> str:
    try:
        read_rate(text)
    except UndropError as refusal:
        raise ValueError(str(refusal)) from None
    return text


def _contract(text: str) -> str:
    try:
        return parse_address(text)
    except UndropError:
        raise ValueError("must be the address of a contract") from None


Address = Annotated[str, AfterValidator(_address)]
Pair = Annotated[str, AfterValidator(_pair)]
FixedRate = Annotated[str, AfterValidator(_rate)]
FeedAddress = Annotated[str, AfterValidator(_contract)]
ChainId = Annotated[int, Field(ge=1, lt=2**63)]
Wei = Annotated[int, Field(ge=0)]


class ChainSettings(BaseSettings):
    """Which chain, and where this installation keeps its files."""

    model_config = SettingsConfigDict(
        env_prefix="UNDROP_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    environment: Literal["local", "production"] = "local"
    home: Path = Field(default=Path("var"), description="files of this installation")
    rpc_url: Address = "http://127.0.0.1:8545"
    chain_id: ChainId = 31337

    @cached_property
    def deployment_file(self) -> Path:
        """Where the addresses of our contracts are written."""
        return self.home / f"deployment-{self.chain_id}.json"


class DeployerSettings(ChainSettings):
    """All that putting the contracts on a chain takes: no secret of the product, and one key.

    The key pays and gets no right; processes of the product do not read it.
    """

    deployer_key: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _has_key(self) -> Self:
        if not self.deployer_key.get_secret_value():
            raise ValueError("UNDROP_DEPLOYER_KEY is not set: the key of who pays the deployment")
        return self


class RelaySettings(ChainSettings):
    """How the relayer behaves. Fees and coin in wei; empty budgets are none."""

    relay_alone: bool = Field(
        default=False,
        description="the relay API is all there is: no contracts of ours on any chain",
    )
    relay_chains: dict[ChainId, Address] = Field(
        default_factory=dict, description="further chains by number: for the relay API alone"
    )
    relay_window: int = Field(default=16, ge=1, description="nonces of a key under way")
    relay_batch: int = Field(default=25, ge=1, le=100, description="returns in one transaction")
    relay_batch_gas: int = Field(default=10_000_000, ge=100_000)
    relay_batch_wait_ms: int = Field(default=200, ge=0, description="for company")
    relay_patience_seconds: int = Field(
        default=300, ge=0, description="how long what nobody waits for may wait for a cheap block"
    )
    relay_fee_cap: int = Field(default=500_000_000_000, ge=1, description="wei per gas")
    relay_tip: int = Field(default=1_000_000_000, ge=1, description="wei per gas")
    relay_stuck_seconds: int = Field(default=30, ge=1)
    relay_case_budget: Wei | None = None
    relay_customer_budget: Wei | None = None
    relay_day_budget: Wei | None = None
    relay_floor: Wei = Field(default=0, description="coin that a lane keeps")
    relay_top_up_below: Wei = 0
    relay_top_up_by: Wei = 0
    relay_top_up_daily: Wei = 0

    @model_validator(mode="after")
    def _can_send(self) -> Self:
        """What contradicts itself would stand still in silence."""
        if self.relay_tip > call_ceiling(self.relay_fee_cap):
            raise ValueError("UNDROP_RELAY_FEE_CAP leaves no room for UNDROP_RELAY_TIP")
        if self.relay_chains.get(self.chain_id, self.rpc_url) != self.rpc_url:
            raise ValueError("UNDROP_RELAY_CHAINS has another address for UNDROP_CHAIN_ID")
        if self.relay_top_up_below and not 0 < self.relay_top_up_by <= self.relay_top_up_daily:
            raise ValueError("UNDROP_RELAY_TOP_UP_BY must be above 0 and within …_TOP_UP_DAILY")
        return self

    def relay_policy(self, confirmations: int, lease: timedelta) -> RelayPolicy:
        """The limits of every lane."""
        return RelayPolicy(
            confirmations=confirmations,
            lease=lease,
            window=self.relay_window,
            tip=self.relay_tip,
            fee_cap=self.relay_fee_cap,
            batch_gas=self.relay_batch_gas,
            batch_window=timedelta(milliseconds=self.relay_batch_wait_ms),
            stuck_after=timedelta(seconds=self.relay_stuck_seconds),
            case_budget=self.relay_case_budget,
            customer_budget=self.relay_customer_budget,
            day_budget=self.relay_day_budget,
            floor=self.relay_floor,
            top_up_below=self.relay_top_up_below,
            top_up_by=self.relay_top_up_by,
            top_up_daily=self.relay_top_up_daily,
        )


class Settings(ProcessorSettings, RelaySettings):
    """Everything that differs between a laptop and a cluster."""

    database_url: str = Field(default="", description="empty: SQLite in the home folder")
    broker_url: str = Field(default="", description="empty: files in the home folder")
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)

    confirmations: int = Field(default=1, ge=1, description="blocks until a fact is acted on")
    finality: int = Field(default=3, ge=1, description="blocks until nothing can undo it")
    finality_tags: bool = Field(
        default=False, description="wait for the node's safe and finalized blocks as well"
    )
    witness_url: Address | None = Field(
        default=None, description="a second node, asked on samples for what the first one told"
    )
    operator_key: SecretStr = SecretStr("")
    treasury_key: SecretStr = Field(default=SecretStr(""), description="sends gas to the lanes")
    signers: str = Field(
        default="",
        description="lanes' keys: keystore:PATH, kms:KEY_ID or remote:URL#ADDRESS, a comma between",
    )
    keystore_password: SecretStr = SecretStr("")
    keystore_password_file: Path | None = None

    secret_key: SecretStr = Field(default=SecretStr(_LOCAL_SECRET), description="client tokens")
    processor_url: Address = "http://127.0.0.1:8090"
    processor_key: SecretStr = SecretStr(_LOCAL_SECRET)
    webhook_secret: SecretStr = Field(
        default=SecretStr("whsec_bG9jYWwtb25seS1sb2NhbC1vbmx5LWxvY2FsLW9ubHk="),
        description="shared with the processor (Standard Webhooks form)",
    )

    webhook_private_targets: bool = Field(
        default=False, description="merchants' webhooks may go to this machine: local use only"
    )

    ramp_url: Address | None = Field(
        default=None, description="an on- and off-ramp, for refunds in another currency"
    )
    ramp_key: SecretStr = SecretStr(_LOCAL_SECRET)
    ramp_webhook_secret: SecretStr = Field(
        default=SecretStr("whsec_bG9jYWwtb25seS1sb2NhbC1vbmx5LWxvY2FsLW9ubHk="),
        description="shared with the ramp (Standard Webhooks form)",
    )
    rates_feeds: dict[Pair, FeedAddress] = Field(
        default_factory=dict, description="feeds on chain by pair, such as ETH/USD"
    )
    rates_heartbeat_seconds: int = Field(
        default=3_600, ge=1, description="feeds answer at least so often"
    )
    rates_file: Path | None = Field(
        default=None, description="observations: pair, rate, observed_at"
    )
    rates_file_seconds: int = Field(
        default=86_400, ge=1, description="how old an observation may be"
    )
    rates_fixed: dict[Pair, FixedRate] = Field(default_factory=dict, description="rates by pair")
    quote_seconds: int = Field(default=120, ge=1, description="how long a quote holds")
    quote_slippage_bps: int = Field(
        default=100, ge=0, le=10_000, description="hundredths of a percent that a quote may move"
    )

    signature_seconds: int = Field(default=86_400, description="time to sign an authorization")
    reclaim_seconds: int = Field(default=7 * 86_400, description="first reclaim date")
    commit_seconds: int = Field(default=30 * 86_400, description="reclaim date once committed")
    processor_worst_case_seconds: int = Field(default=5 * 86_400)
    lease_seconds: int = Field(default=10, ge=1)
    reconcile_patience_seconds: int = Field(
        default=3_600, ge=0, description="how long an effect may be under way"
    )
    reconcile_late_hours: int = Field(
        default=24, ge=0, description="how much later another side may show what the books say"
    )
    reconcile_tolerance: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="minor units by which a processor may round, by currency"
    )

    @model_validator(mode="after")
    def _is_final_last(self) -> Self:
        if self.finality < self.confirmations:
            raise ValueError("UNDROP_FINALITY must be at least UNDROP_CONFIRMATIONS")
        return self

    @model_validator(mode="after")
    def _can_top_up(self) -> Self:
        if self.relay_top_up_below and not self.treasury_key.get_secret_value():
            raise ValueError("UNDROP_TREASURY_KEY must be set where lanes are topped up")
        return self

    @model_validator(mode="after")
    def _keeps_webhooks_out(self) -> Self:
        if self.webhook_private_targets and self.environment != "local":
            raise ValueError("UNDROP_WEBHOOK_PRIVATE_TARGETS is for local use only")
        return self

    @model_validator(mode="after")
    def _refuse_local_secrets(self) -> Self:
        if self.environment == "local":
            return self
        self.refuse_trials()
        is_alone = self.relay_alone or self.has_real_processors
        money = () if is_alone else ("processor_key", "webhook_secret")
        keys = () if self.signers else ("operator_key",)
        ramp = ("ramp_key", "ramp_webhook_secret") if self.ramp_url else ()
        for name in ("secret_key", *money, *ramp, *keys):
            secret: SecretStr = getattr(self, name)
            default = type(self).model_fields[name].default
            if len(secret.get_secret_value()) < 16 or secret == default:
                raise ValueError(f"UNDROP_{name.upper()} must be set outside local use")
        for name in ("operator_key", "treasury_key"):
            key: str = getattr(self, name).get_secret_value()
            if key and LocalSigner(key).address in anvil_addresses():
                raise ValueError(f"UNDROP_{name.upper()} is one of Anvil's public keys")
        return self

    @property
    def has_sandbox(self) -> bool:
        """Whether the sandbox processor pays: in local use, or where it was given a key."""
        secret = type(self).model_fields["processor_key"].default
        return self.environment == "local" or self.processor_key != secret

    @cached_property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{(self.home / 'undrop.db').absolute()}"

    @cached_property
    def model_file(self) -> Path:
        """Where the trained model lies."""
        return self.home / "model.json"

    @cached_property
    def reader_file(self) -> Path:
        """Where the trained reader of messages lies."""
        return self.home / "reader.json"

    @cached_property
    def models_folder(self) -> Path:
        """Models and readers that were ever in use, by hash: decisions are replayed with them."""
        return self.home / "models"

    @cached_property
    def lease(self) -> timedelta:
        """How long a worker owns what it has claimed."""
        return timedelta(seconds=self.lease_seconds)


def load_settings() -> Settings:
    """Read the environment; raises `SettingsInvalid` with the first problem, never a value."""
    return _read(Settings)


def load_deployer_settings() -> DeployerSettings:
    """The same for a deployment."""
    return _read(DeployerSettings)


def _read(kind: type[_S]) -> _S:
    try:
        return kind()
    except SettingsError as fault:
        # It names the field, and never its value.
        raise SettingsInvalid(problem=f"{fault}: it must be JSON") from None
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        problem = _where(first["loc"]) + first["msg"].removeprefix("Value error, ")
        raise SettingsInvalid(problem=problem) from None


def _where(place: tuple[int | str, ...]) -> str:
    """`UNDROP_RELAY_CHAINS (5): `; nothing for what concerns several settings."""
    if not place:
        return ""
    name, within = f"UNDROP_{str(place[0]).upper()}", place[1:2]
    return f"{name} ({within[0]}): " if within else f"{name}: "
