"""What has once differed, each as small as it could be made, with what was wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.rename.differential.case import Part
from tests.rename.differential.examples import ROWS, TABLE, example, statement
from tests.rename.differential.twins import OPERATOR

if TYPE_CHECKING:
    from tests.rename.differential.arena import Arena
    from tests.rename.differential.case import Case

_FUNCTION = (
    "CREATE FUNCTION @s.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " INSERT INTO @s.log VALUES (TG_NAME || TG_OP || TG_ARGV[0]); RETURN NEW; END $$"
)
_CALLED = "EXECUTE FUNCTION @s.noted('it''s')"
_WRITES = tuple(
    work
    for by in ("old", "new")
    for sql in (
        "UPDATE @t SET @c = 7 WHERE id = 1",
        "UPDATE @t SET note = 'x' WHERE id = 2",
        "UPDATE @t SET @c = NULL, note = 'y' WHERE id = 3",
        "INSERT INTO @t (id, @c) VALUES (50, -1) ON CONFLICT (id) DO UPDATE SET @c = 8",
    )
    for work in statement(sql, by)
)


def _with_triggers(*created: str, ending: str = "contract", table: str = TABLE) -> Case:
    """Return a table with triggers that log what fires them, and work by either name."""
    before = ("CREATE TABLE @s.log (what text)", _FUNCTION)
    work = {"before": _WRITES[:3], "expand": _WRITES[:4], "backfill": _WRITES, "verify": _WRITES}
    part = "CREATE TABLE @s.low PARTITION OF @t DEFAULT" if "PARTITION" in table else "SELECT 1"
    work["contract"] = _WRITES[4:]
    return example(table, part, ROWS, *created, before=before, ending=ending, work=work)


_BY_COLUMN = (
    f"CREATE TRIGGER of_it AFTER UPDATE OF note, @c ON @t FOR EACH ROW {_CALLED}",
    "COMMENT ON TRIGGER of_it ON @t IS 'what it''s for'",
    (
        'CREATE TRIGGER "it\'s @c ON x" AFTER INSERT OR UPDATE OF @c ON @t FOR EACH ROW'
        f" WHEN (NEW.@c > 3 AND NEW.note IS DISTINCT FROM ' ON @t ') {_CALLED}"
    ),
    f"CREATE TRIGGER unlogged BEFORE UPDATE OF @c ON @t FOR EACH ROW {_CALLED}",
    "ALTER TABLE @t DISABLE TRIGGER unlogged",
    f"CREATE TRIGGER whole AFTER UPDATE OF @c ON @t FOR EACH STATEMENT {_CALLED}",
    (
        "CREATE CONSTRAINT TRIGGER last AFTER UPDATE OF @c ON @t DEFERRABLE INITIALLY DEFERRED"
        f" FOR EACH ROW WHEN (OLD.@c IS DISTINCT FROM NEW.@c) {_CALLED}"
    ),
    (
        f'CREATE TRIGGER "when" AFTER DELETE OR UPDATE ON @t FOR EACH ROW'
        f" WHEN (OLD.@c IS NOT NULL) {_CALLED}"
    ),
)
_OF_UPDATES = (
    f"CREATE TRIGGER touch BEFORE UPDATE ON @t FOR EACH ROW {_CALLED}",
    f"CREATE TRIGGER whole AFTER UPDATE ON @t FOR EACH STATEMENT {_CALLED}",
    (
        'CREATE TRIGGER "FOR EACH ROW WHEN (" AFTER INSERT OR UPDATE ON @t REFERENCING NEW TABLE AS'
        f' "FOR EACH ROW " FOR EACH STATEMENT {_CALLED}'
    ),
    (
        "CREATE TRIGGER both AFTER UPDATE OF note, @c ON @t FOR EACH ROW WHEN (NEW.@c > 3 AND"
        f" (NEW.note <> ') \" (' OR NEW.note IS NULL)) {_CALLED}"
    ),
    f"CREATE TRIGGER n AFTER UPDATE ON @t FOR EACH ROW WHEN (NEW.id < 9 AND NEW.id > 0) {_CALLED}",
    (
        "CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON @t DEFERRABLE INITIALLY DEFERRED"
        f" FOR EACH ROW WHEN (lower(NEW.note) <> 'q') {_CALLED}"
    ),
    "ALTER TABLE @t ENABLE ALWAYS TRIGGER whole",
    "COMMENT ON TRIGGER touch ON @t IS 'touches'",
)
_PARTITIONED = TABLE.replace("bigint", "bigint DEFAULT 5") + " PARTITION BY RANGE (id)"
EXAMPLES: dict[str, Case] = {
    # The plan saw columns of a partition key, but none of its expressions: the contract failed at
    # its last step, with the old name gone from the record.
    "a partition key that is an expression": example(
        "CREATE TABLE @t (id int, @c bigint, note text) PARTITION BY LIST ((@c IS NULL))",
        "CREATE TABLE @s.some PARTITION OF @t DEFAULT",
        ROWS,
    ),
    # The default came back with a cast to the base type around it.
    "a default that ends with a cast to its own domain": example(
        "CREATE TABLE @t (id int PRIMARY KEY, @c @s.cents DEFAULT '1'::text::@s.cents)",
        before=("CREATE DOMAIN @s.cents AS bigint",),
    ),
}
_DEFAULTS = tuple(
    work
    for by in ("old", "new")
    for sql in (
        "UPDATE @t SET @c = DEFAULT, note = 'amt = 1, cents = NULL' WHERE id = 1",
        "UPDATE @t AS x SET note = 'y', @c=/* @c = 2 */default WHERE x.id < 4 RETURNING @c::text",
        "UPDATE @t SET @c = NULL, note = 'default' WHERE id = 5",
        "INSERT INTO @t (id, @c) VALUES (6, 1) ON CONFLICT (id) DO UPDATE SET @c = DEFAULT",
        (
            "DO $$ BEGIN UPDATE @t SET @c = DEFAULT WHERE id = 7;"
            " UPDATE @t SET @c = NULL WHERE id = 8; END $$"
        ),
        "UPDATE @t SET @c = (( default )) WHERE id = 1",
        "UPDATE @t SET note = E'it\\'s, amt = default, cents = default', @c = NULL WHERE id = 3",
        "UPDATE @t SET note = $q$, amt = default, cents = default$q$, @c = NULL WHERE id = 4",
        (
            "WITH q AS (UPDATE @s.other SET amt = DEFAULT, cents = DEFAULT RETURNING 1)"
            " UPDATE @t SET @c = NULL WHERE id = 3"
        ),
        (
            "WITH q AS (UPDATE @s.other SET amt = NULL, cents = NULL RETURNING 1)"
            " UPDATE @t AS x SET @c = DEFAULT WHERE id = 3"
        ),
        "SELECT @s.reset(2)",
    )
    for work in statement(sql, by)
)
_RESET = (
    "CREATE FUNCTION @s.reset(i int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
    " UPDATE @t SET @c = DEFAULT WHERE id = i; END $$"
)


def _with_default(default: str, *more: str, table: str = TABLE, ending: str = "contract") -> Case:
    """Return a table behind a view, with work that asks for the column's default."""
    made = table.replace("bigint", f"bigint DEFAULT {default}")
    part = "CREATE TABLE @s.low PARTITION OF @t DEFAULT" if "PARTITION" in table else "SELECT 1"
    work = dict.fromkeys(("expand", "backfill"), _DEFAULTS) | {"before": _DEFAULTS[:11]}
    other = ("CREATE TABLE @s.other AS SELECT 1 AS amt, 2 AS cents",)
    case = example(made, part, ROWS, *more, strategy="view", ending=ending, work=work, before=other)
    text = Part("function", (_RESET.replace("CREATE", "CREATE OR REPLACE", 1),), is_text=True)
    return replace(case, parts=(*case.parts, text))


_KEPT = (
    "CREATE OR REPLACE FUNCTION @s.keeps() RETURNS trigger LANGUAGE plpgsql SET search_path = ''"
    " AS $$ BEGIN /* NEW.amt */ IF TG_OP = 'INSERT' AND new.@c IS NULL THEN NEW.@c := 9; END IF;"
    " NEW.note := concat(NEW.note, NEW.@c, '$function$'); RETURN NEW; END $$"
)


def _behind_a_view(ending: str) -> Case:
    """Return a table with rules, and a trigger whose function names the column as NEW's."""
    rules = tuple(
        f"CREATE RULE r{number} AS ON {rule}"
        for number, rule in enumerate(
            (
                "INSERT TO @t DO ALSO INSERT INTO @s.log VALUES ('+' || NEW.@c)",
                "UPDATE TO @t WHERE NEW.@c > 5 DO ALSO INSERT INTO @s.log VALUES (OLD.@c)",
                "UPDATE TO @t WHERE NEW.@c = 0 DO INSTEAD NOTHING",
                "DELETE TO @t DO INSTEAD UPDATE @t SET note = 'gone' WHERE @c = OLD.@c",
            )
        )
    )
    trigger = "CREATE TRIGGER keeps BEFORE INSERT OR UPDATE OF @c ON @t FOR EACH ROW"
    writes = tuple(
        work
        for by in ("old", "new")
        for sql in (
            "INSERT INTO @t (id, @c) VALUES (60, 6), (61, DEFAULT) RETURNING id, @c",
            "UPDATE @t SET @c = @c - 1 WHERE id < 8 RETURNING @c",
            "DELETE FROM @t WHERE @c = 4",
            "INSERT INTO @t (id, @c) VALUES (1, 6) ON CONFLICT (id) DO NOTHING",
            "DELETE FROM @t WHERE id > 50 RETURNING @c",
        )
        for work in statement(sql, by)
    )
    case = example(
        TABLE,
        ROWS,
        *rules,
        strategy="view",
        ending=ending,
        before=("CREATE TABLE @s.log (what text)",),
        work={"before": writes[:5], "expand": writes, "verify": writes, "contract": writes[5:]},
    )
    kept = Part("function of a trigger, that is replaced", (_KEPT,), is_text=True)
    called = "CREATE OR REPLACE TRIGGER called AFTER UPDATE OF @c ON @t FOR EACH ROW"
    argument = Part(
        "trigger with the column's name",
        (
            _FUNCTION.replace("CREATE", "CREATE OR REPLACE", 1),
            f"{called} WHEN (OLD.@c IS NOT NULL) EXECUTE FUNCTION @s.noted('it''s', @(c))",
        ),
        is_text=True,
    )
    made = Part("trigger", (f"{trigger} EXECUTE FUNCTION @s.keeps()",))
    return replace(case, parts=(*case.parts, kept, made, argument))


# Each was refused by the plan.
CARRIED: dict[str, Case] = {
    **{
        f"triggers on the column, to {ending}": _with_triggers(*_BY_COLUMN, ending=ending)
        for ending in ("contract", "expand", "verify")
    },
    "triggers on a partitioned table's column": _with_triggers(*_BY_COLUMN, table=_PARTITIONED),
    # The account may not silence them, or they are ENABLE ALWAYS.
    **{
        f"triggers that pass the backfill over, to {ending}": replace(
            _with_triggers(*_OF_UPDATES, ending=ending, table=table), operator=OPERATOR
        )
        for ending, table in (("contract", TABLE), ("backfill", TABLE), ("verify", _PARTITIONED))
    },
    # By its name it fired after the triggers that keep the columns equal.
    "a BEFORE trigger whose name sorts last": _with_triggers(
        "CREATE FUNCTION @s.zeroes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " NEW.note := concat(TG_NAME, NEW.note); RETURN NEW; END $$",
        'CREATE TRIGGER "zzz 5" BEFORE INSERT OR UPDATE ON @t FOR EACH ROW'
        " EXECUTE FUNCTION @s.zeroes()",
    ),
    "rules and a trigger's function behind a view": _behind_a_view("contract"),
    "rules and a trigger's function behind a view, rolled back": _behind_a_view("verify"),
    "a default behind a view": _with_default("5"),
    "a default behind a view, rolled back": _with_default("5", ending="backfill"),
    # In SQL its quotes are twice there, and no statement seemed to name it: NULL was written.
    "a default behind a view with a quote in its name": replace(_with_default("5"), table='q"t'),
    "a default and NOT NULL behind a view": _with_default("5 NOT NULL"),
    "a default by the client's path behind a view": _with_default("length(current_schema)"),
    "a default of a partitioned table, and another of its partition": _with_default(
        "5",
        "ALTER TABLE @s.low ALTER @c SET DEFAULT 9",
        table=_PARTITIONED.replace(" DEFAULT 5", ""),
    ),
    "a BEFORE trigger that sees the default behind a view": _with_default(
        "5",
        "CREATE FUNCTION @s.sees() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note :="
        " to_jsonb(NEW)::text; NEW.note := (num_nonnulls(VARIADIC regexp_split_to_array(NEW.note,"
        " ':')))::text; RETURN NEW; END $$",
        'CREATE TRIGGER "a" BEFORE UPDATE ON @t FOR EACH ROW EXECUTE FUNCTION @s.sees()',
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_has_once_differed_does_not(arena: Arena, name: str) -> None:
    arena.judge(EXAMPLES[name])


@pytest.mark.parametrize("name", CARRIED)
def test_what_was_once_refused_is_carried(arena: Arena, name: str) -> None:
    refused = arena.tally.refused.copy()
    arena.judge(CARRIED[name])
    assert arena.tally.refused == refused, arena.tally.refusals
