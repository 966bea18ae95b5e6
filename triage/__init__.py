"""Decides whether a return is approved, reviewed or denied: facts in, decision out."""
