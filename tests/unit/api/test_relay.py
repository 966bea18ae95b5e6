"""Relaying for a merchant's own back end: only what a rule allows, once for each key."""

from __future__ import annotations

import json
from typing import Any

import pytest
import relay_desk as rows
from desk import Desk, request_body
from doors import Door, is_problem
from fake_chain import DEPLOYMENT
from httpx import Response
from relay_desk import DOLLAR, MAX_COIN, SHOPPER, STRANGER, TRANSFER, payout, transfer
from sqlmodel import SQLModel

from returns import relay_reads
from returns.relay_reads import SHOWN_STATES
from returns.tables import RelayRule, RelaySlot, RelayTransaction
from returns.words import RelayState, SlotState
from settlement.commands import relay_rules
from settlement.commands.access import SCOPES, create_key

PATH = "/v1/relay/transactions"

BAD_AMOUNTS = [
    1, 1.5, "1.5", "-1", "+1", "1e3", "01", "", " 1", str(2**256), "0x1", True, None, [],
]  # fmt: skip
BAD_ADDRESSES = [
    "0x" + "0" * 40, "0x" + "d" * 39, "d0" * 20, "0xZZ" + "c0" * 19, 5, None, "",
    "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x" + "c0" * 20 + "\u0000",
]  # fmt: skip
BAD_HEX = [
    "", "0", "0x0", "0xzz", "a9059cbb", "0Xaa", "0xaa ", " 0xaa", "0xaa\n", None, 5, [],
    "0x" + "00" * 100_001, "0x\u0660\u0660",
]  # fmt: skip
MOVE = {
    "asset": DOLLAR, "from": STRANGER, "to": SHOPPER, "amount": "1",
}  # fmt: skip
BAD = [
    *[{"value": bad} for bad in BAD_AMOUNTS],
    *[{"to": bad} for bad in BAD_ADDRESSES],
    *[{"data": bad} for bad in BAD_HEX],
    *[{"chain_id": bad} for bad in ("31337", 31337.0, 0, -1, 2**63, True, None)],
    *[{"case": bad} for bad in ("", "x" * 101, "a\u0000", "\ud800", 5)],
    *[{"customer": bad} for bad in ("", "a b", "x" * 101, 5)],
    *[{"expires_at": bad} for bad in ("2100-01-01", "tomorrow", 5, "2100-01-01T00:00:00")],
    *[{"send_by": bad} for bad in ("9999-12-31T23:59:59-14:00", True)],
    *[{"expects": bad} for bad in ("all", [5], [{}], [MOVE | {"by": 1}], [MOVE] * 101)],
    *[{"expects": [MOVE | {"amount": bad}]} for bad in BAD_AMOUNTS],
    *[{"expects": [MOVE | {"token_id": bad}]} for bad in BAD_AMOUNTS if bad is not None],
    *[{"expects": [MOVE | {"asset": bad}]} for bad in BAD_ADDRESSES],
    *[{"expects": [MOVE | {"from": bad}]} for bad in BAD_ADDRESSES[1:]],
    {"expects": [{"asset": DOLLAR, "sender": STRANGER, "to": SHOPPER, "amount": "1"}]},
    {"surprise": 1},
    {"batch_limit": 2},
]  # fmt: skip


@pytest.fixture
def shop(door: Door) -> Door:
    """A door whose merchant may pay dollars to one shopper, and give it a little coin."""
    rows.open_rules(door.desk)
    return door


def post(door: Door, body: Any, idempotency: str = "k", key: str = "") -> Response:
    headers = {"Idempotency-Key": idempotency, "Content-Type": "application/json"}
    return door.send("POST", PATH, key, content=json.dumps(body), headers=headers)


def posted(door: Door, idempotency: str = "k", **changes: Any) -> str:
    answer = post(door, payout(**changes), idempotency)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def stranger(door: Door) -> str:
    """The key of another merchant, with the same rules."""
    other = Desk(door.desk.runtime, "other")
    rows.open_rules(other)
    return create_key(door.desk.runtime, other.merchant.id, "x", SCOPES, None)


def everything(door: Door) -> list[Any]:
    """Every row of what is relayed and of what is answered, to show that none has changed."""
    tables = ("relay_transaction", "relay_slot", "lane", "idempotency_record", "inbox", "audit")
    with door.desk.runtime.database.read() as session:
        return [
            session.connection().execute(SQLModel.metadata.tables[name].select()).all()
            for name in tables
        ]


def refused(door: Door, body: Any, status: int, code: str) -> str:
    """Why a body is refused; nothing is stored and its key is free."""
    before = door.desk.count_all()
    answer = post(door, body)
    is_problem(answer, status, code)
    assert door.desk.count_all() == before
    detail: str = answer.json()["detail"]
    return detail


class TestPost:
    """POST /v1/relay/transactions."""

    def test_what_a_rule_allows_is_stored_and_waits(self, shop: Door) -> None:
        answer = post(shop, payout())
        assert answer.status_code == 201
        view = answer.json()
        own = f"{PATH}/{view['id']}"
        assert view == {
            "id": view["id"],
            "state": "pending",
            "links": {"self": own, "cancel": f"{own}/cancel", "speed_up": f"{own}/speed-up"},
        }
        assert shop.send("GET", own).json()["state"] == "pending"

    def test_everything_that_was_said_is_kept(self, shop: Door) -> None:
        moved = {"asset": DOLLAR, "from": "0x" + "00" * 20, "to": SHOPPER, "amount": str(2**255)}
        later = {"send_by": "2100-01-01T00:00:00Z", "expires_at": "2100-01-02T00:00:00+01:00"}
        said = {"case": "order 7", "customer": "c-7", "value": "0", **later}
        number = posted(shop, expects=[moved, {**moved, "token_id": "0"}], **said)
        view = shop.send("GET", f"{PATH}/{number}").json()
        assert {name: view[name] for name in said} == said | {
            "send_by": "2100-01-01T00:00:00+00:00",
            "expires_at": "2100-01-01T23:00:00+00:00",
        }
        assert view["expects"] == [{**moved, "token_id": None}, {**moved, "token_id": "0"}]
        assert (view["to"], view["data"]) == (DOLLAR, transfer())
        assert (view["lane"], view["nonce"], view["attempts"], view["cost"]) == (
            None,
            None,
            [],
            "0",
        )

    def test_gas_is_budgeted_by_the_merchants_own_reference(self, shop: Door) -> None:
        same = [posted(shop, f"k{n}", case="order 7") for n in range(2)]
        other = posted(shop, "other", case="order 8")
        cases = {str(one.id): one.case_id for one in shop.desk.rows(RelayTransaction)}
        assert cases[same[0]] == cases[same[1]] != cases[other]
        post(shop, payout(case="order 7"), key=stranger(shop))
        assert len({one.case_id for one in shop.desk.rows(RelayTransaction)}) == 3

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (payout(to=STRANGER), "nothing allows the function 0xa9059cbb"),
            (payout(data="0x095ea7b3" + transfer()[10:]), "the function 0x095ea7b3"),
            (payout(data="0xa9059c"), "the function 0xa9059c"),
            (payout(data="0x"), "nothing allows a plain transfer"),
            (payout(data=transfer(STRANGER)), "argument 0 of transfer(address,uint256)"),
            (payout(data="0xa9059cbb"), "argument 0"),
            (payout(data="0xa9059cbb" + "ff" * 12 + SHOPPER[2:]), "argument 0"),
            (payout(value="1"), "it carries 1 wei, 0 are allowed"),
            (payout(to=SHOPPER, data="0x", value=str(MAX_COIN + 1)), "1000 are allowed"),
            (payout(chain_id=5), "chain 5 is not set up here, only 31337"),
        ],
    )
    def test_outside_the_rules(self, shop: Door, body: Any, reason: str) -> None:
        assert reason in refused(shop, body, 403, "relay_not_allowed")

    def test_without_any_rule_everything_is_refused(self, door: Door) -> None:
        door.desk.chain.codes[DOLLAR] = b"\1"
        refused(door, payout(), 403, "relay_not_allowed")

    def test_the_rules_of_another_merchant_allow_nothing(self, door: Door) -> None:
        stranger(door)
        refused(door, payout(), 403, "relay_not_allowed")

    def test_a_rule_that_was_taken_back_allows_nothing(self, shop: Door) -> None:
        for rule in relay_rules.listing(shop.desk.runtime, shop.desk.merchant):
            relay_rules.forbid(shop.desk.runtime, shop.desk.merchant, rule["id"])
        refused(shop, payout(), 403, "relay_not_allowed")

    def test_a_rule_of_another_chain_allows_nothing(self, shop: Door) -> None:
        with shop.desk.runtime.database.write() as session:
            for rule in relay_reads.rules(session, shop.desk.merchant.id):
                rule.chain_id = 5
        refused(shop, payout(), 403, "relay_not_allowed")

    def test_a_contract_of_ours_is_never_opened_even_by_a_row_in_the_books(
        self, shop: Door
    ) -> None:
        escrow = DEPLOYMENT.escrow
        planted = {"contract": escrow, "function": TRANSFER, "created_at": shop.desk.clock()}
        rows.put(shop.desk, RelayRule(merchant_id=shop.desk.merchant.id, chain_id=31337, **planted))
        reason = refused(shop, payout(to=escrow), 403, "relay_not_allowed")
        assert "contract of this installation" in reason

    def test_a_rule_that_cannot_be_read_allows_nothing_and_harms_no_other(self, shop: Door) -> None:
        broken = {"contract": STRANGER, "function": "nonsense", "created_at": shop.desk.clock()}
        rows.put(shop.desk, RelayRule(merchant_id=shop.desk.merchant.id, chain_id=31337, **broken))
        refused(shop, payout(to=STRANGER), 403, "relay_not_allowed")
        posted(shop)

    def test_a_call_of_a_contract_that_is_not_there(self, shop: Door) -> None:
        shop.desk.chain.codes.clear()
        reason = refused(shop, payout(), 422, "field_invalid")
        assert f"there is no contract at {DOLLAR}" in reason
        # An account without code can be given coin all the same.
        assert post(shop, payout(to=SHOPPER, data="0x", value="5")).status_code == 201

    @pytest.mark.parametrize("trouble", ["down", "refuses"])
    def test_a_node_that_does_not_answer_stands_in_nobodys_way(
        self, shop: Door, trouble: str
    ) -> None:
        setattr(shop.desk.chain, trouble, True)
        refused(shop, payout(to=STRANGER), 403, "relay_not_allowed")
        number = posted(shop)
        assert shop.send("GET", f"{PATH}/{number}").json()["state"] == "pending"

    def test_a_node_of_another_chain(self, shop: Door, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shop.desk.chain, "chain_id", lambda: 1)
        reason = refused(shop, payout(), 409, "chain_mismatch")
        assert "chain 1" in reason

    @pytest.mark.parametrize(
        ("times", "field"),
        [
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
            ({"send_by": "2020-01-01T00:00:00Z"}, "send_by"),
            (
                {"send_by": "2100-01-01T00:00:01Z", "expires_at": "2100-01-01T00:00:00Z"},
                "send_by",
            ),
        ],
    )
    def test_times_that_make_no_sense(self, shop: Door, times: Any, field: str) -> None:
        assert f"field {field} " in refused(shop, payout(**times), 422, "field_invalid")

    def test_the_very_moment_is_too_late(self, shop: Door) -> None:
        now = shop.desk.clock().isoformat()
        refused(shop, payout(expires_at=now), 422, "field_invalid")

    def test_with_a_bad_field(self, shop: Door) -> None:
        before = shop.desk.count_all()
        for changes in BAD:
            answer = post(shop, payout(**changes))
            is_problem(answer, 422, "field_invalid")
        assert shop.desk.count_all() == before

    @pytest.mark.parametrize("left_out", ["chain_id", "to"])
    def test_without_what_must_be_there(self, shop: Door, left_out: str) -> None:
        body = payout()
        del body[left_out]
        refused(shop, body, 422, "field_invalid")

    def test_calldata_of_the_largest_size(self, shop: Door) -> None:
        data = transfer() + "00" * (100_000 - 68)
        assert post(shop, payout(data=data)).status_code == 201

    @pytest.mark.parametrize("key", [None, "", "x" * 201, "a\tb"])
    def test_without_a_usable_key(self, shop: Door, key: str | None) -> None:
        before = shop.desk.count_all()
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = shop.send("POST", PATH, json=payout(), headers=headers)
        is_problem(answer, 400, "idempotency_key_missing")
        assert shop.desk.count_all() == before

    def test_same_key_and_body_is_sent_once_and_answered_alike(self, shop: Door) -> None:
        first, *others = [post(shop, payout()) for _ in range(3)]
        assert {(one.status_code, one.content) for one in others} == {(201, first.content)}
        assert [one.headers.get("idempotent-replayed") for one in (first, *others)] == [
            None, "true", "true",
        ]  # fmt: skip
        assert len(shop.desk.rows(RelayTransaction)) == 1

    def test_an_answer_is_kept_when_its_rule_is_gone_and_its_node_away(self, shop: Door) -> None:
        first = post(shop, payout(expires_at="2100-01-01T00:00:00Z"))
        for rule in relay_rules.listing(shop.desk.runtime, shop.desk.merchant):
            relay_rules.forbid(shop.desk.runtime, shop.desk.merchant, rule["id"])
        shop.desk.chain.down = True
        shop.desk.clock.move(days=40_000)
        again = post(shop, payout(expires_at="2100-01-01T00:00:00Z"))
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotent-replayed"] == "true"

    def test_same_key_with_another_body(self, shop: Door) -> None:
        post(shop, payout())
        before = everything(shop)
        answer = post(shop, payout(data=transfer(amount=26)))
        is_problem(answer, 409, "idempotency_key_reused")
        assert everything(shop) == before

    def test_addresses_and_bytes_are_compared_by_meaning(self, shop: Door) -> None:
        first = post(shop, payout())
        again = post(shop, payout(to=DOLLAR.replace("d", "D"), data="0x" + transfer()[2:].upper()))
        assert again.content == first.content

    def test_refused_request_leaves_its_key_free(self, shop: Door) -> None:
        refused(shop, payout(to=STRANGER), 403, "relay_not_allowed")
        posted(shop)

    def test_the_key_of_a_return_is_not_the_key_of_a_transaction(self, shop: Door) -> None:
        posted(shop)
        order = shop.desk.buy()
        is_problem(shop.ask(request_body(order), idempotency="k"), 409, "idempotency_key_reused")


class TestRead:
    """GET, one and many."""

    def test_shows_every_attempt_in_order_with_what_the_node_said(self, shop: Door) -> None:
        desk = shop.desk
        lane = rows.put_lane(desk)
        slot = rows.put_slot(
            desk, lane, 7, SlotState.CONFIRMED, mined_hash="0xab", block_number=12,
            gas_used=50_000, cost=2**200,
        )  # fmt: skip
        second = rows.put_attempt(desk, slot.id, 2, filler=True, sent_at=desk.clock())
        first = rows.put_attempt(desk, slot.id, 1, error="nonce too low")
        row = rows.put_relay(desk, RelayState.CONFIRMED, slot)
        view = shop.send("GET", f"{PATH}/{row.id}").json()
        now = desk.clock().isoformat()
        assert view["attempts"] == [
            {
                "hash": first.hash, "filler": False, "max_fee": str(2**128 + 1),
                "priority_fee": "1", "gas_limit": 60_000, "created_at": now, "sent_at": None,
                "error": "nonce too low",
            },
            {
                "hash": second.hash, "filler": True, "max_fee": str(2**128 + 2),
                "priority_fee": "2", "gas_limit": 60_000, "created_at": now, "sent_at": now,
                "error": None,
            },
        ]  # fmt: skip
        shown = {name: view[name] for name in ("state", "lane", "nonce", "hash", "block_number")}
        assert shown == {
            "state": "confirmed", "lane": rows.LANE, "nonce": 7, "hash": "0xab", "block_number": 12,
        }  # fmt: skip
        assert (view["gas_used"], view["cost"], view["shared_by"]) == (50_000, str(2**200), 1)

    def lives(self, desk: Desk) -> dict[str, str]:
        """One transaction in each state that is shown: state -> id, the oldest first."""
        lane, found = rows.put_lane(desk), {}
        for nonce, state in enumerate(SHOWN_STATES):
            desk.clock.move(seconds=1)
            if state in ("sent", "submitted", "mined"):
                slot = rows.put_slot(desk, lane, nonce, SlotState(state))
                found[state] = str(rows.put_relay(desk, RelayState.SENT, slot).id)
            else:
                found[state] = str(rows.put_relay(desk, RelayState(state)).id)
        return found

    def test_every_state_is_shown_and_found_by_its_word(self, shop: Door) -> None:
        found = self.lives(shop.desk)
        assert len(found) == 8
        for state, number in found.items():
            assert shop.send("GET", f"{PATH}/{number}").json()["state"] == state
            listed = shop.send("GET", f"{PATH}?state={state}").json()["transactions"]
            assert [(one["id"], one["state"]) for one in listed] == [(number, state)]
        for wrong in ("lost", "", "SENT", "sent,mined"):
            is_problem(shop.send("GET", f"{PATH}?state={wrong}"), 422, "field_invalid")

    def test_pages_show_each_once_the_newest_first(self, shop: Door) -> None:
        expected = list(self.lives(shop.desk).values())[::-1]
        # Made at one moment: their ids tell them apart.
        twins = [str(rows.put_relay(shop.desk, RelayState.PENDING).id) for _ in range(2)]
        shop.desk.clock.move(seconds=1)
        seen, cursor = [], ""
        for _ in range(4):
            page = shop.send("GET", f"{PATH}?limit=3{cursor}").json()
            seen += [one["id"] for one in page["transactions"]]
            assert all("attempts" not in one for one in page["transactions"])
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        newest = [*sorted([expected[0], *twins], reverse=True)]
        assert seen == [*newest, *expected[1:]]
        assert page["next"] is None
        assert shop.send("GET", f"{PATH}?limit=10").json()["next"] is None

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=", "cursor=" + "0" * 40]
    )
    def test_bad_query(self, shop: Door, query: str) -> None:
        is_problem(shop.send("GET", f"{PATH}?{query}"), 422, "field_invalid")

    @pytest.mark.parametrize("number", ["x", "0", "%00", "0" * 36, "'--", "%F0%9F%92%A5"])
    @pytest.mark.parametrize("how", ["", "/cancel", "/speed-up"])
    def test_odd_id_is_not_found(self, shop: Door, number: str, how: str) -> None:
        answer = shop.send("POST" if how else "GET", f"{PATH}/{number}{how}")
        is_problem(answer, 404, "not_found")

    def test_not_yours_looks_like_nothing(self, shop: Door) -> None:
        other, number = stranger(shop), posted(shop)
        nobody = "00000000-0000-0000-0000-000000000000"
        before = everything(shop)
        for method, how in (("GET", ""), ("POST", "/cancel"), ("POST", "/speed-up")):
            real = shop.send(method, f"{PATH}/{number}{how}", other)
            none = shop.send(method, f"{PATH}/{nobody}{how}", other)
            is_problem(real, 404, "not_found")
            assert real.content == none.content
        real = shop.send("GET", f"{PATH}?cursor={number}", other)
        is_problem(real, 422, "field_invalid")
        assert real.content == shop.send("GET", f"{PATH}?cursor={nobody}", other).content
        assert shop.send("GET", PATH, other).json() == {"transactions": [], "next": None}
        assert everything(shop) == before

    def test_gas_for_a_lane_belongs_to_nobody(self, shop: Door) -> None:
        row = rows.put_relay(shop.desk, RelayState.PENDING)
        with shop.desk.runtime.database.write() as session:
            session.get_one(RelayTransaction, row.id).merchant_id = None
        is_problem(shop.send("GET", f"{PATH}/{row.id}"), 404, "not_found")


class TestCancel:
    """POST …/cancel."""

    def test_without_a_nonce_it_ends_at_once_and_settlement_is_told_once(self, shop: Door) -> None:
        number = posted(shop)
        first, again = (shop.send("POST", f"{PATH}/{number}/cancel") for _ in range(2))
        assert (first.status_code, first.json()["state"]) == (200, "canceled")
        assert first.json()["error"] == "it was canceled before it had a nonce"
        assert again.json() == first.json()
        assert shop.desk.count_all()["inbox"] == 1

    def test_under_way_its_nonce_is_to_be_filled(self, shop: Door) -> None:
        slot = rows.put_slot(shop.desk, rows.put_lane(shop.desk), 7, SlotState.SUBMITTED)
        row = rows.put_relay(shop.desk, RelayState.SENT, slot)
        views = [shop.send("POST", f"{PATH}/{row.id}/cancel").json() for _ in range(2)]
        assert [(one["state"], one["ends_as"]) for one in views] == [("submitted", "canceled")] * 2
        assert shop.desk.count_all()["inbox"] == 0

    @pytest.mark.parametrize("state", ["mined", "confirmed", "failed", "expired"])
    def test_too_late(self, shop: Door, state: str) -> None:
        lane = rows.put_lane(shop.desk)
        slot = rows.put_slot(shop.desk, lane, 7, SlotState.MINED)
        ended = RelayState.SENT if state == "mined" else RelayState(state)
        row = rows.put_relay(shop.desk, ended, slot)
        before = everything(shop)
        for how in ("cancel", "speed-up"):
            answer = shop.send("POST", f"{PATH}/{row.id}/{how}")
            is_problem(answer, 409, "not_cancelable")
            assert f"it is {state}" in answer.json()["detail"]
        assert everything(shop) == before

    def test_one_of_a_batch_is_not_taken_out(self, shop: Door) -> None:
        slot = rows.put_slot(shop.desk, rows.put_lane(shop.desk), 7, SlotState.SUBMITTED, intents=2)
        one, _ = (rows.put_relay(shop.desk, RelayState.SENT, slot) for _ in range(2))
        before = everything(shop)
        is_problem(shop.send("POST", f"{PATH}/{one.id}/cancel"), 409, "not_cancelable")
        assert everything(shop) == before


class TestSpeedUp:
    """POST …/speed-up."""

    def test_without_a_nonce_it_waits_no_longer(self, shop: Door) -> None:
        number = posted(shop, send_by="2100-01-01T00:00:00Z")
        for _ in range(2):
            view = shop.send("POST", f"{PATH}/{number}/speed-up").json()
            assert (view["state"], view["send_by"]) == ("pending", None)

    def test_under_way_a_higher_fee_is_wanted(self, shop: Door) -> None:
        slot = rows.put_slot(shop.desk, rows.put_lane(shop.desk), 7, SlotState.SUBMITTED)
        row = rows.put_relay(shop.desk, RelayState.SENT, slot)
        for _ in range(2):
            assert shop.send("POST", f"{PATH}/{row.id}/speed-up").status_code == 200
        assert [one.bump for one in shop.desk.rows(RelaySlot)] == [True]
