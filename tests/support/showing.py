"""Whether a secret shows itself: in a text, or in what a crash reporter makes of an exception."""

from __future__ import annotations

import traceback

#: Where tests live: their own frames hold the secrets that they look for.
_TESTS = "/tests/"


def shows(text: str, secret: str) -> bool:
    """Whether a text has a secret in any usual form; a private key is 64 digits, with 0x or not."""
    digits = secret.removeprefix("0x").lower()
    forms = [digits]
    if len(digits) == 64 and set(digits) <= set("0123456789abcdef"):
        raw = bytes.fromhex(digits)
        forms += [str(int(digits, 16)), repr(raw)[2:-1].lower(), str(list(raw))]
    return any(form in text.lower() for form in forms)


def told_by(fault: BaseException) -> str:
    """All that an exception tells: itself, its values, its causes, and the locals of each frame.

    Also of what it suppresses, since reporters walk there.
    """
    texts, seen = [], set()
    queue: list[BaseException | None] = [fault]
    while queue:
        one = queue.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        queue += [one.__cause__, one.__context__]
        texts += [f"{one}", f"{one!r}", repr(vars(one)), repr(one.args), _frames(one)]
    return "\n".join(texts)


def _frames(fault: BaseException) -> str:
    trace = traceback.TracebackException.from_exception(fault, capture_locals=True)
    outside = [frame for frame in trace.stack if _TESTS not in frame.filename]
    return "".join(traceback.StackSummary.from_list(outside).format())
