"""The chain tests' fixtures."""

from chain_fixtures import books, chain, clock, postgres, postgres_url, sqlite, stage
from chain_life import life, opened
from chain_relay import usual_price

__all__ = [
    "books",
    "chain",
    "clock",
    "life",
    "opened",
    "postgres",
    "postgres_url",
    "sqlite",
    "stage",
    "usual_price",
]
