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
        "ALTER TABLE item ADD CHECK (item IS NOT NULL) NOT VALID",
        "whole-row",
        (REFUSED, REFUSED),
    ),
    "index on a whole row": (
        (
            "CREATE FUNCTION h(item) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT $1.id';"
            "CREATE INDEX ON item (h(item))"
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
    "a variable of the row that is archived": (
        PLPGSQL.format(
            result="void",
            declare="DECLARE s item; ",
            body="SELECT * INTO s FROM item; INSERT INTO archive VALUES (s.*);",
        ),
        "row-copy",
        (REFUSED, None),
    ),
    "a record that is archived": (
        PLPGSQL.format(
            result="void",
            declare="DECLARE r record; ",
            body="FOR r IN SELECT * FROM item LOOP INSERT INTO archive SELECT r.*; END LOOP;",
        ),
        "row-copy",
        (REFUSED, None),
    ),
    "rows of no declared columns": (
        SQL.format(result="SETOF record", body="SELECT * FROM item"),
        "row-copy",
        (REFUSED, REFUSED),
    ),
    "a row of the trigger compared with a ROW": (
        AFTER.format(
            body="IF NEW.* IS DISTINCT FROM ROW(1, 2, 'x', NULL, NULL) THEN NULL; END IF;"
            " RETURN NULL;",
        ),
        "row-copy",
        (REFUSED, None),
    ),
    "a row of the trigger cast to another type": (
        AFTER.format(body="PERFORM ROW(NEW.*)::archive; RETURN NULL;"),
        "row-copy",
        (REFUSED, None),
    ),
    "a row of the trigger cast by its star": (
        AFTER.format(body="PERFORM (NEW.*)::archive; RETURN NULL;"),
        "row-copy",
        (REFUSED, None),
    ),
    "a row of the trigger cast by way of text": (
        AFTER.format(body="PERFORM NEW::text::archive; RETURN NULL;"),
        "row-copy",
        (REFUSED, None),
    ),
    "a row of the trigger as a literal": (
        AFTER.format(
            body="EXECUTE 'INSERT INTO archive SELECT (' || quote_literal(NEW) ||"
            " '::archive).*'; RETURN NULL;",
        ),
        "row-copy",
        (REFUSED, None),
    ),
    "a row of the trigger as arguments": (
        AFTER.format(
            body="EXECUTE 'INSERT INTO archive VALUES ($1, $2, $3, $4, $5)' USING NEW.*;"
            " RETURN NULL;",
        ),
        "row-copy",
        (REFUSED, None),
    ),
    "a row of the trigger as one argument": (
        AFTER.format(body="EXECUTE 'INSERT INTO archive SELECT ($1).*' USING NEW; RETURN NULL;"),
        "row-copy",
        (REFUSED, None),
    ),
    "a row of the trigger that is not in the archive": (
        AFTER.format(
            body="IF EXISTS (SELECT NEW.* EXCEPT SELECT * FROM archive) THEN NULL; END IF;"
            " RETURN NULL;",
        ),
        "row-copy",
        (REFUSED, None),
    ),
    "a row of the trigger that is not null": (
        AFTER.format(body="IF NEW IS NOT NULL THEN NULL; END IF; RETURN NULL;"),
        "row-copy",
        (REFUSED, None),
    ),
    "a row of the trigger in a CASE": (
        AFTER.format(
            body="PERFORM (CASE WHEN true THEN NEW ELSE OLD END)::text::archive; RETURN NULL;"
        ),
        "row-copy",
        (REFUSED, None),
    ),
    "values by position": (
        PLPGSQL.format(result="void", declare="", body="INSERT INTO item VALUES (5, 6, 'x');"),
        "positional-write",
        (REFUSED, None),
    ),
    "values by position, in dynamic SQL": (
        PLPGSQL.format(
            result="void", declare="", body="EXECUTE 'INSERT INTO public.item VALUES (5, 6)';"
        ),
        "positional-write",
        (REFUSED, None),
    ),
    "rows by position": (
        SQL.format(result="void", body="INSERT INTO item SELECT * FROM archive"),
        "positional-write",
        (REFUSED, None),
    ),
    "rows by position from a WITH query": (
        SQL.format(result="void", body="WITH x AS (SELECT 1, 2) INSERT INTO item AS i TABLE x"),
        "positional-write",
        (REFUSED, None),
    ),
    "values by position of a MERGE": (
        PLPGSQL.format(
            result="void",
            declare="",
            body="MERGE INTO item AS i USING payment AS p ON i.id = p.id WHEN NOT MATCHED"
            " THEN INSERT VALUES (5, 6);",
        ),
        "positional-write",
        (REFUSED, None),
    ),
    "COPY by position": (
        PLPGSQL.format(
            result="void", declare="", body="EXECUTE 'COPY item FROM PROGRAM ''true''';"
        ),
        "positional-write",
        (REFUSED, None),
    ),
    "variables by position": (
        PLPGSQL.format(
            result="void",
            declare="DECLARE a int8; b int8; c text; ",
            body="SELECT * INTO a, b, c FROM item;",
        ),
        "positional-write",
        (REFUSED, None),
    ),
    "variables by position in a loop": (
        PLPGSQL.format(
            result="void",
            declare="DECLARE a int8; b int8; ",
            body="FOR a, b IN SELECT i.* FROM item AS i LOOP NULL; END LOOP;",
        ),
        "positional-write",
        (REFUSED, None),
    ),
    "variables by position from a cursor": (
        PLPGSQL.format(
            result="void",
            declare="DECLARE a int8; b int8; c CURSOR FOR SELECT * FROM item; ",
            body="OPEN c; FETCH c INTO a, b;",
        ),
        "positional-write",
        (REFUSED, None),
    ),
    "a row variable filled by position": (
        PLPGSQL.format(result="void", declare="DECLARE s item; ", body="SELECT 1, 2 INTO s;"),
        "positional-write",
        (REFUSED, None),
    ),
    "a row variable built by position": (
        PLPGSQL.format(
            result="void",
            declare="DECLARE s item%ROWTYPE; ",
            body="s := ROW(1, 2, 'x', NULL, NULL); PERFORM 1 FROM item;",
        ),
        "positional-write",
        (REFUSED, None),
    ),
    "columns named anew by position": (
        SQL.format(result="bigint", body="SELECT x.c2 FROM item AS x(c1, c2)"),
        "positional-write",
        (REFUSED, None),
    ),
    "a WITH query named anew by position": (
        SQL.format(result="bigint", body="WITH x(i, j) AS (SELECT * FROM item) SELECT j FROM x"),
        "positional-write",
        (REFUSED, None),
    ),
    "variables by position from a trigger": (
        AFTER.format(
            body="DECLARE a int8; b int8; BEGIN SELECT NEW.* INTO a, b; END; RETURN NULL;"
        ),
        "positional-write",
        (REFUSED, None),
    ),
    "a row of the trigger in a variable of another type": (
        AFTER.format(body="DECLARE r archive; BEGIN r := NEW; END; RETURN NULL;"),
        "positional-write",
        (REFUSED, None),
    ),
    "a natural join": (
        SQL.format(result="bigint", body="SELECT count(*) FROM item NATURAL JOIN payment"),
        "natural-join",
        (REFUSED, REFUSED),
    ),
    "a join by the column": (
        SQL.format(result="bigint", body="SELECT count(*) FROM item JOIN payment USING (amt)"),
        "function",
        (LATER, LATER),
    ),
    "the column in escapes": (
        PLPGSQL.format(result="void", declare="", body='UPDATE item SET U&"\\0061mt" = 1;'),
        "function",
        (LATER, LATER),
    ),
    "the column in escapes of another kind": (
        PLPGSQL.format(
            result="void", declare="", body="UPDATE item SET U&\"!+000061mt\" UESCAPE '!' = 1;"
        ),
        "function",
        (LATER, LATER),
    ),
    "rule that copies the column": (
        (
            "CREATE RULE r AS ON UPDATE TO item DO ALSO INSERT INTO payment (id, amt)"
            " VALUES (OLD.id, NEW.amt)"
        ),
        "rule",
        (REFUSED, REFUSED),
    ),
    "rule that copies the row": (
        "CREATE RULE r AS ON INSERT TO item DO ALSO INSERT INTO audit SELECT now(), to_jsonb(NEW)",
        "rule",
        (REFUSED, REFUSED),
    ),
    "rule instead of updates": (
        "CREATE RULE r AS ON UPDATE TO item DO INSTEAD NOTHING",
        "rule",
        (REFUSED, REFUSED),
    ),
    "rule of a view that writes the column": (
        (
            "CREATE VIEW v AS SELECT id FROM item; CREATE RULE r AS ON INSERT TO v"
            " DO INSTEAD INSERT INTO item (id, amt) VALUES (NEW.id, 0)"
        ),
        "rule",
        (LATER, "carried"),
    ),
    "security label": (
        "INSERT INTO pg_seclabel VALUES ('item'::regclass, 'pg_class'::regclass, 2, 'anon', 'x')",
        "security-label",
        (REFUSED, REFUSED),
    ),
    "a kind that nobody thought of": (
        (
            "INSERT INTO pg_depend SELECT 'pg_language'::regclass, l.oid, 0, 'pg_class'::regclass,"
            " 'item'::regclass, 2, 'n' FROM pg_language AS l WHERE lanname = 'plpgsql'"
        ),
        "unknown-dependent",
        (REFUSED, REFUSED),
    ),
    "a kind that nobody thought of, on the table": (
        (
            "INSERT INTO pg_depend SELECT 'pg_language'::regclass, l.oid, 0, 'pg_class'::regclass,"
            " 'item'::regclass, 0, 'n' FROM pg_language AS l WHERE lanname = 'plpgsql'"
        ),
        "unknown-dependent",
        (REFUSED, REFUSED),
    ),
    "a trigger of contrib": (
        (
            "CREATE EXTENSION moddatetime; CREATE TRIGGER t BEFORE UPDATE ON item FOR EACH ROW"
            " EXECUTE FUNCTION moddatetime('amt')"
        ),
        "trigger-argument",
        (REFUSED, REFUSED),
    ),
    "a trigger in C": (
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE internal AS"
            " 'suppress_redundant_updates_trigger'; CREATE TRIGGER t BEFORE UPDATE ON item"
            " FOR EACH ROW EXECUTE FUNCTION f()"
        ),
        "opaque-trigger",
        (REFUSED, REFUSED),
    ),
}
