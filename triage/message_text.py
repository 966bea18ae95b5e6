"""A customer's free text as words: normalised, cut into clauses, bounded whatever was sent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

#: The API takes 2,000 characters; what stands behind the first 4,000 is not read.
MAX_CHARS = 4_000

#: Stands before the first word of a clause.
START = "^"
#: The only mark that is a word: it tells questions from requests.
ASKS = "?"
#: Stands before a piece of a word, where pieces and words are listed together.
GRAM = "*"

#: Longer words are links, keys or noise: their first characters are enough.
_MAX_WORD = 24
_GRAMS = (2, 3, 4)
#: How many words of its clause a negation reaches.
_NEGATION_REACH = 4
_NEGATIONS = frozenset(
    (
        *("not", "no", "never", "without", "nor", "neither", "cannot", "cant", "dont", "doesnt"),
        *("didnt", "wont", "wouldnt", "isnt", "arent", "wasnt", "havent", "hasnt", "hadnt"),
        *("shouldnt", "couldnt", "aint"),
    )
)

_MIXED_WORD = re.compile(r"[^\W\d_]+")
_DROPPED = frozenset({"Mn", "Cf"})
#: Letters of other scripts that look like Latin ones; read as those inside a Latin word only.
_LOOKALIKES = str.maketrans("асекорхуітмнвɡıјѕԁοανετικρ", "acekopxyitmhbgijsdoavetikp")


#: Digits as 0, ends of clauses as line ends, other signs of ASCII as spaces: one pass in C.
_SIGNS = {
    **{code: " " for code in range(128) if not chr(code).isalnum()},
    **dict.fromkeys(map(ord, "!;\n"), "\n"),
    **dict.fromkeys(map(ord, "0123456789"), "0"),
    ord(ASKS): ASKS,
}


def clauses(text: str) -> list[list[str]]:
    """Cut a text into clauses of words, `START` before each. Any string is taken; "" has none."""
    normal = _normal(text)
    cut = [words for line in normal.split("\n") if len(words := line.split()) > 1]
    if "0" in normal:
        return [["0" if word[0] == "0" else word for word in words] for words in cut]
    return cut


def negated(words: Sequence[str]) -> list[str]:
    """Return the words of a clause that a negation reaches: "refund" of "do not want a refund"."""
    if _NEGATIONS.isdisjoint(words):
        return []
    reached: set[int] = set()
    for at in [at for at, word in enumerate(words) if word in _NEGATIONS]:
        reached.update(range(at + 1, at + 1 + _NEGATION_REACH))
    return [words[at] for at in sorted(reached) if at < len(words)]


def grams(word: str) -> list[str]:
    """Return the pieces of a word, 2 to 4 letters with its ends marked: what typos leave whole."""
    marked = f"<{word[:_MAX_WORD]}>"
    return [f"{GRAM}{marked[at : at + n]}" for n in _GRAMS for at in range(len(marked) - n + 1)]


def _normal(text: str) -> str:
    """Lower case, numbers as zeros, clauses marked, one spelling for what looks the same."""
    text = text[:MAX_CHARS]
    if not text.isascii():
        text = _folded(text)
    plain = text.lower().replace("'", "").replace(ASKS, " ?\n").replace(". ", "\n")
    return f"{START} " + plain.translate(_SIGNS).replace("\n", f"\n{START} ")


def _folded(text: str) -> str:
    # NFKD is NFKC with accents apart, where they can be dropped; it can grow a text eighteen-fold
    apart = unicodedata.normalize("NFKD", text)[:MAX_CHARS].replace("’", "").lower()
    bare = (c for c in apart if c.isascii() or unicodedata.category(c) not in _DROPPED)
    plain = "".join(c if c.isascii() or c.isalnum() else " " for c in bare)
    return _MIXED_WORD.sub(_as_latin, plain)


def _as_latin(word: re.Match[str]) -> str:
    letters = word[0]
    if letters.isascii() or not any(letter.isascii() for letter in letters):
        return letters
    return letters.translate(_LOOKALIKES)
