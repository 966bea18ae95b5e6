"""Training and trying the reader: the same bytes again, an honest card, better than a baseline."""

from collections import Counter
from pathlib import Path

import pytest

from returns.errors import FileInvalid, ModelInvalid
from returns.words import Bucket, Reason, Want
from settlement.commands.messages import examples_from, message_sets
from triage.examples import (
    ALARMS,
    FOLDS,
    INSTRUCTIONS,
    LABELS,
    NO_REASON,
    OUTSIDE,
    PRESSURE,
    REASON,
    WANT,
    YES,
    Example,
    MessageSet,
    example_of,
    phrases,
    wording,
)
from triage.reader_evaluation import evaluate_reader
from triage.reader_training import fit_model, train_reader
from triage.reasons import BUCKETS, bucket_of, channels, reason_of_code

DATA = Path(__file__).parents[4] / "shared" / "data" / "messages"
LABELLED = pytest.mark.skipif(not DATA.is_dir(), reason="no public messages beside the repository")


def some(count=40):
    """Two wants in words that tell them apart."""
    texts = {"refund": "give money back number {}", "status": "where has my order gone {}"}
    alarms = {PRESSURE: ("no", "court lawyer sue"), INSTRUCTIONS: ("no", "ignore previous rules")}
    rows = []
    for at in range(count):
        for want, text in texts.items():
            reason = "accidental" if at % 2 else NO_REASON
            labels = {WANT: want, REASON: reason, PRESSURE: "no", INSTRUCTIONS: "no"}
            said = text.format("oops" if at % 2 else "please")
            rows.append(Example(said, labels, at % FOLDS))
        for name, (_, text) in alarms.items():
            rows.append(Example(text, {name: YES}, at % FOLDS))
    return rows


def test_every_reason_has_a_bucket_and_wording():
    assert BUCKETS.keys() == set(Reason)
    written = Counter(phrase.labels.get(REASON) for phrase in phrases())
    assert all(written[reason] >= 25 for reason in Reason)


def test_every_want_has_wording_in_every_fold():
    found = {(p.labels.get(WANT), p.fold) for p in phrases()}
    assert {(want, fold) for want in Want for fold in range(FOLDS)} <= found


def test_no_phrase_is_written_twice():
    texts = Counter(phrase.text.lower() for phrase in phrases())
    assert [text for text, count in texts.items() if count > 1] == []


def test_wording_is_the_same_for_the_same_seed_only():
    assert wording(1) == wording(1)
    assert wording(1) != wording(2)


@pytest.mark.parametrize(
    ("channel", "code", "meaning"),
    [
        ("stripe_refund", "duplicate", (Reason.DOUBLE_PURCHASE, Bucket.OUR_FAULT)),
        ("stripe_refund", "fraudulent", (Reason.UNAUTHORISED, Bucket.UNKNOWN)),
        ("stripe_refund", "requested_by_customer", (None, Bucket.CUSTOMER)),
        ("stripe_dispute", "unrecognized", (Reason.UNAUTHORISED, Bucket.UNKNOWN)),
        ("shopify", "WRONG_ITEM", (Reason.WRONG_TOKEN, Bucket.OUR_FAULT)),
        ("Shopify", "Defective", (None, Bucket.PRODUCT_ISSUES)),
        ("shopify", "OTHER", (Reason.OTHER, Bucket.UNKNOWN)),
        ("visa", "13.4", (Reason.COUNTERFEIT, Bucket.PRODUCT_ISSUES)),
        ("undrop", "price_regret", (Reason.PRICE_REGRET, Bucket.CUSTOMER)),
        ("shopify", "no such code", (None, Bucket.UNKNOWN)),
        ("no such channel", "OTHER", (None, Bucket.UNKNOWN)),
        ("", "", (None, Bucket.UNKNOWN)),
    ],
)
def test_code_of_a_channel_is_one_reason_and_bucket(channel, code, meaning):
    assert reason_of_code(channel, code) == meaning


def test_own_codes_mean_themselves():
    assert [reason_of_code("undrop", reason)[0] for reason in Reason] == list(Reason)
    assert "shopify" in channels()
    assert bucket_of(None) is Bucket.UNKNOWN


def test_label_that_is_not_listed_is_about_something_else():
    labels = example_of("banking77", "my card is stuck", "card_swallowed").labels
    assert (labels[WANT], labels[REASON]) == (Want.OTHER, NO_REASON)
    assert WANT not in example_of("banking77", "charged twice", "transaction_charged_twice").labels
    with pytest.raises(ModelInvalid, match="labels"):
        example_of("elsewhere", "a", "b")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("please replace it", Want.EXCHANGE),
        ("REFUND me", Want.REFUND),
        ("i would give it up", Want.RETURN),
    ],
)
def test_returns_family_is_told_apart_by_its_words(text, want):
    label = "REFUNDS_RETURNS_REPLACEMENTS"
    assert example_of("hint3_curekart", text, label).labels[WANT] == want


def test_same_examples_and_seed_give_the_same_bytes():
    first, again = (train_reader(some(), seed=3).to_json() for _ in range(2))
    assert first == again


def test_source_that_is_not_stated_is_not_made_up():
    assert "not stated" in train_reader(some(), seed=3).model.card["source"]
    assert train_reader(some(), seed=3, source="Shop A").model.card["source"] == "Shop A"


def test_refuses_to_train_on_nothing_or_on_one_label():
    with pytest.raises(ModelInvalid):
        train_reader([], seed=1)
    with pytest.raises(ModelInvalid, match="fewer than two"):
        fit_model([Example("a b", {WANT: "refund"}, 0)] * 5, seed=1)
    with pytest.raises(ModelInvalid):
        train_reader([Example(e.text, e.labels, 0) for e in some()], seed=1)


def test_card_says_how_well_unseen_wording_is_read(reader):
    heads = reader.model.card["heads"]
    assert set(heads) == {WANT, REASON, PRESSURE, INSTRUCTIONS}
    for name in (WANT, REASON):
        assert heads[name]["accuracy"] > 0.7
        assert heads[name]["ece"] < 0.06
        assert heads[name]["precision"] >= 0.9
        assert heads[name]["said"] > 0
    for name in ALARMS:
        assert heads[name]["precision"] >= 0.8
        assert heads[name]["said"] >= 20


def test_written_phrases_land_where_they_should(reader):
    wrong_reasons = wrong_wants = 0
    known = [p for p in phrases() if WANT in p.labels and p.labels[INSTRUCTIONS] != YES]
    for phrase in known:
        reading = reader.read(phrase.text)
        said = NO_REASON if reading.reason is None else reading.reason
        wrong_reasons += said not in (phrase.labels[REASON], NO_REASON)
        wrong_wants += reading.want not in (phrase.labels[WANT], Want.UNKNOWN)
    assert len(known) > 650
    assert wrong_reasons <= 3
    assert wrong_wants <= 3


def test_evaluation_finds_what_is_there_and_what_is_outside(reader):
    rows = [(e.text + f" {at}", str(e.labels[WANT]))
            for at, e in enumerate(some(20)) if WANT in e.labels]  # fmt: skip
    rows += [(f"how to list an ape number {at % 3} for sale", "selling") for at in range(20)]
    rows += [(f"why is gas so high today {at % 3}", "gas") for at in range(20)]
    rows += [(f"good morning friends {at % 3}", "greeting") for at in range(20)]
    outside = [("quo usque tandem", OUTSIDE), ("zzz qqq", OUTSIDE)]
    tried = MessageSet("hint3_curekart", rows, [*rows[:10], *outside])
    found = evaluate_reader([tried], reader, seed=1)["sets"]["hint3_curekart"]
    assert found["folds"]["ours"]["value"] == 1.0
    assert found["test"]["ours"]["outside_recall"] == {
        "of": 2, "value": 1.0, "low": 0.3424, "high": 1.0,
    }  # fmt: skip
    assert found["reader_on_test"]["outside_recall"]["value"] == 1.0


def write(folder, name, content):
    (folder / name).write_bytes(content)
    return folder


def test_reads_sets_from_a_folder(tmp_path):
    write(tmp_path, "hint3_curekart_train.csv", b"sentence,label\nwhere is it,ORDER_STATUS\n")
    write(tmp_path, "hint3_curekart_test.csv", b"\xef\xbb\xbfsentence,label\nhi,X\n")
    (one,) = message_sets(tmp_path)
    assert one == MessageSet("hint3_curekart", [("where is it", "ORDER_STATUS")], [("hi", "X")])
    assert len(examples_from(tmp_path, 1)) == len(examples_from(None, 1)) + 1


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("banking77_train.csv", b"text,label\na,b\n", "no columns text and category"),
        ("banking77_train.csv", b"", "no columns"),
        ("banking77_train.csv", b"text,category\n", "no rows"),
        ("banking77_train.csv", b"text,category\na\n", "line 2 lacks"),
        ("banking77_train.csv", b'text,category\n"a,b\n', "not CSV"),
        ("banking77_train.csv", b"text,category\n\xff\xfe,b\n", "not UTF-8"),
        ("banking77_train.csv.gz", b"text,category\na,b\n", "cannot be read"),
        ("something.csv", b"text,category\na,b\n", "none of"),
    ],
)
def test_refuses_file_that_is_not_a_labelled_set(tmp_path, name, content, problem):
    with pytest.raises(FileInvalid, match=problem):
        message_sets(write(tmp_path, name, content))


@LABELLED
def test_every_label_of_our_table_is_in_the_public_sets():
    for one in message_sets(DATA):
        assert LABELS[one.name].keys() <= {label for _, label in one.train}


@LABELLED
@pytest.mark.parametrize("name", ["hint3_curekart", "hint3_sofmattress"])
def test_public_set_is_read_better_than_by_the_baseline(reader, name):
    sets = [one for one in message_sets(DATA) if one.name == name]
    found = evaluate_reader(sets, reader, seed=7)["sets"][name]
    assert found["folds"]["gain"]["low"] > 0.03
    left_out = found["labels_left_out"]
    assert left_out["ours"]["outside_recall"]["low"] > 0.6
    assert left_out["baseline"]["outside_recall"]["high"] < 0.6
