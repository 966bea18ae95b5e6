"""Training from files: what is read, what is refused with its line, and how a model is kept."""

import gzip
import json
from dataclasses import replace

import pytest
from fakes import FakeClock

import triage.training
from returns.errors import FileInvalid, ModelInvalid, NotFound
from settlement import model_store
from settlement.commands import training
from settlement.commands.opinions import stored_model
from settlement.commands.training import train_model
from settlement.runtime import Runtime
from settlement.settings import Settings
from triage.features import FEATURE_NAMES, features
from triage.generator import SOURCE, compose
from triage.training import train


@pytest.fixture
def runtime(tmp_path):
    return Runtime(Settings(home=tmp_path / "home"), FakeClock())


def keep(runtime, model):
    model_store.put(
        runtime.settings, runtime.settings.model_file, model.to_json(), model.model_hash
    )


@pytest.fixture(scope="module")
def requests():
    return compose(600, seed=3)


def csv_text(requests, names=FEATURE_NAMES):
    lines = [",".join(["label", *names])]
    for facts, label in zip(*requests, strict=True):
        row = features(facts)
        cells = ["" if row[name] is None else repr(row[name]) for name in names]
        lines.append(",".join([str(label), *cells]))
    return "\n".join(lines) + "\n"


def jsonl_text(requests):
    rows = zip(*requests, strict=True)
    pairs = [{"facts": json.loads(facts.to_json()), "label": label} for facts, label in rows]
    return "".join(json.dumps(pair) + "\n" for pair in pairs)


def untouched(runtime):
    return not runtime.settings.home.exists()


def test_table_gives_the_model_of_its_rows(runtime, tmp_path, requests):
    file = tmp_path / "requests.csv"
    file.write_text(csv_text(requests))
    report = train_model(runtime, file)
    facts, labels = requests
    source = "Labelled requests of the file requests.csv."
    expected = train([features(one) for one in facts], labels, 7, source)
    assert (report.rows, report.skipped) == (600, 0)
    assert report.model_hash == expected.model_hash
    assert report.card["source"] == source


def test_facts_give_the_same_model_as_their_features_and_gzip_is_read(runtime, tmp_path, requests):
    table, lines = tmp_path / "a" / "requests.gz", tmp_path / "b" / "requests.gz"
    for file, text in ((table, csv_text(requests)), (lines, jsonl_text(requests))):
        file.parent.mkdir()
        file.write_bytes(gzip.compress(text.encode()))
    assert train_model(runtime, table).model_hash == train_model(runtime, lines).model_hash


def test_rows_without_a_label_are_skipped_and_counted(tmp_path, requests):
    facts, labels = requests
    rows = [{"facts": json.loads(one.to_json()), "label": None} for one in facts[:3]]
    rows += [{"facts": json.loads(facts[3].to_json()), "label": bool(labels[3])}]
    lines = tmp_path / "requests.jsonl"
    lines.write_text("\n\n".join(map(json.dumps, rows)))
    table, skipped = training._read(lines)
    assert (len(table), skipped) == (1, 3)
    assert table.truth().tolist() == [labels[3]]
    cells = tmp_path / "requests.tsv"
    cells.write_text("hold_days\tlabel\n3.5\t\nNA\t1\n\n4\t0\n")
    table, skipped = training._read(cells)
    assert (len(table), skipped) == (2, 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no column 'label'"),
        ("hold_days,price_drop\n1,2\n", "no column 'label'"),
        ("label\n1\n", "no feature"),
        ("label,shoe_size\n1,2\n", "'shoe_size', which is no feature"),
        ("label,hold_days,hold_days\n1,2,3\n", "'hold_days' twice"),
        ("label,hold_days\n1,2\n2,3\n", "line 3: the label '2' is neither 0 nor 1"),
        ("label,hold_days\n1,2\n0,long\n", "line 3: the column 'hold_days' holds 'long'"),
        ("label,hold_days\n1,2,3\n", "line 2: it has 3 columns and the header 2"),
        ("label,hold_days\n1\n", "line 2: it has 1 columns and the header 2"),
        ("{}\n", "line 1: it is not an object with"),
        ("{\n", "line 1: it is not JSON"),
        ('{"facts": {}, "label": 1}\n', "line 1: the fact 'merchant' is missing"),
        ('{"facts": null, "label": 1}\n', "line 1: it is not an object of facts"),
        ('{"facts": {"shoe": 1}, "label": 1}\n', "line 1: there is no fact named 'shoe'"),
        ("label,hold_days\n1,2\n", None),
    ],
)
def test_refuses_a_file_with_line_and_column_and_changes_nothing(runtime, tmp_path, text, problem):
    file = tmp_path / "requests"
    file.write_text(text)
    refusal = FileInvalid if problem else ModelInvalid
    with pytest.raises(refusal, match=problem or "fewer than 20"):
        train_model(runtime, file)
    assert untouched(runtime)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"label": 2}, "line 2: the label '2' is neither"),
        ({"label": "1"}, "line 2: the label '1' is neither"),
        ({"label": 1.0}, "line 2: the label '1.0' is neither"),
        ({"facts": {"paid": "-5"}}, "line 2: '-5' is not an amount"),
        ({"facts": {"returns_90d": -1}}, "line 2: the fact 'returns_90d': it is not a count"),
        ({"more": 1}, "line 2: it is not an object with"),
    ],
)
def test_refuses_facts_with_their_line(runtime, tmp_path, requests, change, problem):
    good = {"facts": json.loads(requests[0][0].to_json()), "label": 1}
    bad = {**good, **change, "facts": {**good["facts"], **change.get("facts", {})}}
    file = tmp_path / "requests.jsonl"
    file.write_text(json.dumps(good) + "\n" + json.dumps(bad) + "\n")
    with pytest.raises(FileInvalid, match=problem):
        train_model(runtime, file)
    assert untouched(runtime)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"\x1f\x8b\x08broken", "cannot be read"),
        (b"label,hold_days\n" + b"1" * 70_000, "too long"),
    ],
)
def test_refuses_what_cannot_be_read(runtime, tmp_path, raw, problem):
    file = tmp_path / "requests.csv"
    file.write_bytes(raw)
    with pytest.raises(FileInvalid, match=problem):
        train_model(runtime, file)
    with pytest.raises(FileInvalid, match="no such file"):
        train_model(runtime, tmp_path / "absent.csv")
    assert untouched(runtime)


def test_model_is_in_force_kept_under_its_hash_and_never_half_written(
    runtime, tmp_path, monkeypatch, requests
):
    small = training_of(requests)
    keep(runtime, small)
    kept = runtime.settings.home / "models" / f"{small.model_hash}.json"
    assert runtime.model == stored_model(runtime, small.model_hash) == small
    assert kept.read_text() == runtime.settings.model_file.read_text() == small.to_json()

    def full(_):
        raise OSError("no space left")

    monkeypatch.setattr(model_store.os, "fsync", full)
    other = replace(small, intercept=small.intercept + 1)
    with pytest.raises(OSError, match="no space"):
        keep(runtime, other)
    assert runtime.settings.model_file.read_text() == small.to_json()
    names = {path.name for path in runtime.settings.home.rglob("*") if path.is_file()}
    assert names == {"model.json", kept.name}


def training_of(requests):
    facts, labels = requests
    return train([features(one) for one in facts], labels, 1)


def test_stored_model_is_found_by_its_hash_only(runtime, requests):
    small = training_of(requests)
    keep(runtime, small)
    for absent in ("0" * 64, "../model", small.model_hash.upper(), ""):
        with pytest.raises(NotFound):
            stored_model(runtime, absent)
    folder = runtime.settings.home / "models"
    (folder / f"{'1' * 64}.json").write_text(small.to_json())
    with pytest.raises(ModelInvalid, match="another model"):
        stored_model(runtime, "1" * 64)
    (folder / f"{small.model_hash}.json").write_text(small.to_json().replace("0", "1", 1))
    with pytest.raises(ModelInvalid):
        stored_model(runtime, small.model_hash)


def test_without_a_file_the_generator_is_trained_on(runtime, monkeypatch):
    whole = triage.training.generated_table
    monkeypatch.setattr(triage.training, "generated_table", lambda seed: whole(seed, 600))
    report = train_model(runtime)
    assert (report.rows, report.skipped, report.card["source"]) == (600, 0, SOURCE)
    assert report.file.exists()
