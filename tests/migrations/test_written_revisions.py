"""`invoicing rename revisions` in projects that others have made."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from invoicing.cli import rename, retype
from tests.migrations.foreign import ForeignProject, make_foreign
from tests.migrations.test_autogenerate import (
    BASE,
    NEW_FEE,
    OLD,
    OLD_FEE,
    QUICK,
    assert_clean,
    begin,
    differences,
    loan,
    revision,
    run,
    url,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import URL
    from typer import Typer

__all__ = ["url"]


def revisions(
    project: ForeignProject, *arguments: str, code: int = 0, app: Typer = rename.app
) -> str:
    """Run the command in the project's folder."""
    project.forget()
    # env.py would set up logging for this whole process.
    with chdir(project.folder), patch("logging.config.fileConfig"):
        ran = CliRunner().invoke(app, ["revisions", *arguments])
    if code:
        assert ran.exception is not None
        assert getattr(ran.exception, "exit_code", None) == code, ran.exception
        return str(ran.exception)
    assert ran.exit_code == 0, f"{ran.output}{ran.exception!r}"
    return ran.output


def test_two_files_are_written_once_and_run(url: URL, tmp_path: Path) -> None:
    """In an async project configured by pyproject.toml alone."""
    project = make_foreign(
        tmp_path / "library", url.set(drivername="postgresql+asyncpg"), "pyproject_async"
    )
    begin(project, url)
    before = project.files()
    said = revisions(project, "loan", "fee", "fee_cents")
    files = {name: text for name, text in project.files().items() if name not in before}
    assert len(files) == 2
    expand, contract = sorted(files.values(), key=lambda text: "DESTRUCTIVE" in text)
    for text in files.values():
        assert "auto generated" not in text
        assert all(word in text for word in ("Phase:", "Locks:", "Deploy sequence:"))
    assert f"The expand ({revision(expand)})" in contract
    assert "-     fee: Mapped[int] = mapped_column(index=True)" in said
    assert "+     fee_cents: Mapped[int] = mapped_column(index=True)" in said
    assert f"alembic -x confirm=loan.fee upgrade {revision(contract)}" in said
    again = revisions(project, "loan", "fee", "fee_cents")
    assert "There already" in again
    assert "Wrote" not in again
    assert len(project.files()) == len(before) + 2
    project.alembic(*QUICK, "-x", "confirm=loan.fee", "upgrade", "head")
    assert run(url, "SELECT count(fee_cents) FROM loan") == 200


def test_a_contract_that_was_held_back_is_written_alone(url: URL, tmp_path: Path) -> None:
    project = make_foreign(tmp_path / "library", url.set(drivername="postgresql+psycopg"))
    begin(project, url)
    found: dict[str, Any] = json.loads(revisions(project, "loan", "fee", "fee_cents", "--json"))
    Path(found["contract"]["path"]).unlink()
    project.alembic(*QUICK, "upgrade", "head")
    assert "No new upgrade operations" in project.alembic("check")
    # A new column of the same type is no question while the old one is only waiting to go.
    project.model(loan(NEW_FEE, "fee_cents", more="extra: Mapped[int]"), BASE)
    project.alembic("revision", "--autogenerate", "--rev-id", "extra")
    (text,) = [text for name, text in project.files().items() if name.startswith("extra")]
    assert "add_column" in text
    assert "drop_" not in text.partition("def downgrade")[0]
    again = json.loads(revisions(project, "loan", "fee", "fee_cents", "--json"))
    assert not again["expand"]["written"]
    assert again["contract"]["written"]
    (text,) = [text for text in project.files().values() if "op.contract_rename" in text]
    assert f"The expand ({found['expand']['id']})" in text


def test_several_heads_and_folders_are_asked_for(url: URL, tmp_path: Path) -> None:
    project = make_foreign(tmp_path / "library", url.set(drivername="postgresql+psycopg"))
    project.change(
        "# version_locations = %(here)s/bar:%(here)s/bat:%(here)s/alembic/versions",
        "version_locations = %(here)s/migrations/versions:%(here)s/other",
        "alembic.ini",
    )
    project.model(OLD, BASE)
    project.alembic(
        "revision", "-m", "a", "--version-path", str(project.versions), "--branch-label", "main"
    )
    project.alembic(
        "revision", "-m", "b", "--head", "base", "--branch-label", "side",
        "--version-path", str(project.folder / "other"), "--rev-id", "b1",
    )  # fmt: skip
    said = revisions(project, "loan", "fee", "fee_cents", code=2)
    assert "2 heads" in said
    assert "(main)" in said
    assert "b1 (side)" in said
    revisions(project, "loan", "fee", "fee_cents", "--head", "side@head")
    assert len(list((project.folder / "other").glob("*.py"))) == 3


def test_what_cannot_be_is_said_and_nothing_is_written(url: URL, tmp_path: Path) -> None:
    project = make_foreign(tmp_path / "library", url.set(drivername="postgresql+psycopg"))
    project.model(OLD, BASE)
    assert "neither the models" in revisions(project, "loan", "fees", "fee_cents", code=2)
    (project.folder / "app.py").write_text("import no_such_package\n")
    said = revisions(project, "loan", "fee", "fee_cents", code=2)
    assert "No module named 'no_such_package'" in said
    assert project.files() == {}
    empty = ForeignProject(tmp_path, "nowhere")
    assert "no alembic.ini" in revisions(empty, "loan", "fee", "fee_cents", code=2)


def test_a_type_of_the_projects_own_is_written_as_what_it_is_made_of(
    url: URL, tmp_path: Path
) -> None:
    """Alembic would name its module, which no revision imports."""
    project = make_foreign(tmp_path / "library", url.set(drivername="postgresql+psycopg"))
    own = "class Cents(TypeDecorator):\n    impl = BigInteger\n    cache_ok = True\n"
    model = OLD.replace("mapped_column(index=True)", "mapped_column(Cents, index=True)")
    project.model(f"from sqlalchemy import BigInteger, TypeDecorator\n\n\n{own}{model}", BASE)
    revisions(project, "loan", "fee", "fee_cents")
    assert "".join(project.files().values()).count("sa.BigInteger())") == 4
    assert "heads" not in project.alembic("history")


def test_a_table_without_a_model_is_read_from_the_database(url: URL, tmp_path: Path) -> None:
    project = make_foreign(tmp_path / "library", url.set(drivername="postgresql+psycopg"))
    run(url, "CREATE TABLE parcel (id int PRIMARY KEY, tags jsonb, kind varchar(9)[])")
    revisions(project, "parcel", "tags", "labels")
    revisions(project, "parcel", "kind", "sort")
    files = project.files()
    assert_clean(project, list(files))
    text = "".join(files.values())
    assert "postgresql.JSONB(" in text
    assert "nullable=True" in text
    assert "from sqlalchemy.dialects import postgresql" in text
    assert differences(url, OLD) != []


@pytest.mark.parametrize("first", ["the files", "the model"])
def test_another_type_is_written_before_or_after_the_model_has_it(
    url: URL, tmp_path: Path, first: str
) -> None:
    """With a foreign key to it, in an async project; there and back, and then another type."""
    project = make_foreign(tmp_path / "library", url.set(drivername="postgresql+asyncpg"), "async")
    begin(project, url)
    given = ("loan", "fee", "bigint")
    wide = OLD_FEE.replace("mapped_column(", "mapped_column(BigInteger, ")
    base = BASE.replace("import ForeignKey", "import BigInteger, ForeignKey")
    if first == "the model":
        project.model(loan(wide), base)
    said = revisions(project, *given, app=retype.app)
    assert said.count("Wrote") == 2
    if first == "the files":
        assert "Loan)" in said
        assert "app.py:" in said
        assert "There already" in revisions(project, *given, app=retype.app)
    project.model(loan(wide), base)
    project.alembic(*QUICK, "-xconfirm=loan.fee", "upgrade", "head")
    kind = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attname = 'fee'"
    assert run(url, f"{kind} AND attrelid = 'loan'::regclass") == "bigint"
    assert "No new upgrade operations" in project.alembic("check")
    assert "already" in revisions(project, "loan", "fee", "int8", app=retype.app, code=2)
    project.alembic(*QUICK, "downgrade", "-2")
    assert run(url, f"{kind} AND attrelid = 'loan'::regclass") == "integer"
    assert "Wrote" in revisions(project, "loan", "fee", "numeric", app=retype.app)
