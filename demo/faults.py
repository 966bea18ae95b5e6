"""What the demonstration says when it cannot go on."""


class CannotPlay(Exception):
    """One sentence for the person who started the demonstration; it ends with a non-zero exit."""
