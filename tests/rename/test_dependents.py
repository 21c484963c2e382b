"""Whatever depends on a column is on the renamed one as if it had been made there, or is named.

Each thing is made twice: on a table with the old name, which is then renamed, and on one that had
the new name from the beginning. In the end the catalog says the same of both.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from invoicing.toolkit.rename.errors import RenameRefusedError
from tests.conftest import execute
from tests.rename.bills import verified
from tests.rename.faults import connected
from tests.rename.versions import since_18

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from sqlalchemy.engine import URL

ROWS = 60
OPTIONS = Options(batch_size=20, quiet=0.05, lock_timeout=0.5, lock_attempts=2)
TABLE = (
    "CREATE TABLE s.thing (id bigint PRIMARY KEY, {c} bigint, other bigint NOT NULL DEFAULT 0,"
    " note text DEFAULT 'note')"
)
FILL = f"INSERT INTO s.thing (id, {{c}}) SELECT n, n FROM generate_series(1, {ROWS}) AS n"
DESCRIBED = """
WITH t AS (SELECT 'NAME.thing'::regclass AS oid)
SELECT 'column', format('%s %s %s default %s comment %s acl %s target %s options %s storage %s'
        ' %s %s', attname, format_type(atttypid, atttypmod), attnotnull,
    pg_get_expr(adbin, adrelid),
    col_description(attrelid, attnum), attacl, nullif(attstattarget, -1), attoptions, attstorage,
    attcompression, attcollation::regcollation)
FROM t, pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'index', format('%s clustered %s valid %s comment %s in %s',
    pg_get_indexdef(i.indexrelid), indisclustered, indisvalid,
    obj_description(i.indexrelid, 'pg_class'), reltablespace)
FROM t, pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE indrelid = t.oid
UNION ALL SELECT 'constraint', format('%s %s valid %s comment %s', conname,
    pg_get_constraintdef(k.oid), convalidated, obj_description(k.oid, 'pg_constraint'))
FROM t, pg_constraint AS k WHERE conrelid = t.oid
UNION ALL SELECT 'statistics', format('%s target %s comment %s', pg_get_statisticsobjdef(x.oid),
    nullif(stxstattarget, -1),
    obj_description(x.oid, 'pg_statistic_ext'))
FROM t, pg_statistic_ext AS x WHERE stxrelid = t.oid
UNION ALL SELECT 'sequence', format('%s by %s', d.objid::regclass, attname)
FROM t, pg_depend AS d JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (refobjid, refobjsubid)
WHERE d.refobjid = t.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'
    AND d.objid IN (SELECT oid FROM pg_class WHERE relkind = 'S')
UNION ALL SELECT 'trigger', pg_get_triggerdef(g.oid) FROM t, pg_trigger AS g
WHERE tgrelid = t.oid AND NOT tgisinternal
"""
# What is carried over, by the statements that make it; each group stands on one table.
CARRIED = {
    "not null with a default": {
        "not null with a default": [
            "ALTER TABLE s.thing ALTER {c} SET NOT NULL, ALTER {c} SET DEFAULT 7"
        ],
        "comment": ["COMMENT ON COLUMN s.thing.{c} IS 'it''s \\ money'"],
        "column privileges": [
            "GRANT SELECT ({c}), UPDATE ({c}) ON s.thing TO PUBLIC",
            "GRANT SELECT ({c}) ON s.thing TO pg_monitor WITH GRANT OPTION",
        ],
        "statistics target": ["ALTER TABLE s.thing ALTER {c} SET STATISTICS 321"],
        "options": ["ALTER TABLE s.thing ALTER {c} SET (n_distinct = 5)"],
        "index": ["CREATE INDEX ix_thing_{c} ON s.thing ({c})"],
        "index without the name in its own": ["CREATE INDEX by_amount ON s.thing ({c})"],
        "index of several columns": [
            "CREATE INDEX ix_both ON s.thing (other, {c} DESC NULLS LAST, lower(note))"
        ],
        "expression index": ["CREATE INDEX ix_expression ON s.thing (({c} * 2), abs({c}))"],
        "partial index": ["CREATE INDEX ix_partial ON s.thing (other) WHERE {c} > 5"],
        "covering index": ["CREATE INDEX ix_covering ON s.thing (other) INCLUDE ({c})"],
        "index with parameters": [
            "CREATE INDEX ix_full ON s.thing ({c} int8_ops) WITH (fillfactor = 70)"
        ],
        "unique constraint": ["ALTER TABLE s.thing ADD CONSTRAINT uq_thing_{c} UNIQUE ({c})"],
        "deferrable unique constraint": [
            "ALTER TABLE s.thing ADD CONSTRAINT uq UNIQUE ({c}) DEFERRABLE INITIALLY DEFERRED"
        ],
        "check": ["ALTER TABLE s.thing ADD CONSTRAINT ck_thing_{c}_positive CHECK ({c} > 0)"],
        "check without the name": ["ALTER TABLE s.thing ADD CONSTRAINT sane CHECK ({c} > -other)"],
        "check that is not validated": [
            "ALTER TABLE s.thing ADD CONSTRAINT ck CHECK ({c} > 0) NOT VALID"
        ],
        "foreign key": [
            (
                "ALTER TABLE s.thing ADD CONSTRAINT fk_thing_{c}_thing FOREIGN KEY ({c})"
                " REFERENCES s.thing (id) ON DELETE CASCADE"
            )
        ],
        "extended statistics": [
            "CREATE STATISTICS s.st_thing_{c} (ndistinct) ON id, {c} FROM s.thing"
        ],
    },
    "default": {
        "default": ["ALTER TABLE s.thing ALTER {c} SET DEFAULT 7"],
        "clustered index": [
            "CREATE INDEX ix_thing_{c} ON s.thing ({c})",
            "ALTER TABLE s.thing CLUSTER ON ix_thing_{c}",
        ],
        "covering unique constraint": [
            "ALTER TABLE s.thing ADD CONSTRAINT uq UNIQUE (id, other) INCLUDE ({c})"
        ],
        "check that is not inherited": [
            "ALTER TABLE s.thing ADD CONSTRAINT ck CHECK ({c} > 0) NO INHERIT"
        ],
        "constraint with a comment": [
            "ALTER TABLE s.thing ADD CONSTRAINT sane CHECK ({c} > 0)",
            "COMMENT ON CONSTRAINT sane ON s.thing IS 'why'",
        ],
        "foreign key without the name": [
            (
                "ALTER TABLE s.thing ADD CONSTRAINT other_one FOREIGN KEY ({c})"
                " REFERENCES s.thing (id) ON UPDATE CASCADE"
                " ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED"
            )
        ],
        "statistics with a target": [
            "CREATE STATISTICS s.st (ndistinct) ON id, {c} FROM s.thing",
            "ALTER STATISTICS s.st SET STATISTICS 50",
            "COMMENT ON STATISTICS s.st IS 'why'",
        ],
        "generated neighbour": [
            "ALTER TABLE s.thing ADD twice bigint GENERATED ALWAYS AS (other * 2) STORED"
        ],
        "hash index": ["CREATE INDEX ix_hash ON s.thing USING hash ({c})"],
        "unique index": ["CREATE UNIQUE INDEX ux_thing_{c} ON s.thing ({c})"],
    },
    "not null": {
        "not null": ["ALTER TABLE s.thing ALTER {c} SET NOT NULL"],
        "index with a comment": [
            "CREATE INDEX ix_thing_{c} ON s.thing ({c})",
            "COMMENT ON INDEX s.ix_thing_{c} IS 'why it is there'",
        ],
        "foreign key that is not validated": [
            "ALTER TABLE s.thing ADD CONSTRAINT fk FOREIGN KEY ({c}) REFERENCES s.thing NOT VALID"
        ],
        "expression statistics": ["CREATE STATISTICS s.st ON ({c} % 10), other FROM s.thing"],
        "identity neighbour": [
            "ALTER TABLE s.thing ADD number bigint GENERATED BY DEFAULT AS IDENTITY"
        ],
        "brin index": ["CREATE INDEX ix_brin ON s.thing USING brin ({c})"],
        "unique constraint without the name": [
            "ALTER TABLE s.thing ADD CONSTRAINT only_once UNIQUE ({c}, other)"
        ],
        "owned sequence": ["CREATE SEQUENCE s.numbers OWNED BY s.thing.{c}"],
    },
}
ON_18 = {
    "check that is not enforced": [
        "ALTER TABLE s.thing ADD CONSTRAINT ck CHECK ({c} > 0) NOT ENFORCED"
    ],
    "a taken name of the not null": [
        "ALTER TABLE s.thing ADD CONSTRAINT thing_cents_not_null CHECK (other > -1)",
        "ALTER TABLE s.thing ALTER {c} SET NOT NULL",
    ],
}


async def make_both(url: URL, statements: Iterable[str]) -> None:
    statements = (TABLE, FILL, *statements)
    for schema, column in (("renamed", "amt"), ("direct", "cents")):
        made = [
            re.sub(r"\bs\.", f"{schema}.", statement).replace("{c}", column)
            for statement in statements
        ]
        await execute(url, f"CREATE SCHEMA {schema}", *made)


async def described(url: URL, schema: str) -> list[str]:
    """Return what the catalog says of a table, whatever its schema is called."""
    async with connected(url) as connection:
        rows = await connection.fetch(DESCRIBED.replace("NAME", schema))
    return sorted(f"{kind} {text}".replace(f"{schema}.", "s.") for kind, text in rows)


@asynccontextmanager
async def renaming(url: URL) -> AsyncIterator[Rename]:
    async with Database(url, Settings()) as database:
        yield Rename(database, Target("thing", "amt", "cents", "renamed"), OPTIONS)


async def assert_carried(url: URL, statements: Iterable[str]) -> None:
    await make_both(url, statements)
    before = await described(url, "renamed")
    async with renaming(url) as rename:
        await verified(rename)
        await rename.rollback()
        assert await described(url, "renamed") == before
        await verified(rename)
        await rename.contract(confirm="thing.amt")
    assert await described(url, "renamed") == await described(url, "direct")
    async with connected(url) as connection:
        filled = await connection.fetchval("SELECT count(*) FROM renamed.thing WHERE cents = id")
    assert filled == ROWS


@pytest.mark.parametrize("group", CARRIED)
async def test_it_is_carried_over(empty_database_url: URL, group: str) -> None:
    await assert_carried(empty_database_url, chain(*CARRIED[group].values()))


@since_18
async def test_what_18_knows_is_carried_over(empty_database_url: URL) -> None:
    await assert_carried(empty_database_url, chain(*ON_18.values()))


async def test_an_invalid_index_that_was_left_behind_is_built_again(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make_both(url, chain(*CARRIED["not null with a default"].values()))
    async with renaming(url) as rename:
        await rename.expand()
        await rename.backfill()
        # What a killed CREATE INDEX CONCURRENTLY leaves.
        await execute(
            url,
            "CREATE INDEX ix_thing_cents ON renamed.thing (cents)",
            "UPDATE pg_index SET indisvalid = false"
            " WHERE indexrelid = 'renamed.ix_thing_cents'::regclass",
        )
        assert (await rename.verify()).ok
        await rename.contract(confirm="thing.amt")
    renamed, direct = [await described(url, schema) for schema in ("renamed", "direct")]
    assert renamed == direct


# What nothing can begin with: its finding, what makes it, and what the advice comes to.
REFUSED = {
    "column-trigger": (
        (
            "CREATE FUNCTION renamed.f() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NULL; END';"
            "CREATE TRIGGER g BEFORE UPDATE ON renamed.thing FOR EACH ROW WHEN (NEW.amt > 0)"
            " EXECUTE FUNCTION renamed.f()"
        ),
        "DROP TRIGGER g ON renamed.thing",
    ),
    "before-trigger-function": (
        (
            "CREATE FUNCTION renamed.sets() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN NEW.other := NEW.amt; RETURN NEW; END';"
            "CREATE TRIGGER before BEFORE INSERT ON renamed.thing FOR EACH ROW"
            " EXECUTE FUNCTION renamed.sets()"
        ),
        "DROP TRIGGER before ON renamed.thing",
    ),
    "rule": (
        "CREATE RULE r AS ON UPDATE TO renamed.thing WHERE OLD.amt < 0 DO INSTEAD NOTHING",
        "DROP RULE r ON renamed.thing",
    ),
    "inheritance": (
        "CREATE TABLE renamed.child () INHERITS (renamed.thing)",
        "ALTER TABLE renamed.child NO INHERIT renamed.thing",
    ),
    "identity": (
        (
            "ALTER TABLE renamed.thing ALTER amt SET NOT NULL;"
            "ALTER TABLE renamed.thing ALTER amt ADD GENERATED BY DEFAULT AS IDENTITY"
        ),
        "ALTER TABLE renamed.thing ALTER amt DROP IDENTITY",
    ),
    "name-taken": (
        "ALTER TABLE renamed.thing ADD cents text",
        "ALTER TABLE renamed.thing DROP cents",
    ),
    "late-trigger": (
        (
            "CREATE FUNCTION renamed.late() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NEW; END';"
            'CREATE TRIGGER "~~~" BEFORE INSERT ON renamed.thing FOR EACH ROW'
            " EXECUTE FUNCTION renamed.late()"
        ),
        'ALTER TRIGGER "~~~" ON renamed.thing RENAME TO zzz',
    ),
}


async def test_it_is_refused_by_name_until_the_advice_is_followed(empty_database_url: URL) -> None:
    url, cases = empty_database_url, REFUSED
    await make_both(url, [])
    await execute(url, *(make for make, _ in cases.values()))
    before = await described(url, "renamed")
    async with renaming(url) as rename:
        refusals = (await rename.plan()).refusals
        assert cases.keys() <= {refusal.slug for refusal in refusals}
        assert all(refusal.message and refusal.subject for refusal in refusals)
        with pytest.raises(RenameRefusedError):
            await rename.expand()
        assert await described(url, "renamed") == before
        await execute(url, *(fix for _, fix in cases.values()))
        await verified(rename)
        await rename.contract(confirm="thing.amt")
