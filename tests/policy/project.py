"""A small project in a folder, to be checked."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

from invoicing.toolkit.policy import check

if TYPE_CHECKING:
    from pathlib import Path

    from invoicing.toolkit.policy import PolicyFinding, Report

# What most snippets need around them.
BASE = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase):
    pass

class TimeStampedMixin:
    pass
"""
MODELS = """
from __future__ import annotations
from app.base import Base, Mapped, TimeStampedMixin, mapped_column, relationship

class Account(TimeStampedMixin, Base):
    __tablename__ = "account"
    invoices: Mapped[list[Invoice]] = relationship(lazy="raise")
    history: Mapped["list[Note] | None"] = relationship(lazy="raise")

class Invoice(TimeStampedMixin, Base):
    __tablename__ = "invoice"
    account: Mapped[Account] = relationship(lazy="raise")
    payer: Mapped["Account | None"] = relationship(lazy="raise")
    owner = relationship("Account", lazy="raise", uselist=False)
    tags = relationship("Tag", secondary="invoice_tag", lazy="raise")
    unknown = relationship("Account", lazy="raise")
"""


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files, with what they need around them."""
    files = {"pyproject.toml": "", "app/__init__.py": "", "app/base.py": BASE} | files
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))


def report_of(folder: Path, files: dict[str, str], **options: object) -> Report:
    """Return what the gate says of a project of these files."""
    write(folder, files)
    return check([folder], root=folder, processes=1, **options)


def findings_of(
    folder: Path, files: dict[str, str], rule: str, **options: object
) -> list[PolicyFinding]:
    """Return what one rule says of them."""
    report = report_of(folder, files, select=[rule], **options)
    assert not report.problems
    return report.findings
