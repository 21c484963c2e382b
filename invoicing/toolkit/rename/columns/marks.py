"""Defaults that say which of the two columns an INSERT left out, from the expand to the contract.

A default is evaluated only where the statement names no value for its column, once for each row and
right before the row's own triggers. So each of the two columns has a default that leaves a letter
in a setting of the transaction (`o` for the old column, `n` for the new), and then is what the old
column's default was, for `SET new = DEFAULT` too. *insert* (see `sync`) reads the letters, and
takes them away; so does an UPDATE of the row. The setting is a stack: a statement puts `i` (an
INSERT) or `u` (an UPDATE) before what is there, its rows put their letters before that, and its end
takes all of it away: what a function writes while a row is made leaves that row's letters alone. A
trigger's depth is part of the setting's name: an INSERT within a trigger has a stack of its own.

Where DDL has given a column another default, or none, its letter is gone: *insert* then asks, and
only of two values that differ, whether the value is that default's (`left_out`). A default that
gives another value each time (a sequence, random()) counts as what was left out.

What they do not see: `INSERT (old) VALUES (DEFAULT)` is to PostgreSQL what leaving `old` out is, so
it does not count. Where an INSERT has ON CONFLICT DO UPDATE, and in a MERGE, both defaults are
evaluated, so that a sequence may be advanced twice.

Citus computes a default before it sends a row to its node, so that in a distributed schema they are
on the shard alone; a row that comes without letters there (COPY, or from another node) is looked at
as one whose defaults are not ours. A shard that moves has none, until they are put on again.

They are made of functions of PostgreSQL's alone: a dump that is taken meanwhile, or a table that
was made LIKE this one, needs nothing of ours. Each table of a tree of partitions keeps its own
default; every statement here reads them from the catalog when it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.retype import conversion

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names

_PREFIX = "invoicing_rename.k"
# A default of ours as the catalog shows it: around the column's own, or where there was none.
_MARK = rf"^\s*CASE\s+WHEN [^']*'{_PREFIX}.*?, true\)"
_OWN = rf"{_MARK} IS NOT NULL\) THEN\s+(.*)\s+ELSE \(*NULL::.*\s+END$"
_SKIPPED = rf"{_MARK} ~ '\^\[on\]\+i'::text\) THEN NULL::.*?\s+ELSE (.*)\s+END$"
_NONE = rf"{_MARK} IS NULL\) THEN \(*NULL::"
_EMPTY = r"^CASE\s+WHEN true THEN NULL::"
# A default that may be another value each time, or for another session.
CHANGING = (
    r"[[:alnum:]_\"](?<!\m(?:numeric|varying|character|bit|time|timestamp|interval))\("
    r"|\mCURRENT_|\mLOCALTIME|\mSESSION_USER|\mUSER\M|'(?:now|today|tomorrow|yesterday)"
)
_BARE_ROW = r"^ROW\(.*\)$"
# A bare ROW(...) has no type of its own within the CASE, so that it was given one.
_ROW = rf"{_MARK} IS NOT NULL\) AND true\) THEN\s+(ROW\(.*\))::.*\s+ELSE NULL::.*\s+END$"
# The default of a domain, with its pg_type as y.
_OF_TYPE = (
    "coalesce(pg_catalog.pg_get_expr(y.typdefaultbin, 0), pg_catalog.quote_literal(y.typdefault)"
    " || '::' || pg_catalog.format_type(y.oid, NULL))"
)


def setting(names: Names) -> str:
    """Return the first part of the names of this rename's settings."""
    return _PREFIX + names.key


def letters(names: Names, depth: str = "pg_catalog.pg_trigger_depth()") -> str:
    """Return SQL for the name of the setting that has the letters."""
    return f"pg_catalog.concat({literal(setting(names) + '_')}, {depth})"


def is_marked(expression: str) -> str:
    """Return SQL that is true of a default of ours."""
    return f"coalesce(pg_catalog.strpos({expression}, {literal(chr(39) + _PREFIX)}) > 0, false)"


def is_bare(expression: str) -> str:
    """Return SQL that is true of a default of ours where the column had none of its own."""
    return f"{expression} OPERATOR(pg_catalog.~) {literal(_NONE)}"


def original(expression: str) -> str:
    """Return SQL for the default that the column had before; NULL where it had none."""
    forms = ", ".join(
        f"pg_catalog.substring({expression}, {literal(form)})" for form in (_ROW, _OWN, _SKIPPED)
    )
    return (
        f"CASE WHEN NOT {expression} OPERATOR(pg_catalog.~) {literal(_NONE)} THEN"
        f" pg_catalog.btrim(coalesce({forms}, {expression}), pg_catalog.concat(' ', chr(10))) END"
    )


def mark_statements(names: Names) -> list[str]:
    """Return the statements that give both columns such defaults, around the old column's."""
    if names.keeps_name:
        return []  # no statement names the new column, so that the value is always the old one's
    if names.conversion is None:
        return [_mark_statement(names), *_only_on_shard(names)]
    return [default_of_new(names), _mark_statement(names, converted=True)]


def _mark_statement(names: Names, *, converted: bool = False) -> str:
    old, new = literal(names.old), literal(names.new)
    value = f"pg_catalog.current_setting({letters(names)}, true)"
    # A letter that is there already, of a row that another trigger skipped, is not there twice.
    mark = (
        f"pg_catalog.set_config({letters(names)}, pg_catalog.concat('%1$s',"
        f" pg_catalog.regexp_replace({value}, '(?<=^[on]?)%1$s', '')), true)"
    )
    own = literal(f"CASE WHEN {mark} IS NOT NULL THEN %2$s END")
    # A domain's expression would be cast to its base type beside a NULL of no type.
    domain = literal(f"CASE WHEN {mark} IS NOT NULL THEN %2$s ELSE NULL::%3$s END")
    row = literal(f"CASE WHEN {mark} IS NOT NULL AND true THEN (%2$s)::%3$s END")
    # Where the column had none, and says so: a domain's own default comes by itself.
    none = literal(f"CASE WHEN {mark} IS NULL THEN NULL::%3$s ELSE (%2$s)::%3$s END")
    # A domain may not take NULL, which an array of it has for what is not there; the trigger looks.
    absent = literal(f"CASE WHEN {mark} IS NULL THEN NULL::%3$s ELSE (NULL::%3$s[])[1] END")
    if names.shard is not None:
        # Citus parses a default three times over, and fails at what it finds of IS NULL.
        never = f"pg_catalog.length({mark}) OPERATOR(pg_catalog.<) 0"
        none = absent = literal(f"CASE WHEN {never} THEN NULL::%3$s ELSE NULL::%3$s END")
    # An INSERT takes the old column's value: a sequence is not to be advanced for it twice.
    inserting = f"{mark} OPERATOR(pg_catalog.~) '^[on]+i'"
    skipped = literal(f"CASE WHEN {inserting} THEN NULL ELSE %2$s END")
    # DDL has given the new column one since. The first has been that of a column just added.
    changed = (
        f"{is_marked('d.of_old')} AND NOT {is_marked('d.of_new')} AND d.of_new"
        f" OPERATOR(pg_catalog.!~) {literal(_EMPTY)}"
    )
    taken = f"a.attname = {new}" if converted else changed
    return _each(
        names,
        f"""(SELECT pg_catalog.format(
            CASE WHEN own IS NULL AND d.of_type IS NULL AND y.typtype = 'd' THEN {absent}
                WHEN own IS NULL THEN {none}
                WHEN own OPERATOR(pg_catalog.~) {literal(_BARE_ROW)} THEN {row}
                WHEN a.attname = {new} THEN {skipped}
                WHEN y.typtype = 'd' AND right(own, length(d.type) + 2) = '::' || d.type
                    THEN {domain}
                ELSE {own} END,
            CASE a.attname WHEN {new} THEN 'n' ELSE 'o' END,
            coalesce(own, d.of_type, 'NULL'), d.type)
        FROM (SELECT CASE WHEN {taken} THEN {original("d.of_new") if converted else "d.of_new"}
            ELSE {original("d.of_old")} END) AS o (own))""",
        f"a.attname IN ({old}, {new})",
    )


def _only_on_shard(names: Names) -> list[str]:
    """Return what takes the defaults off the coordinator's own table again, where a shard has them.

    A column with a default of its own is refused there, so that nothing else is lost by it.
    """
    if names.shard is None:
        return []
    propagation = "SELECT pg_catalog.set_config('citus.enable_ddl_propagation', {}, true)"
    drops = ", ".join(f"ALTER COLUMN {quote(name)} DROP DEFAULT" for name in (names.old, names.new))
    return [
        propagation.format("'off'"),
        f"ALTER TABLE {names.relation} {drops}",
        propagation.format("'on'"),
    ]


def default_of_new(names: Names) -> str:
    """Return the statement that gives the new column the old one's default, converted.

    As ALTER COLUMN ... TYPE, it keeps the default's text where values mean the same. Where an
    expression was given, the default is what that makes of it, once: only a constant can be.
    """
    made = names.conversion
    old, new, which = f"({original('d.of_old')})", literal(names.new), literal(names.old)
    which = f"a.attname = {which}"
    if made is None or not made.scaled:
        return _each(names, old, which, new)
    value = conversion.to_new(names, f"(%s)::{made.old.type}")
    asked = literal(f"SELECT pg_catalog.quote_nullable(({value})::text)")
    message = "the default %s is no constant, so that it cannot be converted"
    hint = f"Drop it, and set a default of {names.new} after the contract."
    return f"""DO $default_{names.key}$
DECLARE
    change record;
    converted text;
BEGIN
    FOR change IN SELECT d.relation, {old} AS own {_columns(names, which)}
    LOOP
        IF change.own OPERATOR(pg_catalog.~*) {literal(CHANGING)} THEN
            RAISE EXCEPTION USING MESSAGE = pg_catalog.format({literal(message)}, change.own),
                HINT = {literal(hint)};
        END IF;
        converted := NULL;
        IF change.own IS NOT NULL THEN
            EXECUTE pg_catalog.format({asked}, change.own) INTO converted;
        END IF;
        EXECUTE pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I %s', change.relation, {new},
            coalesce('SET DEFAULT ' || converted || {literal("::" + made.new.type)},
            'DROP DEFAULT'));
    END LOOP;
END
$default_{names.key}$"""


def left_out(names: Names) -> str:
    """Return a block for *insert*: which side may be a default that is not ours any more.

    It sets `without_old` and `without_new`. An INSERT into a partition's parent has its defaults.
    """
    value = "(%1$s)::%2$s"
    same = f"pg_catalog.record_image_eq(ROW({value}), ROW(($1).%3$I))"
    again = f"pg_catalog.record_image_eq(ROW({value}), ROW({value}))"
    ours = is_marked("changed.value")
    unknown = f"CONTINUE WHEN {ours};"
    if names.shard is not None:
        unknown = f"IF {ours} THEN changed.value := NULL; END IF;"
    return f"""FOR changed IN
            SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
                CASE WHEN a.attidentity <> '' THEN 'nextval()' ELSE coalesce(
                    pg_catalog.pg_get_expr(f.adbin, f.adrelid), {_OF_TYPE}) END AS value
            FROM pg_catalog.pg_attribute AS a
            JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
            LEFT JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
            WHERE a.attname IN ({literal(names.old)}, {literal(names.new)})
                AND a.attrelid IN (SELECT TG_RELID UNION
                    SELECT relid FROM pg_catalog.pg_partition_ancestors(TG_RELID))
        LOOP
            {unknown}
            IF changed.value IS NULL THEN
                EXECUTE pg_catalog.format('SELECT ($1).%I IS NOT DISTINCT FROM NULL', changed.name)
                    INTO its_default USING NEW;
            ELSE
                its_default := pg_catalog.strpos(changed.value, 'nextval(') > 0;
                IF NOT its_default THEN
                    BEGIN
                        EXECUTE pg_catalog.format({literal(f"SELECT {same} OR NOT {again}")},
                            changed.value, changed.type, changed.name) INTO its_default USING NEW;
                    EXCEPTION WHEN OTHERS THEN
                        -- It needs the client's path, or may run once only.
                        its_default := true;
                    END;
                END IF;
            END IF;
            IF changed.name = {literal(names.old)} THEN
                without_old := without_old OR its_default;
            ELSE
                without_new := without_new OR its_default;
            END IF;
        END LOOP;"""


def unmark_statements(names: Names, column: str) -> list[str]:
    """Return what gives the column that stays its default, as it is without a rename."""
    if names.keeps_name:
        return [default_of_new(names)] if column == names.new else []
    return [unmark_statement(names, column)]


def unmark_statement(names: Names, column: str, like: str | None = None) -> str:
    """Return the statement that gives `column` the default that `like` (the old) had before."""
    # A column of another type has had a default of its own all the time.
    own = column if names.conversion is not None else names.old
    source = literal(own if like is None else like)
    return _each(names, original("d.expression"), f"a.attname = {source}", literal(column))


def _each(names: Names, default: str, which: str, column: str = "a.attname") -> str:
    """Return a statement that sets a default in each table of the tree by itself."""
    return f"""DO $marks_{names.key}$
DECLARE
    change text;
BEGIN
    FOR change IN
        SELECT pg_catalog.format('ALTER TABLE ONLY %s ALTER COLUMN %I %s', d.relation, {column},
            coalesce('SET DEFAULT ' || ({default}), 'DROP DEFAULT'))
        {_columns(names, which)}
    LOOP
        EXECUTE change;
    END LOOP;
END
$marks_{names.key}$"""


def _columns(names: Names, which: str) -> str:
    """Return the FROM that finds a column of each table of the tree, with its defaults as `d`."""
    root = f"{literal(names.relation)}::pg_catalog.regclass"
    return f"""FROM pg_catalog.pg_attribute AS a
        JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
        JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = c.oid AND f.adnum = a.attnum
        CROSS JOIN LATERAL (SELECT c.oid::pg_catalog.regclass AS relation,
            pg_catalog.pg_get_expr(f.adbin, f.adrelid) AS expression,
            {_default_of(names.old)} AS of_old,
            {_default_of(names.new)} AS of_new,
            pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
            coalesce({_OF_TYPE}, (SELECT {_OF_TYPE} FROM pg_catalog.pg_attribute AS b
                JOIN pg_catalog.pg_type AS y ON y.oid = b.atttypid WHERE b.attrelid = c.oid
                AND b.attname = {literal(names.old)} AND NOT b.attisdropped)) AS of_type) AS d
        WHERE c.oid IN (SELECT {root} UNION
                SELECT relid FROM pg_catalog.pg_partition_tree({root}))
            AND {which} AND NOT a.attisdropped"""


def _default_of(column: str) -> str:
    return f"""(SELECT pg_catalog.pg_get_expr(e.adbin, e.adrelid) FROM pg_catalog.pg_attrdef AS e
                JOIN pg_catalog.pg_attribute AS b ON b.attrelid = e.adrelid AND b.attnum = e.adnum
                WHERE e.adrelid = c.oid AND b.attname = {literal(column)})"""
