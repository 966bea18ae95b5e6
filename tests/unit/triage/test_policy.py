"""Reading policies: what is understood, and the line that is named when it is not."""

import re
from importlib.resources import files

import pytest
from pydantic import ValidationError

from returns.errors import PolicyInvalid
from returns.words import Disposition, Remedy, Verdict
from triage.policy import Policy, parse_policy, policy_hash

COLLECTION = "0x" + "a" * 40
POLICIES = files("triage") / "policies"


def problem_of(text):
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(text)
    return refused.value.values["problem"]


def line_of(text, start):
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def test_standard_policy_says_what_its_comments_say(standard):
    assert standard.window_days == 30
    assert dict(standard.caps) == {"USD": 50_000_000, "TUSD": 5 * 10**11, "ETH": 120 * 10**18}
    assert [
        (limit.of, limit.what, limit.days, limit.most, limit.then) for limit in standard.limits
    ] == [
        ("customer", "returns", 365, 6, Verdict.DENY),
        ("customer", "returns", 90, 3, Verdict.REVIEW),
        ("customer", "goodwill", 365, 3, Verdict.DENY),
    ]
    assert dict(standard.rules) == {"holder_not_buyer": "review"}
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
        {"rules": {"holder_not_buyer": "deny"}},
        {"limits": []},
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
    terms = policy(collections={COLLECTION: words}).for_line(COLLECTION, "web")
    assert dict(terms.caps) == {"USD": 50_000_000, "TUSD": 5 * 10**11, "ETH": 5}
    assert terms.dispositions[Remedy.STORE_CREDIT] is Disposition.BURN
    assert terms.dispositions[Remedy.CRYPTO_REFUND] is Disposition.VAULT
    assert terms.window_days == 30


def test_override_can_lift_a_final_sale(policy):
    lifted = policy(final_sale=True, collections={COLLECTION: {"final_sale": False}})
    assert lifted.for_line(COLLECTION, "web").final_sale is False


def test_unquoted_address_stays_text(standard_text):
    text = standard_text.replace(
        "collections: {}", f"collections:\n  {'0x' + '1' * 40}: {{window_days: 2}}"
    )
    assert parse_policy(text).for_line("0x" + "1" * 40, "web").window_days == 2


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
    line = line_of(text, "  crypto_refund: burn")
    problem = "dispositions.crypto_refund: crypto_refund with burn is not an allowed pair"
    assert problem_of(text) == f"line {line}: {problem}"


def test_pair_made_by_an_override_is_refused(standard_text):
    words = f'{{"{COLLECTION}": {{dispositions: {{crypto_refund: burn}}}}}}'
    text = standard_text.replace("collections: {}", f"collections: {words}")
    line = line_of(text, "collections")
    where = f"collections.{COLLECTION}.dispositions.crypto_refund"
    expected = f"line {line}: {where}: crypto_refund with burn is not an allowed pair"
    assert problem_of(text) == expected


def test_remedy_without_a_disposition_is_refused(standard_text):
    text = standard_text.replace("\n  store_credit: vault", "")
    line = line_of(text, "remedies")
    problem = "remedies: the remedy 'store_credit' has no disposition"
    assert problem_of(text) == f"line {line}: {problem}"


def test_nothing_cannot_be_offered_as_a_remedy(standard_text):
    text = standard_text.replace("store_credit]", "store_credit, nothing]")
    assert "cannot be offered" in problem_of(text)


def test_missing_key_is_named(standard_text):
    assert problem_of(standard_text.replace("window_days: 30", "")).startswith("window_days: ")
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


@pytest.mark.parametrize(
    ("words", "path", "problem"),
    [
        ("rules: {fire: deny}", "rules.fire", "there is no rule 'fire' to choose for"),
        (
            "rules: {holder_not_buyer: off}",
            "rules.holder_not_buyer",
            "holder_not_buyer is one of review, deny",
        ),
        (
            "profiles: {a: {extends: b}, b: {extends: a}}",
            "profiles.a.extends",
            "the profiles go in a circle: 'b' extends 'a' extends 'b'",
        ),
        (
            "profiles: {a: {extends: a}}",
            "profiles.a.extends",
            "the profiles go in a circle: 'a' extends 'a'",
        ),
        ("channels: {web: {extends: x}}", "channels.web.extends", "there is no profile 'x'"),
        ("channels: {web: {remedies: []}}", "channels.web.remedies", "at least 1 item"),
        ("limits: [{days: 8, most: 1, then: deny}]", "limits.0.days", "7, 30, 90 or 365"),
        ("limits: [{days: 7, most: 1, then: approve}]", "limits.0.then", "deny"),
        (
            "limits: [{what: goodwill, days: 7, most: 1, then: deny}]",
            "limits.0",
            "counted over 365 days",
        ),
    ],
)
def test_a_mistake_across_keys_is_refused_with_its_line(standard_text, words, path, problem):
    key = words.split(":")[0]
    rest = re.sub(rf"(?ms)^{key}:.*?(?=^\S|\Z)", "", standard_text)
    text = f"{rest}\n{words}\n"
    said = problem_of(text)
    assert said.startswith(f"line {line_of(text, key)}: {path}: ")
    assert problem in said


def test_words_are_laid_over_the_base_channel_first_then_profile_then_collection(policy):
    layered = policy(
        profiles={
            "drops": {"window_days": 3, "caps": {"ETH": "3"}},
            "rare": {"extends": "drops", "caps": {"ETH": "2"}, "final_sale": [7]},
        },
        channels={"kiosk": {"window_days": 9, "credit_bonus_bps": 100}},
        collections={COLLECTION: {"extends": "rare", "window_days": 1}},
    )
    both = layered.for_line(COLLECTION, "kiosk")
    assert (both.window_days, both.caps["ETH"], both.final_sale) == (1, 2, frozenset({7}))
    assert (both.credit_bonus_bps, both.caps["USD"]) == (100, 50_000_000)
    assert layered.for_line(COLLECTION, "web").credit_bonus_bps == 0
    assert layered.for_line("0x" + "b" * 40, "kiosk").window_days == 9
    assert layered.for_line("0x" + "b" * 40, "web") is layered


def test_every_example_policy_can_be_used():
    names = sorted(path.name for path in POLICIES.iterdir() if path.name.endswith(".yaml"))
    assert names == [
        "collectibles.yaml",
        "drops.yaml",
        "eu_consumer.yaml",
        "game_items.yaml",
        "memberships.yaml",
        "standard.yaml",
    ]
    for name in names:
        assert parse_policy((POLICIES / name).read_text()).name == name.removesuffix(".yaml")


def test_the_schema_names_every_key_for_an_editor():
    schema = Policy.model_json_schema()
    assert set(schema["properties"]) == set(Policy.model_fields)
    assert schema["additionalProperties"] is False
