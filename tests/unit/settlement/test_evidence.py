"""Evidence: hashed, with time and block, limited, stored once; an answer ends the waiting."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from desk import Desk
from fake_chain import DEPLOYMENT
from pydantic import ValidationError
from review_desk import (
    PNG,
    answer,
    ask_for_more,
    books,
    browser,
    decide,
    file_json,
    waiting,
)

from returns.errors import EvidenceFull, EvidenceNotWanted, NotFound
from returns.tables import Chain, Evidence
from returns.words import LineState
from settlement.commands import evidence
from settlement.commands.review_inputs import MAX_FILE, EvidenceIn, FileIn

PDF, JPEG = b"%PDF-1.7 \x00", b"\xff\xd8\xff\xe0\x00"


def give(desk: Desk, rma: str, *what: Any, **more: Any) -> dict[str, Any]:
    return evidence.give(desk.runtime, desk.shop, rma, answer(desk, rma, *what, **more))


def test_first_answer_brings_the_line_back_to_review(desk: Desk) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma)
    give(desk, rma)
    assert desk.states(rma)[-3:] == ["in_review", "awaiting_evidence", "in_review"]
    give(desk, rma, "and one more thing")
    assert desk.states(rma)[-3:] == ["in_review", "awaiting_evidence", "in_review"]


def test_file_is_kept_with_its_hash_the_time_and_the_newest_block(desk: Desk) -> None:
    rma = waiting(desk)
    with desk.runtime.database.write() as session:
        place = {"anchor_number": 1, "anchor_hash": "", "cursor_number": 77}
        session.merge(Chain(chain_id=DEPLOYMENT.chain_id, **place))
    view = give(desk, rma, file=file_json())
    sha256 = hashlib.sha256(PNG).hexdigest()
    assert view["file"] == {
        "name": "wallet.png", "media_type": "image/png", "size": len(PNG), "sha256": sha256,
    }  # fmt: skip
    (row,) = desk.rows(Evidence)
    assert (row.content, row.sha256, row.at, row.block_number) == (PNG, sha256, desk.clock(), 77)
    stored = evidence.file(desk.runtime, desk.shop, rma, view["id"])
    assert (stored.content, stored.media_type) == (PNG, "image/png")


def test_block_is_unknown_before_the_first_one_was_read(desk: Desk) -> None:
    assert give(desk, waiting(desk))["block"] is None


@pytest.mark.parametrize("file", [None, file_json()])
def test_same_answer_once_more_is_stored_once(desk: Desk, file: Any) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma)
    first = give(desk, rma, file=file)
    desk.clock.move(hours=1)
    before = books(desk)
    assert give(desk, rma, file=file) == first
    assert books(desk) == before


def test_same_words_or_file_in_other_company_are_another_answer(desk: Desk) -> None:
    rma = waiting(desk)
    give(desk, rma, file=file_json())
    give(desk, rma)
    give(desk, rma, "else", file=file_json())
    give(desk, rma, file=file_json(PNG + b"2"))
    assert len(desk.rows(Evidence)) == 4


def test_same_answer_to_another_question_counts(desk: Desk) -> None:
    rma = waiting(desk)
    ask_for_more(desk, rma)
    give(desk, rma)
    ask_for_more(desk, rma, question="Is that all?")
    give(desk, rma)
    assert desk.line(rma).state is LineState.IN_REVIEW
    assert len(desk.rows(Evidence)) == 4


def test_refuses_the_eleventh_answer(desk: Desk) -> None:
    rma = waiting(desk)
    for number in range(evidence.MAX_ANSWERS):
        give(desk, rma, f"answer {number}")
    before = books(desk)
    with pytest.raises(EvidenceFull):
        give(desk, rma, "one more")
    assert books(desk) == before


@pytest.mark.parametrize("end", ["approve", "deny"])
def test_refuses_what_comes_after_the_decision(desk: Desk, end: str) -> None:
    rma = waiting(desk)
    decide(desk, rma, end)
    before = books(desk)
    with pytest.raises(EvidenceNotWanted):
        give(desk, rma)
    assert books(desk) == before


@pytest.mark.parametrize(
    "file",
    [
        file_json(media_type="image/jpeg"),
        file_json(media_type="application/pdf"),
        file_json(media_type="image/svg+xml"),
        file_json(media_type="text/html"),
        file_json(b"GIF89a"),
        file_json(b""),
        file_json(b"caf\xe9", media_type="text/plain"),
        file_json(b"a\0b", media_type="text/plain"),
        file_json(PNG + b"\0" * (MAX_FILE - len(PNG) + 1)),
        file_json(content="iVBORw0KGgo"),
        file_json(content="iVBORw0KGgp="),
        file_json(content="iVBORw0K Ggo="),
        file_json(content="iVBORw0K\nGgo="),
        file_json(name=""),
        file_json(name="a/b.png"),
        file_json(name="..\\b.png"),
        file_json(name='a"b.png'),
        file_json(name="a\nb.png"),
        file_json(name="a" * 201),
        {**file_json(), "surprise": 1},
    ],
)
def test_refuses_a_file_that_is_not_what_it_says(file: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FileIn.model_validate(file)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (PDF, "application/pdf"),
        ("schöne Grüße".encode(), "text/plain"),
        (PNG + b"\0" * (MAX_FILE - len(PNG)), "image/png"),
    ],
)
def test_takes_each_kind_up_to_the_last_byte(data: bytes, media_type: str) -> None:
    assert FileIn.model_validate(file_json(data, media_type=media_type)).data == data


@pytest.mark.parametrize("empty", [{}, {"text": ""}, {"text": " \n"}])
def test_refuses_an_answer_that_says_nothing(empty: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        EvidenceIn.model_validate({"line": "x"} | empty)


def test_customers_read_questions_and_their_own_answers_only(desk: Desk) -> None:
    rma = waiting(desk)
    client = browser(desk, rma)
    ask_for_more(desk, rma)
    own = evidence.give(desk.runtime, client, rma, answer(desk, rma, file=file_json()))
    inner = give(desk, rma, "looks forged", file=file_json(PNG + b"2"))
    seen = evidence.listed(desk.runtime, client, rma)["evidence"]
    assert [(row["kind"], row["by"]) for row in seen] == [
        ("asked", "merchant"), ("given", "customer"),
    ]  # fmt: skip
    assert len(evidence.listed(desk.runtime, desk.shop, rma)["evidence"]) == 3
    assert evidence.file(desk.runtime, client, rma, own["id"]).content == PNG
    with pytest.raises(NotFound):
        evidence.file(desk.runtime, client, rma, inner["id"])


def test_words_without_a_file_have_no_file(desk: Desk) -> None:
    rma = waiting(desk)
    given = give(desk, rma)
    for wrong in (given["id"], "nonsense", str(desk.merchant.id)):
        with pytest.raises(NotFound):
            evidence.file(desk.runtime, desk.shop, rma, wrong)
