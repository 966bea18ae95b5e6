"""Feeds on a real chain: an answer that should not be relied on is no rate."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from chain_node import Stage, create, person

from chain.contracts import encode_call
from chain.feeds import latest
from chain.local import OPERATOR
from returns.errors import RateUnavailable
from returns.money import Money
from settlement.rates.sources import ChainFeeds, Rates

pytestmark = pytest.mark.chain

HEARTBEAT = timedelta(hours=1)
PRICE = 2000_12345678


class Feed:
    """A feed of 8 places, and whoever answers for it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        owner = person(OPERATOR).address
        self.address = create(stage.client, "TestFeed", owner, 8, "ETH / USD")

    def push(self, answer: int = PRICE) -> datetime:
        self.stage.send(encode_call("TestFeed", "push", answer), to=self.address)
        return datetime.fromtimestamp(self.stage.client.newest().timestamp, UTC)

    def set(self, *round_: int) -> None:
        self.stage.send(encode_call("TestFeed", "set", round_), to=self.address)

    def read(self, now: datetime) -> Any:
        return latest(self.stage.client, self.address, "ETH/USD", now, HEARTBEAT)


@pytest.fixture
def feed(chain: Stage) -> Iterator[Feed]:
    chain.anvil.automine(True)
    yield Feed(chain)
    chain.anvil.automine(False)


def test_its_newest_answer_is_the_rate(feed: Feed) -> None:
    feed.push(1)
    now = feed.push()
    told = feed.read(now)
    assert (told.answer, told.decimals, told.updated_at) == (PRICE, 8, now)
    feeds = ChainFeeds(feed.stage.client, {"ETH/USD": feed.address}, HEARTBEAT)
    rate = Rates([feeds]).rate("ETH", "USD", now, now)
    assert rate.convert(Money(10**18, "ETH")) == Money(200_012, "USD")
    assert (rate.source, rate.observed_at) == (f"feed {feed.address}", now)


def test_it_says_nothing_of_the_past(feed: Feed) -> None:
    now = feed.push()
    feeds = ChainFeeds(feed.stage.client, {"ETH/USD": feed.address}, HEARTBEAT)
    assert feeds.rate("ETH", "USD", now - HEARTBEAT, now) is None
    assert feeds.rate("EUR", "USD", now, now) is None


def test_an_answer_is_good_for_its_heartbeat_to_the_second(feed: Feed) -> None:
    updated = feed.push()
    assert feed.read(updated + HEARTBEAT).answer == PRICE
    with pytest.raises(RateUnavailable, match="its answer is 3601 s old, and it answers every 1:"):
        feed.read(updated + HEARTBEAT + timedelta(seconds=1))


@pytest.mark.parametrize("answer", [0, -1, -(2**255)])
def test_an_answer_that_is_not_above_zero_is_no_rate(feed: Feed, answer: int) -> None:
    with pytest.raises(RateUnavailable, match=f"its answer is {answer}"):
        feed.read(feed.push(answer))


def test_rounds_that_do_not_fit_are_no_rate(feed: Feed) -> None:
    now = feed.push()
    at = int(now.timestamp())
    for given, problem in (
        ((2, PRICE, at, at, 1), "its answer is of round 1, and 2 is current"),
        ((2, PRICE, at, 0, 2), "its round is still open"),
        ((2, PRICE, at, at + 901, 2), "its answer is of the future"),
    ):
        feed.set(*given)
        with pytest.raises(RateUnavailable, match=problem):
            feed.read(now)
    feed.set(2, PRICE, at, at + 900, 2)
    assert feed.read(now).answer == PRICE


def test_an_address_without_a_feed_is_no_source(feed: Feed) -> None:
    now = feed.push()
    for address in ("0x" + "12" * 20, feed.stage.dollar, feed.stage.deployment.escrow):
        with pytest.raises(RateUnavailable, match="does not answer as a feed"):
            latest(feed.stage.client, address, "ETH/USD", now, HEARTBEAT)
