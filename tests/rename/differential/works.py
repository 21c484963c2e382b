"""What clients do: statements of every kind, by the old name, the new one, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rename.differential.case import WINDOWS, Work
from tests.rename.differential.kinds import columns, constraints, indexes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.rename.differential.builder import Builder
    from tests.rename.differential.case import Names

_BOTH_DIFFER = "23514"


class _Writer:
    """Writes the statements of one example; each new row has an id of its own."""

    def __init__(self, builder: Builder) -> None:
        self.builder, self._last = builder, 100

    def new_id(self) -> int:
        self._last += 1
        return self._last

    def some_id(self) -> int:
        return self.builder.one((1, 2, 3, 5, 7, 101, 102))

    def value(self) -> str:
        return self.builder.one((*self.builder.type.values, "NULL"))

    def insert(self, by: Names) -> Work:
        sql = f"INSERT INTO @t (id, @c) VALUES ({self.new_id()}, {self.value()})"
        returning = self.builder.maybe(" RETURNING id, @c::text, note")
        return Work("insert", (sql + returning,), by)

    def insert_in_parts(self, by: Names) -> Work:
        """Return rows with the column, with its default, and from a query."""
        choices = (
            f"INSERT INTO @t (id, note) VALUES ({self.new_id()}, 'left out')",
            f"INSERT INTO @t (id, @c) VALUES ({self.new_id()}, DEFAULT)",
            (
                f"INSERT INTO @t (@c, id) VALUES ({self.value()}, {self.new_id()}),"
                f" ({self.value()}, {self.new_id()})"
            ),
            f"INSERT INTO @t (id, @c) SELECT {self.new_id()}, (SELECT {self.builder.value})",
            f"INSERT INTO @t (id) VALUES ({self.new_id()}) RETURNING @c::text",
            (
                f"WITH w AS (INSERT INTO @t (id, @c) VALUES ({self.new_id()}, {self.value()})"
                " RETURNING id, @c) SELECT id, @c::text FROM w"
            ),
        )
        return Work("insert in parts", (self.builder.one(choices),), by)

    def insert_from_itself(self, by: Names) -> Work:
        sql = (
            f"INSERT INTO @t (id, @c, note) SELECT id + {self.new_id()}, @c, note FROM @t"
            " WHERE id < 4"
        )
        return Work("insert from itself", (sql,), by, reads=True)

    def update(self, by: Names) -> Work:
        choices = (
            f"UPDATE @t SET @c = {self.builder.value} WHERE id = {self.some_id()}",
            f"UPDATE @t SET @c = {self.builder.value}, note = 'new' WHERE id < {self.some_id()}",
            f"UPDATE @t SET (note, @c) = (SELECT 'sub', {self.builder.value}) WHERE id = 2",
            f"UPDATE @t SET @c = {self.builder.value} WHERE id < 4 RETURNING @c::text",
            "UPDATE @t SET note = note || '+' WHERE id < 5",
            f"UPDATE @t SET id = id + 3000 WHERE id = {self.some_id()}",
            "UPDATE @t SET other = other + 1",
        )
        return Work("update", (self.builder.one(choices),), by)

    def update_reading(self, by: Names) -> Work:
        choices = (
            f"UPDATE @t SET @c = NULL WHERE id = {self.some_id()}",
            f"UPDATE @t SET @c = @c WHERE id < {self.some_id()}",
            f"UPDATE @t SET note = @c::text WHERE @c IS NOT NULL AND id < {self.some_id()}",
            f"UPDATE @t AS a SET @c = b.@c FROM @t AS b WHERE b.id = 1 AND a.id = {self.some_id()}",
        )
        return Work("update that reads", (self.builder.one(choices),), by, reads=True)

    def update_to_default(self, by: Names) -> Work:
        number = self.some_id()
        choices = [
            f"UPDATE @t SET @c = DEFAULT WHERE id = {number}",
            f"UPDATE @t AS x SET note = 'amt = 1', @c=/* its own */default WHERE x.id < {number}",
            (
                f"DO $do$ BEGIN UPDATE @t SET @c = DEFAULT WHERE id = {number};"
                " UPDATE @t SET @c = NULL WHERE id = 3; END $do$"
            ),
        ]
        if self.builder.key == "id" and not self.builder.advances:
            choices.append(
                f"INSERT INTO @t (id, @c) VALUES ({number}, NULL) ON CONFLICT (id)"
                " DO UPDATE SET @c = DEFAULT"
            )
        # It may be NULL, which no row that is not filled yet takes.
        no_view = bool(self.builder.identity)
        sql = self.builder.one(choices)
        return Work("update to the default", (sql,), by, reads=True, no_view=no_view)

    def delete(self, by: Names) -> Work:
        choices = (
            f"DELETE FROM @t WHERE id = {self.some_id()}",
            f"DELETE FROM @t WHERE id = {self.some_id()} RETURNING note",
        )
        return Work("delete", (self.builder.one(choices),), by)

    def delete_reading(self, by: Names) -> Work:
        sql = f"DELETE FROM @t WHERE @c::text = ({self.builder.value})::text RETURNING id, @c::text"
        return Work("delete that reads", (sql,), by, reads=True)

    def upsert(self, by: Names) -> Work:
        if self.builder.key != "id" or self.builder.advances:
            return self.insert(by)
        head = f"INSERT INTO @t (id, @c) VALUES ({self.some_id()}, {self.builder.value})"
        choices = (
            f"{head} ON CONFLICT (id) DO UPDATE SET @c = EXCLUDED.@c",
            f"{head} ON CONFLICT (id) DO UPDATE SET note = 'again' RETURNING @c::text",
            f"{head} ON CONFLICT DO NOTHING",
            f"{head} ON CONFLICT (id) DO UPDATE SET @c = EXCLUDED.@c WHERE @t.id > 1",
        )
        return Work("upsert", (self.builder.one(choices),), by)

    def merge(self, by: Names) -> Work:
        if self.builder.advances:
            return self.delete(by)
        sql = (
            f"MERGE INTO @t AS t USING (VALUES ({self.some_id()}), ({self.new_id()})) AS s (i)"
            f" ON t.id = s.i WHEN MATCHED THEN UPDATE SET @c = {self.builder.value}"
            f" WHEN NOT MATCHED THEN INSERT (id, @c) VALUES (s.i, {self.value()})"
        )
        return Work("merge", (sql,), by, no_view=self.builder.version < 17)

    def copy(self, by: Names) -> Work:
        if not self.builder.type.copied:
            return self.insert(by)
        rows = "".join(
            f"{self.new_id()}\t{value}\n" for value in (*self.builder.type.copied[:2], r"\N")
        )
        return Work("copy", ("COPY @t (id, @c) FROM STDIN",), by, no_view=True, copied=rows)

    def read(self, by: Names) -> Work:
        choices = (
            "SELECT id, @c::text FROM @t",
            f"SELECT id FROM @t WHERE @c::text = ({self.builder.value})::text",
            "SELECT count(*), count(@c) FROM @t",
            "SELECT x.note, x.@c::text FROM @t AS x WHERE x.@c IS NULL FOR UPDATE",
        )
        return Work("read", (self.builder.one(choices),), by, reads=True)

    def call(self, by: Names) -> Work:
        """Return a statement on what depends on the table, or on one of its partitions."""
        calls = list(self.builder.calls)
        if self.builder.chance(0.3):
            for leaf, number in zip(self.builder.direct, (4, 44), strict=False):
                calls += [
                    f"UPDATE {leaf} SET @c = {self.builder.value} WHERE id >= {number}",
                    f"INSERT INTO {leaf} (id, @c) VALUES ({number}, {self.builder.value})",
                    f"INSERT INTO {leaf} (id) VALUES ({number + 1}) RETURNING @c::text",
                ]
        if not calls:
            return self.update(by)
        sql = self.builder.one(calls)
        direct = any(leaf in sql for leaf in self.builder.direct)
        kind = "direct write to a partition" if direct else "by way of another"
        return Work(kind, (sql,), by)

    def deferred(self, by: Names) -> Work:
        """Return a transaction that breaks its constraints in its middle, if they are deferred."""
        first, second = self.builder.value, self.builder.value
        statements = (
            "BEGIN",
            "SET CONSTRAINTS ALL DEFERRED",
            f"UPDATE @t SET @c = {first} WHERE id IN (1, 2)",
            f"UPDATE @t SET @c = {second} WHERE id = 2",
            "COMMIT",
        )
        return Work("deferred", statements, by)

    def truncate(self, by: Names) -> Work:
        return Work("truncate", ("TRUNCATE @t CASCADE",), by, no_view=True)

    def transaction(self, by: Names) -> Work:
        first, second = self.insert(by), self.update(by)
        end = self.builder.one(("COMMIT", "ROLLBACK"))
        middle = self.builder.one(((), ("SAVEPOINT a",)))
        back = ("ROLLBACK TO a",) if middle and self.builder.chance() else ()
        statements = ("BEGIN", *first.statements, *middle, *second.statements, *back, end)
        return Work("transaction", statements, by)

    def both(self, by: Names) -> Work:
        """Return a statement that gives one value by both names, which the twin gets by one."""
        value, number = self.builder.value, self.new_id()
        head, tail = "INSERT INTO @t (id, ", f") VALUES ({number}, {value}"
        sql, twin = f"{head}@o, @n{tail}, {value})", f"{head}@c{tail})"
        if self.builder.chance():
            tail = f" WHERE id = {self.some_id()}"
            sql = f"UPDATE @t SET @o = {value}, @n = {value}{tail}"
            twin = f"UPDATE @t SET @c = {value}{tail}"
        return Work("both names", (sql,), by, no_view=True, twin=twin)

    def mixed(self, by: Names) -> Work:
        """Return a statement that reads by the one name and writes by the other."""
        choices = (
            f"UPDATE @t SET @o = {self.builder.value} WHERE @n IS NOT NULL AND id < 5",
            f"UPDATE @t SET note = 'm', @n = {self.builder.value} WHERE @o::text <> ''",
            "UPDATE @t SET @n = @o WHERE id < 4 RETURNING @o::text, @n::text",
            "SELECT id, @o::text, @n::text FROM @t WHERE @o IS NOT NULL OR @n IS NULL",
            f"INSERT INTO @t (id, @n) SELECT id + {self.new_id()}, @o FROM @t WHERE id = 2",
            f"INSERT INTO @t (id, @o) VALUES ({self.new_id()}, {self.value()}) RETURNING @n::text",
            (
                f"INSERT INTO @t (id, @n) VALUES ({self.some_id()}, {self.builder.value})"
                " ON CONFLICT (id) DO UPDATE SET @o = EXCLUDED.@o"
            ),
            "DELETE FROM @t WHERE @o IS NULL RETURNING @n::text, id",
        )
        sql = self.builder.one(choices)
        twin = sql.replace("@o", "@c").replace("@n", "@c")
        return Work("mixed names", (sql,), by, reads=True, twin=twin)

    def rare(self, by: Names) -> Work:
        """Return what only some servers, sessions or schemas take."""
        value, number = self.builder.value, self.new_id()
        choices = (
            (f"UPDATE @t SET @c = {value} WHERE id = 2 RETURNING old.@c::text, new.@c::text",),
            (f"INSERT INTO @t (id, @c) VALUES ({number}, {value}) ON CONFLICT (@c) DO NOTHING",),
            (
                (
                    f"INSERT INTO @t (id, @c) VALUES ({number}, {value})"
                    " ON CONFLICT (id, @c) DO UPDATE SET note = 'c'"
                ),
            ),
            (
                (
                    f"DO $$ BEGIN BEGIN INSERT INTO @t (id) VALUES ({number});"
                    " INSERT INTO @t (other) VALUES (1 / 0); EXCEPTION WHEN others THEN NULL;"
                    f" END; INSERT INTO @t (id, @c) VALUES ({number}, {value}); END $$"
                ),
            ),
            (
                "BEGIN",
                "SAVEPOINT a",
                f"INSERT INTO @t (id) VALUES ({number})",
                "ROLLBACK TO a",
                f"INSERT INTO @t (id, @c) VALUES ({number}, {value})",
                f"UPDATE @t SET @c = {self.builder.value} WHERE id = {number}",
                "COMMIT",
            ),
            (
                (
                    f"WITH a AS (DELETE FROM @t WHERE id = 3 RETURNING @c), b AS (INSERT INTO @t"
                    f" (id, @c) SELECT {number}, @c FROM a) UPDATE @t SET note = 'w' WHERE id = 2"
                ),
            ),
            (
                (
                    f"MERGE INTO @t AS t USING (VALUES (2)) AS s (i) ON id = i WHEN MATCHED THEN"
                    f" UPDATE SET @c = {value} WHEN NOT MATCHED BY SOURCE AND t.id > 6 THEN DELETE"
                ),
            ),
            ("SELECT id, @c::text FROM @t WHERE id < 4 FOR NO KEY UPDATE SKIP LOCKED",),
            (f"INSERT INTO @t (id, @c) SELECT n, {value} FROM generate_series(500, 520) AS n",),
            (f"UPDATE @t SET @c = {value} WHERE id IN (SELECT id FROM @t WHERE @c IS NULL)",),
        )
        chosen = self.builder.one(choices)
        merges, by_index = "MERGE" in chosen[0], "ON CONFLICT" in chosen[0]
        if self.builder.advances and (merges or by_index):
            return self.delete(by)
        no_view = merges and self.builder.version < 17
        return Work("rare", chosen, by, reads=True, no_view=no_view, by_index=by_index)

    def both_differ(self, by: Names) -> Work:
        first, second = self.builder.type.values[:2]
        number = self.new_id()
        sql = f"INSERT INTO @t (id, @o, @n) VALUES ({number}, {first}, {second})"
        twin = f"INSERT INTO @t (id, @c) VALUES ({number}, {first})"
        return Work("two values", (sql,), by, no_view=True, twin=twin, fails=_BOTH_DIFFER)


def changes(builder: Builder) -> tuple[Work, ...]:
    """Return DDL on the old column between the phases, which the contract carries over."""
    if builder.strategy == "view" or not builder.chance(0.3):
        return ()
    makers = (
        columns.said,
        constraints.check,
        constraints.unique,
        indexes.index,
        indexes.statistics,
    )
    found = []
    for part in builder.one(makers)(builder):
        # A default comes with the next expand only, as the documentation says.
        found += [
            Work(f"DDL, {part.kind}", (sql,))
            for sql in part.statements
            if "DEFAULT" not in sql and "OWNER" not in sql
        ]
    return tuple(found)


def works(builder: Builder) -> dict[str, tuple[Work, ...]]:
    """Return what clients do in each window."""
    writer = _Writer(builder)
    usual: list[Callable[[Names], Work]] = [
        writer.insert,
        writer.insert_in_parts,
        writer.insert_from_itself,
        writer.update,
        writer.update_reading,
        writer.update_to_default,
        writer.delete,
        writer.delete_reading,
        writer.upsert,
        writer.merge,
        writer.copy,
        writer.read,
        writer.transaction,
        writer.deferred,
        writer.rare,
        writer.rare,
        *[writer.call] * (6 if builder.calls else 2),
    ]
    both = [writer.both, writer.both_differ, writer.mixed, writer.mixed, writer.truncate]
    found = {}
    # A statement that was prepared before the rename, and is used in every window since.
    kept = builder.one((writer.update, writer.update_reading, writer.read, writer.delete))("old")
    again = (kept,) if builder.chance() else ()
    for window in WINDOWS:
        kinds = usual if window in {"before", "contract"} else [*usual, *both]
        chosen = []
        for _ in range(builder.one((0, 1, 2, 4))):
            by: Names = "old" if window == "before" else builder.one(("old", "new"))
            chosen.append(builder.one(kinds)(by))
        found[window] = (*again, *chosen)
    return found
