"""A model's column gets another name: what autogenerate writes, and finds in every phase."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from invoicing.db import Database
from invoicing.toolkit.rename import Options, Rename, Target
from tests.conftest import fresh_database
from tests.migrations.foreign import ForeignProject, make_foreign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

BIN = Path(sys.executable).parent
QUICK = ("-x", "quiet=0", "-x", "batch_size=50")
BASE = """from typing import Any

from sqlalchemy import ForeignKey, Index, MetaData, CheckConstraint, UniqueConstraint, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
"""
LOAN = """

class Member(Base):
    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)


class Loan(Base):
    __tablename__ = "loan"
    id: Mapped[int] = mapped_column(primary_key=True)
    {fee}
    {member}
    {more}
    __table_args__ = (
        CheckConstraint("{fee_name} >= 0", name="positive"),
        Index("by_amount", "{fee_name}", "id"),
        Index("big_fees", "{fee_name}", postgresql_where=text("{fee_name} > 100")),
        Index("lowered", func.abs(text("{fee_name}"))),
        UniqueConstraint("{fee_name}", "id"),
    )
"""
OLD_FEE = "fee: Mapped[int] = mapped_column(index=True)"
NEW_FEE = 'fee_cents: Mapped[int] = mapped_column(index=True, info={"renamed_from": "fee"})'
OLD_MEMBER = 'member: Mapped[int | None] = mapped_column(ForeignKey("member.id"), index=True)'
NEW_MEMBER = (
    "member_id: Mapped[int | None] = mapped_column(\n"
    '        ForeignKey("member.id"), index=True, info={"renamed_from": "member"}\n    )'
)


def loan(
    fee: str = OLD_FEE, fee_name: str = "fee", member: str = OLD_MEMBER, more: str = ""
) -> str:
    return LOAN.format(fee=fee, fee_name=fee_name, member=member, more=more)


OLD = loan()
NEW = loan(NEW_FEE, "fee_cents")
LATER = loan(NEW_FEE.replace(', info={"renamed_from": "fee"}', ""), "fee_cents")


@pytest.fixture
async def url(newest_server_url: URL) -> AsyncIterator[URL]:
    """Yield an empty database."""
    async with fresh_database(newest_server_url) as made:
        yield made


@pytest.fixture
def project(url: URL, tmp_path: Path) -> ForeignProject:
    """Return a project whose database has the old model, with rows."""
    return begin(make_foreign(tmp_path / "library", url.set(drivername="postgresql+psycopg")), url)


def begin(project: ForeignProject, url: URL, model: str = OLD) -> ForeignProject:
    project.model(model, BASE)
    project.alembic("revision", "--autogenerate", "-m", "begin")
    project.alembic("upgrade", "head")
    run(url, "INSERT INTO loan (fee) SELECT n FROM generate_series(1, 200) AS n")
    return project


def run(url: URL, statement: str) -> Any:
    place = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(place, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def differences(url: URL, model: str, base: str = BASE, **options: Any) -> list[Any]:
    """Return what autogenerate finds between the database and a model."""
    names: dict[str, Any] = {"__name__": "model"}
    exec(compile(base + model, "model", "exec", dont_inherit=True), names)
    engine = create_engine(url.set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True} | options
        )
        found = compare_metadata(context, names["Base"].metadata)
    engine.dispose()
    return found


def written(project: ForeignProject, before: set[str]) -> dict[str, str]:
    """Return the files since `before`: the expand's first, then the contract's."""
    files = {name: text for name, text in project.files().items() if name not in before}
    order = sorted(files, key=lambda name: ("contract" in name, name))
    return {name: files[name] for name in order}


def revision(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("revision")).split('"')[1]


def assert_clean(project: ForeignProject, names: list[str]) -> None:
    """Hold the files to black and to ruff, each with its own defaults."""
    paths = [str((project.versions / name).relative_to(project.folder)) for name in names]
    for command in (
        ["black", "--diff", "--check", "-q"],
        ["ruff", "check", "--isolated"],
        ["ruff", "format", "--isolated", "--diff"],
    ):
        said = subprocess.run(
            [BIN / command[0], *command[1:], *paths],
            cwd=project.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == 0, said.stdout + said.stderr


def test_a_renamed_column_becomes_an_expand_and_a_contract(
    project: ForeignProject, url: URL
) -> None:
    before = set(project.files())
    project.model(NEW, BASE)
    assert differences(url, NEW) == [
        ("expand_rename", None, "loan", "fee", "fee_cents"),
        ("contract_rename", None, "loan", "fee", "fee_cents"),
    ]
    project.alembic("revision", "--autogenerate", "-m", "fees in cents")
    files = written(project, before)
    assert len(files) == 2
    expand, contract = files.values()
    assert 'op.expand_rename("loan", "fee", "fee_cents", sa.Integer())' in expand
    assert 'op.rollback_rename("loan", "fee", "fee_cents", sa.Integer())' in expand
    assert 'op.contract_rename("loan", "fee", "fee_cents", sa.Integer())' in contract
    assert 'op.restore_rename("loan", "fee", "fee_cents", sa.Integer())' in contract
    for text in files.values():
        for word in ("Phase:", "Locks:", "Deploy sequence:", "Old code keeps", "If interrupted:"):
            assert word in text
    assert "DESTRUCTIVE: fee is dropped" in contract
    assert f"The expand ({revision(expand)})" in contract
    assert_clean(project, list(files))
    phases(project, url, revision(expand))


def phases(project: ForeignProject, url: URL, expand: str) -> None:
    """Go there, back and there again: what each phase's models find is nothing."""
    confirm = (*QUICK, "-x", "confirm=loan.fee")
    assert differences(url, OLD) == []
    project.alembic(*QUICK, "upgrade", expand)
    assert differences(url, OLD, include_schemas=True) == []
    assert differences(url, NEW, include_schemas=True) == []
    assert differences(url, LATER) == []
    # Alembic's own comparison of check constraints has to be asked for.
    checks = {"autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.*"]}
    for model in (OLD, NEW):
        assert differences(url, model, **checks) == []
    project.alembic(*confirm, "upgrade", "head")
    for model in (NEW, LATER):
        assert differences(url, model, include_schemas=True) == []
    assert "No new upgrade operations" in project.alembic("check")
    project.alembic(*confirm, "downgrade", expand)
    assert differences(url, OLD) == []
    assert differences(url, NEW) == []
    project.alembic(*confirm, "downgrade", "-1")
    assert differences(url, OLD) == []
    project.alembic(*confirm, "upgrade", "head")
    assert differences(url, NEW) == []
    assert run(url, "SELECT sum(fee_cents) FROM loan") == 200 * 201 // 2


QUOTED = """

class Tariff(Base):
    __tablename__ = "Old Tariff"
    __table_args__ = ({args}{{"schema": "Sales"}},)
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int] = mapped_column({price}unique=True)
    {more}


class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    tariff: Mapped[int | None] = mapped_column(
        {tariff}ForeignKey("Sales.Old Tariff.id"), index=True{hint}
    )
"""
EXTRA = "extra: Mapped[str | None]"
BEFORE = QUOTED.format(price='"Unit Price", ', tariff="", args="", hint="", more="")
AFTER = QUOTED.format(
    price='"Preis \\"netto\\"", info={"renamed_from": "Unit Price"}, ',
    tariff='"tariff_id", ',
    args="Index('by_price', 'Preis \"netto\"', 'id'), ",
    hint=', info={"renamed_from": "tariff"}',
    more=EXTRA,
)


def test_several_renames_and_other_changes_of_quoted_names_in_two_schemas(
    url: URL, tmp_path: Path
) -> None:
    """In an async project whose files are named by a short slug alone."""
    driver = url.set(drivername="postgresql+asyncpg")
    project = make_foreign(tmp_path / "library", driver, "async", "alembic")
    run(url, 'CREATE SCHEMA "Sales"')
    project.change(
        "target_metadata=target_metadata)",
        "target_metadata=target_metadata, include_schemas=True)",
    )
    template = "# file_template = %%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d-"
    project.change(template, "file_template = %%(slug)s\n# ", "alembic.ini")
    project.change("# truncate_slug_length = 40", "truncate_slug_length = 8", "alembic.ini")
    project.model(BEFORE, BASE)
    project.alembic("revision", "--autogenerate", "-m", "begin")
    project.alembic("upgrade", "head")
    run(url, 'INSERT INTO "Sales"."Old Tariff" ("Unit Price") VALUES (1), (2)')
    before = set(project.files())
    project.model(AFTER, BASE)
    project.alembic("revision", "--autogenerate", "-m", "more")
    files = written(project, before)
    # Others first, two expands, what needs a new name, two contracts.
    assert len(files) == 6, list(files)
    assert_clean(project, [name for name, text in files.items() if "Phase:" in text])
    project.alembic(*QUICK, "upgrade", "+4")
    columns = (
        "SELECT count(*) FROM information_schema.columns WHERE table_name IN ('line', 'Old Tariff')"
    )
    assert run(url, columns) == 7
    assert differences(url, AFTER, include_schemas=True) == []
    confirm = ("-x", "confirm=Old Tariff.Unit Price")
    project.alembic(*QUICK, *confirm, "upgrade", "head")
    assert run(url, columns) == 5
    assert differences(url, AFTER, include_schemas=True) == []
    assert "No new upgrade operations" in project.alembic("check")
    project.alembic(*QUICK, "downgrade", "base")


QUESTIONS = {
    "no hint": (
        loan("fee_cents: Mapped[int] = mapped_column(index=True)", "fee_cents"),
        "fee_cents is new",
    ),
    "a name that is not there": (
        loan(NEW_FEE.replace('"fee"', '"fees"'), "fee_cents"),
        "says renamed_from 'fees', and the table has no such column",
    ),
    "another type": (
        loan(NEW_FEE.replace("[int]", "[str]"), "fee_cents").replace("func.abs", "func.lower"),
        "the type would change as well",
    ),
    "both": (loan(more=NEW_FEE.replace("index=True, ", "")), "but the model has fee too"),
    "two": (
        loan(NEW_FEE, "fee_cents", more=NEW_FEE.replace("fee_cents", "fee_2")),
        "so does another column",
    ),
    "two of one table": (
        loan(NEW_FEE, "fee_cents", NEW_MEMBER),
        "has one rename at a time, and the model asks for 2: fee to fee_cents, member to member_id",
    ),
}


def test_what_the_model_leaves_open_is_asked_before_anything_is_written(
    project: ForeignProject, url: URL
) -> None:
    before = project.files()
    for model, question in QUESTIONS.values():
        project.model(model, BASE)
        for command in (("revision", "--autogenerate", "-m", "x"), ("check",)):
            said = project.alembic(*command, code=1)
            assert question in said
        assert project.files() == before
    new = 'fee_cents: Mapped[int] = mapped_column(index=True, info={"renamed_from": None})'
    project.model(loan(new, "fee_cents"), BASE)
    project.alembic("revision", "--autogenerate", "-m", "x")
    (text,) = written(project, set(before)).values()
    assert "drop_column" in text
    assert "add_column" in text


def test_a_foreign_key_and_changes_that_need_the_new_name(
    project: ForeignProject, url: URL
) -> None:
    before = set(project.files())
    model = loan(member=NEW_MEMBER).replace(
        'Index("by_amount"',
        'Index("by_member_and_fee", "member_id", "fee"),\n        Index("by_amount"',
    )
    project.model(model, BASE)
    assert [found[0] for found in differences(url, model)] == [
        "add_index",
        "expand_rename",
        "contract_rename",
    ]
    project.alembic("revision", "--autogenerate", "--rev-id", "abc")
    files = written(project, before)
    assert len(files) == 3
    expand = next(text for text in files.values() if "op.expand_rename" in text)
    assert revision(expand) == "abc"
    assert "nullable=True" in expand
    project.alembic(*QUICK, "-x", "confirm=loan.member", "upgrade", "head")
    assert differences(url, model, include_schemas=True) == []


async def in_a_view(url: URL) -> None:
    options = Options(strategy="view", accept=frozenset({"natural-join"}))
    async with Database(url) as database:
        await Rename(database, Target("loan", "fee", "fee_cents"), options).expand()


def test_what_a_stopped_expand_or_a_view_has_made_is_no_difference(
    project: ForeignProject, url: URL
) -> None:
    project.model(NEW, BASE)
    project.alembic("revision", "--autogenerate")
    run(
        url,
        "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN IF NEW.id > 100 THEN RAISE EXCEPTION ''stopped''; END IF; RETURN NEW; END'",
    )
    run(
        url,
        "CREATE TRIGGER stop BEFORE UPDATE ON loan FOR EACH ROW EXECUTE FUNCTION stop()",
    )
    run(url, "ALTER TABLE loan ENABLE ALWAYS TRIGGER stop")
    accept = ("-x", "accept=update-trigger")
    assert "stopped" in project.alembic(*QUICK, *accept, "upgrade", "+1", code=1)
    for model in (OLD, NEW):
        assert differences(url, model) == []
    run(url, "DROP TRIGGER stop ON loan")
    project.alembic("upgrade", "+1")
    project.alembic("downgrade", "-1")
    assert differences(url, OLD, include_schemas=True) == []
    asyncio.run(in_a_view(url))
    for model in (OLD, NEW):
        assert differences(url, model) == []
