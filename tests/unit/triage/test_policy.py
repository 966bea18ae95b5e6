"""Reading policies: what is understood, and the line that is named when it is not."""

import re

import pytest
from pydantic import ValidationError

from returns.errors import PolicyInvalid
from returns.words import Disposition, Remedy, Verdict
from triage.policy import parse_policy, policy_hash

COLLECTION = "0x" + "a" * 40


def problem_of(text):
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(text)
    return refused.value.values["problem"]


def line_of(text, start):
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def test_standard_policy_says_what_its_comments_say(standard):
    assert standard.window_days == 30
    assert dict(standard.caps) == {"USD": 50_000_000, "TUSD": 5 * 10**11, "ETH": 120 * 10**18}
    assert (standard.yearly_limit, standard.third_party) == (6, Verdict.REVIEW)
    assert (standard.risk.review_from, standard.risk.confidence_below) == (0.6, 0.4)
    assert standard.dispositions[Remedy.FIAT_REFUND] is Disposition.VAULT


def test_hash_is_of_the_content_not_of_the_typing(standard, standard_text):
    bare = "\n".join(line.split("#")[0].rstrip() for line in standard_text.splitlines())
    top = re.split(r"\n(?=\w)", bare.strip())
    reordered = parse_policy("\n".join(reversed(top)))
    assert policy_hash(reordered) == policy_hash(standard) == standard.policy_hash
    assert re.fullmatch("[0-9a-f]{64}", standard.policy_hash)


@pytest.mark.parametrize(
    "change",
    [
        {"window_days": 31},
        {"caps": {"USD": "1"}},
        {"final_sale": True},
        {"final_sale": [1]},
        {"risk": {"review_from": 0.61, "confidence_below": 0.4}},
        {"third_party": "deny"},
        {"collections": {COLLECTION: {"window_days": 1}}},
    ],
)
def test_any_change_of_content_changes_the_hash(standard, policy, change):
    assert policy_hash(policy(**change)) != policy_hash(standard)


def test_policy_and_its_tables_cannot_be_changed(standard):
    with pytest.raises(ValidationError):
        standard.window_days = 1
    with pytest.raises(TypeError):
        standard.caps["USD"] = 1


def test_override_merges_tables_by_key_and_replaces_the_rest(policy):
    words = {"caps": {"ETH": "5"}, "dispositions": {"store_credit": "burn"}, "window_days": None}
    terms = policy(collections={COLLECTION: words}).for_collection(COLLECTION)
    assert dict(terms.caps) == {"USD": 50_000_000, "TUSD": 5 * 10**11, "ETH": 5}
    assert terms.dispositions[Remedy.STORE_CREDIT] is Disposition.BURN
    assert terms.dispositions[Remedy.CRYPTO_REFUND] is Disposition.VAULT
    assert terms.window_days == 30


def test_override_can_lift_a_final_sale(policy):
    lifted = policy(final_sale=True, collections={COLLECTION: {"final_sale": False}})
    assert lifted.for_collection(COLLECTION).final_sale is False


def test_unquoted_address_stays_text(standard_text):
    text = standard_text.replace(
        "collections: {}", f"collections:\n  {'0x' + '1' * 40}: {{window_days: 2}}"
    )
    assert parse_policy(text).for_collection("0x" + "1" * 40).window_days == 2


def test_unknown_key_is_refused_with_its_line(standard_text):
    text = standard_text + "\nrefund_everything: true\n"
    line = line_of(text, "refund_everything")
    assert problem_of(text).startswith(f"line {line}: refund_everything: ")


def test_unknown_key_inside_an_override_is_refused_with_its_line(standard_text):
    words = f'collections:\n  "{COLLECTION}":\n    windows_days: 3'
    text = standard_text.replace("collections: {}", words)
    line = line_of(text, "    windows_days")
    assert f"line {line}: collections.{COLLECTION}.windows_days" in problem_of(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("window_days: 30", 'window_days: "30"'),
        ("window_days: 30", "window_days: 30.5"),
        ("window_days: 30", "window_days: true"),
        ("window_days: 30", "window_days: -1"),
        ("window_days: 30", "window_days: 1e3"),
        ("window_days: 30", "window_days: 0x1e"),
        ("window_days: 30", "window_days: 1:30"),
        ("window_days: 30", "window_days: " + "9" * 5000),
        ("window_days: 30", "window_days:"),
        ("version: 1 ", "version: 2 "),
        ("name: standard", 'name: ""'),
        ("final_sale: false", "final_sale: no"),
        ("final_sale: false", "final_sale: [-1]"),
        ("final_sale: false", 'final_sale: ["1"]'),
        ("yearly_limit: 6", "yearly_limit: six"),
        ("third_party: review", "third_party: approve"),
        ("remedies: [fiat_refund, crypto_refund, store_credit]", "remedies: []"),
        ("remedies: [fiat_refund, crypto_refund, store_credit]", "remedies: [gold]"),
    ],
)
def test_wrong_value_is_refused_with_its_line(standard_text, old, new):
    assert standard_text.count("\n" + old) == 1
    text = standard_text.replace("\n" + old, "\n" + new)
    key = new.split(":")[0]
    assert f"line {line_of(text, key)}: {key}" in problem_of(text)


@pytest.mark.parametrize(
    "amount", ["50000000", '"5e7"', '"-1"', '"007"', '"1.5"', '"+1"', '""', f'"{2**256}"', "null"]
)
def test_amount_that_is_not_digits_in_quotes_is_refused(standard_text, amount):
    text = standard_text.replace('USD: "50000000"', f"USD: {amount}")
    line = line_of(text, "  USD")
    assert problem_of(text) == f"line {line}: caps.USD: write minor units as digits in quotes"


def test_unknown_currency_is_refused(standard_text):
    assert "'DOGE' is not known" in problem_of(standard_text.replace("  ETH:", "  DOGE:"))


@pytest.mark.parametrize("share", ["1.1", "-0.1", ".nan", ".inf", '"0.5"', "true"])
def test_band_outside_zero_to_one_is_refused(standard_text, share):
    text = standard_text.replace("review_from: 0.6", f"review_from: {share}")
    assert "risk.review_from" in problem_of(text)


@pytest.mark.parametrize("address", ["0xABC", "0x" + "A" * 40, "punks", "0x" + "a" * 41])
def test_collection_that_is_not_a_lower_case_address_is_refused(standard_text, address):
    text = standard_text.replace("collections: {}", f'collections: {{"{address}": {{}}}}')
    assert "collections" in problem_of(text)


def test_pair_outside_the_table_of_pairs_is_refused(standard_text):
    text = standard_text.replace("crypto_refund: vault", "crypto_refund: burn")
    assert problem_of(text) == "crypto_refund with burn is not an allowed pair"


def test_pair_made_by_an_override_is_refused(standard_text):
    words = f'{{"{COLLECTION}": {{dispositions: {{crypto_refund: burn}}}}}}'
    text = standard_text.replace("collections: {}", f"collections: {words}")
    assert problem_of(text) == "crypto_refund with burn is not an allowed pair"


def test_remedy_without_a_disposition_is_refused(standard_text):
    text = standard_text.replace("\n  store_credit: vault", "")
    assert problem_of(text) == "the remedy 'store_credit' has no disposition"


def test_nothing_cannot_be_offered_as_a_remedy(standard_text):
    text = standard_text.replace("store_credit]", "store_credit, nothing]")
    assert "cannot be offered" in problem_of(text)


def test_missing_key_is_named(standard_text):
    assert problem_of(standard_text.replace("yearly_limit: 6", "")).startswith("yearly_limit: ")
    inner = standard_text.replace("  confidence_below: 0.4", "")
    line = line_of(inner, "risk")
    assert problem_of(inner).startswith(f"line {line}: risk.confidence_below: ")


def test_duplicate_key_is_refused_with_its_line(standard_text):
    text = standard_text + "\nwindow_days: 3650\n"
    line = max(n for n, one in enumerate(text.splitlines(), 1) if one.startswith("window_days"))
    assert problem_of(text) == f"line {line}: the key 'window_days' stands twice"


def test_duplicate_key_in_other_quotes_is_refused():
    assert "stands twice" in problem_of('caps: {USD: "1", \'USD\': "2"}')


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\nb: *x",
        "a: &x 1",
        "a: *x",
        "base: &b {n: 1}\nc:\n  <<: *b",
        "a: !!python/object/apply:os.system [id]",
        "a: !!timestamp 2001-01-01",
        "a: !own 1",
    ],
)
def test_aliases_anchors_and_tags_are_refused(text):
    assert re.fullmatch(r"line \d: aliases, anchors and tags are not read", problem_of(text))


def test_alias_bomb_is_refused_at_once():
    rows = ['a: &a ["x"]'] + [f"{c}: &{c} [{', '.join(['*' + p] * 9)}]" for p, c in ("ab", "bc")]
    assert "aliases" in problem_of("\n".join(rows))


@pytest.mark.parametrize("text", ["x" * 1_000_000, "é" * 40_000, "- a\n" * 250_000])
def test_text_above_64_kilobytes_is_refused(text):
    assert problem_of(text) == "it has more than 65536 bytes"


@pytest.mark.parametrize("text", ["[" * 60_000, "{a: " * 15_000, "- " * 30_000, "? " * 30_000])
def test_deep_nesting_is_refused_without_exhausting_the_stack(text):
    assert problem_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "just text",
        "- a\n- b",
        "1",
        "null",
        "a: b: c",
        "a: [1",
        "\t\ta: 1",
        "a: 1\n---\nb: 2",
        "a: \x00",
        "a: \ud800",
        r'a: "\ud800"',
        "1: a",
        "true: a",
        "{[1]: 2}",
        "? {a: 1}\n: 2",
    ],
)
def test_text_that_is_no_policy_is_refused_with_a_sentence(text):
    assert problem_of(text)
