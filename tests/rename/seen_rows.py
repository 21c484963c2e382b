"""More of what names a column and is not in the catalog: rows as a whole, and by position."""

from __future__ import annotations

from tests.rename.seen import AFTER, LATER, PLPGSQL, REFUSED, SQL

SEEN_ROWS = {
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
# What the catalog alone says; and the finding, by either strategy.
OF_NO_KIND = (
    "INSERT INTO pg_depend SELECT 'pg_language'::regclass, l.oid, 0, 'pg_class'::regclass,"
    " 'item'::regclass, {}, 'n' FROM pg_language AS l WHERE lanname = 'plpgsql'"
)
SEEN_ALONE = {
    "security label": (
        "INSERT INTO pg_seclabel VALUES ('item'::regclass, 'pg_class'::regclass, 2, 'anon', 'x')",
        "security-label",
    ),
    "a kind without a file of its own": (OF_NO_KIND.format(2), "unknown-dependent"),
    "a kind without a file of its own, on the table": (OF_NO_KIND.format(0), "unknown-dependent"),
}
