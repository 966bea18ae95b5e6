"""Facts, policies and one trained model for the tests of `triage`; all of them are read-only."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from returns.words import Reason, Remedy, Tender
from triage.examples import SOURCE, wording
from triage.facts import Facts
from triage.model import Model
from triage.policy import Policy, parse_policy
from triage.reader import Reader
from triage.reader_training import train_reader
from triage.training import train_on_generated

BUYER, OTHER, THIRD = ("0x" + digit * 40 for digit in "bcd")
COLLECTION = "0x" + "a" * 40
NOW = datetime(2022, 1, 14, 12, 0, 0, tzinfo=UTC)

#: An ordinary request: bought for 59.9 ETH three days ago by a customer of a year.
ORDINARY = Facts(
    merchant="m1",
    order="A-1",
    collection=COLLECTION,
    token_id=1139,
    currency="ETH",
    paid=59_900_000_000_000_000_000,
    already_refunded=0,
    requested=59_900_000_000_000_000_000,
    remedy=Remedy.CRYPTO_REFUND,
    tender=Tender.WALLET,
    reason=Reason.WRONG_TOKEN,
    purchased_at=NOW - timedelta(days=3),
    requested_at=NOW,
    buyer_wallet=BUYER,
    holder=BUYER,
    requester_wallet=BUYER,
    recipient=None,
    returns_90d=0,
    returns_365d=0,
    orders_365d=4,
    customer_since=NOW - timedelta(days=365),
    price_then=60_000_000_000_000_000_000,
    price_now=60_000_000_000_000_000_000,
    message="I bought the wrong one.",
    purchase_proven=True,
)

_WALLETS = st.sampled_from([None, BUYER, OTHER, THIRD])
_AMOUNTS = st.one_of(st.integers(0, 10), st.integers(0, 10**21), st.integers(0, 2**256 - 1))
_COUNTS = st.none() | st.integers(0, 10) | st.integers(0, 10**15)
_FLAGS = st.sampled_from([None, False, True])
_COUNTRIES = st.sampled_from([None, "DE", "US"])
_LISTS = st.sets(
    st.sampled_from(
        ["allow/customer", "phishing/holder", "sanctions/payee", "anonymiser/connection"]
    )
)
_TIMES = st.integers(-1800 * 86_400, 2900 * 86_400).map(lambda s: NOW + timedelta(seconds=s))
ANY_FACTS = st.builds(
    Facts,
    merchant=st.text(max_size=5),
    order=st.text(max_size=5),
    collection=st.sampled_from([COLLECTION, OTHER]),
    token_id=st.integers(0, 2**256 - 1),
    currency=st.sampled_from(["USD", "ETH", "TUSD", "EUR", "JPY"]),
    paid=_AMOUNTS,
    already_refunded=_AMOUNTS,
    requested=_AMOUNTS,
    remedy=st.sampled_from(Remedy),
    tender=st.sampled_from(Tender),
    reason=st.sampled_from(Reason),
    purchased_at=_TIMES,
    requested_at=_TIMES,
    buyer_wallet=_WALLETS,
    holder=_WALLETS,
    requester_wallet=_WALLETS,
    recipient=_WALLETS,
    returns_90d=st.integers(0, 10),
    returns_365d=st.integers(0, 10),
    orders_365d=st.integers(0, 20),
    customer_since=st.none() | _TIMES,
    price_then=st.none() | _AMOUNTS,
    price_now=st.none() | _AMOUNTS,
    message=st.text(max_size=20),
    channel=st.sampled_from(["web", "agent", "market"]),
    purchase_proven=_FLAGS,
    tender_expired=_FLAGS,
    dispute_open=_FLAGS,
    royalty=st.none() | _AMOUNTS,
    platform_fee=st.none() | _AMOUNTS,
    gas_cost=st.none() | _AMOUNTS,
    delivered_at=st.none() | _TIMES,
    revealed_at=st.none() | _TIMES,
    purchased_block=_COUNTS,
    requested_block=_COUNTS,
    valid_from=st.none() | _TIMES,
    valid_until=st.none() | _TIMES,
    revealed=_FLAGS,
    perks_claimed=_COUNTS,
    listed=_FLAGS,
    locked=_FLAGS,
    rented=_FLAGS,
    transferable=_FLAGS,
    paused=_FLAGS,
    moves_since_purchase=_COUNTS,
    round_trips=_COUNTS,
    rarity_rank=_COUNTS,
    supply=_COUNTS,
    wallet_since=st.none() | _TIMES,
    wallet_moves=_COUNTS,
    on_lists=st.none() | _LISTS.map(lambda names: tuple(sorted(names))),
    returns_7d=_COUNTS,
    returns_30d=_COUNTS,
    usual_price=st.none() | _AMOUNTS,
    goodwill_365d=_COUNTS,
    chargebacks_365d=_COUNTS,
    nonreceipt_365d=_COUNTS,
    identity_verified=_FLAGS,
    consumer=_FLAGS,
    withdrawal_waived=_FLAGS,
    billing_country=_COUNTRIES,
    delivery_country=_COUNTRIES,
    connection_country=_COUNTRIES,
    shared_payout=_COUNTS,
    shared_wallet=_COUNTS,
    shared_device=_COUNTS,
    shared_ip=_COUNTS,
    shared_funder=_COUNTS,
    wallet_returns_7d=_COUNTS,
    wallet_returns_30d=_COUNTS,
    wallet_returns_90d=_COUNTS,
    wallet_returns_365d=_COUNTS,
    cluster_returns_365d=_COUNTS,
)


@st.composite
def _near_approval(draw: st.DrawFn) -> Facts:
    """Ordinary facts with a few fields replaced: drawn freely, nearly all facts would be denied."""
    drawn = draw(ANY_FACTS)
    names = draw(st.sets(st.sampled_from(list(Facts.__dataclass_fields__)), max_size=4))
    return replace(ORDINARY, **{name: getattr(drawn, name) for name in names})


@pytest.fixture(scope="session")
def any_facts() -> st.SearchStrategy[Facts]:
    return ANY_FACTS | _near_approval()


@pytest.fixture(scope="session")
def facts() -> Callable[..., Facts]:
    """Return ordinary facts with changes."""
    return lambda **changes: replace(ORDINARY, **changes)


@pytest.fixture(scope="session")
def standard_text() -> str:
    return (files("triage") / "policies" / "standard.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def standard(standard_text: str) -> Policy:
    return parse_policy(standard_text)


@pytest.fixture(scope="session")
def policy(standard_text: str) -> Callable[..., Policy]:
    """Return the standard policy with top-level keys changed."""

    def changed(**changes: Any) -> Policy:
        return parse_policy(yaml.safe_dump({**yaml.safe_load(standard_text), **changes}))

    return changed


@pytest.fixture(scope="session")
def model() -> Model:
    return train_on_generated(seed=7)


@pytest.fixture(scope="session")
def reader() -> Reader:
    """Return a reader trained on our own wording alone."""
    return train_reader(wording(7), 7, SOURCE)
