"""The kinds of events: one for each state that a line can enter, and none besides."""

from returns.words import LineState

#: What a test of an endpoint sends; nothing happened then.
PING = "ping"

_OF_LINES = "return.line."


def kind_of(state: LineState) -> str:
    """The kind of the event that says that a line is in this state now."""
    return f"{_OF_LINES}{state.value}"


def state_of(kind: str) -> str:
    """The state that an event of this kind tells."""
    return kind.removeprefix(_OF_LINES)


def all_kinds() -> tuple[str, ...]:
    """Every kind that can be asked for, in the order of a line's life."""
    return tuple(kind_of(state) for state in LineState)
