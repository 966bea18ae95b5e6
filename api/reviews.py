"""The review desk over HTTP: the queue, decisions, evidence, appeals, second approvers."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response

from api.door import CallerDep, RuntimeDep
from returns.review_reads import DEFAULT_PAGE, MAX_PAGE, QueueOrder, review_queue
from settlement.commands import appeals, evidence, reviews
from settlement.commands.advisers import who_advises
from settlement.commands.review_inputs import AppealIn, ConfirmationIn, EvidenceIn, ReviewIn

router = APIRouter(prefix="/v1", tags=["reviews"])

Rma = Annotated[str, Path(max_length=32)]


@router.get("/reviews")
def get_reviews(
    runtime: RuntimeDep,
    caller: CallerDep,
    order: Annotated[QueueOrder, Query(description="what stands first")] = "deadline",
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of a page")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE,
) -> dict[str, Any]:
    """Lines that wait for a person, why, until when, and what the person may do.

    By `deadline` what is due first stands first. By `value` currencies stand in the order of their
    codes and within each the largest amount first: amounts of two currencies are not compared. On
    the last page `next` is null.
    """
    caller.require("reviews:read")
    now = runtime.clock()
    with runtime.database.read() as session:
        page = review_queue(session, caller.merchant_id, now, order, cursor, limit)
    return {**page, "advisers": who_advises(runtime)}


@router.post("/reviews/{rma}/decision")
def post_review(runtime: RuntimeDep, caller: CallerDep, rma: Rma, body: ReviewIn) -> dict[str, Any]:
    """Approve or deny a line, or ask the customer for more, with a written reason.

    Above the limit of one person an approval becomes a `proposal` that somebody else confirms.
    """
    caller.require("reviews:write")
    return reviews.decide_review(runtime, caller, rma, body)


@router.post("/reviews/{rma}/confirmation")
def post_confirmation(
    runtime: RuntimeDep, caller: CallerDep, rma: Rma, body: ConfirmationIn
) -> dict[str, Any]:
    """Confirm or reject somebody else's proposal; confirmed, the line is approved."""
    caller.require("reviews:above")
    return reviews.confirm(runtime, caller, rma, body)


@router.post("/returns/{rma}/evidence", status_code=201)
def post_evidence(
    runtime: RuntimeDep, caller: CallerDep, rma: Rma, body: EvidenceIn
) -> dict[str, Any]:
    """Add words or a file to a line that is in review or waits for an answer.

    At most ten for a line. The answer has the file's SHA-256, the time, and the number of the
    newest block that was known then. Sent twice, it is stored once.
    """
    caller.require("returns:write")
    return evidence.give(runtime, caller, rma, body)


@router.get("/returns/{rma}/evidence")
def get_evidence(runtime: RuntimeDep, caller: CallerDep, rma: Rma) -> dict[str, Any]:
    """What was asked and given, and what is still possible. Customers see no file of staff's."""
    caller.require("returns:read")
    return evidence.listed(runtime, caller, rma)


@router.get("/returns/{rma}/evidence/{evidence_id}", response_class=Response)
def get_evidence_file(
    runtime: RuntimeDep,
    caller: CallerDep,
    rma: Rma,
    evidence_id: Annotated[str, Path(max_length=36)],
) -> Response:
    """A file as it was given: to be stored, never to be shown in a page of ours."""
    caller.require("returns:read")
    file = evidence.file(runtime, caller, rma, evidence_id)
    headers = {
        "Content-Type": file.media_type,
        # RFC 6266, with the name in the form of RFC 8187.
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store",
    }
    return Response(file.content, headers=headers)


@router.post("/returns/{rma}/appeal")
def post_appeal(runtime: RuntimeDep, caller: CallerDep, rma: Rma, body: AppealIn) -> dict[str, Any]:
    """Appeal against the denial of a line, once and within 30 days; another person decides."""
    caller.require("returns:write")
    return appeals.appeal(runtime, caller, rma, body)
