"""Alembic's entry: runs on the connection that `returns.migrate` hands over."""

from typing import Literal

from alembic import context
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import returns.tables


def _render(kind: str, item: object, _context: object) -> str | Literal[False]:
    """How generated migrations spell the types that are not SQLAlchemy's own."""
    if kind != "type" or not isinstance(item, TypeEngine):
        return False
    if isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    if type(item).__module__ == "returns.columns":
        return f"columns.{type(item).__name__}()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()

__all__ = ["returns"]
