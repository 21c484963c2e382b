"""Tables with a bit of everything on them and on their partitions, made by chance from a number."""

from __future__ import annotations

import random

from invoicing.toolkit.rename.names import quote

_NAMES = ("by {n}", "ix_thing_amt_{n}", 'x"y.{n}', "Ünïque amt {n}", "a.amt.{n}", "z" * 58 + "_{n}")
_PLAIN = ["CREATE TABLE thing (id int NOT NULL, amt bigint, other int DEFAULT 3, note text)"]
_PARTITIONED = [
    _PLAIN[0] + " PARTITION BY RANGE (id)",
    'CREATE TABLE "Low part" PARTITION OF thing FOR VALUES FROM (0) TO (40)',
    "CREATE TABLE high (note text, gone int, id int NOT NULL, amt bigint, other int)",
    "ALTER TABLE high DROP gone",
    "ALTER TABLE thing ATTACH PARTITION high FOR VALUES FROM (40) TO (80)",
]
_DEEP = [
    *_PARTITIONED,
    "CREATE TABLE mid PARTITION OF thing FOR VALUES FROM (80) TO (200) PARTITION BY LIST (id)",
    "CREATE TABLE leaf (gone text, amt bigint, id int NOT NULL, other int DEFAULT 4, note text)",
    "ALTER TABLE leaf DROP gone",
    "ALTER TABLE mid ATTACH PARTITION leaf DEFAULT",
]
_TABLES = {
    "plain": (_PLAIN, ["thing"]),
    "partitioned": (_PARTITIONED, ["thing", '"Low part"', "high"]),
    "deep": (_DEEP, ["thing", '"Low part"', "high", "mid", "leaf"]),
}
_KEYS = (
    "amt",
    "id, amt",
    "amt DESC NULLS LAST, other",
    "(amt % 10)",
    "lower(note) text_pattern_ops, abs(amt)",
    'note COLLATE "C" DESC, amt NULLS FIRST',
)
_RULES = (
    "",
    "MATCH FULL",
    "ON DELETE CASCADE",
    "ON UPDATE CASCADE ON DELETE SET NULL",
    "DEFERRABLE INITIALLY DEFERRED",
    "ON DELETE RESTRICT DEFERRABLE",
)


class Shape:
    """What a number makes; each thing has a name of its own."""

    def __init__(self, number: int, version: int) -> None:
        self._random = random.Random(number)
        self._version = version
        self._count = 0
        made, self._tables = _TABLES[["plain", "partitioned", "deep"][number % 3]]
        self.statements = ["CREATE TABLE list (id bigint PRIMARY KEY)", *made]
        rows = f"generate_series(1, {120 if made is _DEEP else 79}) AS n"
        self.statements += [
            f"INSERT INTO list SELECT n FROM {rows}",
            f"INSERT INTO thing SELECT n, n, n, 'Note ' || n FROM {rows}",
        ]
        kinds = [self._index, self._unique, self._check, self._foreign_key, self._statistics]
        kinds += [self._property] * 3
        for _ in range(10):
            self._random.choice(kinds)()

    def _name(self) -> str:
        self._count += 1
        return quote(self._random.choice(_NAMES).format(n=self._count))

    def _maybe(self, text: str) -> str:
        return text if self._random.random() < 0.4 else ""

    def _table(self) -> str:
        return self._random.choice(self._tables)

    def _index(self) -> None:
        name, unique = self._name(), self._maybe("UNIQUE ")
        keys = "id, amt" if unique else self._random.choice(_KEYS)
        include = self._maybe(" INCLUDE (note)") if keys != _KEYS[3] else ""
        options = self._maybe(" WITH (fillfactor = 71, deduplicate_items = off)")
        where = self._maybe(" WHERE amt > 5 AND note IS NOT NULL")
        table = self._table()
        self.statements.append(
            f"CREATE {unique}INDEX {name} ON {table} ({keys}){include}{options}{where}"
        )
        if keys == _KEYS[3] and self._random.random() < 0.5:
            self.statements.append(f"ALTER INDEX {name} ALTER COLUMN 1 SET STATISTICS 77")
        self._comment(f"INDEX {name}")
        if table in {"high", "leaf"} and not where and self._random.random() < 0.3:
            self.statements.append(f"ALTER TABLE {table} CLUSTER ON {name}")

    def _constrain(self, name: str, table: str, definition: str) -> None:
        self.statements.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        self._comment(f"CONSTRAINT {name} ON {table}")

    def _unique(self) -> None:
        name, table = self._name(), self._table()
        columns = self._random.choice(["id, amt", "amt, id", "amt, id, other"])
        nulls = self._maybe(" NULLS NOT DISTINCT")
        timing = self._random.choice(["", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"])
        more = self._maybe(" INCLUDE (note)") + self._maybe(" WITH (fillfactor = 72)")
        self._constrain(name, table, f"UNIQUE{nulls} ({columns}){more}{timing}")
        self._comment(f"INDEX {name}")

    def _check(self) -> None:
        name, table = self._name(), self._table()
        end = self._random.choice(["", "", " NOT VALID"])
        if self._version >= 18 and self._random.random() < 0.2:
            end = " NOT ENFORCED"
        inherit = self._maybe(" NO INHERIT") if table in {"high", "leaf"} else ""
        self._constrain(name, table, f"CHECK (amt > -1 AND note <> 'amt'){inherit}{end}")

    def _foreign_key(self) -> None:
        name, table = self._name(), self._table()
        rules = self._random.choice(_RULES)
        plain = self._version >= 18 or table not in {"thing", "mid"}
        end = self._maybe(" NOT VALID") if plain or self._tables == ["thing"] else ""
        self._constrain(name, table, f"FOREIGN KEY (amt) REFERENCES list {rules}{end}")

    def _statistics(self) -> None:
        name, table = self._name(), self._table()
        kinds, of = self._random.choice(
            [
                (" (ndistinct)", "amt, other"),
                ("", "note, amt, (amt % 7)"),
                ("", "(amt + other)"),
                (" (mcv, dependencies)", "amt, note"),
            ]
        )
        self.statements.append(f"CREATE STATISTICS {name}{kinds} ON {of} FROM {table}")
        if self._random.random() < 0.4:
            self.statements.append(f"ALTER STATISTICS {name} SET STATISTICS 60")
        self._comment(f"STATISTICS {name}")

    def _property(self) -> None:
        table = self._table()
        alter = f"ALTER TABLE ONLY {table} ALTER amt"
        self.statements.append(
            self._random.choice(
                [
                    f"{alter} SET DEFAULT {self._random.randrange(1, 9)}",
                    f"ALTER TABLE {table} ALTER amt SET NOT NULL",
                    f"{alter} SET STATISTICS {self._random.randrange(50, 99)}",
                    f"{alter} SET (n_distinct = {self._random.randrange(2, 9)})",
                    f"COMMENT ON COLUMN {table}.amt IS 'of {table} it''s \\ amt'",
                    f"GRANT SELECT (amt), UPDATE (amt) ON {table} TO PUBLIC",
                    f"GRANT SELECT (amt) ON {table} TO pg_monitor WITH GRANT OPTION",
                ]
            )
        )

    def _comment(self, what: str) -> None:
        if self._random.random() < 0.4:
            self.statements.append(f"COMMENT ON {what} IS 'why {what.replace(chr(39), '')}'")
