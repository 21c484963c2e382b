"""The text of functions, read as PostgreSQL reads it: whose column a name is, and on which line."""

from __future__ import annotations

import pytest

from invoicing.toolkit.rename.dependents.rewriting import proven
from invoicing.toolkit.rename.dependents.text import Body, Result, SoughtNames, read_body

ROW = {"rows": frozenset({"new", "old"}), "is_trigger": True}
NEW_ROWS = {"tables": frozenset({"new_rows"}), "is_trigger": True}
# Texts that name amt of item; the language is sql, plpgsql alike.
NAMING = [
    "SELECT 1,\n amt FROM item",
    'SELECT 1,\n AMT FROM "public"."item"',
    "SELECT public.item.\namt FROM public.item",
    "EXECUTE $q$ update item\n set amt = 1 $q$",
    "EXECUTE E'update item set \\'x\\' = 1,\n amt=1'",
    "EXECUTE 'DO ''BEGIN UPDATE item\n SET amt = 0; END'''",
    "MERGE INTO item t USING payment p ON t.id = p.id WHEN MATCHED THEN\n UPDATE SET amt = p.x",
    "SELECT\n s.amt FROM (SELECT * FROM item) s",
    "SELECT 1\n + CASE WHEN true THEN amt ELSE 0 END FROM item",
    "INSERT INTO item (id) VALUES (1) ON CONFLICT (id) DO UPDATE\n SET x = excluded.amt",
    "DECLARE c CURSOR FOR SELECT * FROM item; BEGIN FOR r IN c LOOP\n x := r.amt; END LOOP; END",
]
NOT_NAMING = [
    "SELECT payment.amt FROM payment, item",
    "SELECT amt FROM other.item",
    "SELECT i.amt FROM other.item AS i",
    "SELECT amt_total, famt, amt2 FROM item",
    "SELECT /* a /* b */ amt */ id FROM item -- amt",
    'SELECT "Amt", "AMT" FROM item',
    "UPDATE payment SET amt = 1; SELECT 1 FROM item",
]
COPYING = [
    "INSERT INTO h SELECT now(), NEW.*",
    "INSERT INTO h VALUES ((OLD).*)",
    "EXECUTE format('INSERT INTO %I SELECT ($1).*', t) USING NEW",
    "EXECUTE 'INSERT INTO ' || quote_ident(t) || ' VALUES ($1.*)' USING NEW",
    "CREATE TEMP TABLE x AS SELECT * FROM item; INSERT INTO h SELECT * FROM x",
]
NOT_COPYING = [
    "INSERT INTO h VALUES (hstore(OLD.*))",
    "INSERT INTO h (d) VALUES (row_to_json(ROW(NEW.*)))",
    "IF (OLD.*) <> (NEW.*) THEN INSERT INTO h (x) VALUES (1); END IF",
    "INSERT INTO h SELECT id * 2, (id) * 3 FROM item",
    "INSERT INTO h SELECT 1 WHERE EXISTS (SELECT * FROM item)",
    "DECLARE r record; BEGIN SELECT * INTO r FROM item",
]
BY_POSITION = [
    "INSERT INTO item VALUES (1, 2)",
    "q := 'INSERT INTO item VALUES (1, 2)'; EXECUTE q",
    "INSERT INTO item AS i OVERRIDING SYSTEM VALUE SELECT 1",
    "SELECT NEW.* INTO a, b",
    "SELECT to_jsonb(ROW(NEW.*))",
    "NEW := ROW(1, 2)",
]


def names(column: str = "amt", **more: object) -> SoughtNames:
    return SoughtNames(column, "item", "public", **more)


def copied(body: Body, names: SoughtNames, *, by_position: bool = False) -> list[tuple[int, bool]]:
    uses = body.uses_of_rows(names, Result(False, True, False), frozenset(), ())
    return [(use.line, use.from_table) for use in uses if use.by_position is by_position]


@pytest.mark.parametrize("text", NAMING)
def test_a_use_of_the_column_is_found_on_its_line(text: str) -> None:
    assert read_body(text, "plpgsql").lines_naming(names()) == [2]


@pytest.mark.parametrize("text", NOT_NAMING)
def test_a_word_that_is_not_the_column_is_not_found(text: str) -> None:
    assert read_body(text, "plpgsql").lines_naming(names()) == []


@pytest.mark.parametrize(
    ("column", "text", "lines"),
    [
        ("Amt", 'NEW."Amt" := 1', [1]),
        ("Amt", "NEW.Amt := 1", []),
        ("Amt", "x := to_jsonb(NEW) ->> 'Amt'", [1]),
        ("Bet räg", "x := to_jsonb(NEW) ->> 'Bet räg'", [1]),
        ('be"t', 'NEW."be""t" := 1', [1]),
        ("amt", "r := NEW; x := r.amt", [1]),
        ("amt", "INSERT INTO payment (id, amt) VALUES (NEW.id, 1)", []),
    ],
)
def test_a_row_of_a_trigger_is_the_tables(column: str, text: str, lines: list[int]) -> None:
    assert read_body(text, "plpgsql").lines_naming(names(column, **ROW)) == lines


@pytest.mark.parametrize("language", ["plpython3u", "plperl", "plv8"])
def test_other_languages_are_searched_for_words(language: str) -> None:
    body = read_body("plpy.execute('UPDATE item\nSET AMT = 1')", language)
    assert body.lines_naming(names()) == [2]
    body = read_body("plpy.execute('UPDATE payment SET amt = 1')", language)
    assert body.lines_naming(names()) == []


@pytest.mark.parametrize("text", COPYING)
def test_a_row_that_is_spread_where_columns_are_fixed_is_found(text: str) -> None:
    assert copied(read_body(text, "plpgsql"), names(**ROW))


@pytest.mark.parametrize("text", NOT_COPYING)
def test_a_row_that_stays_whole_is_not_found(text: str) -> None:
    assert copied(read_body(text, "plpgsql"), names(**ROW)) == []


@pytest.mark.parametrize("text", BY_POSITION)
def test_columns_that_go_by_their_order_are_found(text: str) -> None:
    assert copied(read_body(text, "plpgsql"), names(**ROW), by_position=True)


@pytest.mark.parametrize(
    "text", ["", "'", "$$", "FROM item.", "INSERT INTO", "(*", "CREATE TABLE", "x::item"]
)
def test_a_text_that_ends_anywhere_is_read(text: str) -> None:
    body = read_body(text, "plpgsql")
    assert body.lines_naming(names(**ROW)) == []
    assert copied(body, names(**ROW)) == []
    assert body.lines_of_row_type(names(), built=True) == []


def test_rows_of_a_transition_table_are_the_tables() -> None:
    body = read_body("INSERT INTO h SELECT n.* FROM new_rows n", "plpgsql")
    assert copied(body, names(**NEW_ROWS)) == [(1, False)]
    body = read_body("INSERT INTO h (d) SELECT to_jsonb(n.*) FROM new_rows n", "plpgsql")
    assert copied(body, names(**NEW_ROWS)) == []


REPLACED = {
    "NEW.amt := 1; RETURN NEW": 'NEW."cents" := 1; RETURN NEW',
    "-- NEW.amt\nIF new . AMT IS NULL OR (OLD.amt) > 1": (
        '-- NEW.amt\nIF new . "cents" IS NULL OR (OLD."cents") > 1'
    ),
    'INSERT INTO h (amt) VALUES (NEW."amt")': 'INSERT INTO h (amt) VALUES (NEW."cents")',
    "NEW.id := 1": None,
    'NEW."AMT" := 1': None,
    "NEW.amt := to_jsonb(NEW) ->> 'amt'": None,
    "EXECUTE 'SELECT ($1).amt' INTO x USING NEW; NEW.amt := x": None,
    "r := NEW; x := r.amt; NEW.amt := 1": None,
    "DECLARE new payment; BEGIN NEW.amt := 1": None,
    "SELECT NEW.amt FROM payment AS new JOIN x ON true": None,
    "UPDATE payment SET x = 1 RETURNING old.amt INTO NEW.amt": None,
    "DECLARE n ALIAS FOR NEW; BEGIN n.amt := NEW.amt": None,
    "x := s.new.amt; y := NEW.amt.z": None,
    "SELECT amt INTO x FROM item; NEW.amt := x": None,
}


@pytest.mark.parametrize(("body", "text"), REPLACED.items())
def test_a_name_is_replaced_where_every_use_is_proven(body: str, text: str | None) -> None:
    assert proven(body, names(**ROW), "cents") == text


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("SELECT id FROM item ORDER BY id", []),
        ("SELECT id FROM item\n ORDER BY item.order", [2]),
        ('SELECT id FROM item\n ORDER BY "order"', [2]),
        ("IF NEW.order > 1 THEN RETURN NEW; END IF", [1]),
        ("EXECUTE format('SELECT %I FROM item', 'order')", [1]),
        ("SELECT id AS order FROM item", [1]),
    ],
)
def test_a_word_of_sql_is_no_name_unless_it_is_quoted(body: str, lines: list[int]) -> None:
    assert read_body(body, "plpgsql").lines_naming(names("order", **ROW)) == lines
