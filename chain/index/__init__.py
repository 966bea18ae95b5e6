"""Follows a chain: every block by hash, every log of what is watched, and what a reorg undid."""
