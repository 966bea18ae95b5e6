"""Bank transfers: accounts that are paid, transfers, the files that carry them, what banks say."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import Uint256, UtcTime, word
from returns.ids import new_id
from returns.words import RefundStatus


class BankAccount(SQLModel, table=True):
    """The merchant's own account, from which transfers are paid."""

    __tablename__ = "bank_account"
    merchant_id: UUID = Field(foreign_key="merchant.id", primary_key=True)
    holder: str = Field(max_length=70)
    iban: str = Field(max_length=34)
    bic: str | None = Field(default=None, max_length=11)
    updated_at: datetime = Field(sa_type=UtcTime)


class PayeeAccount(SQLModel, table=True):
    """A customer's account. Never changed: another one takes its place, and both stay."""

    __tablename__ = "payee_account"
    __table_args__ = (
        # The last guard against two accounts that count at once.
        sa.Index(
            "uq_payee_account_current",
            "merchant_id",
            "customer",
            unique=True,
            sqlite_where=sa.text("replaced_at IS NULL"),
            postgresql_where=sa.text("replaced_at IS NULL"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    customer: str = Field(max_length=100)
    holder: str = Field(max_length=70)
    iban: str = Field(max_length=34)
    bic: str | None = Field(default=None, max_length=11)
    created_by: str = Field(max_length=100)
    created_at: datetime = Field(sa_type=UtcTime)
    replaced_at: datetime | None = Field(default=None, sa_type=UtcTime)


class BankFile(SQLModel, table=True):
    """A pain.001 file as it was written: the same bytes each time it is asked for."""

    __tablename__ = "bank_file"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id", index=True)
    message_id: str = Field(max_length=35, unique=True, description="MsgId")
    transfers: int = Field(description="NbOfTxs")
    total: int = Field(sa_type=Uint256, description="CtrlSum, in minor units")
    currency: str = Field(max_length=8)
    sha256: str = Field(max_length=64, description="of the content")
    content: bytes = Field(sa_type=sa.LargeBinary)
    created_by: str = Field(max_length=100)
    created_at: datetime = Field(sa_type=UtcTime)


class BankTransfer(SQLModel, table=True):
    """A payout by bank. Once a file has it, no other file will."""

    __tablename__ = "bank_transfer"
    __table_args__ = (
        sa.Index("ix_bank_transfer_unsent", "merchant_id", "file_id", "status", "created_at"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    leg_id: UUID = Field(foreign_key="leg.id", unique=True)
    charge: str = Field(max_length=128, description="the payment that is given back")
    amount: int = Field(sa_type=Uint256)
    currency: str = Field(max_length=8)
    payee_id: UUID = Field(foreign_key="payee_account.id")
    note: str = Field(max_length=140, description="what the payee reads")
    file_id: UUID | None = Field(default=None, foreign_key="bank_file.id", index=True)
    status: RefundStatus = Field(sa_type=word(RefundStatus))
    code: str = Field(default="", max_length=4, description="of ISO 20022, as the bank said it")
    reason: str = Field(default="", max_length=200)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class BankStatusFile(SQLModel, table=True):
    """A pain.002 file that was taken in: once."""

    __tablename__ = "bank_status_file"
    __table_args__ = (
        sa.UniqueConstraint("merchant_id", "sha256"),
        sa.UniqueConstraint("merchant_id", "message_id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    file_id: UUID = Field(foreign_key="bank_file.id", index=True)
    message_id: str = Field(max_length=35, description="the bank's own")
    sha256: str = Field(max_length=64, description="of the file's bytes")
    taken_by: str = Field(max_length=100)
    taken_at: datetime = Field(sa_type=UtcTime)


class BankMovement(SQLModel, table=True):
    """Money that has left the merchant's account, or has come back: signed by `kind`."""

    __tablename__ = "bank_movement"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    transfer_id: UUID = Field(foreign_key="bank_transfer.id", index=True)
    status_file_id: UUID = Field(foreign_key="bank_status_file.id")
    is_return: bool = Field(description="the money has come back")
    at: datetime = Field(sa_type=UtcTime)
