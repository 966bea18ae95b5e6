"""Price feeds on chain, read as Chainlink's aggregators are (AggregatorV3Interface)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chain.client import ChainClient
from chain.contracts import encode_signature
from chain.facts import Facts
from returns.errors import RateUnavailable
from returns.money import MAX_AMOUNT

_ROUND = ("uint80", "int256", "uint256", "uint256", "uint80")
#: More places than any feed has; 10 to their power still fits a uint256 by far.
_MAX_DECIMALS = 36
#: How far a chain's clock may be ahead of ours.
_AHEAD = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class FeedAnswer:
    """One unit of the base is worth `answer / 10**decimals` of the quote."""

    answer: int
    decimals: int
    updated_at: datetime


def latest(
    client: ChainClient, address: str, pair: str, now: datetime, heartbeat: timedelta
) -> FeedAnswer:
    """A feed's newest answer, both of its parts as of one block.

    Raises `RateUnavailable` for an answer that is not above zero, not of its own round, of a round
    that is still open, or older than the feed's `heartbeat`; `ChainUnavailable`.
    """
    questions = [(address, encode_signature(name)) for name in ("latestRoundData()", "decimals()")]
    facts = Facts(client, client.newest())
    facts.learn(questions)
    found, decimals = facts.decoded(questions[0], *_ROUND), facts.one(questions[1], "uint8")
    if found is None or decimals is None or decimals > _MAX_DECIMALS:
        raise RateUnavailable(pair=pair, problem=f"{address} does not answer as a feed")
    round_id, answer, _, updated, answered_in = found
    problem = _problem(answer, round_id, answered_in, updated) or _age(updated, now, heartbeat)
    if problem:
        raise RateUnavailable(pair=pair, problem=f"{address}: {problem}")
    return FeedAnswer(answer, decimals, datetime.fromtimestamp(updated, UTC))


def _problem(answer: int, round_id: int, answered_in: int, updated: int) -> str:
    if not 0 < answer <= MAX_AMOUNT:
        return f"its answer is {answer}"
    if answered_in < round_id:
        return f"its answer is of round {answered_in}, and {round_id} is current"
    return "its round is still open" if updated == 0 else ""


def _age(updated: int, now: datetime, heartbeat: timedelta) -> str:
    seconds = int(now.timestamp()) - updated
    if seconds > heartbeat // timedelta(seconds=1):
        return f"its answer is {seconds} s old, and it answers every {heartbeat}"
    return "its answer is of the future" if -seconds > _AHEAD // timedelta(seconds=1) else ""
