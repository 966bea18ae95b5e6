"""Faults that were found once; each test says the promise that was broken."""
