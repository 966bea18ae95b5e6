"""The review desk: what was asked and given, appeals, second approvers, labels for training."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, word
from returns.ids import new_id
from returns.words import EvidenceKind, ProposalState, Remedy


class Evidence(SQLModel, table=True):
    """A question to the customer, or an answer: words, a file, or both. Never changed."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    case_id: UUID = Field(foreign_key="return_case.id", index=True)
    line_id: UUID = Field(foreign_key="return_line.id", index=True)
    kind: EvidenceKind = Field(sa_type=word(EvidenceKind))
    by: str = Field(max_length=100)
    text: str = Field(default="", max_length=2000)
    due_at: datetime | None = Field(default=None, sa_type=UtcTime, description="of a question")
    name: str | None = Field(default=None, max_length=200)
    media_type: str | None = Field(default=None, max_length=64)
    sha256: str | None = Field(default=None, max_length=64, description="of the file's bytes")
    size: int | None = Field(default=None, description="bytes of the file")
    content: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    block_number: int | None = Field(
        default=None, sa_type=sa.BigInteger, description="the newest one that was read at that time"
    )
    at: datetime = Field(sa_type=UtcTime)


class Appeal(SQLModel, table=True):
    """A customer's word against a denial. A line has at most one."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    line_id: UUID = Field(foreign_key="return_line.id", unique=True)
    decision_id: UUID = Field(foreign_key="decision.id", description="the denial")
    evidence_id: UUID = Field(foreign_key="evidence.id", description="the statement, maybe a file")
    by: str = Field(max_length=100)
    at: datetime = Field(sa_type=UtcTime)


class Proposal(SQLModel, table=True):
    """An approval above the limit of one person. Open counts only while its line is in review."""

    __table_args__ = (
        # The last guard against two proposals that wait for a second person at once.
        sa.Index(
            "uq_proposal_open",
            "line_id",
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    line_id: UUID = Field(foreign_key="return_line.id", index=True)
    state: ProposalState = Field(default=ProposalState.OPEN, sa_type=word(ProposalState))
    remedy: Remedy = Field(sa_type=word(Remedy))
    amount: int = Field(sa_type=Uint256)
    currency: str = Field(max_length=8)
    keep: bool = Field(default=False, description="the customer keeps the token")
    approval_limit: int = Field(sa_type=Uint256, description="of one person, in force at that time")
    reason: str = Field(max_length=1000)
    abuse: bool | None = None
    by: str = Field(max_length=100)
    at: datetime = Field(sa_type=UtcTime)
    closed_by: str | None = Field(default=None, max_length=100)
    closed_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ReviewLabel(SQLModel, table=True):
    """What a person's decision says to the next training: one for each. Never changed."""

    __tablename__ = "review_label"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id", index=True)
    line_id: UUID = Field(foreign_key="return_line.id")
    decision_id: UUID = Field(foreign_key="decision.id", unique=True)
    verdict_before: str = Field(max_length=16)
    verdict_after: str = Field(max_length=16)
    abuse: bool | None = Field(default=None, description="null: the person does not say")
    reason: str = Field(max_length=1000)
    by: str = Field(max_length=100)
    at: datetime = Field(sa_type=UtcTime)
