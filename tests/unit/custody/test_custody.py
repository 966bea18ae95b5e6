"""What the holder is asked to sign, which call each movement needs, and what a hold says."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from desk import ADDRESSES, Desk
from fake_chain import DEPLOYMENT, VAULT

from chain.addresses import NATIVE
from chain.typed_data import line_key
from custody import authorizations, holds
from custody.calls import LEG_OF_EVENT, calldata
from custody.eligibility import holders_of
from returns.errors import MoveNotAllowed
from returns.tables import Authorization, Hold, ReturnLine
from returns.words import HoldState, LegKind


@pytest.fixture
def signed(desk: Desk) -> Authorization:
    desk.sign(desk.ask(desk.buy(tender="wallet"))["rma"])
    return desk.rows(Authorization)[0]


def test_deposit_is_signed_with_both_reclaim_dates(desk: Desk) -> None:
    desk.ask(desk.buy())
    message = authorizations.message_of(desk.rows(Authorization)[0])
    terms, now = desk.runtime.terms, desk.clock()
    ends = (terms.sign_within, terms.sign_within + terms.reclaim_after,
            terms.sign_within + terms.commit_until)  # fmt: skip
    assert (message.deadline, message.reclaimAfter, message.commitUntil) == tuple(
        int((now + end).timestamp()) for end in ends
    )


def test_message_binds_line_vault_token_remedy_amount_and_recipient(
    desk: Desk, signed: Authorization
) -> None:
    (line,), message = desk.rows(ReturnLine), authorizations.message_of(signed)
    terms, now = desk.runtime.terms, desk.clock()
    assert message.line == "0x" + line_key(line.id, ADDRESSES[0]).hex()
    assert message.vault == VAULT
    assert (message.holder, message.recipient) == (ADDRESSES[0], ADDRESSES[0])
    assert (message.token, message.tokenId, message.amount) == (DEPLOYMENT.collection, 100, 1)
    assert (message.asset, message.refund, message.remedy) == (NATIVE, 1000, 1)
    # Nothing is held in a swap: there is nothing to reclaim.
    assert (message.reclaimAfter, message.commitUntil) == (0, 0)
    assert message.deadline == int((now + terms.sign_within).timestamp())


def test_wallet_is_asked_with_integers_as_strings(desk: Desk, signed: Authorization) -> None:
    asked = authorizations.prompt(signed, DEPLOYMENT)
    assert asked["message"]["refund"] == "1000"
    assert asked["domain"]["verifyingContract"] == DEPLOYMENT.escrow
    assert json.loads(signed.message)["refund"] == 1000


def test_currency_is_named_as_the_contract_knows_it() -> None:
    named = [authorizations.asset_address(c, DEPLOYMENT) for c in ("ETH", "TUSD", "USD")]
    assert named == [NATIVE, DEPLOYMENT.dollar, f"0x{840:040x}"]


@pytest.mark.parametrize("kind", [LegKind.DEPOSIT, LegKind.SWAP])
def test_unsigned_authorization_moves_nothing(desk: Desk, kind: LegKind) -> None:
    desk.ask(desk.buy())
    (row,) = desk.rows(Authorization)
    with pytest.raises(MoveNotAllowed):
        calldata(kind, row)


@pytest.mark.parametrize("kind", LegKind)
def test_every_chain_movement_has_its_own_call_and_nothing_else_has_one(
    signed: Authorization, kind: LegKind
) -> None:
    if kind in (LegKind.PROCESSOR_REFUND, LegKind.CREDIT):
        with pytest.raises(MoveNotAllowed):
            calldata(kind, signed)
        return
    made = {calldata(k, signed)[:4] for k in LEG_OF_EVENT.values()}
    assert len(made) == len(LEG_OF_EVENT)
    assert calldata(kind, signed)[:4] in made


def test_holder_is_unknown_where_the_chain_cannot_tell(desk: Desk) -> None:
    order = desk.buy()
    token = order.lines[0].token_id
    assert _holder(desk, DEPLOYMENT.collection, token) == ADDRESSES[0]
    assert _holder(desk, DEPLOYMENT.collection, 999) is None
    assert _holder(desk, "0x" + "ab" * 20, token) is None
    desk.chain.down = True
    assert _holder(desk, DEPLOYMENT.collection, token) is None


def test_hold_follows_the_events_and_back(desk: Desk) -> None:
    desk.sign(desk.ask(desk.buy())["rma"])
    desk.relay()
    desk.tell(blocks=0)
    desk.work()
    (line,), (held,) = desk.rows(ReturnLine), desk.rows(Hold)
    later = int((held.reclaim_after + timedelta(days=23)).timestamp())
    steps = [("Committed", HoldState.COMMITTED), ("Settled", HoldState.SETTLED)]

    def play(name: str, *, undo: bool = False) -> HoldState | None:
        with desk.runtime.database.write() as session:
            if undo:
                holds.undo(session, line, name, desk.clock())
            else:
                args = {"reclaimAfter": str(later)}
                holds.record(session, line, name, args, 31337, desk.clock())
        rows = desk.rows(Hold)
        return rows[0].state if rows else None

    assert [play(name) for name, _ in steps] == [state for _, state in steps]
    assert play("Committed") is HoldState.SETTLED  # told late
    assert play("Nonsense") is HoldState.SETTLED
    assert play("Settled", undo=True) is HoldState.COMMITTED
    assert play("Committed", undo=True) is HoldState.HELD
    assert desk.rows(Hold)[0].reclaim_after == held.reclaim_after
    assert play("Reclaimed") is HoldState.RECLAIMED
    assert play("Reclaimed", undo=True) is HoldState.HELD
    assert play("Deposited", undo=True) is None
    assert play("Committed") is None


def _holder(desk: Desk, collection: str, token_id: int) -> str | None:
    return holders_of(desk.chain, [(collection, token_id)])[collection, token_id]
