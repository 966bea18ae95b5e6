"""The chain tests' fixtures."""

from chain_fixtures import books, chain, clock, postgres, postgres_url, sqlite, stage

__all__ = ["books", "chain", "clock", "postgres", "postgres_url", "sqlite", "stage"]
