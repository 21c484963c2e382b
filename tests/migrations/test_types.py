"""A rename that changes the type as well: as operations, and as revisions that are written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, type_of
from invoicing.toolkit.rename.retype.walk import walk
from tests.migrations.foreign import make_foreign
from tests.migrations.loans import SUM, columns, total, version
from tests.migrations.project import make_project
from tests.migrations.test_autogenerate import (
    BASE,
    OLD,
    OLD_FEE,
    QUICK,
    begin,
    differences,
    run,
    url,
)
from tests.migrations.test_confirmed import loans, migrate
from tests.migrations.test_written_revisions import revisions

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

__all__ = ["loans", "url"]
SHARED = '"loan", "fee", "fee_euro", sa.BigInteger(), type_=sa.Numeric(12, 2)'
TYPED = f'{SHARED}, using="fee / 100.0", back="(fee_euro * 100)::bigint"'
RENAME = (
    ("pass", "pass"),
    (f"op.expand_rename({TYPED})", f"op.rollback_rename({TYPED})"),
    (f"op.contract_rename({TYPED})", f"op.restore_rename({TYPED})"),
)


async def test_the_operations_change_the_type_there_and_back(loans: URL, tmp_path: Path) -> None:
    config = make_project(tmp_path / "project", *RENAME)
    before = await columns(loans)
    await migrate(config, loans, "002")
    # Run again, as after an interruption: it is the same change of the type.
    await migrate(config, loans, "001")
    assert await columns(loans) == before
    await migrate(config, loans, "003", "confirm=loan.fee")
    assert (await columns(loans))["fee_euro"] == ("numeric(12,2)", True)
    assert await total(loans, "fee_euro * 100") == SUM
    await migrate(config, loans, "002")
    await migrate(config, loans, "001")
    assert (await columns(loans), await version(loans)) == (before, "001")
    assert await total(loans, "fee") == SUM


def test_the_written_revisions_say_how_and_run(url: URL, tmp_path: Path) -> None:
    project = make_foreign(
        tmp_path / "library", url.set(drivername="postgresql+asyncpg"), "pyproject_async"
    )
    begin(project, url)
    before = project.files()
    names = ("loan", "fee", "fee_euro")
    given = ("--type", "numeric(12,2)", "--using", "fee / 100.0", "--back", "fee_euro * 100")
    assert "give --type too" in revisions(project, *names, *given[2:], code=2)
    assert "and its type there becomes numeric(12,2)" in revisions(project, *names, *given)
    files = {name: text for name, text in project.files().items() if name not in before}
    expand, contract = sorted(files.values(), key=lambda text: "DESTRUCTIVE" in text)
    for text in (expand, contract):
        assert all(
            f'{option}="{value}"' in text
            for option, value in zip(("type_", "using", "back"), given[1::2], strict=True)
        )
    header = " ".join(expand.split())
    assert "Type: fee_euro is numeric(12,2) (using fee / 100.0, back fee_euro * 100)." in header
    assert "--type 'numeric(12,2)' --using 'fee / 100.0' --back 'fee_euro * 100'" in header
    assert "There already" in revisions(project, *names, *given)
    for name in files:
        (project.versions / name).unlink()
    # Values that mean the same, so that everything on the column follows.
    revisions(project, *names, *given[:2])
    project.alembic(*QUICK, "-x", "confirm=loan.fee", "upgrade", "head")
    assert run(url, "SELECT count(*) FROM loan WHERE fee_euro = round(fee_euro, 0)") == 200
    kind = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attname = 'fee_euro'"
    assert "numeric(12,2)" in str(run(url, f"{kind} AND attrelid = 'loan'::regclass"))


def test_a_model_is_what_the_database_has_while_only_the_type_changes(
    url: URL, tmp_path: Path
) -> None:
    project = make_foreign(
        tmp_path / "library", url.set(drivername="postgresql+asyncpg"), "pyproject_async"
    )
    begin(project, url)
    assert differences(url, OLD) == []

    async def change(*, contract: bool) -> None:
        async with Database(url, Settings()) as database:
            options = Options(type="bigint")
            rename = Rename(database, type_of("loan", "fee"), options)
            assert (await walk(rename)).verified
            if contract:
                await rename.contract(confirm="loan.fee")

    asyncio.run(change(contract=False))
    assert differences(url, OLD) == []
    asyncio.run(change(contract=True))
    later = OLD.replace(OLD_FEE, OLD_FEE.replace("(index", "(BigInteger, index"))
    base = BASE.replace("import ForeignKey,", "import BigInteger, ForeignKey,")
    assert differences(url, later, base) == []
