"""Rows that fit a table's constraints, found by trying: the server says which columns are wrong.

A row is a choice for each column. What the server refuses is chosen anew in the columns that it
names, until it takes the row; rows like those that it took then fill the table. Parents come first.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.rehearsal.shape import read_shape, read_types
from invoicing.toolkit.rename.rehearsal.values import STYLES, TEXTS, value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asyncpg import Record

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.rehearsal.shape import FillColumn, TableShape

    # A value by the row's number: the same for all rows, or one of its own for each.
    Choice = Callable[[int], str | None]
    Choices = dict[str, Choice]

_SHAPES, _TRIES, _PARENTS, _BATCH, _DEEPEST = 12, 400, 40, 200, 4
# The shares of values that are NULL, where they may be, and that a statement compares with.
_NULLS, _COMPARED = 0.1, 0.6


class TableFiller:
    """Fills tables of one database.

    Attributes:
        failures: why a table has no rows, by its name.
    """

    def __init__(self, connection: Connection, seed: int = 15) -> None:
        self._connection = connection
        self._random = Random(seed)  # noqa: S311 -- no secret
        self._types: Mapping[int, Record] = {}
        self._number = 0
        self._filled: set[int] = set()
        self.shapes: dict[int, TableShape] = {}
        self.choices: dict[int, list[Choices]] = {}
        self.failures: dict[str, str] = {}

    async def fill(self, oid: int, rows: int, depth: int = 0) -> int:
        """Fill a table, and what it refers to before; return how many rows it has got."""
        self._filled.add(oid)
        self._types = self._types or await read_types(self._connection)
        shape = self.shapes[oid] = await read_shape(self._connection, self._types, oid)
        for parent in shape.parents:
            if parent.table not in self._filled and depth < _DEEPEST:
                await self.fill(parent.table, _PARENTS, depth + 1)
        self.choices[oid] = await self._learn(shape)
        done = len(self.choices[oid])
        while self.choices[oid] and done < rows:
            added = await self._add(shape, min(_BATCH, rows - done))
            if not added:
                break
            done += added
        return done

    def row(self, oid: int) -> dict[str, str | None]:
        """Return the values of one more row like those that were taken."""
        self._number += 1
        chosen = self._random.choice(self.choices[oid])
        return {name: choice(self._number) for name, choice in chosen.items()}

    async def _learn(self, shape: TableShape) -> list[Choices]:
        """Return choices that the server has taken; each has added a row."""
        taken: list[Choices] = []
        choices, said = await self._choose(shape), ""
        for _ in range(_TRIES):
            self._number += 1
            row = {name: choice(self._number) for name, choice in choices.items()}
            try:
                await self._insert(shape, [row])
            except asyncpg.PostgresError as error:
                said = str(error)
                blamed = _blamed(shape, error)
                choices |= await self._choose(shape, blamed)
                continue
            taken.append(dict(choices))
            if len(taken) == _SHAPES:
                break
            choices = await self._choose(shape)
        if not taken:
            self.failures[shape.sql] = said
        return taken

    async def _add(self, shape: TableShape, rows: int) -> int:
        made = [self.row(shape.oid) for _ in range(rows)]
        try:
            await self._insert(shape, made)
        except asyncpg.PostgresError:
            added = 0
            for row in made:
                try:
                    await self._insert(shape, [row])
                except asyncpg.PostgresError:
                    continue
                added += 1
            return added
        return len(made)

    async def _insert(self, shape: TableShape, rows: list[dict[str, str | None]]) -> None:
        await self._connection.execute(insert_statement(shape.sql, rows))

    async def _choose(self, shape: TableShape, names: tuple[str, ...] = ()) -> Choices:
        """Return a choice for each of some columns, all by default."""
        wanted = set(names) & set(shape.columns) or set(shape.columns)
        choices: Choices = {}
        for parent in shape.parents:
            if wanted & set(parent.columns) and set(parent.columns) <= set(shape.columns):
                keys = ", ".join(f"{quote(key)}::text" for key in parent.keys)
                table = await self._name(parent.table)
                row = await self._connection.fetchrow(
                    f"SELECT {keys} FROM {table} ORDER BY random() LIMIT 1"
                )
                for place, name in enumerate(parent.columns):
                    choices[name] = partial(_always, row[place] if row else None)
        for name in wanted - set(choices):
            choices[name] = self._choice(shape, shape.columns[name])
        return choices

    async def _name(self, oid: int) -> str:
        return str(await self._connection.fetchval("SELECT $1::oid::regclass::text", oid))

    def _choice(self, shape: TableShape, column: FillColumn) -> Choice:
        style = self._random.randrange(len(STYLES)) if column.type.name in TEXTS else 0
        if column.name in shape.fresh:
            return partial(value, column.type, style=style)
        if not column.not_null and self._random.random() < _NULLS:
            return partial(_always, None)
        if column.literals and self._random.random() < _COMPARED:
            return partial(_always, self._random.choice(column.literals))
        if not column.not_null and value(column.type, 1) is None:
            return partial(_always, None)
        return partial(_always, value(column.type, self._random.randrange(1, 60), style))


def insert_statement(
    table: str, rows: list[dict[str, str | None]], marks: Mapping[str, str] | None = None
) -> str:
    """Return the statement that adds rows; an empty one has nothing but defaults.

    Args:
        table: as SQL names it.
        rows: their values, by column.
        marks: what stands in place of a column's name.
    """
    if not rows[0]:
        return f"INSERT INTO {table} DEFAULT VALUES"
    columns = ", ".join((marks or {}).get(name) or quote(name) for name in rows[0])
    values = ", ".join(f"({', '.join(map(_sql, row.values()))})" for row in rows)
    return f"INSERT INTO {table} ({columns}) VALUES {values}"


def _sql(text: str | None) -> str:
    return "NULL" if text is None else literal(text)


def _always(text: str | None, _: int) -> str | None:
    return text


def _blamed(shape: TableShape, error: asyncpg.PostgresError) -> tuple[str, ...]:
    """Return the columns that an error is about; none where it does not say."""
    column, constraint = getattr(error, "column_name", None), getattr(error, "constraint_name", "")
    return (column,) if column else shape.blamed.get(constraint or "", ())
