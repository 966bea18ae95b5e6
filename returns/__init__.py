"""The books: what a return is, in which state, and the proof.

Talks to the database and to nobody else.
"""
