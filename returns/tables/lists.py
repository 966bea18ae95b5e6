"""Lists of addresses, networks and customers that a merchant holds requests against."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from returns.columns import UtcTime, word
from returns.ids import new_id
from returns.words import ListKind, ListSubject


class ListImport(SQLModel, table=True):
    """A version of a list, by the hash of its file. Its entries are gone once it is replaced."""

    __tablename__ = "list_import"
    __table_args__ = (sa.Index("ix_list_import_source", "merchant_id", "kind", "source"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    kind: ListKind = Field(sa_type=word(ListKind))
    subject: ListSubject = Field(sa_type=word(ListSubject))
    source: str = Field(max_length=200, description="the file's name, or what was given for it")
    column: str = Field(default="", max_length=200, description="of a table")
    sha256: str = Field(max_length=64, description="of the file's bytes as they lay there")
    rows: int
    rejected: int
    at: datetime = Field(sa_type=UtcTime)
    replaced_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ListEntry(SQLModel, table=True):
    """One value of a list that stands: lower-case address, network in CIDR, or customer."""

    __tablename__ = "list_entry"
    __table_args__ = (sa.UniqueConstraint("merchant_id", "value", "import_id"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    merchant_id: UUID = Field(foreign_key="merchant.id")
    import_id: UUID = Field(foreign_key="list_import.id", index=True)
    kind: ListKind = Field(sa_type=word(ListKind))
    subject: ListSubject = Field(sa_type=word(ListSubject))
    value: str = Field(max_length=100)
