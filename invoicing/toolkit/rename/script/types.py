"""Another type in a script: the server proves the expressions when the script runs (see `bind`).

What the statements need of the types is not known while they are written, so a word stands in each
place (`@new type@`), and every statement gets its values from the rename's row, where the expand
has noted them as a run would.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns.marks import CHANGING
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.retype.bind import CLONE, READ
from invoicing.toolkit.rename.retype.sides import CUT_BY_CAST, Conversion, Side
from invoicing.toolkit.rename.script.blocks import CLIENT_PATH, TYPE, execute, raise_if

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import Options
    from invoicing.toolkit.rename.names import Names

_PROBE = "invoicing retype probe"
_FILL = """    FOR part IN SELECT * FROM pg_catalog.jsonb_each_text(types) LOOP
        statement := pg_catalog.replace(statement, part.key, part.value);
    END LOOP;
"""
# What stands for each word, of a conversion as the rename's row has it.
_WORDS = """(SELECT jsonb_object_agg(format('@%s %s@', s.side, w.what), w.value)
        FROM (VALUES ('old'), ('new')) AS s (side), LATERAL (VALUES
            ('type', {made} -> s.side ->> 'type'),
            ('expression', {made} -> s.side ->> 'expression'),
            ('cast', CASE WHEN {made} -> s.side ->> 'type_name' = ANY (ARRAY[{cut}]) THEN ''
                ELSE '::' || ({made} -> s.side ->> 'type') END),
            ('differs', CASE WHEN {made} -> s.side ->> 'category' IN ('N', 'T', 'A')
                OR {made} -> s.side ->> 'type_name' = 'bpchar' THEN 'record_ne'
                ELSE 'record_image_ne' END)
        ) AS w (what, value))"""


@dataclass(frozen=True)
class ScriptSide(Side):
    """One of the two columns, whose facts are words."""

    side: str = ""

    def as_stored(self, value: str) -> str:
        """Return a value as this column would keep it."""
        return f"({value})@{self.side} cast@"

    def differs(self, left: str, right: str) -> str:
        """Return SQL that is true of two values."""
        return f"pg_catalog.@{self.side} differs@(ROW({left}), ROW({right}))"


def script_conversion(options: Options) -> Conversion | None:
    """Return the conversion that a script is written with; None where the type stays."""
    if options.type is None:
        return None
    old, new = (
        ScriptSide(f"@{side} type@", "", "", f"@{side} expression@", side)
        for side in ("old", "new")
    )
    asked = {"type": options.type, "using": options.using, "back": options.back}
    scaled = options.using is not None
    return Conversion(old, new, options.loss, scaled, asked | {"loss": options.loss})


def words(made: str) -> str:
    """Return SQL for what stands for each word; `made` is SQL for the conversion."""
    return _WORDS.format(made=made, cut=", ".join(map(literal, sorted(CUT_BY_CAST))))


def load_words(names: Names) -> str:
    """Return what lets a block that knows nothing of the rename fill in its `statement`."""
    if names.conversion is None:
        return ""
    row = f"FROM {quote(STATE)}.rename AS r WHERE r.key = {literal(names.key)}"
    noted = f"(SELECT r.definition -> 'conversion' {row})"
    return f"    types := {words(noted)};\n{_FILL}"


def filled(statement: str) -> str:
    """Return what puts a statement, with the types in it, into the variable `statement`."""
    return f"    statement := {literal(statement)};\n{_FILL}"


def run(names: Names, *statements: str) -> str:
    """Return what runs statements, with the types in them where they change."""
    if names.conversion is None:
        return execute(*statements)
    return "".join(f"{filled(statement)}    EXECUTE statement;\n" for statement in statements)


def refuse_other(names: Names) -> str:
    """Refuse where the rename was begun with another type, and let the words be known."""
    made = names.conversion
    asked = "NULL" if made is None else f"{literal(json.dumps(made.asked))}::jsonb"
    refusal = raise_if(
        f"noted.phase <> {literal(Phase.CONTRACTED)}"
        f" AND noted.conversion -> 'asked' IS DISTINCT FROM {asked}",
        f"the change of {names.table}.{names.old} was begun with another type or expression",
        f"End it as it was begun, or go back first: {names.command('rollback')}",
    )
    return refusal if made is None else f"{refusal}    types := {words('noted.conversion')};\n"


def is_over(names: Names) -> str:
    """Return SQL that is true where a column that keeps its name has its type already."""
    made = names.conversion
    if made is None or not names.keeps_name:
        return "false"
    asked = f"{literal(json.dumps(made.asked))}::jsonb"
    done = (
        f"noted.phase = {literal(Phase.CONTRACTED)} AND noted.conversion -> 'asked' = {asked}"
        " AND noted.conversion -> 'new' ->> 'type' = col.type"
    )
    type_ = literal(str(made.asked["type"]))
    # Of an empty table nothing is kept; and a table of later code has never had another type.
    never = (
        f"noted.phase IS NULL AND to_regtype({type_}) = col.type_oid AND (col.type = {type_}"
        f" OR strpos({type_}, '(') = 0 AND col.type = format_type(col.type_oid, NULL))"
    )
    done = done if made.scaled else f"{done} OR {never}"
    return f"coalesce(NOT there AND ({done}), false)"


def bind(names: Names) -> str:
    """Return what proves the expressions, and lets `conversion` and `types` be known.

    It fails where a run would refuse them: they read another column, or are not immutable.
    """
    made = names.conversion
    if made is None:
        return ""
    old, new = quote(names.old), quote(names.new)
    kept = quote(names.old if names.keeps_name else names.new)
    using, back = made.asked["using"] or old, made.asked["back"] or kept
    alter = f"ALTER TABLE {CLONE}"
    between = [f"{alter} ALTER COLUMN {new} DROP EXPRESSION"]
    if names.keeps_name:
        between += [f"{alter} DROP COLUMN {old}", f"{alter} RENAME COLUMN {new} TO {old}"]
    again = [f"{alter} RENAME COLUMN {old} TO {new}"] if names.keeps_name else []
    add = f"{alter} ADD COLUMN {{}} {{}} GENERATED ALWAYS AS (\n{{}}\n) STORED"
    forward = add.format(new, made.asked["type"], using)
    backward = add.format(quote(_PROBE), TYPE, back)
    message = literal(f"cannot change the type of {names.table}.{names.old}: ")
    hint = literal(
        f"Nothing was changed. type_ has to name a type, using has to read {names.old} alone, back"
        " the new column alone, and both have to be immutable."
    )
    parts = [
        execute(f"CREATE TEMPORARY TABLE invoicing_retype_clone (LIKE {names.relation})", forward),
        _side("new", names.new, names.old),
        execute(*between),
        f"    EXECUTE replace({literal(backward)}, {literal(TYPE)}, col.type);\n",
        execute(*again),
        _side("old", _PROBE, names.new),
        execute(f"DROP TABLE {CLONE}"),
    ]
    return (
        "    conversion := '{}';\n    BEGIN\n"
        + "".join(parts)
        + "    EXCEPTION WHEN OTHERS THEN\n        RAISE EXCEPTION USING ERRCODE = SQLSTATE,"
        f" MESSAGE = {message} || SQLERRM, HINT = {hint};\n    END;\n"
        + _refuse_types(made)
        + f"    conversion := conversion || {literal(_noted(made))}::jsonb;\n"
        + f"    types := {words('conversion')};\n"
    )


def note(names: Names) -> str:
    """Return what notes the conversion in the rename's row, as a run does."""
    if names.conversion is None:
        return ""
    query = (
        f"UPDATE {quote(STATE)}.rename SET definition = definition ||"
        f" jsonb_build_object('type', $1, 'conversion', $2) WHERE key = {literal(names.key)}"
    )
    return f"    EXECUTE {literal(query)} USING col.type, conversion;\n"


def _noted(made: Conversion) -> str:
    return json.dumps({"loss": made.loss, "scaled": made.scaled, "asked": made.asked})


def _side(side: str, column: str, reads: str) -> str:
    """Return what reads one side's facts from the column that was made of its expression."""
    cast = quote("invoicing retype cast")
    prove = f"ALTER TABLE {CLONE} ADD COLUMN {cast} %1$s GENERATED ALWAYS AS ((%2$s)::%1$s) STORED"
    empty = "SELECT pg_catalog.record_ne(ROW('{}'::%1$s), ROW('{}'::%1$s))"
    return (
        "    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);\n"
        f"    EXECUTE {literal(READ)} INTO kept USING {literal(CLONE)}, {literal(column)};\n"
        + raise_if(
            f"kept.columns IS DISTINCT FROM ARRAY[{literal(reads)}]::text[]",
            f"the expression for the {side} column reads another column, or none",
            "",
        )
        + raise_if(
            "coalesce(kept.changing, kept.forbidden) IS NOT NULL",
            "not immutable, or not for every account: ",
            "",
            fact="coalesce(kept.changing, kept.forbidden)",
        )
        + f"    EXECUTE format({literal(prove)}, kept.type, kept.expression);\n"
        + execute(f"ALTER TABLE {CLONE} DROP COLUMN {cast}")
        # Arrays of what has no equality cannot be compared.
        + "    IF kept.category = 'A' THEN\n"
        + f"        EXECUTE format({literal(empty)}, kept.type);\n    END IF;\n"
        + f"    conversion := conversion || jsonb_build_object({literal(side)}, jsonb_build_object("
        "'type', kept.type, 'type_name', kept.type_name, 'category', kept.category,"
        " 'expression', kept.expression));\n"
        f"    PERFORM set_config('search_path', {CLIENT_PATH.format('path')}, true);\n"
    )


def _refuse_types(made: Conversion) -> str:
    """Refuse types whose change a run does not support either."""
    new = "to_regtype(conversion -> 'new' ->> 'type')"
    same = "conversion -> 'new' ->> 'type' = conversion -> 'old' ->> 'type'"
    hint = "Nothing was changed. Name another type."
    refused = raise_if(
        f"EXISTS (SELECT FROM pg_type AS t WHERE t.oid IN (col.type_oid, {new}) AND (t.typtype IN"
        f" ('d', 'c', 'p') OR t.oid = {new} AND t.typdefault IS NOT NULL))"
        " OR strpos(conversion::text, '''') > 0 AND strpos(concat(conversion -> 'new' ->> 'type',"
        " conversion -> 'old' ->> 'type'), '''') > 0",
        "a domain, a composite type or one with a default of its own is not changed in a script",
        hint,
    )
    if not made.scaled:
        return refused + raise_if(same, "the column has that type already", hint)
    changing = (
        "EXISTS (SELECT FROM pg_attrdef AS d WHERE d.adrelid = rel AND d.adnum = col.attnum"
        f" AND pg_get_expr(d.adbin, d.adrelid) ~* {literal(CHANGING)})"
    )
    refused += raise_if(
        changing,
        "the column's default is no constant, so that using cannot convert it",
        "Drop it first, and set one of the new type after the contract.",
    )
    return refused + raise_if(
        "strpos(col.type, ' COLLATE ') > 0",
        "the column has a collation of its own, which an expression over it does not see",
        "Give no using, or change the collation first.",
    )
