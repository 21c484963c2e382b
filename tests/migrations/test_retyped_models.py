"""A model's column gets another type: what autogenerate writes, and finds in every phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from invoicing.toolkit.rename.alembic.source import assigned
from tests.migrations.foreign import ForeignProject, make_foreign
from tests.migrations.test_autogenerate import (
    BASE,
    QUICK,
    assert_clean,
    differences,
    project,
    run,
    url,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

__all__ = ["project", "url"]
SHOP_BASE = BASE.replace(
    "import ForeignKey", "import BigInteger, Numeric, String, Text, ForeignKey"
)
SHOP = """

class Member(Base):
    __tablename__ = "member"
    id: Mapped[int] = mapped_column({key}primary_key=True)
    name: Mapped[str] = mapped_column(String(20))


class Loan(Base):
    __tablename__ = "loan"
    __table_args__ = (CheckConstraint("days > 0", name="some"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    renewed: Mapped[int | None] = mapped_column(ForeignKey("loan.id"))
    member: Mapped[int] = mapped_column(ForeignKey("member.id"), index=True)
    days: Mapped[int] = mapped_column({days})
    {fee}
"""
OLD_FEE = "fee: Mapped[float] = mapped_column(Numeric(10, 2))"
WAYS = '"using": "round(fee * 100)", "back": "fee_cents / 100.0"'
BOTH = f'info={{"renamed_from": "fee", "retyped_from": "numeric", {WAYS}}}'
NEW_FEE = f"fee_cents: Mapped[int] = mapped_column(BigInteger, {BOTH})"
HINT = 'info={"retyped_from": "integer"}, '
CONFIRM = (*QUICK, *(f"-xconfirm=loan.{column}" for column in ("member", "days", "fee", "renewed")))


def shop(key: str = "", days: str = "", fee: str = OLD_FEE) -> str:
    return SHOP.format(key=key, days=days, fee=fee)


OLD = shop()
NEW = shop(f"BigInteger, {HINT}", f"BigInteger, {HINT}")


def begin(project: ForeignProject, url: URL) -> set[str]:
    project.model(OLD, SHOP_BASE)
    project.alembic("revision", "--autogenerate", "-m", "begin")
    project.alembic("upgrade", "head")
    run(url, "INSERT INTO member (name) SELECT 'm' || n FROM generate_series(1, 20) AS n")
    run(
        url,
        "INSERT INTO loan (member, days, fee, renewed)"
        " SELECT 1 + n % 20, n, n / 10.0, nullif(n - 1, 0) FROM generate_series(1, 200) AS n",
    )
    return set(project.files())


def found(url: URL, model: str) -> list[Any]:
    return differences(url, model, SHOP_BASE)


def types(url: URL) -> str:
    kinds = "string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attrelid, attname)"
    tables = "attrelid IN ('loan'::regclass, 'member'::regclass) AND attnum > 0"
    return str(run(url, f"SELECT {kinds} FROM pg_attribute WHERE {tables} AND NOT attisdropped"))


def test_a_key_and_what_refers_to_it_are_changed_in_revisions_of_their_own(
    url: URL, tmp_path: Path
) -> None:
    driver = url.set(drivername="postgresql+psycopg")
    project = make_foreign(tmp_path / "shop", driver)
    before, were = begin(project, url), types(url)
    project.model(NEW, SHOP_BASE)
    steps = ["loan.member", "loan.days", "member.id"]
    assert [f"{change[2]}.{change[3]}" for change in found(url, NEW)] == [
        step for step in steps for _ in ("expand", "contract")
    ]
    project.alembic("revision", "--autogenerate", "-m", "grow")
    files = written(project, before)
    assert len(files) == 6
    assert_clean(project, list(files))
    text = next(text for name, text in files.items() if "contract_member_id" in name)
    assert "DESTRUCTIVE: id is dropped" in text
    assert 'op.contract_retype("member", "id", sa.INTEGER(), type_="bigint")' in text
    assert "alembic -x confirm=member.id upgrade" in text
    # Known from the models while a script is written, and not only when psql runs it.
    for column, key in (("loan_member", "a foreign key"), ("member_id", "the primary key")):
        text = next(text for name, text in files.items() if f"expand_{column}" in name)
        span = f"{assigned(text, 'down_revision')}:{assigned(text, 'revision')}"
        assert key in project.alembic("upgrade", span, "--sql", code=1)

    confirm = (*CONFIRM, "-xconfirm=member.id")
    for step in range(6):
        assert len(found(url, NEW)) == 6 - 2 * ((step + 1) // 2)
        if step % 2 == 0:
            project.alembic(*confirm, "upgrade", "+1")
            continue
        # It is confirmed by the column's own name.
        assert "was not confirmed" in project.alembic(*QUICK, "upgrade", "+1", code=1)
        project.alembic(*confirm, "upgrade", "+1")
    assert "No new upgrade operations" in project.alembic("check")
    assert types(url).count("bigint") == were.count("bigint") + 3

    # Only the contract of the last one, and there again; then all of them.
    project.alembic(*QUICK, "downgrade", "-1")
    assert types(url).count("bigint") == were.count("bigint") + 2
    project.alembic(*confirm, "upgrade", "+1")
    assert found(url, NEW) == []
    project.alembic(*QUICK, "downgrade", "-6")
    assert types(url) == were
    assert found(url, OLD) == []
    assert not run(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'invoicing_rename'")
    project.alembic(*confirm, "upgrade", "head")
    assert found(url, NEW) == []
    assert run(url, "SELECT sum(days) FROM loan JOIN member ON member.id = member") == 20100


def test_a_change_without_a_hint_is_written_as_always_and_says_what_it_does(
    url: URL, tmp_path: Path
) -> None:
    project = make_foreign(tmp_path / "shop", url.set(drivername="postgresql+asyncpg"), "async")
    before = begin(project, url)
    cases = {
        # Every row is written anew.
        shop(days="BigInteger"): ("alter_column", 'info={"retyped_from": "integer"}'),
        # That is what the model says.
        shop(days='BigInteger, info={"retyped_from": None}'): ("alter_column", ""),
        # No row is.
        OLD.replace("String(20)", "String(50)"): ("alter_column", ""),
        OLD.replace("Numeric(10, 2)", "Numeric(12, 2)"): ("alter_column", ""),
        OLD.replace("Numeric(10, 2)", "Numeric(12, 3)"): ("alter_column", "numeric(10, 2)"),
        OLD.replace("String(20)", "String(5)"): ("alter_column", "varchar(20)"),
    }
    for model, (operation, said) in cases.items():
        project.model(model, SHOP_BASE)
        project.alembic("revision", "--autogenerate", "-m", "change")
        ((name, text),) = written(project, before).items()
        upgrade = text.partition("def upgrade")[2].partition("def downgrade")[0]
        assert operation in upgrade
        assert ("no session can read it" in " ".join(upgrade.split())) == bool(said), model
        assert said in upgrade
        assert "no session" not in text.partition("def downgrade")[2]
        (project.versions / name).unlink()


def test_a_name_and_a_type_change_in_one(url: URL, tmp_path: Path) -> None:
    project = make_foreign(tmp_path / "shop", url.set(drivername="postgresql+psycopg"))
    before = begin(project, url)
    problems = {
        NEW_FEE.replace(f', "retyped_from": "numeric", {WAYS}', ""): "type would change as well",
        NEW_FEE.replace('"numeric"', '"text"'): "the database has numeric(10, 2)",
        NEW_FEE.replace('"numeric"', '"no type("'): "the database has numeric(10, 2)",
    }
    for fee, problem in problems.items():
        project.model(shop(fee=fee), SHOP_BASE)
        said = project.alembic("revision", "--autogenerate", "-m", "cents", code=1)
        assert problem in said
    project.model(shop(days=f"BigInteger, {HINT.replace('integer', 'text')}"), SHOP_BASE)
    said = project.alembic("revision", "--autogenerate", "-m", "cents", code=1)
    assert "says retyped_from 'text', and the database has integer" in said
    project.model(shop(fee=NEW_FEE), SHOP_BASE)
    project.alembic("revision", "--autogenerate", "-m", "cents")
    files = written(project, before)
    assert_clean(project, list(files))
    assert len(files) == 2
    expand = " ".join(next(iter(files.values())).split())
    assert "Type: fee_cents is bigint (using round(fee * 100), back fee_cents / 100.0)." in expand
    project.alembic(*CONFIRM, "upgrade", "head")
    assert found(url, shop(fee=NEW_FEE)) == []
    assert run(url, "SELECT sum(fee_cents) FROM loan") == 201000
    project.alembic(*CONFIRM, "downgrade", "-2")
    assert found(url, OLD) == []
    assert str(run(url, "SELECT sum(fee) FROM loan")) == "2010.00"


@pytest.mark.filterwarnings("ignore:Did not recognize type")
def test_a_type_that_sqlalchemy_does_not_know_is_taken_for_the_models(
    url: URL, tmp_path: Path
) -> None:
    project = make_foreign(tmp_path / "shop", url.set(drivername="postgresql+psycopg"))
    begin(project, url)
    run(url, "ALTER TABLE loan ADD note xml")
    note = "note2: Mapped[str | None] = mapped_column(Text, {})"
    project.model(shop(fee=f"{OLD_FEE}\n    {note.format('')}"), SHOP_BASE)
    assert "is that a rename?" in project.alembic("check", code=1)
    for hint in ('"renamed_from": "note"', '"retyped_from": "xml"'):
        info = f'info={{"renamed_from": "note", {hint}}}'
        said = found(url, shop(fee=f"{OLD_FEE}\n    {note.format(info)}"))
        assert [change[0] for change in said] == ["expand_rename", "contract_rename"]
