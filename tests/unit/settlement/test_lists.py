"""Lists: read in their usual forms, replaced whole, and looked into with one query."""

from __future__ import annotations

import gzip
import hashlib
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st

from chain.addresses import to_checksum
from returns.errors import FieldInvalid, FileInvalid
from returns.tables import AuditRow, ListEntry, ListImport
from settlement import list_files, lists
from settlement.commands.lists import ListReport, import_list

A, B, C = ("0x" + digit * 40 for digit in "abc")
SHARED = Path(__file__).parents[4] / "shared" / "data"
REAL = {
    SHARED / "sanctions" / "sanctioned_addresses_ETH.json": ("sanctions", 150),
    SHARED / "phishing" / "phishing_scams.csv.gz": ("phishing", 6_000),
    SHARED / "phishing" / "malicious_smart_contracts.csv.gz": ("phishing", 700),
}


def load(
    desk: Desk, folder: Path, content: str | bytes, kind: str = "sanctions", **options: Any
) -> ListReport:
    file = folder / options.pop("name", "list.txt")
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    desk.clock.move(seconds=1)
    return import_list(desk.runtime, desk.merchant.id, file, kind, **options)


def values(desk: Desk) -> list[str]:
    return sorted(row.value for row in desk.rows(ListEntry))


def hits(
    desk: Desk, customer: str | None = None, ip: str | None = None, **addresses: str
) -> frozenset[str] | None:
    with desk.runtime.database.read() as session:
        return lists.hits(session, desk.merchant.id, addresses=addresses, customer=customer, ip=ip)


class TestForms:
    """What a file may look like."""

    @pytest.mark.parametrize(
        "content",
        [
            f"{A}\n{B}\n",
            f"# a comment\n\n  {A}  # who\n#{C}\n{B}",
            f"\ufeff{A}\r\n{B}\r\n",
            json.dumps([A, B]),
            json.dumps([{"address": A, "name": "x"}, {"wallet": B}]),
            f"name,Address,note\nx,{A},\n,{B},y\n",
            f'"address"\tname\n{A}\tx\n{B}\n',
            f"# exported today, by us\nid;wallet\n1;{A}\n2;{B}\n",
            f"address\n{A}\n{B}\n",
            gzip.compress(f"contract_address,tag\n{A},x\n{B},\n".encode()),
        ],
        ids=range(10),
    )
    def test_usual_ones_are_read(self, desk: Desk, tmp_path: Path, content: str | bytes) -> None:
        report = load(desk, tmp_path, content)
        assert (report.rows, report.imported, report.rejected) == (2, 2, [])
        assert values(desk) == [A, B]

    def test_the_import_says_what_it_read(self, desk: Desk, tmp_path: Path) -> None:
        content = f"{A}\nnonsense\n{A}\n"
        report = load(desk, tmp_path, content)
        assert (report.rows, report.imported, report.known) == (3, 1, 1)
        assert report.rejected == [(2, "it is not an address with a right checksum")]
        (row,) = desk.rows(ListImport)
        assert (row.kind, row.subject, row.source) == ("sanctions", "address", "list.txt")
        assert (row.rows, row.rejected, row.at) == (3, 1, desk.clock())
        assert row.sha256 == hashlib.sha256(content.encode()).hexdigest()
        (audit,) = desk.rows(AuditRow, AuditRow.action == "list.import")
        assert (audit.subject_id, audit.after) == (row.id, row.sha256)

    def test_rows_of_a_table_are_rejected_by_their_line(self, desk: Desk, tmp_path: Path) -> None:
        content = f"# above\nname,address\nx,{A}\ny,0x12\nz,{B},more\nw\nv,\n"
        report = load(desk, tmp_path, content)
        no_address = "it is not an address with a right checksum"
        assert report.rejected == [
            (4, no_address), (5, "it is empty"), (6, "it is empty"), (7, "it is empty"),
        ]  # fmt: skip
        assert values(desk) == [A]

    def test_a_checksum_is_checked_and_lower_case_is_stored(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        good = to_checksum("0x" + "ab" * 20)
        report = load(desk, tmp_path, f"{good}\n{good[:-1]}{good[-1].swapcase()}\n")
        assert [line for line, _ in report.rejected] == [2]
        assert values(desk) == ["0x" + "ab" * 20]

    def test_a_column_that_is_named_is_taken(self, desk: Desk, tmp_path: Path) -> None:
        load(desk, tmp_path, f"address,creator\n{A},{B}\n", column="creator")
        assert values(desk) == [B]

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("# nothing\n", "it has no rows"),
            ("[]", "it has no rows"),
            (b"\x89PNG\r\n\x1a\n\xff\xfe", "it is not UTF-8 text"),
            (b"0x\0\0\0", "it is not text but a binary file"),
            (b"\x1f\x8b\x08nonsense", "it cannot be read"),
            (gzip.compress(A.encode() * 9)[:-9], "it cannot be read"),
            ("[1, 2", "it begins as JSON and is none"),
            ("[" * 100_000, "it begins as JSON and is none"),
            ('{"addresses": []}', "its JSON is not an array of values"),
            ("[1, null, true]", "none of its 3 rows can be used; line 1: it is not an address"),
            ("nonsense\n", "none of its 1 rows can be used; line 1: it is not an address"),
            ("name,note\nx,y\n", "no column of address values; name one with --column: name, note"),
            ("x" * 70_000, "a line has more than 65536 characters"),
            ('address,x\n"' + "y\n" * 90_000, "it is not a table"),
        ],
        ids=range(16),
    )
    def test_file_of_which_nothing_can_be_used_changes_nothing(
        self, desk: Desk, tmp_path: Path, content: str | bytes, problem: str
    ) -> None:
        load(desk, tmp_path, f"{A}\n")
        before = desk.count_all()
        with pytest.raises(FileInvalid, match=problem.replace("(", r"\(")):
            load(desk, tmp_path, content)
        assert desk.count_all() == before
        assert values(desk) == [A]

    @pytest.mark.parametrize("name", ["nothing.txt", "."])
    def test_file_that_is_not_there_is_named(self, desk: Desk, tmp_path: Path, name: str) -> None:
        with pytest.raises(FileInvalid, match=r"no such file|it is a folder"):
            import_list(desk.runtime, desk.merchant.id, tmp_path / name, "sanctions", source="x")

    @pytest.mark.parametrize("packed", [True, False])
    def test_file_that_is_too_large_is_refused(
        self, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
    ) -> None:
        monkeypatch.setattr(list_files, "MAX_BYTES", 1000)
        content = f"{A}\n".encode() * 24
        with pytest.raises(FileInvalid, match="more than 1000 bytes"):
            load(desk, tmp_path, gzip.compress(content) if packed else content)

    def test_file_of_too_many_rows_is_refused(
        self, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(list_files, "MAX_ROWS", 2)
        assert load(desk, tmp_path, f"{A}\n{B}\n").imported == 2
        with pytest.raises(FileInvalid, match="more than 2 rows"):
            load(desk, tmp_path, f"{A}\n{B}\n{C}\n")
        assert values(desk) == [A, B]

    @pytest.mark.parametrize(
        "options",
        [{"kind": "odd"}, {"subject": "odd"}, {"source": ""}, {"source": "a\nb"}],
        ids=str,
    )
    def test_word_that_does_not_exist_is_refused(
        self, desk: Desk, tmp_path: Path, options: dict[str, str]
    ) -> None:
        before = desk.count_all()
        with pytest.raises(FieldInvalid):
            load(desk, tmp_path, A, **options)
        assert desk.count_all() == before


class TestVersions:
    """A newer version takes the older one's place."""

    def test_the_same_file_again_changes_nothing(self, desk: Desk, tmp_path: Path) -> None:
        load(desk, tmp_path, f"{A}\n{B}\n")
        before = desk.count_all()
        report = load(desk, tmp_path, f"{A}\n{B}\n")
        assert (report.already, report.imported, report.known) == (True, 0, 2)
        assert desk.count_all() == before

    def test_a_newer_file_of_a_source_replaces_the_older(self, desk: Desk, tmp_path: Path) -> None:
        load(desk, tmp_path, f"{A}\n{B}\n")
        report = load(desk, tmp_path, f"{B}\n{C}\n")
        assert (report.replaced, values(desk)) == (2, [B, C])
        old, new = desk.rows(ListImport)
        assert (old.replaced_at, new.replaced_at) == (desk.clock(), None)
        assert load(desk, tmp_path, f"{A}\n{B}\n").already is False
        assert values(desk) == [A, B]

    def test_what_is_added_stands_beside_what_is_there(self, desk: Desk, tmp_path: Path) -> None:
        load(desk, tmp_path, f"{A}\n")
        assert load(desk, tmp_path, f"{B}\n", replace=False).replaced == 0
        assert load(desk, tmp_path, f"{A}\n", replace=False).already is True
        assert values(desk) == [A, B]
        assert load(desk, tmp_path, f"{C}\n").replaced == 2
        assert values(desk) == [C]

    def test_other_sources_kinds_and_merchants_keep_theirs(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        other = Desk(desk.runtime, "other")
        load(other, tmp_path, f"{A}\n")
        load(desk, tmp_path, f"{A}\n", source="elsewhere")
        load(desk, tmp_path, f"{A}\n", kind="block")
        load(desk, tmp_path, f"{A}\n")
        load(desk, tmp_path, f"{B}\n")
        assert values(desk) == [A, A, A, B]

    def test_one_address_of_two_sources_stays_when_one_of_them_drops_it(
        self, desk: Desk, tmp_path: Path
    ) -> None:
        load(desk, tmp_path, f"{A}\n", source="one")
        load(desk, tmp_path, f"{A}\n", source="two")
        load(desk, tmp_path, f"{B}\n", source="one")
        assert hits(desk, holder=A) == {"sanctions/holder"}

    def test_standing_versions_are_named_by_their_hash(self, desk: Desk, tmp_path: Path) -> None:
        for content in (A, B):
            load(desk, tmp_path, content)
        with desk.runtime.database.read() as session:
            [row] = lists.standing(session, desk.merchant.id)
        sha256 = hashlib.sha256(B.encode()).hexdigest()
        assert row == {
            "kind": "sanctions", "source": "list.txt", "sha256": sha256,
            "at": desk.clock().isoformat(),
        }  # fmt: skip


class TestHits:
    """What the lists say of a request."""

    def test_without_any_list_nothing_is_known(self, desk: Desk) -> None:
        assert hits(desk, "somebody", "1.2.3.4", holder=A) is None

    def test_a_list_of_another_merchant_says_nothing(self, desk: Desk, tmp_path: Path) -> None:
        other = Desk(desk.runtime, "other")
        load(other, tmp_path, f"{A}\n")
        assert hits(desk, holder=A) is None
        assert hits(other, holder=A) == {"sanctions/holder"}

    def test_what_stands_on_no_list_is_clean(self, desk: Desk, tmp_path: Path) -> None:
        load(desk, tmp_path, f"{A}\n")
        assert hits(desk, "somebody", "1.2.3.4", holder=B) == frozenset()
        assert hits(desk) == frozenset()

    def test_every_role_and_every_kind_is_named(self, desk: Desk, tmp_path: Path) -> None:
        load(desk, tmp_path, f"{A}\n")
        load(desk, tmp_path, f"{A}\n{B}\n", kind="phishing")
        assert hits(desk, holder=A, buyer=A, recipient=B, requester=C) == {
            "sanctions/holder", "sanctions/buyer", "phishing/holder", "phishing/buyer",
            "phishing/recipient",
        }  # fmt: skip

    def test_customers_are_met_by_their_exact_name(self, desk: Desk, tmp_path: Path) -> None:
        load(desk, tmp_path, "jane@shop\n", kind="block", subject="customer")
        load(desk, tmp_path, "Bob\n", kind="allow", subject="customer")
        assert hits(desk, customer="jane@shop") == {"block/customer"}
        assert hits(desk, customer="Bob") == {"allow/customer"}
        assert hits(desk, customer="bob") == frozenset()

    def test_a_value_is_met_only_as_what_it_is(self, desk: Desk, tmp_path: Path) -> None:
        load(desk, tmp_path, f"{A}\n")
        assert hits(desk, customer=A) == frozenset()

    @pytest.mark.parametrize(
        ("listed", "ip", "is_met"),
        [
            ("10.1.2.0/24", "10.1.2.255", True),
            ("10.1.2.0/24", "10.1.3.0", False),
            ("10.1.2.3", "10.1.2.3", True),
            ("10.1.2.3", "10.1.2.4", False),
            ("10.1.2.9/24", "10.1.2.1", True),
            ("10.0.0.0/8", "10.255.0.1", True),
            ("2001:db8::/32", "2001:db8:ffff::1", True),
            ("2001:db8::/32", "2001:db9::1", False),
            ("2001:DB8::1", "2001:0db8:0:0::1", True),
            ("::ffff:10.1.2.0/120", "10.1.2.7", True),
            ("10.1.2.0/24", "::ffff:10.1.2.7", True),
        ],
    )
    def test_an_ip_is_met_by_every_network_around_it(
        self, desk: Desk, tmp_path: Path, listed: str, ip: str, is_met: bool
    ) -> None:
        load(desk, tmp_path, f"{listed}\n203.0.113.0/24\n", kind="anonymiser")
        assert hits(desk, ip=ip) == ({"anonymiser/connection"} if is_met else frozenset())

    @pytest.mark.parametrize(
        ("listed", "reason"),
        [
            ("10.0.0.0/7", "it is wider than /8"),
            ("::/0", "it is wider than /16"),
            ("10.0.0.300", "it is not an IP or a network"),
            ("10.0.0.0/33", "it is not an IP or a network"),
            ("exit.example", "it is not an IP or a network"),
        ],
    )
    def test_a_network_that_cannot_be_used_is_listed(
        self, desk: Desk, tmp_path: Path, listed: str, reason: str
    ) -> None:
        report = load(desk, tmp_path, f"{listed}\n10.0.0.1\n", kind="anonymiser")
        assert report.rejected == [(1, reason)]
        assert values(desk) == ["10.0.0.1/32"]

    @pytest.mark.parametrize("ip", ["", "localhost", "1.2.3", "10.0.0.0/8"])
    def test_an_ip_that_is_none_is_not_taken_for_clean(self, desk: Desk, ip: str) -> None:
        with pytest.raises(FieldInvalid, match="not an IP address"):
            hits(desk, ip=ip)


@given(
    ip=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)),
    other=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)),
    narrow=st.integers(0, 112),
)
def test_candidates_are_the_networks_that_hold_the_ip(ip: Any, other: Any, narrow: int) -> None:
    found = set(lists.networks_around(str(ip)))
    for start in (ip, other):
        prefix = min(lists.WIDEST[start.version] + narrow, start.max_prefixlen)
        inner = getattr(start, "ipv4_mapped", None) or getattr(ip, "ipv4_mapped", None)
        if inner is None:
            drawn = ipaddress.ip_network(f"{start}/{prefix}", strict=False)
            assert (lists.network(str(drawn)) in found) is (ip in drawn)


@pytest.mark.parametrize("file", REAL, ids=lambda file: file.name)
def test_real_lists_are_imported_and_met(desk: Desk, file: Path) -> None:
    if not file.exists():
        pytest.skip(f"no {file.name} beside the repository")
    kind, least = REAL[file]
    report = import_list(desk.runtime, desk.merchant.id, file, kind)
    assert report.imported + report.known + len(report.rejected) == report.rows > least - 1
    assert len(report.rejected) <= report.rows // 100
    some = desk.rows(ListEntry)[-1].value
    assert hits(desk, holder=some) == {f"{kind}/holder"}
    assert import_list(desk.runtime, desk.merchant.id, file, kind).already
