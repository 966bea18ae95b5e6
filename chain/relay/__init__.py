"""Sends what we owe to a chain: each intent once, no nonce left out, only what is allowed."""
