"""Which column a statement's text means: the old one, or another table's of the same name."""

from __future__ import annotations

import importlib.util

import pytest
from asyncpg import introspection

from invoicing.toolkit.rename.workload import statement_pglast, statement_sqlglot
from invoicing.toolkit.rename.workload.statement import names_column, reads_catalogs_only
from invoicing.toolkit.rename.workload.statement_names import Meaning, StatementNames

MEANING = Meaning(
    "public",
    frozenset({"bill"}),
    "amt",
    {"payment": {"public": True}, "mixed": {"public": True, "other_schema": False}},
)
# pglast is GPL-3.0, and read only where it happens to be installed.
PARSERS = {"sqlglot": statement_sqlglot.read}
if importlib.util.find_spec("pglast"):
    PARSERS["pglast"] = statement_pglast.read
THE_COLUMN = [
    "SELECT amt FROM bill",
    "SELECT AMT FROM Bill WHERE ID = 1",
    "SELECT b.amt FROM bill b",
    'SELECT "b"."amt" FROM public.bill AS "b"',
    "SELECT bill.amt FROM bill JOIN payment p ON p.id = bill.id",
    "SELECT public.bill.amt FROM public.bill",
    "SELECT p.id FROM payment p JOIN bill USING (amt)",
    "SELECT p.id FROM payment p NATURAL JOIN bill WHERE p.amt > 1",
    "SELECT x.amt FROM (SELECT * FROM bill) x",
    "WITH x AS (SELECT b.* FROM bill b JOIN payment p ON p.id=b.id) SELECT amt FROM x",
    "SELECT (b).amt FROM bill b",
    "SELECT amt(b) FROM bill b",
    "SELECT to_jsonb(b) ->> 'amt' FROM bill b",
    "SELECT id FROM payment WHERE EXISTS (SELECT 1 FROM bill WHERE amt > 1)",
    "SELECT id FROM bill WHERE EXISTS (SELECT 1 FROM nothing_known WHERE amt > 1)",
    "INSERT INTO bill (id, amt) VALUES ($1, $2)",
    "INSERT INTO bill VALUES ($1, $2) -- amt",
    "INSERT INTO bill (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET amt = 1",
    "INSERT INTO bill (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET note = excluded.amt",
    "INSERT INTO bill (id) VALUES (1) RETURNING amt",
    "UPDATE bill SET amt = 1",
    "UPDATE bill SET (id, amt) = (1, 2)",
    "UPDATE payment SET amt = b.amt FROM bill b",
    "UPDATE bill AS b SET note = '' WHERE b.amt = 1",
    "DELETE FROM bill WHERE amt = 1",
    "DELETE FROM payment USING bill b WHERE b.amt = 1",
    "MERGE INTO bill b USING payment p ON b.id = p.id WHEN MATCHED THEN UPDATE SET amt = p.amt",
    (
        "MERGE INTO bill b USING payment p ON b.id = p.id WHEN NOT MATCHED THEN INSERT "
        "(id, amt) VALUES (1, 2)"
    ),
    "MERGE INTO payment p USING bill b ON b.id = p.id WHEN MATCHED AND b.amt = 1 THEN DELETE",
    "COPY bill (id, amt) FROM STDIN",
    "COPY (SELECT amt FROM bill) TO STDOUT",
    "DECLARE c CURSOR FOR SELECT amt FROM bill",
    "EXPLAIN SELECT amt FROM bill",
    "PREPARE x AS SELECT amt FROM bill",
    "SELECT amt FROM bill WHERE (",
    (
        "SELECT amt, sum(amt) OVER (PARTITION BY amt) FROM bill ORDER BY amt DESC NULLS "
        "LAST LIMIT $1 FOR UPDATE SKIP LOCKED"
    ),
    "SELECT l.amt FROM payment p, LATERAL (SELECT * FROM bill WHERE bill.id = p.id) l",
    "SELECT f.amt FROM bill_rows() f, bill",
    "SELECT max(id) FROM bill GROUP BY amt",
    "SELECT 1 FROM bill b WHERE b.id IN ($1 /*, ... */) AND b.amt = ANY($2::bigint[])",
    (
        "WITH gone AS (DELETE FROM bill RETURNING *) INSERT INTO payment (id, amt) SELECT "
        "id, amt FROM gone"
    ),
    "SELECT b.amt FROM payment b WHERE EXISTS (SELECT FROM bill b WHERE b.amt = 1)",
    "SELECT 1; SELECT amt FROM bill",
    "SELECT CASE WHEN amt > 0 THEN 1 END FROM ONLY bill",
    "SELECT count(DISTINCT amt) FILTER (WHERE amt > 1) FROM bill",
    "SELECT array(SELECT amt FROM bill)",
    "TABLE bill ORDER BY amt",
    "SELECT id FROM bill UNION SELECT amt FROM bill",
    "SELECT * FROM bill b JOIN LATERAL (SELECT b.amt) x ON true",
    "SELECT note AS amt FROM bill GROUP BY amt",
    "SELECT row_to_json(x) ->> 'amt' FROM (SELECT * FROM bill) x",
    "PREPARE x (bigint) AS SELECT amt FROM bill WHERE id = $1",
]
ANOTHER = [
    "SELECT b.id FROM bill b JOIN payment p ON p.id = b.id WHERE p.amt > 5",
    "SELECT p.amt FROM bill JOIN payment p ON p.id = bill.id ORDER BY p.amt",
    "SELECT b.id FROM bill b WHERE EXISTS (SELECT 1 FROM payment WHERE amt > 5 AND id = b.id)",
    "SELECT amount_cents AS amt FROM bill",
    "SELECT amount_cents AS amt FROM bill ORDER BY amt",
    "SELECT x.amt FROM (SELECT b.amount_cents AS amt FROM bill b) x",
    "WITH x AS (SELECT amount_cents amt FROM bill) SELECT amt FROM x",
    'SELECT "AMT" FROM bill',
    "SELECT amt FROM other_schema.bill",
    "SELECT amt FROM payment WHERE id IN (SELECT id FROM bill)",
    "SELECT amt FROM mixed WHERE id IN (SELECT id FROM bill)",
    "INSERT INTO bill (id, amount_cents) SELECT id, amt FROM payment",
    (
        "INSERT INTO bill (id, amount_cents) SELECT p.id, p.amt FROM payment p ON "
        "CONFLICT (id) DO UPDATE SET amount_cents = excluded.amount_cents"
    ),
    "INSERT INTO payment (id, amt) SELECT id, amount_cents FROM bill",
    "UPDATE payment SET amt = b.amount_cents FROM bill b WHERE b.id = payment.id",
    "UPDATE bill SET amount_cents = p.amt FROM payment p",
    "UPDATE bill SET note = 'amt'",
    "DELETE FROM bill USING payment p WHERE p.amt = 1",
    (
        "MERGE INTO payment p USING bill b ON b.id = p.id WHEN MATCHED THEN UPDATE SET "
        "amt = b.amount_cents"
    ),
    (
        "MERGE INTO bill b USING payment p ON b.id = p.id WHEN NOT MATCHED THEN INSERT "
        "(id, amount_cents) VALUES (p.id, p.amt)"
    ),
    "COPY payment (id, amt) FROM STDIN /* bill */",
    "SELECT amount_cents FROM bill -- amt",
    "SELECT amount_cents /* bill.amt */ FROM bill",
    "SELECT g.amt FROM bill b, (VALUES (1)) AS g(amt)",
    "SELECT g.amt FROM bill b, unnest($1::int[]) AS g(amt)",
    (
        "SELECT u.amt, b.id FROM bill b LEFT JOIN LATERAL (SELECT sum(p.amt) AS amt FROM "
        "payment p WHERE p.id = b.id) u ON true"
    ),
    "SELECT (SELECT max(amt) FROM payment) FROM bill",
    "SELECT count(*) FROM bill b JOIN payment amt ON amt.id = b.id",
    "SELECT id FROM bill WHERE note = 'amt'",
    "DECLARE c CURSOR FOR SELECT p.amt FROM bill b JOIN payment p ON p.id = b.id",
    "EXPLAIN (ANALYZE) SELECT p.amt FROM bill b JOIN payment p ON p.id = b.id",
]


def means_it(read, statement: str) -> bool:
    names = StatementNames(MEANING)
    return not read(statement, names) or names.name_the_column()


@pytest.mark.parametrize("read", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("statement", THE_COLUMN)
def test_a_statement_that_means_the_old_column_is_seen(read, statement: str) -> None:
    assert means_it(read, statement)


@pytest.mark.parametrize("read", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("statement", ANOTHER)
def test_a_statement_that_means_another_column_is_passed_over(read, statement: str) -> None:
    assert not means_it(read, statement)


INTROSPECTION = introspection.INTRO_LOOKUP_TYPES
CATALOGS = [
    pytest.param(INTROSPECTION, id="asyncpg"),
    pytest.param(
        "SELECT k.oid, t.relid AS relation, k.conname AS name FROM unnest($1::oid[], $2::int2[])"
        " WITH ORDINALITY AS t (relid, a, place) JOIN pg_catalog.pg_constraint AS k ON true",
        id="own",
    ),
    pytest.param(
        "SELECT c.oid, a.attname AS name FROM pg_class c, pg_attribute a, aclexplode(a.attacl) AS t"
        " WHERE c.relname OPERATOR(pg_catalog.~) $1 AND c.reltype = t.oid",
        id="psql",
    ),
]


@pytest.mark.parametrize("column", ["name", "a", "oid", "relname", "key", "t"])
@pytest.mark.parametrize("statement", CATALOGS)
def test_a_statement_of_the_catalogs_alone_names_no_column_of_a_table(
    statement: str, column: str
) -> None:
    meaning = Meaning("public", frozenset({"t"}), column, {"pg_type": {"pg_catalog": True}})
    assert not names_column(statement, meaning)


UNREADABLE = "SELECT x.amt FROM {} WHERE x.note OPERATOR(pg_catalog.~) $1 GROUP BY ALL(("


@pytest.mark.parametrize("table", ["bill x", '"bill" x', "public.bill x", "ONLY bill", "a, bill"])
def test_what_cannot_be_parsed_counts_where_it_may_read_the_table(table: str) -> None:
    assert names_column(UNREADABLE.format(table), MEANING)


def test_what_cannot_be_parsed_does_not_count_for_an_alias_like_the_table() -> None:
    assert not names_column(UNREADABLE.format("payment AS bill JOIN x ON x.id = bill.id"), MEANING)


OF_CATALOGS = {
    "SELECT bill.tableoid, bill.relname FROM pg_catalog.pg_class AS bill": True,
    "WITH bill AS (SELECT oid FROM pg_class) SELECT bill.ctid FROM bill": True,
    "SELECT (bill.ctid FROM JOIN pg_catalog.pg_class AS bill": True,
    "SELECT (bill.ctid FROM JOIN pg_catalog.pg_class AS c, bill": False,
    "SELECT bill.tableoid FROM pg_class AS c JOIN bill ON true": False,
    "SELECT ctid FROM bill": False,
    "SELECT pg_get_serial_sequence('bill', 'id')": False,
    "TRUNCATE bill": False,
    "CLUSTER bill": False,
    introspection.INTRO_LOOKUP_TYPES: True,
}


@pytest.mark.parametrize("text", OF_CATALOGS)
def test_a_table_whose_name_is_an_alias_in_a_catalog_query_is_not_read(text: str) -> None:
    assert reads_catalogs_only(text, "public", "bill") is OF_CATALOGS[text]
