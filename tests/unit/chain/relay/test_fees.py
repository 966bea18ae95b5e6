"""What a nonce's bytes may cost: first, and when they are replaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.relay import fees
from chain.relay.fees import Fee

GWEI = 10**9
WEI = st.integers(1, 10**15)


def accepts(old: Fee, new: Fee, percent: int = 10) -> bool:
    """Geth's rule (core/txpool/legacypool/list.go, Add): both, by the price bump, and higher."""
    floor = (100 + percent) * old.max_fee // 100, (100 + percent) * old.priority_fee // 100
    is_higher = new.max_fee > old.max_fee and new.priority_fee > old.priority_fee
    return is_higher and new.max_fee >= floor[0] and new.priority_fee >= floor[1]


def test_the_first_fee_has_room_for_the_base_fee_to_double() -> None:
    assert fees.first(10 * GWEI, GWEI, 500 * GWEI) == Fee(21 * GWEI, GWEI)


def test_the_first_fee_stays_below_the_cap() -> None:
    ceiling = fees.call_ceiling(45 * GWEI)
    assert fees.first(30 * GWEI, GWEI, 45 * GWEI) == Fee(ceiling, GWEI)


def test_a_base_fee_above_the_cap_sends_nothing_new() -> None:
    ceiling = fees.call_ceiling(45 * GWEI)
    assert fees.first(ceiling - GWEI, GWEI, 45 * GWEI) == Fee(ceiling, GWEI)
    assert fees.first(ceiling - GWEI + 1, GWEI, 45 * GWEI) is None


@given(WEI, WEI, WEI)
def test_what_is_first_paid_covers_the_block_and_never_exceeds_what_calls_may_pay(
    base_fee: int, tip: int, cap: int
) -> None:
    fee = fees.first(base_fee, tip, cap)
    assert (fee is None) is (base_fee + tip > fees.call_ceiling(cap))
    if fee is not None:
        assert base_fee + tip <= fee.max_fee <= fees.call_ceiling(cap) < cap or cap < 9
        assert fee.priority_fee == tip <= fee.max_fee


@given(WEI, WEI)
def test_nodes_take_every_replacement(max_fee: int, priority_fee: int) -> None:
    old = Fee(max(max_fee, priority_fee), min(max_fee, priority_fee))
    new = fees.replacement(old, None, 10**18)
    assert new is not None
    assert accepts(old, new)
    assert accepts(old, new, percent=12)
    assert new.priority_fee <= new.max_fee


@given(WEI, WEI, WEI, WEI)
def test_a_replacement_pays_at_least_the_market_and_at_most_the_ceiling(
    max_fee: int, tip: int, market: int, ceiling: int
) -> None:
    old, now = Fee(max(max_fee, tip), min(max_fee, tip)), Fee(market, min(tip, market))
    new = fees.replacement(old, now, ceiling)
    assert (new is None) is (fees.raised(old.max_fee) > ceiling)
    if new is not None:
        assert accepts(old, new)
        assert min(market, ceiling) <= new.max_fee <= ceiling


@given(WEI, st.data())
def test_a_self_transfer_always_fits_above_any_call(cap: int, data: st.DataObject) -> None:
    """Otherwise a nonce could not be given up any more."""
    ceiling = fees.call_ceiling(cap)
    max_fee = data.draw(st.integers(1, max(1, ceiling)))
    call = Fee(max_fee, data.draw(st.integers(1, max_fee)))
    if max_fee <= ceiling:
        filler = fees.replacement(call, None, cap)
        assert filler is not None
        assert accepts(call, filler)


@given(st.integers(0, 10**18))
def test_a_raise_is_an_eighth_rounded_up_and_never_nothing(fee: int) -> None:
    assert fees.raised(fee) > fee
    assert fees.raised(fee) * 8 >= fee * 9
    assert fees.raised(fee) <= fee * 9 // 8 + 1


@pytest.mark.parametrize("cap", [1, 2, 8, 9, 10, 500 * GWEI])
def test_calls_leave_room_for_one_raise(cap: int) -> None:
    assert fees.raised(fees.call_ceiling(cap)) <= cap
