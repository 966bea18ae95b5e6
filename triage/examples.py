"""Messages with what is known of them: a file's rows by its own labels, and wording of our own."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from zlib import crc32

import yaml

from returns.errors import ModelInvalid
from returns.words import Reason, Want
from triage.message_text import clauses

WANT, REASON, PRESSURE, INSTRUCTIONS = "want", "reason", "pressure", "instructions"
NO_REASON, NO, YES = "none", "no", "yes"
#: Heads of yes and no, for which one clause of a text is enough.
ALARMS = (PRESSURE, INSTRUCTIONS)

#: What the sets call a message about none of their labels.
OUTSIDE = "NO_NODES_DETECTED"

#: Whatever shares a phrase shares a fold, so that no phrase is tried on what was trained with it.
FOLDS = 5

SOURCE = "Wording written for the product; composed, not collected from customers."

_TYPO_SHARE = 0.25
_COMPOSED = 3


@dataclass(frozen=True, slots=True)
class Example:
    """A text and its label per head; a head that is not named learns nothing from it."""

    text: str
    labels: Mapping[str, str]
    fold: int


@dataclass(frozen=True, slots=True)
class MessageSet:
    """A labelled set by its name in `LABELS`; `test` may be empty."""

    name: str
    train: list[tuple[str, str]]
    test: list[tuple[str, str]]


#: What labels of public sets say in our words; a label that is not listed is about something else.
#: None: too close to call, so neither head learns from it.
_REFUND, _STATUS = {WANT: Want.REFUND, REASON: NO_REASON}, {WANT: Want.STATUS, REASON: NO_REASON}
_UNAUTHORISED = {REASON: Reason.UNAUTHORISED}
LABELS: dict[str, dict[str, Mapping[str, str] | None]] = {
    "banking77": {
        "request_refund": {WANT: Want.REFUND},
        "Refund_not_showing_up": _STATUS,
        "transaction_charged_twice": {REASON: Reason.DOUBLE_PURCHASE},
        "card_payment_not_recognised": _UNAUTHORISED,
        "direct_debit_payment_not_recognised": _UNAUTHORISED,
        "cash_withdrawal_not_recognised": None,
        "compromised_card": None,
        "reverted_card_payment?": None,
        "card_arrival": None,
        "cancel_transfer": None,
    },
    "hint3_curekart": {
        "ORDER_STATUS": _STATUS,
        "DELAY_IN_PARCEL": _STATUS,
        "RESUME_DELIVERY": None,
        "CANCEL_ORDER": None,
        "ORDER_QUERY": None,
        "REFUNDS_RETURNS_REPLACEMENTS": {WANT: "by_word"},
    },
    "hint3_sofmattress": {
        "ORDER_STATUS": _STATUS,
        "DELAY_IN_DELIVERY": _STATUS,
        "CANCEL_ORDER": None,
        "RETURN_EXCHANGE": {WANT: "by_word"},
        "100_NIGHT_TRIAL_OFFER": None,
    },
}
_ELSEWHERE = {WANT: Want.OTHER, REASON: NO_REASON}
_BY_WORD = (
    (Want.EXCHANGE, ("exchang", "replac", "swap")),
    (Want.REFUND, ("refund", "money", "reimburs")),
    (Want.RETURN, ("return", "send back", "take back")),
)


def example_of(source: str, text: str, label: str) -> Example:
    """Read one row of a public set in our words. Raises `ModelInvalid` for a set without table."""
    if source not in LABELS:
        raise ModelInvalid(problem=f"nothing says what the labels of {source[:80]!r} mean")
    said = LABELS[source].get(label, _ELSEWHERE)
    labels = {PRESSURE: NO, INSTRUCTIONS: NO, **(said or {})}
    if labels.get(WANT) == "by_word":
        labels[WANT] = _want_by_word(text)
    return Example(text, labels, fold_of(text))


def fold_of(text: str) -> int:
    """Return the fold of a text, the same for all spellings that read the same."""
    return crc32(repr(clauses(text)).encode("utf-8", "surrogatepass")) % FOLDS


def _want_by_word(text: str) -> str:
    lower = text.lower()
    return next((want for want, parts in _BY_WORD if any(p in lower for p in parts)), Want.RETURN)


@dataclass(frozen=True, slots=True)
class _Phrase:
    text: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The phrases of one fold, and the frames that they may stand in."""

    wants: Sequence[_Phrase]
    reasons: Sequence[_Phrase]
    others: Sequence[_Phrase]
    pressures: Sequence[_Phrase]
    instructions: Sequence[_Phrase]
    frames: Mapping[str, Sequence[str]]


def wording(seed: int) -> list[Example]:
    """Return our own phrases, alone and put together with each other; the same seed, the same."""
    found: list[Example] = []
    for fold in range(FOLDS):
        dice = random.Random(seed * FOLDS + fold)  # noqa: S311  wording, not secrets
        shelf = _shelf(fold)
        composed = (_finished(phrase, shelf, dice) for phrase in _composed(shelf, dice))
        found += [Example(one.text, one.labels, fold) for one in composed]
    return found


def phrases() -> list[Example]:
    """Return every written phrase once, with the first filling of its slots."""
    shelves = ((fold, _shelf(fold)) for fold in range(FOLDS))
    return [
        Example(_filled(phrase.text, shelf.frames, None), phrase.labels, fold)
        for fold, shelf in shelves
        for phrase in _alone(shelf)
    ]


def _alone(shelf: _Shelf) -> Iterator[_Phrase]:
    yield from shelf.wants
    yield from shelf.reasons
    yield from shelf.others
    yield from shelf.pressures
    yield from shelf.instructions


def _composed(shelf: _Shelf, dice: random.Random) -> Iterator[_Phrase]:
    yield from _alone(shelf)
    for story in shelf.frames["story"]:
        yield _Phrase(story, _labels(Want.UNKNOWN, NO_REASON))
    for _ in range(_COMPOSED):
        for phrase in (*shelf.wants, *shelf.others):
            yield _framed(phrase, shelf, dice)
        for phrase in shelf.reasons:
            yield _framed(_joined(phrase, dice.choice(shelf.wants), dice), shelf, dice)
        for phrase in (*shelf.pressures, *shelf.instructions):
            yield _added(phrase, shelf, dice)
    for phrase in shelf.reasons:
        yield _framed(phrase, shelf, dice)


def _joined(reason: _Phrase, want: _Phrase, dice: random.Random) -> _Phrase:
    """Put a reason and a want together, either first."""
    first, glue, second = dice.choice(
        (
            (reason, ". ", want),
            (reason, " and ", want),
            (reason, ", ", want),
            (want, ". ", reason),
            (want, " because ", reason),
            (want, ", ", reason),
        )
    )
    labels = {**want.labels, REASON: reason.labels[REASON]}
    return _Phrase(f"{first.text}{glue}{second.text}", labels)


def _added(extra: _Phrase, shelf: _Shelf, dice: random.Random) -> _Phrase:
    """Add pressure or an instruction to an ordinary message: it means what it meant before."""
    message = dice.choice((*shelf.wants, *shelf.reasons, *shelf.others))
    parts = [message.text, extra.text]
    dice.shuffle(parts)
    # the heads that find the extra learn it from its own clause
    kept = {head: message.labels[head] for head in (WANT, REASON)}
    return _Phrase(". ".join(parts), kept)


def _framed(phrase: _Phrase, shelf: _Shelf, dice: random.Random) -> _Phrase:
    parts = [phrase.text]
    if dice.random() < 0.4:
        parts.insert(0, dice.choice(shelf.frames["story"]))
    if dice.random() < 0.4:
        parts.insert(0, dice.choice(shelf.frames["opening"]))
    if dice.random() < 0.4:
        parts.append(dice.choice(shelf.frames["closing"]))
    return _Phrase(dice.choice((". ", ", ", "\n")).join(parts), phrase.labels)


def _finished(phrase: _Phrase, shelf: _Shelf, dice: random.Random) -> _Phrase:
    text = _filled(phrase.text, shelf.frames, dice)
    if dice.random() < _TYPO_SHARE:
        text = _mistyped(text, dice)
    return _Phrase(text, phrase.labels)


def _filled(text: str, frames: Mapping[str, Sequence[str]], dice: random.Random | None) -> str:
    for slot in ("item", "when", "art"):
        if f"{{{slot}}}" in text:
            choice = dice.choice(frames[slot]) if dice else frames[slot][0]
            text = text.replace(f"{{{slot}}}", choice)
    return text


def _mistyped(text: str, dice: random.Random) -> str:
    """Swap, drop or double one letter: what fingers do."""
    at = dice.randrange(max(1, len(text) - 1))
    pair = text[at : at + 2]
    return text[:at] + dice.choice((pair[::-1], pair[1:], pair[:1] + pair)) + text[at + 2 :]


def _shelf(fold: int) -> _Shelf:
    wants, reasons = _read("wants"), _read("reasons")
    return _Shelf(
        wants=_labelled(wants, fold, lambda want: _labels(want, NO_REASON)),
        reasons=_labelled(reasons, fold, lambda reason: _labels(Want.UNKNOWN, reason)),
        others=_own(fold, "other", _labels(Want.OTHER, NO_REASON)),
        # "refund or chargeback" does want something: what, is not for the threat to teach
        pressures=_own(fold, "pressure", {PRESSURE: YES, INSTRUCTIONS: NO}),
        instructions=_own(
            fold, "instructions", {**_labels(Want.UNKNOWN, NO_REASON), INSTRUCTIONS: YES}
        ),
        frames=_read("frames"),
    )


def _labels(want: str, reason: str) -> dict[str, str]:
    return {WANT: want, REASON: reason, PRESSURE: NO, INSTRUCTIONS: NO}


def _labelled(lists: Mapping[str, Sequence[str]], fold: int, labels: Any) -> list[_Phrase]:
    return [
        _Phrase(text, labels(label))
        for label, texts in lists.items()
        for text in _of_fold(texts, fold)
    ]


def _own(fold: int, name: str, labels: Mapping[str, str]) -> list[_Phrase]:
    return [_Phrase(text, labels) for text in _of_fold(_read(name), fold)]


def _of_fold(texts: Iterable[str], fold: int) -> list[str]:
    return [text for at, text in enumerate(texts) if at % FOLDS == fold]


@cache
def _read(name: str) -> Any:
    text = (files("triage") / "wording" / f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  builds nothing but text
