"""The doctor: every thing that can be wrong is one sentence with its mend, and none stops it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from desk import POLICY, Desk
from fake_chain import DEPLOYMENT
from index_rows import chain_row

from chain.client import BlockHeader
from returns import work
from returns.db import Database
from returns.errors import ContractsMissing, SettingsInvalid
from returns.ids import new_id
from returns.tables import Merchant, RelayTransaction
from returns.words import RelayState
from settlement import checkup
from settlement.checkup import Check, Level
from settlement.commands import doctor, policies, setup
from settlement.commands.lists import import_list
from settlement.runtime import Runtime
from triage.examples import phrases
from triage.model import Model
from triage.reader_training import train_reader
from triage.training import train_on_generated

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
NAMES = [
    "settings", "secrets", "database", "node", "clock", "broker", "disk", "contracts", "merchant",
    "policy", "risk model", "message reader", "lists", "worker", "indexer",
]  # fmt: skip


@pytest.fixture(scope="module")
def model_text() -> str:
    return train_on_generated(7, 500).to_json()


def model_of_their_own(text: str) -> str:
    found = Model.from_json(text)
    return replace(found, card={"source": "returns of 2025"}).to_json()


@pytest.fixture(scope="module")
def reader_text() -> str:
    return train_reader(phrases(), 1).to_json()


@pytest.fixture
def sound(desk: Desk, tmp_path: Path, model_text: str, reader_text: str) -> Desk:
    """A desk at which nothing is wrong."""
    for name in ("escrow", "zone", "seaport", "collection"):
        desk.chain.codes[getattr(DEPLOYMENT, name)] = b"\1"
    desk.chain.is_syncing = lambda: False
    block_at(desk, timedelta(0))
    (tmp_path / "broker").mkdir()
    (tmp_path / "model.json").write_text(model_of_their_own(model_text))
    (tmp_path / "reader.json").write_text(reader_text)
    (tmp_path / "list.txt").write_text("0x" + "a" * 40)
    import_list(desk.runtime, desk.merchant.id, tmp_path / "list.txt", "sanctions")
    with desk.runtime.database.write() as session:
        chain_row(session, 5, 4, 2).head_seen_at = desk.clock()
    return desk


def block_at(desk: Desk, ahead: timedelta) -> None:
    """The newest block's time, from the desk's clock."""
    seconds = int((desk.clock() + ahead).timestamp())
    desk.chain.newest = lambda: BlockHeader(1, "", "", seconds, 0)


def examined(desk: Desk, slug: str = "demo") -> dict[str, Check]:
    before = desk.count_all()
    checks = doctor.examine(slug, lambda: desk.runtime)
    assert desk.count_all() == before
    return {check.name: check for check in checks}


def given(desk: Desk, **settings: object) -> None:
    desk.runtime.settings = desk.runtime.settings.model_copy(update=settings)


def test_nothing_is_said_against_an_installation_at_which_nothing_is_wrong(sound: Desk) -> None:
    found = examined(sound)
    assert list(found) == NAMES
    assert {name: check for name, check in found.items() if check.level is not OK} == {}
    assert all(check.sentence.endswith(".") and not check.mend for check in found.values())


Break = Callable[[Desk, Path], object]


def without_vault(desk: Desk, _: Path) -> None:
    with desk.runtime.database.write() as session:
        session.get_one(Merchant, desk.merchant.id).vault = None


def unreadable_policy(desk: Desk, _: Path) -> None:
    with desk.runtime.database.write() as session:
        session.connection().execute(sa.text("UPDATE policy SET text = 'version: 9'"))


def late_work(desk: Desk, _: Path) -> None:
    with desk.runtime.database.write() as session:
        early = desk.clock() - timedelta(minutes=2)
        work.put(session, desk.merchant.id, "test", new_id(), early)


def late_transaction(desk: Desk, _: Path) -> None:
    early = desk.clock() - timedelta(minutes=2)
    row = RelayTransaction(
        id=new_id(), chain_id=31337, to=DEPLOYMENT.escrow, data=b"", state=RelayState.PENDING,
        due_at=early, created_at=early, updated_at=early,
    )  # fmt: skip
    with desk.runtime.database.write() as session:
        session.add(row)


def other_schema(desk: Desk, _: Path) -> None:
    with desk.runtime.database.write() as session:
        session.connection().execute(sa.text("DROP TABLE list_entry"))


def never_seen(desk: Desk, _: Path) -> None:
    with desk.runtime.database.write() as session:
        session.connection().execute(sa.text("UPDATE chain SET head_seen_at = NULL"))


def gone_contracts(desk: Desk, _: Path) -> None:
    class _Gone(Runtime):
        @property
        def deployment(self) -> object:
            raise ContractsMissing(problem="no deployment in deployment-31337.json")

    del vars(desk.runtime)["deployment"]
    desk.runtime.__class__ = _Gone


def raises(fault: Exception) -> Callable[[], object]:
    def call(*_: object) -> object:
        raise fault

    return call


BREAKS: list[tuple[str, Level, str, Break]] = [
    ("secrets", WARN, "on chain 8453", lambda d, _: given(d, chain_id=8453)),
    ("secrets", WARN, "at 0.0.0.0", lambda d, _: given(d, host="0.0.0.0")),
    ("database", FAIL, "no database yet",
     lambda d, h: given(d, database_url=f"sqlite:///{h}/none.db")),
    ("database", FAIL, "does not have the schema", other_schema),
    ("node", FAIL, "does not answer: ConnectionError", lambda d, _: setattr(d.chain, "down", True)),
    ("node", FAIL, "belongs to chain 1", lambda d, _: given(d, chain_id=1)),
    ("node", WARN, "still syncing", lambda d, _: setattr(d.chain, "is_syncing", lambda: True)),
    ("node", FAIL, "It fails with RuntimeError.",
     lambda d, _: setattr(d.chain, "chain_id", raises(RuntimeError("https://key@node")))),
    ("clock", WARN, "60 s ahead", lambda d, _: block_at(d, timedelta(seconds=60))),
    ("broker", WARN, "Nobody has begun", lambda _, h: (h / "broker").rmdir()),
    ("contracts", FAIL, "no deployment in", gone_contracts),
    ("contracts", FAIL, "no code at the zone", lambda d, _: d.chain.codes.pop(DEPLOYMENT.zone)),
    ("merchant", FAIL, "has no vault", without_vault),
    ("policy", FAIL, "The policy cannot be used", unreadable_policy),
    ("risk model", WARN, "by rules alone", lambda _, h: (h / "model.json").unlink()),
    ("risk model", FAIL, "it is not JSON", lambda _, h: (h / "model.json").write_text("{")),
    ("risk model", FAIL, "It fails with UnicodeDecodeError.",
     lambda _, h: (h / "model.json").write_bytes(b"\xff")),
    ("message reader", WARN, "no message reader", lambda _, h: (h / "reader.json").unlink()),
    ("lists", WARN, "Older than 30 days: sanctions", lambda d, _: d.clock.move(days=31)),
    ("worker", WARN, "Work waits since", late_work),
    ("worker", WARN, "A transaction waits since", late_transaction),
    ("indexer", WARN, "was last looked at", lambda d, _: d.clock.move(minutes=2)),
    ("indexer", WARN, "never read", never_seen),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "level", "sentence", "break_it"), BREAKS, ids=[f"{b[0]}: {b[2]}" for b in BREAKS]
)
def test_what_is_wrong_is_said_with_how_to_mend_it(
    sound: Desk, tmp_path: Path, name: str, level: Level, sentence: str, break_it: Break
) -> None:
    break_it(sound, tmp_path)
    checks = {check.name: check for check in doctor.examine("demo", lambda: sound.runtime)}
    assert list(checks) == NAMES
    assert (checks[name].level, sentence in checks[name].sentence) == (level, True), checks[name]
    assert checks[name].mend.endswith(".")
    assert "https://key@node" not in str(checks)


@pytest.mark.parametrize(
    ("mebibytes", "level"), [(99, FAIL), (100, WARN), (1023, WARN), (1024, OK)]
)
def test_room_is_measured(
    sound: Desk, monkeypatch: pytest.MonkeyPatch, mebibytes: int, level: Level
) -> None:
    usage = SimpleNamespace(free=mebibytes << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    check = examined(sound)["disk"]
    assert (check.level, check.sentence) == (level, f"{mebibytes} MiB are free.")


def test_room_is_measured_where_the_home_will_be(sound: Desk, tmp_path: Path) -> None:
    given(sound, home=tmp_path / "not" / "there" / "yet")
    assert checkup.disk(sound.runtime, "demo").level in (OK, WARN)


def test_an_old_block_is_told_outside_local_use_alone(sound: Desk) -> None:
    block_at(sound, -timedelta(minutes=11))
    assert examined(sound)["clock"].level is OK
    given(sound, environment="production")
    check = examined(sound)["clock"]
    assert (check.level, "660 s behind" in check.sentence) == (WARN, True)
    assert examined(sound)["secrets"].sentence == "The secrets are this installation's own."


def test_a_model_of_generated_requests_is_told(
    sound: Desk, tmp_path: Path, model_text: str
) -> None:
    (tmp_path / "model.json").write_text(model_text)
    check = examined(sound)["risk model"]
    assert (check.level, "generated requests" in check.sentence) == (WARN, True)


def test_a_model_whose_hash_is_not_that_of_its_content_fails(
    sound: Desk, tmp_path: Path, model_text: str
) -> None:
    (tmp_path / "model.json").write_text(model_text.replace('"seed":7', '"seed":8'))
    check = examined(sound)["risk model"]
    assert (check.level, "its hash is not that" in check.sentence) == (FAIL, True)


def test_a_policy_that_begins_later_is_told(sound: Desk) -> None:
    text = POLICY.replace("window_days: 30", "window_days: 14")
    row = policies.draft(sound.runtime, sound.merchant.id, text, "ada")
    since = sound.clock() + timedelta(days=1)
    policies.activate(sound.runtime, sound.merchant.id, row.version, "bob", since)
    check = examined(sound)["policy"]
    assert check.level is OK
    assert f"another one follows on {since.isoformat()}" in check.sentence


def test_a_merchant_without_policy_and_lists_is_told(sound: Desk) -> None:
    fresh = setup.create_merchant(sound.runtime, "fresh", "Fresh")
    with sound.runtime.database.write() as session:
        session.get_one(Merchant, fresh.id).vault = "0x" + "f" * 40
    found = examined(sound, "fresh")
    assert found["policy"].sentence == "No policy of fresh is in force."
    assert (found["policy"].level, found["lists"].level) == (FAIL, WARN)
    assert "nobody is held against sanctions" in found["lists"].sentence


def test_what_cannot_be_seen_without_another_is_not_looked_at(sound: Desk) -> None:
    sound.chain.down = True
    found = examined(sound, "nobody")
    assert found["merchant"].sentence == "There is no merchant nobody."
    waiting = {name for name, check in found.items() if check.sentence == "Not looked at."}
    assert waiting == {"clock", "contracts", "policy", "lists"}
    assert found["clock"].mend == "Mend 'node' first."


def test_a_database_that_refuses_is_named_without_its_password(sound: Desk) -> None:
    sound.runtime.database = Database("postgresql+psycopg://u:hidden@127.0.0.1:1/none")
    checks = doctor.examine("demo", lambda: sound.runtime)
    [check] = [one for one in checks if one.name == "database"]
    assert check.level is FAIL
    assert "hidden" not in f"{check.sentence}{check.mend}"


def test_settings_that_cannot_be_read_are_all_that_is_said() -> None:
    def build() -> Runtime:
        raise SettingsInvalid(problem="UNDROP_PORT: it must be a number")

    [check] = doctor.examine("demo", build)
    assert (check.name, check.level) == ("settings", FAIL)
    assert "UNDROP_PORT" in check.sentence
    assert check.mend == "Compare your environment with .env.example."


def test_what_hangs_is_left_behind(sound: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(doctor, "PATIENCE", 0.05)
    monkeypatch.setattr(
        doctor, "BASE", (doctor.Step("disk", lambda *_: checkup.well(str(released.wait(60)))),)
    )
    monkeypatch.setattr(doctor, "DESK", ())
    check = examined(sound)["disk"]
    released.set()
    assert (check.level, check.sentence) == (FAIL, "No answer within 0.05 seconds.")


def test_the_relayer_alone_needs_no_desk(sound: Desk) -> None:
    given(sound, relay_alone=True)
    assert list(examined(sound)) == NAMES[:7]
