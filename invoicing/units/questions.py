"""One question to many units: the same select of each schema, as one UNION ALL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Enum, Text, cast, literal
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncSession


async def over_units(
    session: AsyncSession, units: Sequence[str], statement: Select[*tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Return what `statement` selects in each unit, its rows led by the unit's name.

    It is one statement and so one answer: on Citus each unit's part runs on its node. Columns are
    asked for by a select of models or tables; one of text has to name their schemas itself. A
    status comes as text, for each schema has a type of its own.

    Args:
        session: any session of the database that has the schemas, distributed or not.
        units: the schemas, as the catalog spells them.
        statement: of our tables, by their models.
    """
    if not units:
        return []
    parts = " UNION ALL ".join(f"({_in_unit(unit, statement)})" for unit in units)
    rows = await (await session.connection()).exec_driver_sql(parts)
    return [tuple(row) for row in rows]


def _in_unit(unit: str, statement: Select[*tuple[Any, ...]]) -> str:
    columns = [literal(unit, Text).label("unit"), *map(_plain, statement.selected_columns)]
    compiled = statement.with_only_columns(*columns, maintain_column_froms=True).compile(
        dialect=PGDialect_asyncpg(),  # type: ignore[no-untyped-call]
        schema_translate_map={None: unit},
        render_schema_translate=True,
        # Values are written into it: each part has parameters of the same names otherwise.
        compile_kwargs={"literal_binds": True},
    )
    return str(compiled)


def _plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(column, Text).label(column.name) if isinstance(column.type, Enum) else column
