"""Autogenerate for tenants: one model, a schema each, found by the connection's search path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.migrations.foreign import ForeignProject, make_foreign
from tests.migrations.test_autogenerate import BASE, NEW, OLD, QUICK, run, url

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

__all__ = ["url"]
# Alembic's own recipe.
RECIPE = """
        tenant = context.get_x_argument(as_dictionary=True)["tenant"]
        connection.execute(text(f"SET search_path TO {tenant}"))
        connection.commit()
        connection.dialect.default_schema_name = tenant
        context.configure(
            connection=connection, target_metadata=target_metadata, include_schemas=False
        )
"""


def as_tenant(project: ForeignProject, tenant: str, *arguments: str, code: int = 0) -> str:
    confirm = ("-x", "confirm=loan.fee", "-x", f"tenant={tenant}")
    return project.alembic(*QUICK, *confirm, *arguments, code=code)


def test_each_tenant_goes_there_and_back_by_itself(url: URL, tmp_path: Path) -> None:
    project = make_foreign(tmp_path / "library", url.set(drivername="postgresql+psycopg2"))
    project.change(
        """        context.configure(
            connection=connection, target_metadata=target_metadata
        )
""",
        RECIPE,
    )
    project.change("from sqlalchemy import pool", "from sqlalchemy import pool, text")
    tenants = ("one", "two")
    project.model(OLD, BASE)
    for tenant in tenants:
        run(url, f"CREATE SCHEMA {tenant}")
    as_tenant(project, "one", "revision", "--autogenerate", "-m", "begin")
    for tenant in tenants:
        as_tenant(project, tenant, "upgrade", "head")
        run(url, f"INSERT INTO {tenant}.loan (fee) SELECT generate_series(1, 100)")
        assert "No new upgrade" in as_tenant(project, tenant, "check")
    project.model(NEW, BASE)
    as_tenant(project, "two", "revision", "--autogenerate")
    (contract,) = [path for path in project.versions.glob("*.py") if "contract" in path.name]
    text = contract.read_text()
    assert "schema=" not in "".join(project.files().values()).split("def upgrade")[-1]
    contract.unlink()
    for tenant in tenants:
        as_tenant(project, tenant, "upgrade", "head")
        for model in (OLD, NEW):
            project.model(model, BASE)
            assert "No new upgrade" in as_tenant(project, tenant, "check")
    contract.write_text(text)
    for tenant in tenants:
        as_tenant(project, tenant, "upgrade", "head")
        assert "No new upgrade" in as_tenant(project, tenant, "check")
        as_tenant(project, tenant, "downgrade", "-2")
        as_tenant(project, tenant, "upgrade", "head")
        assert run(url, f"SELECT sum(fee_cents) FROM {tenant}.loan") == 5050
    as_tenant(project, "one", "downgrade", "-2")
    columns = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'fee_cents'"
    assert run(url, f"{columns} AND table_schema IN ('one', 'two')") == 1
