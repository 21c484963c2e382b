"""Schemas with what can be built on no other column: the contract renames the column itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.rename.conftest import ONE_A_MAJOR
from tests.rename.differential.examples import ROWS, TABLE, example, statement

if TYPE_CHECKING:
    from tests.rename.differential.arena import Arena
    from tests.rename.differential.case import Case

NEWEST = max(ONE_A_MAJOR)
_REFERENCED = (
    "ALTER TABLE @t ADD CONSTRAINT thing_amt_key UNIQUE (@c)",
    (
        "CREATE TABLE @s.child (id int PRIMARY KEY, of bigint CONSTRAINT child_amt REFERENCES"
        " @t (@c) ON UPDATE CASCADE ON DELETE SET NULL)"
    ),
    "CREATE TABLE @s.strict (of bigint REFERENCES @t (@c) DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO @s.child SELECT n, n FROM generate_series(1, 6) AS n",
    "INSERT INTO @s.strict VALUES (8)",
)
_COMPUTED = (
    "ALTER TABLE @t ADD twice bigint GENERATED ALWAYS AS (@c * 2) STORED",
    "ALTER TABLE @t ADD CHECK (twice < 1000)",
    "CREATE VIEW @s.shows AS SELECT id, @c, twice FROM @t",
    "CREATE MATERIALIZED VIEW @s.kept AS SELECT @c AS shown FROM @t",
    "CREATE POLICY sees ON @t USING (@c > 0)",
    "CREATE FUNCTION @s.reads() RETURNS bigint BEGIN ATOMIC SELECT sum(@c) FROM @t; END",
    "COMMENT ON COLUMN @t.@c IS 'what it''s for'",
    "ALTER TABLE @t ALTER @c SET DEFAULT 5",
)
_EXCLUDING = (
    "ALTER TABLE @t ADD CONSTRAINT thing_amt_excl EXCLUDE (@c WITH =) WHERE (@c <> 5)",
    "CREATE INDEX thing_amt_idx ON @t (@c) INCLUDE (note)",
    "CREATE STATISTICS @s.st_amt ON @c, id FROM @t",
)
_KEYED = (
    "ALTER TABLE @t DROP CONSTRAINT thing_pkey",
    "ALTER TABLE @t ADD CONSTRAINT pk_thing_amt PRIMARY KEY (@c, id) INCLUDE (note)",
    "COMMENT ON CONSTRAINT pk_thing_amt ON @t IS 'both'",
)
_LISTED = (
    "CREATE TABLE @s.list (a bigint, b int, PRIMARY KEY (a, b))",
    "INSERT INTO @s.list SELECT n, n FROM generate_series(1, 300) AS n",
    (
        "ALTER TABLE @t ADD CONSTRAINT thing_amt_fkey FOREIGN KEY (@c, id) REFERENCES @s.list"
        " ON DELETE SET NULL (@c)"
    ),
)
_READS = (
    "UPDATE @t SET @c = @c + 100 WHERE id = 1",
    "UPDATE @t SET @c = NULL WHERE id = 3",
    "DELETE FROM @t WHERE id = 9 RETURNING @c",
)
_WRITES = (
    "INSERT INTO @t (id, @c) VALUES (20, 200)",
    "INSERT INTO @t (id, @c) VALUES (21, 7)",
    _READS[0],
    "UPDATE @t SET @c = 8 WHERE id = 2",
    _READS[1],
    "INSERT INTO @t (id, @c) VALUES (4, 4) ON CONFLICT DO NOTHING",
    "INSERT INTO @t (id, @c) VALUES (5, 905) ON CONFLICT (id) DO UPDATE SET @c = excluded.@c",
    "INSERT INTO @t (id) VALUES (30)",
    "UPDATE @t SET @c = DEFAULT WHERE id = 6",
    "DELETE FROM @t WHERE id = 8",
    _READS[2],
    "INSERT INTO @t (id, @c) VALUES (5, 5) ON CONFLICT (@c, id) DO NOTHING",
    "MERGE INTO @t USING (VALUES (5)) AS v (i) ON id = v.i WHEN MATCHED THEN UPDATE SET @c = 77",
)
_TOO_LARGE = (
    "INSERT INTO @t (id, @c) VALUES (40, 1000)",
    "INSERT INTO @t (id, @c) VALUES (40, 1000)",
    "UPDATE @t SET @c = 1001 WHERE id = 4",
    "UPDATE @t SET @c = 1001 WHERE id = 4",
    "INSERT INTO @t (id) VALUES (41)",
    "INSERT INTO @t (id) VALUES (41)",
    "INSERT INTO @t (id, @c) VALUES (4, 9) ON CONFLICT (id) DO UPDATE SET @c = DEFAULT",
    "INSERT INTO @t (id, @c) VALUES (4, 9) ON CONFLICT (id) DO UPDATE SET @c = DEFAULT",
    "INSERT INTO @t (id, @c) VALUES (42, DEFAULT), (43, 3)",
    "INSERT INTO @t (id, @c) VALUES (42, DEFAULT), (43, 3)",
    "UPDATE @t SET @c = DEFAULT WHERE id = 4",
    "UPDATE @t SET @c = DEFAULT WHERE id = 4",
)
_OUTSIDE = (
    "INSERT INTO @s.child VALUES (50, 5)",
    "UPDATE @s.child SET of = 99999 WHERE id = 4",
    "DELETE FROM @s.list WHERE a = 4",
    "UPDATE @t SET twice = 3 WHERE id = 4",
)


def _case(
    *statements: str, ending: str = "contract", domain: str = "", writes: tuple[str, ...] = ()
) -> Case:
    """Return work by both names, half of it in each window; some reads a row that is filled."""
    work = {}
    for window, by in (("expand", ("old", "new")), ("verify", ("new", "old")), ("contract", "new")):
        names = (by,) if isinstance(by, str) else by
        work[window] = tuple(
            replace(item, reads=sql in _READS or "= DEFAULT" in sql, by_index="(@c, id)" in sql)
            for place, name in enumerate(names)
            for sql in (*_WRITES, *writes, *(() if domain else _OUTSIDE))[place % 2 :: len(names)]
            # Of a domain, what is prepared in the window returns another type (see `known`).
            for item in statement(sql.replace("RETURNING @c", "RETURNING @c::text"), name)
        )
    base = "CREATE DOMAIN @s.base AS bigint CHECK (VALUE > -9)"
    before = (base, f"CREATE DOMAIN @s.cents AS {domain}") if domain else ()
    table = TABLE.replace("bigint", "@s.cents" if domain else "bigint")
    return example(table, ROWS, *statements, ending=ending, work=work, before=before)


_ALL = (*_REFERENCED, *_COMPUTED, *_EXCLUDING, *_LISTED)
CASES = {
    "all of it": _case(*_ALL),
    "all of it, rolled back": _case(*_ALL, ending="verify"),
    "a primary key": _case(*_KEYED),
    # No column of them can be added without rewriting the table.
    "a domain that takes no NULL": _case(
        "CREATE STATISTICS @s.st ON (@c::bigint) FROM @t",
        domain="bigint NOT NULL CHECK (VALUE < 1000)",
        writes=_TOO_LARGE,
    ),
    "a domain over a domain, with a default, rolled back": _case(
        domain="@s.base DEFAULT 7 CHECK (VALUE < 1000)", writes=_TOO_LARGE, ending="verify"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_can_be_built_on_no_other_column_is_carried(arena: Arena, name: str) -> None:
    if arena.version < NEWEST and name != "all of it":
        pytest.skip("it is the same on every server")
    refused = arena.tally.refused.copy()
    arena.judge(CASES[name])
    assert arena.tally.refused == refused, arena.tally.refusals
