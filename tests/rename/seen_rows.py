"""More of what names a column and is not in the catalog: rows as a whole, and by position."""

from __future__ import annotations

from tests.rename.seen import LATER, REFUSED, after, plpgsql, seen, sql

BACK = (
    "CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA public; CREATE SERVER {0} FOREIGN DATA"
    " WRAPPER postgres_fdw; CREATE FOREIGN TABLE f (id bigint, {1}) SERVER {0}"
    " OPTIONS (schema_name 'public', table_name 'item'{2})"
)
SEEN_ROWS = (
    seen(
        "row-copy",
        (REFUSED, None),
        {
            "a row of the trigger compared with a ROW": (
                after(
                    "IF NEW.* IS DISTINCT FROM ROW(1, 2, 'x', NULL, NULL) THEN NULL; END IF;"
                    " RETURN NULL;"
                )
            ),
            "a row of the trigger cast to another type": (
                after("PERFORM ROW(NEW.*)::archive; RETURN NULL;")
            ),
            "a row of the trigger cast by its star": (
                after("PERFORM (NEW.*)::archive; RETURN NULL;")
            ),
            "a row of the trigger cast by way of text": (
                after("PERFORM NEW::text::archive; RETURN NULL;")
            ),
            "a row of the trigger as a literal": (
                after(
                    "EXECUTE 'INSERT INTO archive SELECT (' || quote_literal(NEW) ||"
                    " '::archive).*'; RETURN NULL;"
                )
            ),
            "a row of the trigger as arguments": (
                after(
                    "EXECUTE 'INSERT INTO archive VALUES ($1, $2, $3, $4, $5)' USING NEW.*;"
                    " RETURN NULL;"
                )
            ),
            "a row of the trigger as one argument": (
                after("EXECUTE 'INSERT INTO archive SELECT ($1).*' USING NEW; RETURN NULL;")
            ),
            "a row of the trigger that is not in the archive": (
                after(
                    "IF EXISTS (SELECT NEW.* EXCEPT SELECT * FROM archive) THEN NULL; END IF;"
                    " RETURN NULL;"
                )
            ),
            "a row of the trigger that is not null": (
                after("IF NEW IS NOT NULL THEN NULL; END IF; RETURN NULL;")
            ),
            "a row of the trigger in a CASE": (
                after("PERFORM (CASE WHEN true THEN NEW ELSE OLD END)::text::archive; RETURN NULL;")
            ),
        },
    )
    | seen(
        "row-copy",
        (REFUSED, REFUSED),
        {
            "rows of no declared columns": (sql("SELECT * FROM item", result="SETOF record")),
            "a variable of the row that is archived": (
                plpgsql(
                    "SELECT * INTO s FROM item; INSERT INTO archive VALUES (s.*);",
                    declare="DECLARE s item;",
                )
            ),
            "a record that is archived": (
                plpgsql(
                    "FOR r IN SELECT * FROM item LOOP INSERT INTO archive SELECT r.*; END LOOP;",
                    declare="DECLARE r record;",
                )
            ),
            "a row that is archived when it is deleted": (
                plpgsql(
                    "DELETE FROM item WHERE id = 1 RETURNING * INTO r; q := r;"
                    " INSERT INTO archive SELECT q.*;",
                    declare="DECLARE r item; q record;",
                )
            ),
            "a row that is put back": (
                plpgsql(
                    "DELETE FROM item WHERE id = 1 RETURNING * INTO r; INSERT INTO item VALUES"
                    " (r.*);",
                    declare="DECLARE r item;",
                )
            ),
            "rows of the table's type from JSON": (
                plpgsql("INSERT INTO item SELECT (jsonb_populate_record(NULL::item, '{}')).*;")
            ),
            "rows of the table itself": plpgsql("INSERT INTO item SELECT * FROM item;"),
            "rows of a table made like it": (
                plpgsql(
                    "CREATE TEMP TABLE st (LIKE public.item INCLUDING DEFAULTS);"
                    " INSERT INTO st (id) VALUES (800); INSERT INTO item SELECT * FROM st;"
                )
            ),
            "rows of a table made like it, by a WITH query": (
                plpgsql(
                    "CREATE TEMP TABLE st (LIKE item); WITH w AS (DELETE FROM st RETURNING *)"
                    " INSERT INTO item SELECT * FROM w ON CONFLICT DO NOTHING;"
                )
            ),
            "rows of a table made from it": (
                plpgsql(
                    "CREATE TEMP TABLE st AS TABLE item WITH NO DATA; INSERT INTO item"
                    " SELECT x.* FROM st AS x;"
                )
            ),
        },
    )
    | seen(
        "positional-write",
        (REFUSED, None),
        {
            "values by position": plpgsql("INSERT INTO item VALUES (5, 6, 'x');"),
            "values by position, in dynamic SQL": (
                plpgsql("EXECUTE 'INSERT INTO public.item VALUES (5, 6)';")
            ),
            "rows by position": sql("INSERT INTO item SELECT * FROM archive"),
            "rows by position of a table made from some columns": (
                plpgsql(
                    "CREATE TEMP TABLE st AS SELECT id, title FROM item; INSERT INTO item"
                    " SELECT * FROM st;"
                )
            ),
            "rows by position from a WITH query": (
                sql("WITH x AS (SELECT 1, 2) INSERT INTO item AS i TABLE x")
            ),
            "values by position of a MERGE": (
                plpgsql(
                    "MERGE INTO item AS i USING payment AS p ON i.id = p.id WHEN NOT MATCHED"
                    " THEN INSERT VALUES (5, 6);"
                )
            ),
            "COPY by position": plpgsql("EXECUTE 'COPY item FROM PROGRAM ''true''';"),
            "variables by position": (
                plpgsql(
                    "SELECT * INTO a, b, c FROM item;", declare="DECLARE a int8; b int8; c text;"
                )
            ),
            "variables by position in a loop": (
                plpgsql(
                    "FOR a, b IN SELECT i.* FROM item AS i LOOP NULL; END LOOP;",
                    declare="DECLARE a int8; b int8;",
                )
            ),
            "variables by position from a cursor": (
                plpgsql(
                    "OPEN c; FETCH c INTO a, b;",
                    declare="DECLARE a int8; b int8; c CURSOR FOR SELECT * FROM item;",
                )
            ),
            "a row variable filled by position": (
                plpgsql("SELECT 1, 2 INTO s;", declare="DECLARE s item;")
            ),
            "a row variable built by position": (
                plpgsql(
                    "s := ROW(1, 2, 'x', NULL, NULL); PERFORM 1 FROM item;",
                    declare="DECLARE s item%ROWTYPE;",
                )
            ),
            "columns named anew by position": (
                sql("SELECT x.c2 FROM item AS x(c1, c2)", result="bigint")
            ),
            "a WITH query named anew by position": (
                sql("WITH x(i, j) AS (SELECT * FROM item) SELECT j FROM x", result="bigint")
            ),
            "variables by position from a trigger": (
                after("DECLARE a int8; b int8; BEGIN SELECT NEW.* INTO a, b; END; RETURN NULL;")
            ),
            "a row of the trigger in a variable of another type": (
                after("DECLARE r archive; BEGIN r := NEW; END; RETURN NULL;")
            ),
        },
    )
    | seen(
        ("positional-write", "row-copy"),
        (REFUSED, None),
        {
            "values by position with a cast": plpgsql("INSERT INTO item VALUES (5::bigint, 6);"),
        },
    )
    | seen(
        "natural-join",
        (REFUSED, REFUSED),
        {
            "a natural join": (
                sql("SELECT count(*) FROM item NATURAL JOIN payment", result="bigint")
            ),
        },
    )
    | seen(
        "function",
        (LATER, LATER),
        {
            "a join by the column": (
                sql("SELECT count(*) FROM item JOIN payment USING (amt)", result="bigint")
            ),
            "the column in escapes": (plpgsql('UPDATE item SET U&"\\0061mt" = 1;')),
            "the column in escapes of another kind": (
                plpgsql("UPDATE item SET U&\"!+000061mt\" UESCAPE '!' = 1;")
            ),
        },
    )
    | seen(
        "rule",
        (REFUSED, "carried"),
        {
            "rule that copies the column": (
                "CREATE RULE r AS ON UPDATE TO item DO ALSO INSERT INTO payment (id, amt)"
                " VALUES (OLD.id, NEW.amt)"
            ),
            "rule that copies the row": (
                "CREATE RULE r AS ON INSERT TO item DO ALSO INSERT INTO audit SELECT now(),"
                " to_jsonb(NEW)"
            ),
            "rule instead of updates": "CREATE RULE r AS ON UPDATE TO item DO INSTEAD NOTHING",
        },
    )
    | seen(
        "rule",
        (REFUSED, REFUSED),
        {
            # Behind a view PostgreSQL asks the condition of the new values.
            "rule that keeps rows as they are": (
                "CREATE RULE r AS ON UPDATE TO item WHERE OLD.amt = 0 DO INSTEAD NOTHING"
            ),
            "rule that keeps rows by another column": (
                "CREATE RULE r AS ON UPDATE TO item WHERE OLD.title = 'x' DO INSTEAD NOTHING"
            ),
        },
    )
    | seen(
        "rule",
        (LATER, "carried"),
        {
            "rule of a view that writes the column": (
                "CREATE VIEW v AS SELECT id FROM item; CREATE RULE r AS ON INSERT TO v"
                " DO INSTEAD INSERT INTO item (id, amt) VALUES (NEW.id, 0)"
            ),
        },
    )
    | seen(
        ("trigger-argument", "argument-rewrite"),
        (REFUSED, REFUSED),
        {
            "a trigger of contrib": (
                "CREATE EXTENSION moddatetime; CREATE TRIGGER t BEFORE UPDATE ON item FOR EACH ROW"
                " EXECUTE FUNCTION moddatetime('amt')"
            ),
        },
    )
    | seen(
        "opaque-trigger",
        (REFUSED, REFUSED),
        {
            "a trigger in C": (
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE internal AS"
                " 'suppress_redundant_updates_trigger'; CREATE TRIGGER t BEFORE UPDATE ON item"
                " FOR EACH ROW EXECUTE FUNCTION f()"
            ),
        },
    )
    | seen(
        "foreign-table",
        (LATER, REFUSED),
        {
            "a foreign table that leads back": BACK.format("by_name", "amt bigint", ""),
        },
    )
    | seen(
        "foreign-table",
        (LATER, LATER),
        {
            "a foreign table that is only read": BACK.format(
                "by_option",
                "sum bigint OPTIONS (column_name 'amt')",
                ", updatable 'false'",
            ),
        },
    )
)
# What is not in a schema by whose name its finding could be known among the others.
OF_NO_KIND = (
    "INSERT INTO pg_depend SELECT 'pg_language'::regclass, l.oid, 0, 'pg_class'::regclass,"
    " 'item'::regclass, {}, 'n' FROM pg_language AS l WHERE lanname = 'plpgsql'"
)
SEEN_ALONE = seen(
    "security-label",
    (REFUSED, REFUSED),
    {
        "security label": (
            "INSERT INTO pg_seclabel VALUES"
            " ('item'::regclass, 'pg_class'::regclass, 2, 'anon', 'x')"
        ),
    },
) | seen(
    "unknown-dependent",
    (REFUSED, REFUSED),
    {
        "a kind without a file of its own": OF_NO_KIND.format(2),
        "a kind without a file of its own, on the table": OF_NO_KIND.format(0),
    },
)
