"""What clients do to a table while its column is renamed: by the old name, and by the new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.rehearsal.fill import insert_statement

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.rehearsal.fill import TableFiller
    from invoicing.toolkit.rename.rehearsal.shape import TableShape

# In a statement, where the column's name stands.
_NAME = "\x00"
# Statements that find their rows by key: each needs keys of its own.
_KEYED = 3


@dataclass(frozen=True)
class Work:
    """One statement of a client.

    Attributes:
        kind: what it is, in a word or two.
        text: the statement, with a mark where the column's name stands.
        reads: whether it reads the column: by the new name only once it is filled.
    """

    kind: str
    text: str
    reads: bool = False

    def statement(self, column: str) -> str:
        """Return the statement with a name in it."""
        return self.text.replace(_NAME, quote(column))


class Writer:
    """Makes statements from rows that the table is known to take."""

    def __init__(
        self, filler: TableFiller, shape: TableShape, column: str, keys: list[str]
    ) -> None:
        self._filler, self._shape, self._column = filler, shape, column
        self._keys = keys

    def works(self) -> list[Work]:
        """Return one statement of each kind; each time other rows are written."""
        works = [self._insert("insert"), self._upsert(), self._read("read", "")]
        works.append(self._insert("insert without the column", leave_out=True))
        if len(self._keys) > _KEYED:
            works += self._by_key()
        works.append(self._read("search", f" WHERE {_NAME}::text = {self._value()}"))
        return [work for work in works if work is not None]

    def _by_key(self) -> list[Work]:
        # A key that has the column finds nothing by the new name until that is filled.
        keyed = self._column in self._shape.key
        first, second, third = (self._keys.pop(0) for _ in range(_KEYED))
        table = self._shape.sql
        column = self._shape.columns.get(self._column)
        works = []
        if column is not None:
            value, update = self._value(), f"UPDATE {table} SET {_NAME} ="
            # NULL, or a part of a value, may have been computed from what is not filled yet.
            computed = keyed or value == "NULL" or column.type.in_parts
            returned = f"{update} {value} WHERE {first} RETURNING {_NAME}::text"
            works.append(Work("update", returned, reads=computed))
            works.append(Work("update to NULL", f"{update} NULL WHERE {second}", reads=True))
            works.append(Work("update to itself", f"{update} {_NAME} WHERE {second}", reads=True))
        for name in self._shape.columns:
            if name not in {self._column, *self._shape.key}:
                same = f"UPDATE {table} SET {quote(name)} = {quote(name)} WHERE {first}"
                works.append(Work("update of another column", same, reads=keyed))
                break
        works.append(Work("delete", f"DELETE FROM {table} WHERE {third}", reads=keyed))
        return works

    def _insert(self, kind: str, *, leave_out: bool = False) -> Work:
        row = self._filler.row(self._shape.oid)
        if leave_out:
            row.pop(self._column, None)
        return Work(kind, self._statement(row))

    def _upsert(self) -> Work | None:
        key = self._shape.key
        if not key or self._column not in self._shape.columns or self._column in key:
            return None
        if any(name not in self._shape.columns for name in key):
            return None
        row = self._filler.row(self._shape.oid)
        insert = self._statement(row)
        listed = ", ".join(map(quote, key))
        update = f"ON CONFLICT ({listed}) DO UPDATE SET {_NAME} = EXCLUDED.{_NAME}"
        return Work("upsert", f"{insert} {update}")

    def _read(self, kind: str, condition: str) -> Work:
        select = f"SELECT {_NAME}::text FROM {self._shape.sql}{condition}"
        return Work(kind, f"{select} ORDER BY 1 LIMIT 50", reads=True)

    def _statement(self, row: dict[str, str | None]) -> str:
        return insert_statement(self._shape.sql, [row], {self._column: _NAME})

    def _value(self) -> str:
        text = self._filler.row(self._shape.oid).get(self._column)
        return "NULL" if text is None else literal(text)


async def read_keys(
    connection: Connection, shape: TableShape, column: str, most: int = 200
) -> list[str]:
    """Return conditions that are each true of one row, by the primary key; none without one.

    Args:
        connection: to the database that has the table.
        shape: the table's.
        column: what is renamed; a mark stands in place of its name, as in `Work.text`.
        most: how many, at the most.
    """
    if not shape.key:
        return []
    listed = ", ".join(f"{quote(name)}::text" for name in shape.key)
    rows = await connection.fetch(
        f"SELECT {listed} FROM {shape.sql} ORDER BY {listed} LIMIT {most}"
    )
    marked = [_NAME if name == column else quote(name) for name in shape.key]
    return [
        " AND ".join(
            f"{name} = {literal(text)}" for name, text in zip(marked, row.values(), strict=True)
        )
        for row in rows
    ]
