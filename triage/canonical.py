"""One spelling per value: the JSON that hashes are taken over and decisions are stored as."""

import hashlib
import json

import orjson


def canonical_json(value: object) -> str:
    """Write `value` as ASCII JSON with sorted keys and no spaces: equal values give equal bytes.

    Raises `ValueError` for NaN and infinities, which have no JSON spelling.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def record_json(value: object) -> str:
    """Write a record of finite numbers in a tenth of the time: facts and decisions, in thousands.

    Sorted and without spaces as well; text outside ASCII stands as itself. Half a character (a
    lone surrogate), which UTF-8 cannot say, has the whole record written by `canonical_json`.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return canonical_json(value)


def sha256_hex(text: str) -> str:
    """Return the SHA-256 of the text's UTF-8 bytes as 64 lower-case hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()
