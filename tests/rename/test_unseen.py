"""What names a column without PostgreSQL knowing it is seen by both strategies; its twin is not.

Each thing is found by the plan, before anything is changed: `refused` where the window itself would
break, `later` where only the contract would. The clean twins name the word, and not the column.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from tests.conftest import execute
from tests.rename.faults import connected
from tests.rename.seen import (
    LATER,
    REFUSED,
    SEEN,
    TABLES,
    after,
    before,
    for_statement,
    plpgsql,
    sql,
    trigger_function,
)
from tests.rename.seen_rows import SEEN_ALONE, SEEN_ROWS

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.model import PlanFinding, Strategy

CLEAN = {
    "triggers of contrib that name other columns": (
        "CREATE EXTENSION moddatetime; CREATE EXTENSION lo;"
        "CREATE TRIGGER a BEFORE UPDATE ON item FOR EACH ROW"
        " EXECUTE FUNCTION moddatetime('seen_at');"
        "CREATE TRIGGER b BEFORE UPDATE OR DELETE ON item FOR EACH ROW"
        " EXECUTE FUNCTION lo_manage('title')"
    ),
    "trigger that sets another column": (
        before("NEW.seen_at := now(); -- not the amt\n /* nor NEW.amt */ RETURN NEW;")
    ),
    "audit trigger": (
        after(
            "IF OLD.* IS DISTINCT FROM NEW.* THEN INSERT INTO audit (data)"
            " VALUES (to_jsonb(NEW)); END IF; RETURN NULL;"
        )
    ),
    "audit trigger that calls with a star": (
        after("INSERT INTO audit (data) VALUES (row_to_json(NEW.*)); RETURN NULL;")
    ),
    "trigger that writes another table's column": (
        after("UPDATE payment SET amt = 0 WHERE payment.item_id = NEW.id; RETURN NULL;")
    ),
    "trigger with WHEN on whole rows": (
        trigger_function("RETURN NEW;")
        + "CREATE TRIGGER t AFTER UPDATE ON item FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)"
        " EXECUTE FUNCTION f()"
    ),
    "arguments that name other columns": (
        "CREATE TRIGGER t BEFORE INSERT ON item FOR EACH ROW"
        " EXECUTE FUNCTION tsvector_update_trigger('tsv', 'pg_catalog.english', 'title')"
    ),
    "arguments of a trigger on a table with the same column": (
        trigger_function("RETURN NEW;")
        + "CREATE TRIGGER t BEFORE INSERT ON payment FOR EACH ROW EXECUTE FUNCTION f('amt')"
    ),
    "transition table that is counted": (
        for_statement(
            "INSERT INTO audit (data) SELECT to_jsonb(count(*)) FROM new_rows; RETURN NULL;"
        )
    ),
    "trigger of another table": (
        trigger_function(
            "UPDATE item SET title = 'x' WHERE id = NEW.item_id AND NEW.amt > 0; RETURN NEW;"
        )
        + "CREATE TRIGGER t BEFORE INSERT ON payment FOR EACH ROW EXECUTE FUNCTION f()"
    ),
    "function on another table": sql("UPDATE payment SET amt = 0"),
    "function that joins another table": (
        sql(
            "SELECT sum(p.amt)::bigint FROM item AS i JOIN payment p ON p.item_id = i.id",
            result="bigint",
        )
    ),
    "function that has both in two statements": (
        sql("UPDATE payment SET amt = 0; UPDATE item SET title = ''")
    ),
    "function over a table of that name elsewhere": (
        "CREATE SCHEMA other; CREATE TABLE other.item"
        " (amt int); " + sql("UPDATE other.item SET amt = 0")
    ),
    "function that returns rows by a star": (sql("SELECT * FROM item", result="SETOF item")),
    "function that takes a row": (
        "CREATE FUNCTION f(i item) RETURNS text LANGUAGE sql AS 'SELECT i.title'"
    ),
    "function that counts": (sql("SELECT count(*) FROM item", result="bigint")),
    "values with a list of columns": (
        plpgsql(
            "INSERT INTO item (id, title) VALUES (5, 'x'); INSERT INTO item AS i (id) SELECT 1;"
        )
    ),
    "default values": plpgsql("INSERT INTO item DEFAULT VALUES;"),
    "a staging table whose columns are named": (
        plpgsql(
            "CREATE TEMP TABLE st (LIKE item INCLUDING DEFAULTS); INSERT INTO st (id, title)"
            " SELECT id, title FROM item; INSERT INTO st SELECT * FROM item; INSERT INTO item"
            " (id, title) SELECT id, title FROM st; UPDATE item AS i SET title = st.title FROM st"
            " WHERE st.id = i.id;"
        )
    ),
    "a staging table of some columns": (
        plpgsql(
            "CREATE TEMP TABLE st AS SELECT id, title FROM item; INSERT INTO payment (id, item_id)"
            " SELECT id, id FROM st; INSERT INTO payment SELECT * FROM st;"
        )
    ),
    "a record that is only read": (
        plpgsql(
            "SELECT * INTO r FROM item; INSERT INTO archive (id, title) VALUES (r.id, r.title);",
            declare="DECLARE r record;",
        )
    ),
    "a record and a row variable": (
        plpgsql(
            "SELECT * INTO STRICT r FROM item; SELECT i.* INTO s FROM item i; r := s;"
            " PERFORM to_jsonb(s), to_jsonb(r.*);",
            declare="DECLARE r record; s item%ROWTYPE;",
        )
    ),
    "a loop over rows that reads by name": (
        plpgsql(
            "FOR r IN SELECT * FROM item LOOP PERFORM r.title; END LOOP;",
            declare="DECLARE r record;",
        )
    ),
    "a cursor over rows": (
        plpgsql(
            "OPEN c; FETCH c INTO r; CLOSE c;",
            declare="DECLARE r item; c CURSOR FOR SELECT * FROM item;",
        )
    ),
    "a subquery whose columns are named": (
        plpgsql(
            "PERFORM s.title FROM (SELECT * FROM item) AS s WHERE EXISTS (SELECT * FROM"
            " item i WHERE i.id = s.id);"
        )
    ),
    "a union that names its columns": (
        plpgsql("PERFORM id FROM item UNION SELECT id FROM archive;")
    ),
    "rows that a query returns": (
        plpgsql(
            "RETURN QUERY SELECT * FROM item; RETURN QUERY EXECUTE 'SELECT * FROM item';",
            result="SETOF item",
        )
    ),
    "deletes that return a row": (
        plpgsql("DELETE FROM item WHERE id = 1 RETURNING * INTO r;", declare="DECLARE r record;")
    ),
    "an ordinary update": (
        plpgsql(
            "UPDATE item AS i SET title = upper(i.title) FROM payment AS p WHERE"
            " p.item_id = i.id AND i.id IN (1, 2);"
        )
    ),
    "rows of another table of a union": (
        plpgsql("PERFORM * FROM audit UNION ALL SELECT * FROM audit; PERFORM title FROM item;")
    ),
    "a row of the trigger as JSON in a union": (
        after("PERFORM to_jsonb(NEW) UNION SELECT to_jsonb(OLD); RETURN NULL;")
    ),
    "a row of the trigger by name": (
        after(
            "INSERT INTO audit (data) SELECT"
            " to_jsonb(json_populate_record(NULL::archive, to_json(NEW))); RETURN"
            " COALESCE(NEW, OLD);"
        )
    ),
    "rows of the trigger compared with each other": (
        after(
            "IF NEW = OLD OR ROW(NEW.*) IS DISTINCT FROM ROW(OLD.*) OR OLD IS NULL THEN"
            " RETURN NULL; END IF; RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW"
            " END;"
        )
    ),
    "a row of the trigger as an argument that is read by name": (
        after("EXECUTE 'SELECT $1.title, ($1).id' USING NEW; RETURN NULL;")
    ),
    "a row of the trigger in a record": (
        after(
            "DECLARE r record; BEGIN r := NEW; IF TG_OP = 'UPDATE' THEN r := OLD; END"
            " IF; PERFORM r.title, hstore_of(r.id); END; RETURN NULL;"
        )
    ),
    "function that copies rows of another table": (
        sql("INSERT INTO audit SELECT * FROM audit WHERE EXISTS (SELECT FROM item)")
    ),
    "function that returns what it has inserted": (
        sql("INSERT INTO audit (at) SELECT seen_at FROM item RETURNING *", result="SETOF audit")
    ),
    "a message that says the word": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS"
        " $$ BEGIN IF EXISTS (SELECT FROM item) THEN RETURN; END IF; RAISE 'no amt'; END $$"
    ),
    "view of other columns": "CREATE VIEW v AS SELECT id, title FROM item",
    "view that counts": "CREATE VIEW v AS SELECT count(*) FROM item",
    "policy on another column": "CREATE POLICY p ON item USING (id > 0)",
    "rule against deletes": "CREATE RULE r AS ON DELETE TO item DO INSTEAD NOTHING",
    "a foreign table of another table": (
        "CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA public; CREATE SERVER clean FOREIGN"
        " DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE f (id bigint, amt bigint) SERVER clean"
        " OPTIONS (schema_name 'public', table_name 'payment'); CREATE FOREIGN TABLE g (id bigint,"
        " amt bigint OPTIONS (column_name 'title')) SERVER clean OPTIONS (schema_name 'public',"
        " table_name 'item')"
    ),
    "event trigger": (
        "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN END'; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()"
    ),
}
# Not with a view, which its advice says.
NOT_BY_VIEW = {
    "function that takes a row",
    "function that returns rows by a star",
    "a record and a row variable",
    "a cursor over rows",
    "rows that a query returns",
}


MARKS = {name: f"case{number}" for number, name in enumerate(SEEN | SEEN_ROWS | CLEAN)}
# What stands on the table itself needs the mark in its own name.
ON_THE_TABLE = r"\b((?:TRIGGER|RULE|POLICY|CONSTRAINT|INDEX) [a-z])\b"


async def findings_of(url: URL, strategy: Strategy, **options: frozenset[str]) -> list[PlanFinding]:
    async with Database(url, Settings()) as database:
        chosen = Options(strategy=strategy, **options)
        return (await Rename(database, Target("item", "amt", "cents"), chosen).plan()).findings


def verdicts_of(findings: list[PlanFinding]) -> dict[str, str]:
    return {
        finding.slug: finding.verdict
        for finding in sorted(findings, key=lambda finding: finding.verdict == "refused")
    }


async def make_cases(url: URL, cases: dict[str, str]) -> None:
    """Make each in a schema of its own, beside the others."""
    # Some statements are not for a table with rules.
    for name, make in sorted(cases.items(), key=lambda case: "RULE" in case[1]):
        mark = MARKS[name]
        named = re.sub(ON_THE_TABLE, rf"\1_{mark}", make)
        await execute(url, f"CREATE SCHEMA {mark}; SET search_path = {mark}, public; {named}")


def of_case(findings: list[PlanFinding], name: str) -> dict[str, str]:
    return verdicts_of([f for f in findings if re.search(rf"{MARKS[name]}\b", str(f))])


async def test_each_is_seen_by_both_strategies(empty_database_url: URL) -> None:
    url, cases = empty_database_url, SEEN | SEEN_ROWS
    await execute(url, TABLES)
    await make_cases(url, {name: make for name, (make, *_) in cases.items()})
    for place, strategy in enumerate(("columns", "view")):
        findings, seen = await findings_of(url, strategy), {}
        for name, (_, slug, _) in cases.items():
            called = slug if isinstance(slug, str) else slug[place]
            seen[name] = of_case(findings, name).get(called)
        wanted = {name: verdicts[place] for name, (*_, verdicts) in cases.items()}
        assert seen == wanted, strategy


@pytest.mark.parametrize("name", SEEN_ALONE)
async def test_what_is_in_no_schema_is_seen_by_both_strategies(
    empty_database_url: URL, name: str
) -> None:
    make, slug, wanted = SEEN_ALONE[name]
    await execute(empty_database_url, TABLES, make)
    for strategy, verdict in zip(("columns", "view"), wanted, strict=True):
        verdicts = verdicts_of(await findings_of(empty_database_url, strategy))
        assert verdicts.get(slug) == verdict, strategy


async def test_their_clean_twins_are_not_refused(empty_database_url: URL) -> None:
    url, accept = empty_database_url, frozenset({"update-trigger"})
    await execute(url, TABLES)
    others = CLEAN.keys() - NOT_BY_VIEW
    for strategy, names in (("view", others), ("columns", NOT_BY_VIEW)):
        await make_cases(url, {name: CLEAN[name] for name in sorted(names)})
        findings = await findings_of(url, strategy, accept=accept)
        assert [str(f) for f in findings if f.verdict in {REFUSED, LATER}] == [], strategy


ON_A_PARTITION = {
    "trigger-argument": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE INSERT ON part_1 FOR EACH ROW EXECUTE FUNCTION f('amt')"
    ),
    "row-type": "CREATE TABLE log (entry part_1)",
    "rule": "CREATE RULE r AS ON UPDATE TO part_1 DO ALSO NOTIFY x",
    "whole-row": "ALTER TABLE part_1 ADD CHECK (part_1 IS NOT NULL)",
}


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_what_is_on_a_partition_is_seen(empty_database_url: URL, strategy: Strategy) -> None:
    await execute(
        empty_database_url,
        "CREATE TABLE item (id bigint PRIMARY KEY, amt bigint) PARTITION BY RANGE (id)",
        "CREATE TABLE part_1 PARTITION OF item DEFAULT",
        *ON_A_PARTITION.values(),
    )
    verdicts = verdicts_of(await findings_of(empty_database_url, strategy))
    slugs = [*ON_A_PARTITION]
    if strategy == "view":
        slugs.remove("rule")
        assert verdicts["rule"] == "carried"
    for slug in slugs:
        assert REFUSED in {verdicts.get(slug), verdicts.get(f"stored-{slug}")}, slug


async def test_the_order_of_columns_does_not_matter_where_the_old_stands_last(
    empty_database_url: URL,
) -> None:
    await execute(
        empty_database_url,
        "CREATE TABLE item (id bigint PRIMARY KEY, title text, amt bigint)",
        sql("INSERT INTO item VALUES (1, 'x', 2)"),
    )
    verdicts = verdicts_of(await findings_of(empty_database_url, "columns"))
    assert {"positional-write", "column-order"}.isdisjoint(verdicts)


async def test_the_order_of_columns_is_noted_where_others_follow(empty_database_url: URL) -> None:
    await execute(empty_database_url, TABLES)
    by_columns = verdicts_of(await findings_of(empty_database_url, "columns"))
    assert by_columns.get("column-order") == "noted"
    assert "column-order" not in verdicts_of(await findings_of(empty_database_url, "view"))


async def test_a_trigger_that_reads_either_name_is_accepted_for_a_view(
    empty_database_url: URL,
) -> None:
    url, target = empty_database_url, Target("item", "amt", "cents")
    await execute(
        url,
        TABLES,
        after(
            "INSERT INTO audit (data) VALUES (coalesce(to_jsonb(NEW) -> 'amt',"
            " to_jsonb(NEW) -> 'cents')); RETURN NULL;"
        ),
    )
    options = Options(strategy="view", quiet=0.1, accept=frozenset({"trigger-function"}))
    async with Database(url, Settings()) as database, connected(url) as client:
        rename = Rename(database, target, options)
        await rename.expand()
        await client.execute("UPDATE item SET cents = 7 WHERE id = 1")
        await rename.backfill()
        await rename.verify()
        await rename.contract(confirm="item.amt")
        assert await client.fetchval("SELECT data::text FROM audit") == "7"
