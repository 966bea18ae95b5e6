"""Settings, read once from the environment (prefix UNDROP_) by the composition root."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chain.local import anvil_addresses
from chain.signers import LocalSigner
from returns.errors import SettingsInvalid

_S = TypeVar("_S", bound=BaseSettings)

#: What local use falls back to; refused everywhere else.
_LOCAL_SECRET = "local-only"  # noqa: S105


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("must be an address such as http://127.0.0.1:8545")
    return url


Address = Annotated[str, AfterValidator(_address)]


class ChainSettings(BaseSettings):
    """Which chain, and where this installation keeps its files."""

    model_config = SettingsConfigDict(env_prefix="UNDROP_", extra="ignore", frozen=True)

    environment: Literal["local", "production"] = "local"
    home: Path = Field(default=Path("var"), description="files of this installation")
    rpc_url: Address = "http://127.0.0.1:8545"
    chain_id: int = Field(default=31337, ge=1)

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


class Settings(ChainSettings):
    """Everything that differs between a laptop and a cluster."""

    database_url: str = Field(default="", description="empty: SQLite in the home folder")
    broker_url: str = Field(default="", description="empty: files in the home folder")
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)

    confirmations: int = Field(default=1, ge=1, description="blocks until a fact is acted on")
    finality: int = Field(default=3, ge=1, description="blocks until nothing can undo it")
    operator_key: SecretStr = SecretStr("")

    secret_key: SecretStr = Field(default=SecretStr(_LOCAL_SECRET), description="client tokens")
    processor_url: Address = "http://127.0.0.1:8090"
    processor_key: SecretStr = SecretStr(_LOCAL_SECRET)
    webhook_secret: SecretStr = Field(
        default=SecretStr("whsec_bG9jYWwtb25seS1sb2NhbC1vbmx5LWxvY2FsLW9ubHk="),
        description="shared with the processor (Standard Webhooks form)",
    )

    signature_seconds: int = Field(default=86_400, description="time to sign an authorization")
    reclaim_seconds: int = Field(default=7 * 86_400, description="first reclaim date")
    commit_seconds: int = Field(default=30 * 86_400, description="reclaim date once committed")
    processor_worst_case_seconds: int = Field(default=5 * 86_400)
    lease_seconds: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _refuse_local_secrets(self) -> Self:
        if self.environment == "local":
            return self
        for name in ("secret_key", "processor_key", "webhook_secret", "operator_key"):
            secret: SecretStr = getattr(self, name)
            default = type(self).model_fields[name].default
            if len(secret.get_secret_value()) < 16 or secret == default:
                raise ValueError(f"UNDROP_{name.upper()} must be set outside local use")
        if LocalSigner(self.operator_key.get_secret_value()).address in anvil_addresses():
            raise ValueError("UNDROP_OPERATOR_KEY is one of Anvil's public keys")
        return self

    @cached_property
    def database(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{(self.home / 'undrop.db').absolute()}"

    @cached_property
    def model_file(self) -> Path:
        """Where the trained model lies."""
        return self.home / "model.json"

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
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        where = "".join(f"UNDROP_{str(part).upper()}: " for part in first["loc"])
        raise SettingsInvalid(problem=where + first["msg"].removeprefix("Value error, ")) from None
