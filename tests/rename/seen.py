"""What names a column without PostgreSQL knowing it, by the statements that make it."""

from __future__ import annotations

TABLES = """
CREATE TABLE item (id bigint PRIMARY KEY, amt bigint, title text, tsv tsvector,
    seen_at timestamptz);
CREATE TABLE payment (id bigint PRIMARY KEY, item_id bigint REFERENCES item, amt bigint);
CREATE TABLE audit (at timestamptz DEFAULT now(), data jsonb);
CREATE TABLE archive (LIKE item);
INSERT INTO item (id, amt) SELECT n, n FROM generate_series(1, 20) AS n;
"""
REFUSED, LATER = "refused", "later"
Seen = dict[str, tuple[str, str | tuple[str, str], tuple[str | None, str | None]]]


def seen(
    slug: str | tuple[str, str], verdicts: tuple[str | None, str | None], made: dict[str, str]
) -> Seen:
    """Return each of `made` with its slug, and the verdicts of `columns` and of `view`."""
    return {name: (make, slug, verdicts) for name, make in made.items()}


def sql(body: str, result: str = "void") -> str:
    return f"CREATE FUNCTION f() RETURNS {result} LANGUAGE sql AS $$ {body} $$"


def plpgsql(body: str, declare: str = "", result: str = "void") -> str:
    block = f"{declare} BEGIN {body} END" if declare else f"BEGIN {body} END"
    return f"CREATE FUNCTION f() RETURNS {result} LANGUAGE plpgsql AS $$ {block} $$"


def trigger_function(body: str) -> str:
    return f"{plpgsql(body, result='trigger')};"


def before(body: str, when: str = "BEFORE") -> str:
    each_row = f"CREATE TRIGGER t {when} INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION f()"
    return trigger_function(body) + each_row


def after(body: str) -> str:
    return before(body, "AFTER")


def for_statement(body: str) -> str:
    return trigger_function(body) + (
        "CREATE TRIGGER t AFTER INSERT ON item REFERENCING NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION f()"
    )


SEEN = (
    seen(
        ("trigger-argument", "argument-rewrite"),
        (REFUSED, REFUSED),
        {
            "argument of a before trigger": (
                "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION"
                " tsvector_update_trigger('tsv', 'pg_catalog.english', 'amt')"
            ),
        },
    )
    | seen(
        "trigger-argument",
        (LATER, REFUSED),
        {
            "quoted argument in a list, of an after trigger": (
                trigger_function("RETURN NULL;")
                + "CREATE TRIGGER t AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION"
                " f('x', '{id, AMT}')"
            ),
        },
    )
    | seen(
        "trigger-argument",
        (LATER, LATER),
        {
            "argument of another table's trigger": (
                trigger_function("RETURN NEW;")
                + "CREATE TRIGGER t BEFORE INSERT ON payment FOR EACH ROW"
                " EXECUTE FUNCTION f('item_id', 'public.item', 'amt')"
            ),
        },
    )
    | seen(
        ("before-trigger-function", "function-rewrite"),
        (REFUSED, REFUSED),
        {
            "before trigger, in another case": before("NEW.title := New.AMT; RETURN NEW;"),
        },
    )
    | seen(
        ("trigger-function", "function-rewrite"),
        (LATER, REFUSED),
        {
            "constraint trigger": (
                trigger_function("IF new.\"amt\" < 0 THEN RAISE 'no'; END IF; RETURN NULL;")
                + "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION f()"
            ),
        },
    )
    | seen(
        "trigger-function",
        (LATER, REFUSED),
        {
            "after trigger, in dynamic SQL": (
                after("EXECUTE 'SELECT $1.AmT' USING NEW; RETURN NULL;")
            ),
            "after trigger, as a JSON key": (
                after("INSERT INTO audit (data) VALUES (to_jsonb(NEW)->'amt'); RETURN NULL;")
            ),
            "transition table": for_statement("PERFORM sum(amt) FROM new_rows; RETURN NULL;"),
            "transition table by an alias": (
                for_statement("PERFORM sum(n.AMT) FROM new_rows AS n; RETURN NULL;")
            ),
            "statement trigger that reads the table": (
                trigger_function("PERFORM max(amt) FROM item; RETURN NULL;")
                + "CREATE TRIGGER t AFTER DELETE ON item FOR EACH STATEMENT EXECUTE FUNCTION f()"
            ),
        },
    )
    | seen(
        "function",
        (LATER, LATER),
        {
            "a function in another case": sql("UPDATE ITEM SET\n AMT = 0"),
            "a procedure with a record": (
                "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN"
                " FOR r IN SELECT * FROM public.item LOOP RAISE LOG '%', r.amt; END LOOP; END $$"
            ),
            "dynamic SQL for a table that is an argument": (
                "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql AS"
                " $$ BEGIN EXECUTE format('UPDATE %I SET amt = 0', t); END $$"
            ),
            "a temporary table made from it": (
                "CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN CREATE"
                " TEMP TABLE x AS"
                " SELECT * FROM item; RETURN (SELECT sum(amt) FROM x); END $$"
            ),
            "a WITH query over it": (
                sql(
                    "WITH x AS (SELECT * FROM item) SELECT sum(y.amt)::int8 FROM x y",
                    result="bigint",
                )
            ),
            "%TYPE of the column": (
                "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS"
                " $$ DECLARE a item.amt%TYPE; BEGIN RETURN 1; END $$"
            ),
            "computed field": (
                "CREATE FUNCTION gross(i item) RETURNS numeric LANGUAGE sql AS 'SELECT i.amt * 1.2'"
            ),
            "an argument by its number": (
                "CREATE FUNCTION gross(item[]) RETURNS numeric LANGUAGE sql AS 'SELECT"
                " $1[1].AMT * 1.2'"
            ),
        },
    )
    | seen(
        "row-type",
        (REFUSED, REFUSED),
        {
            "a row that is returned by its columns": (
                sql("SELECT id, amt, title, tsv, seen_at FROM item", result="SETOF item")
            ),
            "a row that is returned by literals": (
                sql(
                    "SELECT 1::int8, 2::int8, 'x'::text, NULL::tsvector, now()", result="SETOF item"
                )
            ),
            "a row that is returned from another table": (
                "CREATE FUNCTION f() RETURNS SETOF item LANGUAGE plpgsql AS"
                " 'BEGIN RETURN QUERY SELECT * FROM archive; END'"
            ),
            "a row that is returned from a query": (
                sql("WITH w AS (TABLE archive) SELECT * FROM w", result="SETOF item")
            ),
            "a row that a query of plpgsql returns by literals": (
                "CREATE FUNCTION f() RETURNS SETOF item LANGUAGE plpgsql AS"
                " 'BEGIN RETURN QUERY SELECT 1::int8, 2::int8, ''x'', NULL, now(); END'"
            ),
            "a row that is returned by ROW": (
                "CREATE FUNCTION f() RETURNS item LANGUAGE sql AS"
                " 'SELECT ROW(1, 2, ''x'', NULL, NULL)::item'"
            ),
            "a row that is built by a cast": (
                sql("SELECT to_jsonb((1, 2, 'x', NULL, NULL)::item)::text", result="text")
            ),
            "a row that is returned by its values": (
                "CREATE FUNCTION f() RETURNS item LANGUAGE plpgsql AS"
                " 'BEGIN RETURN (1::int8, 2::int8, ''x'', NULL, NULL); END'"
            ),
        },
    )
    | seen(
        ("stored-row-type", "row-type"),
        (REFUSED, REFUSED),
        {
            "row type in another table": "CREATE TABLE log (entry item)",
            "array of rows in another table": "CREATE TABLE log (entries item[])",
            "row type in a composite type": "CREATE TYPE pair AS (a item, b text)",
            "domain over the row type": "CREATE DOMAIN checked AS item CHECK ((VALUE).id > 0)",
        },
    )
    | seen(
        "whole-row",
        (LATER, REFUSED),
        {
            "view of whole rows": (
                "CREATE VIEW v AS SELECT id, to_jsonb(i) AS data FROM item AS i"
            ),
            "view that counts rows": "CREATE VIEW v AS SELECT count(i) FROM item AS i",
            "materialized view of whole rows": (
                "CREATE MATERIALIZED VIEW v AS SELECT row_to_json(i) AS data FROM item AS i"
            ),
            "parsed body over whole rows": (
                "CREATE FUNCTION f() RETURNS SETOF jsonb LANGUAGE sql"
                " BEGIN ATOMIC SELECT to_jsonb(i) FROM item AS i; END"
            ),
        },
    )
    | seen(
        "whole-row",
        (REFUSED, REFUSED),
        {
            "view of rows that are not null": (
                "CREATE VIEW v AS SELECT id FROM item AS i WHERE i IS NOT NULL"
            ),
            "check of a whole row": (
                "ALTER TABLE item ADD CONSTRAINT c CHECK (item IS NOT NULL) NOT VALID"
            ),
            "index on a whole row": (
                "CREATE FUNCTION h(item) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT $1.id';"
                "CREATE INDEX i ON item (h(item))"
            ),
            "policy on a whole row": "CREATE POLICY p ON item USING (to_jsonb(item) ? 'id')",
        },
    )
    | seen(
        "row-type",
        (LATER, REFUSED),
        {
            "view that shows the row": "CREATE VIEW v AS SELECT i AS entry FROM item AS i",
        },
    )
    | seen(
        "row-copy",
        (REFUSED, None),
        {
            "rows archived by a trigger": after("INSERT INTO archive SELECT NEW.*; RETURN NULL;"),
            "rows archived by VALUES": (
                after(
                    "IF TG_OP = 'UPDATE' THEN INSERT INTO archive VALUES ((OLD).*); END IF;"
                    " RETURN NULL;"
                )
            ),
        },
    )
    | seen(
        "row-copy",
        (REFUSED, REFUSED),
        {
            "rows archived by a function": (
                sql(
                    "WITH gone AS (DELETE FROM item RETURNING *) INSERT INTO archive"
                    " SELECT * FROM gone"
                )
            ),
            "rows archived by TABLE": sql("INSERT INTO archive TABLE item"),
            "rows of a fixed result": (
                "CREATE FUNCTION f() RETURNS TABLE (a bigint, b bigint, c text, d text, e date)"
                " LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT * FROM item; END'"
            ),
            "rows of a union": (
                sql(
                    "SELECT count(*) FROM (SELECT * FROM item UNION ALL TABLE archive) x",
                    result="bigint",
                )
            ),
            "rows of a union that PERFORM reads": (
                plpgsql("PERFORM * FROM item UNION ALL SELECT * FROM archive;")
            ),
            "rows of an EXCEPT on the other side": (
                plpgsql("PERFORM * FROM archive EXCEPT TABLE item;")
            ),
            "rows compared with a ROW": (
                plpgsql("PERFORM 1 FROM item AS q WHERE (q.*) = ROW(1, 2, 'x', NULL, NULL);")
            ),
            "rows in a list of rows": (
                plpgsql("PERFORM 1 FROM item AS q WHERE (q) IN ((1, 2, 'x', NULL, NULL));")
            ),
            "rows distinct from a ROW": (
                plpgsql(
                    "PERFORM 1 FROM item AS q WHERE q IS DISTINCT FROM ROW(1, 2, 'x', NULL, NULL);"
                )
            ),
            "a row cast by way of text": plpgsql("PERFORM (q::text::archive).id FROM item AS q;"),
            "a subquery that gives the columns of an UPDATE": (
                plpgsql(
                    "UPDATE archive SET (id, amt, title, tsv, seen_at) = (SELECT i.* FROM item i"
                    " LIMIT 1);"
                )
            ),
        },
    )
)
