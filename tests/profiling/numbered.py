"""What the schemas of these tests have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase


class Numbered:
    """A table with the name of its class, and a number for its key."""

    @declared_attr.directive
    def __tablename__(cls) -> str:  # noqa: N805 -- a class, to SQLAlchemy
        return cls.__name__.lower()

    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)


def association(base: type[DeclarativeBase], name: str, left: str, right: str) -> Table:
    """Return the table of a many-to-many relationship."""
    sides = (
        Column(f"{side}_id", ForeignKey(f"{side}.id"), primary_key=True) for side in (left, right)
    )
    return Table(name, base.metadata, *sides)
