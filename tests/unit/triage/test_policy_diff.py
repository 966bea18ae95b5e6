"""What one policy changes of another: every path, in order, and its effect where it is sure."""

from __future__ import annotations

import pytest
from desk import POLICY
from hypothesis import given
from hypothesis import strategies as st

from triage.policy import Policy, parse_policy
from triage.policy_diff import Effect, diff
from triage.policy_form import json_schema

COLLECTION = '"0x' + "c0" * 20 + '"'
OWN = f"collections: {{{COLLECTION}: {{%s}}}}"
LOOSER, STRICTER, UNSAID = Effect.LOOSER, Effect.STRICTER, Effect.UNSAID


def changed(*pairs: tuple[str, str]) -> Policy:
    text = POLICY
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return parse_policy(text)


def effects(old: Policy, new: Policy) -> dict[str, Effect]:
    return {change.path: change.effect for change in diff(old, new)}


@pytest.mark.parametrize(
    ("old", "new", "path", "effect"),
    [
        ("window_days: 30", "window_days: 31", "window_days", LOOSER),
        ('USD: "50000000" ', 'USD: "50000001" ', "caps.USD", LOOSER),
        ('  USD: "50000000" ', "  # ", "caps.USD", STRICTER),
        ("caps:\n", 'caps:\n  EUR: "0"\n', "caps.EUR", LOOSER),
        ("final_sale: false", "final_sale: true", "final_sale", STRICTER),
        ("final_sale: false", "final_sale: [1]", "final_sale", STRICTER),
        ("final_sale: false", "final_sale: []", "final_sale", UNSAID),
        ("[fiat_refund, crypto_refund, store_credit]", "[store_credit]", "remedies", STRICTER),
        ("most: 6, then", "most: 7, then", "limits.customer.returns.365.deny", LOOSER),
        (
            "most: 3, then: review",
            "most: 4, then: review",
            "limits.customer.returns.90.review",
            LOOSER,
        ),
        (
            "holder_not_buyer: review\n",
            "holder_not_buyer: deny\n",
            "rules.holder_not_buyer",
            STRICTER,
        ),
        ("anomaly_from: 0.999", "anomaly_from: 0.99", "risk.anomaly_from", STRICTER),
        ("score_from: 100", "score_from: 99", "risk.score_from", STRICTER),
        ("review_from: 0.6", "review_from: 0.7", "risk.review_from", LOOSER),
        ("confidence_below: 0.4", "confidence_below: 0.5", "risk.confidence_below", STRICTER),
        ("name: standard", "name: other", "name", UNSAID),
        ("fiat_refund: vault", "fiat_refund: burn", "dispositions.fiat_refund", UNSAID),
    ],
)
def test_a_change_is_named_and_its_reverse_has_the_reverse_effect(
    old: str, new: str, path: str, effect: Effect
) -> None:
    before, after = changed(), changed((old, new))
    back = {LOOSER: STRICTER, STRICTER: LOOSER, UNSAID: UNSAID}[effect]
    assert effects(before, after) == {path: effect}
    assert effects(after, before) == {path: back}


@pytest.mark.parametrize(
    ("old", "new", "path", "effect"),
    [
        ("", "windows: {store_credit: 60}", "windows.store_credit", LOOSER),
        ("", "windows: {store_credit: 30}", "windows.store_credit", UNSAID),
        ("window_blocks: 9", "window_blocks: 8", "window_blocks", STRICTER),
        ("", "window_blocks: 9", "window_blocks", STRICTER),
        ("", "window_from: delivery", "window_from", UNSAID),
        ("", "condition: [unlisted]", "condition", STRICTER),
        ("condition: [unlisted]", "condition: [unlocked]", "condition", UNSAID),
        ("", "tenders: {card: [store_credit]}", "tenders.card", STRICTER),
        (
            "tenders: {card: [store_credit]}",
            "tenders: {card: [store_credit, fiat_refund]}",
            "tenders.card",
            LOOSER,
        ),
        ("", "person_for: [counterfeit]", "person_for", STRICTER),
        ("", 'identity_above: {ETH: "5"}', "identity_above.ETH", STRICTER),
        ('identity_above: {ETH: "5"}', 'identity_above: {ETH: "10"}', "identity_above.ETH", LOOSER),
        (
            'approval_limits: {ETH: "5"}',
            'approval_limits: {ETH: "10"}',
            "approval_limits.ETH",
            LOOSER,
        ),
        ("", "lists_required: true", "lists_required", STRICTER),
        ("", "prorate: true", "prorate", UNSAID),
        ("", "credit_bonus_bps: 500", "credit_bonus_bps", UNSAID),
        ("", "fees: {gas: customer}", "fees.gas", UNSAID),
        ("", "fees: {restocking_bps: 500}", "fees.restocking_bps", UNSAID),
        ("", "alternatives: [store_credit]", "alternatives", UNSAID),
        ("", "channels: {agent: {window_days: 7}}", "channels.agent.window_days", STRICTER),
        ("", "profiles: {art: {window_days: 7}}", "profiles.art.window_days", UNSAID),
        (
            "profiles: {art: {window_days: 7}}",
            "profiles: {art: {window_days: 8}}",
            "profiles.art.window_days",
            LOOSER,
        ),
    ],
)
def test_words_that_the_standard_policy_does_not_use_are_judged(
    old: str, new: str, path: str, effect: Effect
) -> None:
    before, after = (parse_policy(f"{POLICY}{words}\n") for words in (old, new))
    back = {LOOSER: STRICTER, STRICTER: LOOSER, UNSAID: UNSAID}[effect]
    assert effects(before, after) == {path: effect}
    assert effects(after, before) == {path: back}


@pytest.mark.parametrize(
    ("old", "new", "path", "effect"),
    [
        ("blocked: deny", "blocked: review", "blocked", LOOSER),
        ("blocked: review", "", "blocked", STRICTER),
        ("blocked: deny", "", "blocked", UNSAID),
        ("phishing_match: off", "phishing_match: deny", "phishing_match", STRICTER),
        ("", "phishing_match: off", "phishing_match", LOOSER),
        ("", "reason_disputed: review", "reason_disputed", STRICTER),
    ],
)
def test_a_rule_that_is_not_chosen_for_is_judged_by_what_holds_otherwise(
    old: str, new: str, path: str, effect: Effect
) -> None:
    before, after = (changed(("rules:\n", f"rules:\n  {words}\n")) for words in (old, new))
    assert effects(before, after) == {f"rules.{path}": effect}


@pytest.mark.parametrize(
    ("model", "effect"), [("decide", UNSAID), ("shadow", LOOSER), ("off", LOOSER)]
)
def test_a_model_that_no_longer_decides_is_looser(model: str, effect: Effect) -> None:
    before, after = changed(), changed(("risk:\n", f"risk:\n  model: {model}\n"))
    assert effects(before, after) == ({} if model == "decide" else {"risk.model": effect})


def test_costs_that_are_counted_send_more_to_a_person_and_dearer_looks_less() -> None:
    cost = "risk:\n  costs: {ETH: {review: '%d', loss_bps: %d}}\n"
    none, some, dearer, worse = (
        changed(*pairs)
        for pairs in (
            (),
            (("risk:\n", cost % (5, 9)),),
            (("risk:\n", cost % (10, 9)),),
            (("risk:\n", cost % (5, 10)),),
        )
    )
    review, loss = "risk.costs.ETH.review", "risk.costs.ETH.loss_bps"
    assert effects(none, some) == {loss: STRICTER, review: STRICTER}
    assert effects(some, none) == {loss: LOOSER, review: LOOSER}
    assert effects(some, dearer) == {review: LOOSER}
    assert effects(some, worse) == {loss: STRICTER}


def test_limits_are_held_against_those_of_the_same_kind() -> None:
    entry = "  - {of: %s, what: %s, days: 365, most: %d, then: %s}\n"
    start = "limits:\n"
    wallet = changed((start, start + entry % ("wallet", "returns", 4, "review")))
    assert effects(changed(), wallet) == {"limits.wallet.returns.365.review": STRICTER}
    assert effects(wallet, changed()) == {"limits.wallet.returns.365.review": LOOSER}
    lower = changed((start, start + entry % ("customer", "returns", 2, "deny")))
    higher = changed((start, start + entry % ("customer", "returns", 8, "deny")))
    year = "limits.customer.returns.365.deny"
    assert effects(changed(), lower) == {year: STRICTER}
    assert effects(changed(), higher) == {year: UNSAID}
    [change] = diff(higher, lower)
    assert change.sentence == f"{year}: 6, 8 becomes 2, 6, which is stricter"
    gone = changed(("{of: customer, what: goodwill, days: 365, most: 3, then: deny}",
                    "{of: customer, what: goodwill, days: 365, most: 9, then: deny}"))  # fmt: skip
    assert effects(changed(), gone) == {"limits.customer.goodwill.365.deny": UNSAID}


def test_a_limit_that_reviews_instead_of_denying_is_two_changes() -> None:
    # where a statutory right sets a denial aside, a review still goes to a person
    after = changed(("most: 6, then: deny", "most: 6, then: review"))
    assert effects(changed(), after) == {
        "limits.customer.returns.365.deny": LOOSER,
        "limits.customer.returns.365.review": STRICTER,
    }


def test_a_table_of_approval_limits_gives_nobody_the_currencies_that_it_leaves_out() -> None:
    none, empty, ether = (
        parse_policy(f"{POLICY}{words}\n")
        for words in ("", "approval_limits: {}", 'approval_limits: {ETH: "5"}')
    )
    others, own = "approval_limits.others", "approval_limits.ETH"
    assert effects(none, empty) == {others: STRICTER}
    assert effects(empty, ether) == {own: LOOSER}
    assert effects(none, ether) == {own: STRICTER, others: STRICTER}
    assert effects(ether, none) == {own: LOOSER, others: LOOSER}


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("channels: {agent: {window_days: 7}}", "window_days: 14"),
        ("channels: {agent: {window_days: 7}}", "windows: {store_credit: 14}"),
        ("profiles: {art: {window_days: 7}}", "window_days: 14, extends: art"),
    ],
)
def test_a_collection_that_may_replace_another_layer_is_not_judged(rest: str, words: str) -> None:
    before, after = (
        parse_policy(POLICY.replace("collections: {}", one) + rest + "\n")
        for one in ("", OWN % words)
    )
    assert set(effects(before, after).values()) == {UNSAID}
    assert len(diff(before, after)) == words.count(",") + 1


@pytest.mark.parametrize(
    ("words", "key", "effect"),
    [
        ("window_days: 14", "window_days", STRICTER),
        ("window_days: 60", "window_days", LOOSER),
        ("window_days: 30", "window_days", UNSAID),
        ("final_sale: [8348]", "final_sale", STRICTER),
        ("remedies: [store_credit]", "remedies", STRICTER),
        ('caps: {ETH: "1"}', "caps.ETH", STRICTER),
        ('caps: {EUR: "1"}', "caps.EUR", LOOSER),
    ],
)
def test_words_of_a_collection_are_held_against_the_base_that_they_replace(
    words: str, key: str, effect: Effect
) -> None:
    with_words = changed(("collections: {}", OWN % words))
    path = f"collections.{COLLECTION.strip(chr(34))}.{key}"
    assert effects(changed(), with_words) == {path: effect}


@pytest.mark.parametrize(
    ("old", "new", "effect"),
    [("[1, 2]", "[1]", LOOSER), ("[1, 2]", "[2, 3]", UNSAID), ("true", "[1]", LOOSER)],
)
def test_lists_of_final_sales_are_compared_as_sets(old: str, new: str, effect: Effect) -> None:
    texts = [changed(("final_sale: false", f"final_sale: {one}")) for one in (old, new)]
    assert effects(*texts) == {"final_sale": effect}


def test_changes_stand_in_the_order_of_their_paths_and_say_what_was_and_is() -> None:
    after = changed(("window_days: 30", "window_days: 14"), ('ETH: "12', 'ETH: "13'))
    [cap, window] = diff(changed(), after)
    assert (cap.path, cap.old, cap.new) == ("caps.ETH", "12" + "0" * 19, "13" + "0" * 19)
    assert window.sentence == "window_days: 30 becomes 14, which is stricter"
    [renamed] = diff(changed(), changed(("name: standard", "name: other")))
    assert renamed.sentence == "name: standard becomes other"
    [gone] = diff(changed(), changed(('  USD: "50000000" ', "  # ")))
    assert (gone.new, gone.sentence) == (
        None,
        "caps.USD: 50000000 becomes nothing, which is stricter",
    )


def test_what_is_only_spelt_otherwise_is_no_change() -> None:
    commented = parse_policy("# another comment\n" + POLICY.replace("standard", "'standard'", 1))
    assert diff(changed(), parse_policy(POLICY + "\n# the end\n")) == []
    assert commented.policy_hash == changed().policy_hash


@given(old=st.integers(0, 3660), new=st.integers(0, 3660))
def test_a_longer_window_is_looser_and_a_shorter_one_stricter(old: int, new: int) -> None:
    found = [changed(("window_days: 30", f"window_days: {days}")) for days in (old, new)]
    expected = {} if old == new else {"window_days": LOOSER if new > old else STRICTER}
    assert effects(*found) == expected


class TestSchema:
    """The form of a policy file."""

    def test_money_is_digits_in_quotes_as_a_file_has_it(self) -> None:
        caps = json_schema()["properties"]["caps"]["additionalProperties"]
        assert caps["type"] == "string"

    def test_every_key_of_the_standard_policy_is_known_and_no_other(self) -> None:
        schema = json_schema()
        assert schema["additionalProperties"] is False
        standard = parse_policy(POLICY).model_dump(mode="json")
        assert set(schema["properties"]) == set(standard)
        assert set(schema["required"]) <= set(standard)
