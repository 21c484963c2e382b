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
TRIGGER = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;"
ROW = TRIGGER + "CREATE TRIGGER t {when} INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION f()"
BEFORE = ROW.replace("{when}", "BEFORE")
AFTER = ROW.replace("{when}", "AFTER")
STATEMENT = TRIGGER + (
    "CREATE TRIGGER t AFTER INSERT ON item REFERENCING NEW TABLE AS new_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION f()"
)
SQL = "CREATE FUNCTION f() RETURNS {result} LANGUAGE sql AS $$ {body} $$"
PLPGSQL = "CREATE FUNCTION f() RETURNS {result} LANGUAGE plpgsql AS $$ {declare}BEGIN {body} END $$"
REFUSED, LATER = "refused", "later"
# What is made, its slug, and the verdicts of `columns` and of `view`.
SEEN = {
    "argument of a before trigger": (
        (
            "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON item FOR EACH ROW EXECUTE FUNCTION"
            " tsvector_update_trigger('tsv', 'pg_catalog.english', 'amt')"
        ),
        "trigger-argument",
        (REFUSED, REFUSED),
    ),
    "quoted argument in a list, of an after trigger": (
        TRIGGER.format(body="RETURN NULL;")
        + "CREATE TRIGGER t AFTER UPDATE ON item FOR EACH ROW EXECUTE FUNCTION f('x', '{id, AMT}')",
        "trigger-argument",
        (LATER, REFUSED),
    ),
    "argument of another table's trigger": (
        TRIGGER.format(body="RETURN NEW;")
        + "CREATE TRIGGER t BEFORE INSERT ON payment FOR EACH ROW"
        " EXECUTE FUNCTION f('item_id', 'public.item', 'amt')",
        "trigger-argument",
        (LATER, LATER),
    ),
    "before trigger, in another case": (
        BEFORE.format(body="NEW.title := New.AMT; RETURN NEW;"),
        ("before-trigger-function", "trigger-function"),
        (REFUSED, REFUSED),
    ),
    "after trigger, in dynamic SQL": (
        AFTER.format(body="EXECUTE 'SELECT $1.AmT' USING NEW; RETURN NULL;"),
        "trigger-function",
        (LATER, REFUSED),
    ),
    "after trigger, as a JSON key": (
        AFTER.format(body="INSERT INTO audit (data) VALUES (to_jsonb(NEW)->'amt'); RETURN NULL;"),
        "trigger-function",
        (LATER, REFUSED),
    ),
    "constraint trigger": (
        TRIGGER.format(body="IF new.\"amt\" < 0 THEN RAISE 'no'; END IF; RETURN NULL;")
        + "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION f()",
        "trigger-function",
        (LATER, REFUSED),
    ),
    "transition table": (
        STATEMENT.format(body="PERFORM sum(amt) FROM new_rows; RETURN NULL;"),
        "trigger-function",
        (LATER, REFUSED),
    ),
    "transition table by an alias": (
        STATEMENT.format(body="PERFORM sum(n.AMT) FROM new_rows AS n; RETURN NULL;"),
        "trigger-function",
        (LATER, REFUSED),
    ),
    "statement trigger that reads the table": (
        TRIGGER.format(body="PERFORM max(amt) FROM item; RETURN NULL;")
        + "CREATE TRIGGER t AFTER DELETE ON item FOR EACH STATEMENT EXECUTE FUNCTION f()",
        "trigger-function",
        (LATER, REFUSED),
    ),
    "a function in another case": (
        SQL.format(result="void", body="UPDATE ITEM SET\n AMT = 0"),
        "function",
        (LATER, LATER),
    ),
    "a procedure with a record": (
        (
            "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN"
            " FOR r IN SELECT * FROM public.item LOOP RAISE LOG '%', r.amt; END LOOP; END $$"
        ),
        "function",
        (LATER, LATER),
    ),
    "dynamic SQL for a table that is an argument": (
        (
            "CREATE FUNCTION f(t text) RETURNS void LANGUAGE plpgsql AS"
            " $$ BEGIN EXECUTE format('UPDATE %I SET amt = 0', t); END $$"
        ),
        "function",
        (LATER, LATER),
    ),
    "a temporary table made from it": (
        (
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE x AS"
            " SELECT * FROM item; RETURN (SELECT sum(amt) FROM x); END $$"
        ),
        "function",
        (LATER, LATER),
    ),
    "a WITH query over it": (
        SQL.format(
            result="bigint", body="WITH x AS (SELECT * FROM item) SELECT sum(y.amt)::int8 FROM x y"
        ),
        "function",
        (LATER, LATER),
    ),
    "%TYPE of the column": (
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS"
            " $$ DECLARE a item.amt%TYPE; BEGIN RETURN 1; END $$"
        ),
        "function",
        (LATER, LATER),
    ),
    "computed field": (
        "CREATE FUNCTION gross(i item) RETURNS numeric LANGUAGE sql AS 'SELECT i.amt * 1.2'",
        "function",
        (LATER, LATER),
    ),
    "an argument by its number": (
        "CREATE FUNCTION gross(item[]) RETURNS numeric LANGUAGE sql AS 'SELECT $1[1].AMT * 1.2'",
        "function",
        (LATER, LATER),
    ),
    "a row that is returned by its columns": (
        SQL.format(result="SETOF item", body="SELECT id, amt, title, tsv, seen_at FROM item"),
        "row-type",
        (REFUSED, REFUSED),
    ),
    "a row that is returned by ROW": (
        (
            "CREATE FUNCTION f() RETURNS item LANGUAGE sql AS"
            " 'SELECT ROW(1, 2, ''x'', NULL, NULL)::item'"
        ),
        "row-type",
        (REFUSED, REFUSED),
    ),
    "a row that is built by a cast": (
        SQL.format(result="text", body="SELECT to_jsonb((1, 2, 'x', NULL, NULL)::item)::text"),
        "row-type",
        (REFUSED, REFUSED),
    ),
    "a row that is returned by its values": (
        (
            "CREATE FUNCTION f() RETURNS item LANGUAGE plpgsql AS"
            " 'BEGIN RETURN (1::int8, 2::int8, ''x'', NULL, NULL); END'"
        ),
        "row-type",
        (REFUSED, REFUSED),
    ),
    "row type in another table": (
        "CREATE TABLE log (entry item)",
        ("stored-row-type", "row-type"),
        (REFUSED, REFUSED),
    ),
    "array of rows in another table": (
        "CREATE TABLE log (entries item[])",
        ("stored-row-type", "row-type"),
        (REFUSED, REFUSED),
    ),
    "row type in a composite type": (
        "CREATE TYPE pair AS (a item, b text)",
        ("stored-row-type", "row-type"),
        (REFUSED, REFUSED),
    ),
    "domain over the row type": (
        "CREATE DOMAIN checked AS item CHECK ((VALUE).id > 0)",
        ("stored-row-type", "row-type"),
        (REFUSED, REFUSED),
    ),
    "view of whole rows": (
        "CREATE VIEW v AS SELECT id, to_jsonb(i) AS data FROM item AS i",
        "whole-row",
        (LATER, REFUSED),
    ),
    "view that counts rows": (
        "CREATE VIEW v AS SELECT count(i) FROM item AS i",
        "whole-row",
        (LATER, REFUSED),
    ),
    "materialized view of whole rows": (
        "CREATE MATERIALIZED VIEW v AS SELECT row_to_json(i) AS data FROM item AS i",
        "whole-row",
        (LATER, REFUSED),
    ),
    "view of rows that are not null": (
        "CREATE VIEW v AS SELECT id FROM item AS i WHERE i IS NOT NULL",
        "whole-row",
        (REFUSED, REFUSED),
    ),
    "view that shows the row": (
        "CREATE VIEW v AS SELECT i AS entry FROM item AS i",
        "row-type",
        (LATER, REFUSED),
    ),
    "check of a whole row": (
        "ALTER TABLE item ADD CONSTRAINT c CHECK (item IS NOT NULL) NOT VALID",
        "whole-row",
        (REFUSED, REFUSED),
    ),
    "index on a whole row": (
        (
            "CREATE FUNCTION h(item) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT $1.id';"
            "CREATE INDEX i ON item (h(item))"
        ),
        "whole-row",
        (REFUSED, REFUSED),
    ),
    "policy on a whole row": (
        "CREATE POLICY p ON item USING (to_jsonb(item) ? 'id')",
        "whole-row",
        (REFUSED, REFUSED),
    ),
    "parsed body over whole rows": (
        (
            "CREATE FUNCTION f() RETURNS SETOF jsonb LANGUAGE sql"
            " BEGIN ATOMIC SELECT to_jsonb(i) FROM item AS i; END"
        ),
        "whole-row",
        (LATER, REFUSED),
    ),
    "rows archived by a trigger": (
        AFTER.format(body="INSERT INTO archive SELECT NEW.*; RETURN NULL;"),
        "row-copy",
        (REFUSED, None),
    ),
    "rows archived by VALUES": (
        AFTER.format(
            body="IF TG_OP = 'UPDATE' THEN INSERT INTO archive VALUES ((OLD).*); END IF;"
            " RETURN NULL;"
        ),
        "row-copy",
        (REFUSED, None),
    ),
    "rows archived by a function": (
        SQL.format(
            result="void",
            body="WITH gone AS (DELETE FROM item RETURNING *) INSERT INTO archive"
            " SELECT * FROM gone",
        ),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "rows archived by TABLE": (
        SQL.format(result="void", body="INSERT INTO archive TABLE item"),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "rows of a fixed result": (
        (
            "CREATE FUNCTION f() RETURNS TABLE (a bigint, b bigint, c text, d text, e date)"
            " LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT * FROM item; END'"
        ),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "rows of a union": (
        SQL.format(
            result="bigint",
            body="SELECT count(*) FROM (SELECT * FROM item UNION ALL TABLE archive) x",
        ),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "rows of a union that PERFORM reads": (
        PLPGSQL.format(
            result="void", declare="", body="PERFORM * FROM item UNION ALL SELECT * FROM archive;"
        ),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "rows of an EXCEPT on the other side": (
        PLPGSQL.format(result="void", declare="", body="PERFORM * FROM archive EXCEPT TABLE item;"),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "rows compared with a ROW": (
        PLPGSQL.format(
            result="void",
            declare="",
            body="PERFORM 1 FROM item AS q WHERE (q.*) = ROW(1, 2, 'x', NULL, NULL);",
        ),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "rows in a list of rows": (
        PLPGSQL.format(
            result="void",
            declare="",
            body="PERFORM 1 FROM item AS q WHERE (q) IN ((1, 2, 'x', NULL, NULL));",
        ),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "rows distinct from a ROW": (
        PLPGSQL.format(
            result="void",
            declare="",
            body="PERFORM 1 FROM item AS q WHERE q IS DISTINCT FROM ROW(1, 2, 'x', NULL, NULL);",
        ),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "a row cast by way of text": (
        PLPGSQL.format(
            result="void", declare="", body="PERFORM (q::text::archive).id FROM item AS q;"
        ),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "a subquery that gives the columns of an UPDATE": (
        PLPGSQL.format(
            result="void",
            declare="",
            body="UPDATE archive SET (id, amt, title, tsv, seen_at) = (SELECT i.* FROM item i"
            " LIMIT 1);",
        ),
        "row-copy",
        (REFUSED, REFUSED),
    ),
}
