"""Functions and triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rename.differential.case import Part

if TYPE_CHECKING:
    from tests.rename.differential.builder import Builder


def function(builder: Builder) -> list[Part]:
    """Return a function that names the column, the table, or neither."""
    number = builder.number()
    head = f"CREATE OR REPLACE FUNCTION @s.f_{number}"
    kind, sql = builder.one(
        (
            (
                "SQL",
                f"{head}(int) RETURNS text LANGUAGE sql AS $$ SELECT max(@c::text) FROM @t $$",
            ),
            (
                "plpgsql",
                (
                    f"{head}(i int) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN"
                    " SELECT x.@c INTO r FROM @t AS x WHERE x.id = i; RETURN r.@c::text; END $$"
                ),
            ),
            (
                "of another table",
                (
                    f"{head}(int) RETURNS bigint LANGUAGE sql AS $$"
                    " SELECT count(q.@c) FROM (VALUES (1)) AS q (@c) $$"
                ),
            ),
            (
                "dynamic SQL",
                (
                    f"{head}(int) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE"
                    " format('SELECT %I::text FROM %s WHERE id = $1', @(c), '@t') INTO r USING $1;"
                    " RETURN r; END $$"
                ),
            ),
            (
                "returns the column",
                (
                    f"{head}(int) RETURNS TABLE (a int, b text) LANGUAGE sql STABLE AS $$"
                    " SELECT t.id, t.@c::text FROM @t AS t WHERE t.id = $1 $$"
                ),
            ),
            ("that names nothing", f"{head}(int) RETURNS int LANGUAGE sql AS $$ SELECT $1 + 1 $$"),
            ("row type in", f"{head}(r @t) RETURNS int LANGUAGE sql AS $$ SELECT r.id $$"),
            (
                "row type out",
                f"{head}(int) RETURNS SETOF @t LANGUAGE sql AS $$ SELECT * FROM @t $$",
            ),
        )
    )
    if "row" not in kind and "another" not in kind:
        builder.calls.append(f"SELECT * FROM @s.f_{number}(2)")
    return [Part(f"function, {kind}", (sql,), is_text=True)]


def atomic(builder: Builder) -> list[Part]:
    number = builder.number()
    sql = (
        f"CREATE FUNCTION @s.a_{number}(i int) RETURNS text LANGUAGE sql BEGIN ATOMIC"
        " SELECT x.@c::text FROM @t AS x WHERE x.id = i; END"
    )
    builder.calls.append(f"SELECT @s.a_{number}(3)")
    return [Part("function, BEGIN ATOMIC", (sql,))]


_BODIES = {
    "that names nothing": "NEW.other := coalesce(NEW.other, 0) + 1;",
    "that reads it": "IF TG_OP = 'INSERT' THEN NEW.note := NEW.@c::text; END IF;",
    "that writes it": "IF TG_OP = 'INSERT' AND NEW.@c IS NULL THEN NEW.@c := {value}; END IF;",
    "that skips rows": "IF NEW.id % 3 = 0 THEN RETURN NULL; END IF;",
    "that fails": "IF NEW.id % 7 = 0 THEN RAISE EXCEPTION USING ERRCODE = 'AB123'; END IF;",
    "that writes elsewhere": "INSERT INTO @s.else_{n} (a, b) VALUES (NEW.id, 'x');",
    "that reads the row": "NEW.note := concat(left(to_jsonb(NEW) ->> 'note', 9), '!');",
}


def before(builder: Builder) -> list[Part]:
    number = builder.number()
    kind = builder.one(sorted(_BODIES))
    body = _BODIES[kind].replace("{value}", builder.value)
    events = builder.one(("INSERT", "INSERT OR UPDATE", "UPDATE OF @c", "UPDATE OF note", "UPDATE"))
    name = builder.one((f"a_{number}", f'"zzz {number}"'))
    body = body.replace("{n}", str(number))
    made = (
        f"CREATE OR REPLACE FUNCTION @s.g_{number}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" {body} RETURN NEW; END $$"
    )
    trigger = (
        f"CREATE TRIGGER {name} BEFORE {events} ON @t FOR EACH ROW EXECUTE FUNCTION @s.g_{number}()"
    )
    return [
        _log(f"else_{number}", "a int, @c text DEFAULT 'y', b text"),
        Part(f"function of a trigger, {kind}", (made,), is_text=True),
        Part(f"trigger before, {kind}", (trigger,)),
        *_switched(builder, name),
    ]


def _log(table: str, columns: str = "what text") -> Part:
    """Return the table that a trigger writes to."""
    made = f"CREATE TABLE @s.{table} ({columns})"
    return Part("log", (made, f"GRANT ALL ON @s.{table} TO PUBLIC"))


def _switched(builder: Builder, name: str) -> list[Part]:
    """Return, rarely, that a trigger is off, or fires for replicas as well."""
    if builder.chance(0.8):
        return []
    how = builder.one(("DISABLE", "ENABLE ALWAYS", "ENABLE REPLICA"))
    return [Part(f"{how.lower()} trigger", (f"ALTER TABLE @t {how} TRIGGER {name}",))]


def after(builder: Builder) -> list[Part]:
    """Return a trigger that writes what it sees to a table of its own."""
    number = builder.number()
    shown = builder.one(("NEW.id::text", "NEW.@c::text", "NEW.note", "(to_jsonb(NEW) ->> 'id')"))
    made = (
        f"CREATE OR REPLACE FUNCTION @s.h_{number}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO @s.log_{number} VALUES (concat(TG_OP, {shown})); RETURN NULL; END $$"
    )
    head = "CREATE TRIGGER"
    timing, end = (
        "AFTER",
        builder.one(("", "", " WHEN (NEW.@c IS NOT NULL)", " WHEN (NEW.other > 1)")),
    )
    if builder.chance(0.2):
        head, end = "CREATE CONSTRAINT TRIGGER", " DEFERRABLE INITIALLY DEFERRED"
    events = builder.one(("INSERT", "INSERT OR UPDATE", "UPDATE OF @c", "UPDATE OF note, @c"))
    each = f"{end} FOR EACH ROW" if " WHEN" not in end else f" FOR EACH ROW{end}"
    trigger = f"{head} b_{number} {timing} {events} ON @t{each} EXECUTE FUNCTION @s.h_{number}()"
    return [
        _log(f"log_{number}"),
        Part("function of a trigger after", (made,), is_text=True),
        Part("trigger after", (trigger,)),
        *_switched(builder, f"b_{number}"),
    ]


def whole(builder: Builder) -> list[Part]:
    """Return a trigger for each statement, over its rows."""
    number = builder.number()
    shown = builder.one(("count(*)::text", "string_agg(@c::text, ',' ORDER BY @c::text)"))
    made = (
        f"CREATE OR REPLACE FUNCTION @s.w_{number}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO @s.seen_{number} SELECT {shown} FROM fresh; RETURN NULL; END $$"
    )
    event = builder.one(("INSERT", "UPDATE"))
    trigger = (
        f"CREATE TRIGGER s_{number} AFTER {event} ON @t REFERENCING NEW TABLE AS fresh"
        f" FOR EACH STATEMENT EXECUTE FUNCTION @s.w_{number}()"
    )
    return [
        _log(f"seen_{number}"),
        Part("function over transition tables", (made,), is_text=True),
        Part("trigger for each statement", (trigger,)),
    ]


def instead(builder: Builder) -> list[Part]:
    """Return a view with a trigger in the place of its inserts."""
    number = builder.number()
    made = (
        f"CREATE OR REPLACE FUNCTION @s.i_{number}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE @t SET @c = NEW.shown WHERE id = NEW.id; RETURN NEW; END $$"
    )
    builder.calls.append(f"UPDATE @s.front_{number} SET shown = {builder.value} WHERE id = 3")
    return [
        Part("function of a trigger instead of", (made,), is_text=True),
        Part(
            "trigger instead of",
            (
                f"CREATE VIEW @s.front_{number} AS SELECT id, @c AS shown FROM @t",
                (
                    f"CREATE TRIGGER i_{number} INSTEAD OF UPDATE ON @s.front_{number} FOR EACH ROW"
                    f" EXECUTE FUNCTION @s.i_{number}()"
                ),
            ),
        ),
    ]


def with_arguments(builder: Builder) -> list[Part]:
    """Return a trigger whose arguments name the column, or another."""
    number = builder.number()
    argument = builder.one(("@(c)", "'other'", "'note'"))
    made = (
        f"CREATE OR REPLACE FUNCTION @s.j_{number}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" INSERT INTO @s.args_{number} VALUES (concat(TG_OP, TG_NARGS)); RETURN NULL; END $$"
    )
    log = (
        f"CREATE TABLE @s.args_{number} (what text)",
        f"GRANT ALL ON @s.args_{number} TO PUBLIC",
    )
    trigger = (
        f"CREATE OR REPLACE TRIGGER j_{number} AFTER UPDATE ON @t FOR EACH ROW"
        f" EXECUTE FUNCTION @s.j_{number}({argument})"
    )
    kind = "trigger with the column's name" if "@" in argument else "trigger with an argument"
    return [
        Part("log", log),
        Part("function of a trigger with arguments", (made,)),
        Part(kind, (trigger,), is_text=True),
    ]


def in_capitals(builder: Builder) -> list[Part]:
    """Return a function that says the column's name as SQL may."""
    number = builder.number()
    sql = (
        f"CREATE OR REPLACE FUNCTION @s.k_{number}(I INT) RETURNS VOID LANGUAGE PLPGSQL AS $$ BEGIN"
        f" UPDATE @t AS X SET @c = X.@c WHERE X.ID = I; END $$"
    )
    builder.calls.append(f"SELECT @s.k_{number}(2)")
    return [Part("function that writes", (sql,), is_text=True)]


MAKERS = (function, function, atomic, before, before, after, whole, instead, with_arguments)
MAKERS += (in_capitals,)
