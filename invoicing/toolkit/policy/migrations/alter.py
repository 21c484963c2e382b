"""Read ALTER TABLE, action by action."""

from __future__ import annotations

from invoicing.toolkit.policy.migrations.actions import HOLE, Action
from invoicing.toolkit.policy.migrations.constraints import sql_constraint
from invoicing.toolkit.policy.migrations.definitions import (
    ALWAYS,
    BY_DEFAULT,
    NONE,
    default_text,
    facts,
    sql_column,
    sql_type_text,
    squeezed,
)
from invoicing.toolkit.policy.migrations.narrowing import sql_type
from invoicing.toolkit.policy.migrations.reader import Words
from invoicing.toolkit.policy.migrations.traits import of_sql

# What ADD may be followed by that is no column.
CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE"}
KEYS = {"INDEX", "KEY", "FULLTEXT", "SPATIAL"}
PARTS = {"EXPRESSION", "IDENTITY", "DEFAULT", "NOT", "PARTITION", "PERIOD", "SYSTEM"}


def alter_table(words: Words) -> list[Action]:
    """List the actions of one ALTER TABLE."""
    words.skip("IF", "EXISTS")
    words.skip("ONLY")
    table = words.name()
    words.skip("*")
    if words.peek() == "RENAME":
        return [rename(words, table)]
    return [action for part in words.parts() for action in alter(part, table)]


def rename(words: Words, table: str) -> Action:
    """RENAME of the table, of a constraint or of a column."""
    words.take()
    if words.skip("TO") or words.skip("AS"):
        return Action("rename", "table", table, becomes=words.name(), said="ALTER TABLE RENAME")
    kind = "column"
    if words.skip("CONSTRAINT"):
        kind = "constraint"
    elif words.skip("INDEX") or words.skip("KEY"):
        kind = "index"
    else:
        words.skip("COLUMN")
    name = words.name()
    words.skip("TO")
    return Action("rename", kind, name, table, becomes=words.name(), said="ALTER TABLE RENAME")


def table_parts(words: Words, table: str) -> list[Action]:
    """List the columns and the named constraints of CREATE TABLE, which come with it."""
    inside = Words(words.pass_parenthesis())
    actions = []
    for part in inside.parts():
        if part.peek() not in CONSTRAINTS | {"LIKE", ""} | KEYS or part.peek() == "CONSTRAINT":
            actions += add(part, table)
    return [words.replace(each, uses=(), implied=True, said="CREATE TABLE") for each in actions]


def alter(words: Words, table: str) -> list[Action]:
    """Read one action."""
    word = words.take()
    if word == "ADD":
        return add(words, table)
    if word == "DROP":
        return drop(words, table)
    if word in {"ALTER", "MODIFY"}:
        words.skip("COLUMN")
        name = words.name()
        if word == "MODIFY" or words.skip("SET", "DATA", "TYPE") or words.skip("TYPE"):
            text = " ".join(token.text for token in words.found[words.at :])
            known = facts(type=sql_type_text(text) or HOLE)
            said = "ALTER COLUMN TYPE"
            return [
                Action("retype", "column", name, table, new=sql_type(text), said=said, facts=known)
            ]
        known = generated(words) or set_or_drop(words)
        return [Action("change", "column", name, table, said="ALTER COLUMN", facts=known)]
    if word == "VALIDATE":
        words.skip("CONSTRAINT")
        known = facts(validity="valid")
        said = "VALIDATE CONSTRAINT"
        return [Action("change", "constraint", words.name(), table, said=said, facts=known)]
    security = {"ENABLE": "on", "DISABLE": "off"}.get(word)
    known = facts(row_security=security) if words.skip("ROW", "LEVEL", "SECURITY") else ()
    return [Action("change", "table", table, said="ALTER TABLE", facts=known)]


def generated(words: Words) -> tuple[tuple[str, str], ...]:
    """ALTER COLUMN ADD, SET or DROP of an identity, or DROP EXPRESSION."""
    if words.skip("ADD", "GENERATED") or words.skip("SET", "GENERATED"):
        return facts(identity=ALWAYS if words.skip("ALWAYS") else BY_DEFAULT)
    if words.skip("DROP", "IDENTITY"):
        return facts(identity=NONE)
    return facts(computed=NONE) if words.skip("DROP", "EXPRESSION") else ()


def set_or_drop(words: Words) -> tuple[tuple[str, str], ...]:
    """ALTER COLUMN SET or DROP NOT NULL, or DEFAULT."""
    sets = words.skip("SET")
    if not sets and not words.skip("DROP"):
        return ()
    if words.skip("NOT", "NULL"):
        return facts(nullable="NOT NULL" if sets else "NULL")
    if not words.skip("DEFAULT"):
        return ()
    given = default_text(squeezed(words.found[words.at :])) if sets else NONE
    return facts(default=given or HOLE)


def add(words: Words, table: str) -> list[Action]:
    """ADD a constraint or a column."""
    if words.peek() in KEYS:
        words.take()
        return [Action("create", "index", words.name(), table, said="ADD INDEX")]
    if words.peek() in CONSTRAINTS:
        name = words.name() if words.skip("CONSTRAINT") else None
        if words.has("USING", "INDEX"):
            index = words.after("INDEX")
            said, known = "ADD CONSTRAINT", frozenset({"using"})
            return [
                Action("drop", "index", index, table, lenient=True, said="USING INDEX"),
                Action("create", "constraint", name or index, table, said=said, traits=known),
            ]
        uses = tuple(("table", other) for other in words.all_after("REFERENCES"))
        known = of_sql(words)
        definition = sql_constraint(words.found[words.at :])
        check = words.has("CHECK") or words.has("EXCLUDE")
        columns = None if check else words.parenthesis()
        step = Action("create", "constraint", name, table, columns, uses, said="ADD CONSTRAINT")
        return [words.replace(step, traits=known, facts=definition)]
    words.skip("COLUMN")
    words.skip("IF", "NOT", "EXISTS")
    name = words.name()
    text = " ".join(token.text for token in words.found[words.at :])
    uses = tuple(("type", other) for other in words.names()[:1])
    uses += tuple(("table", other) for other in words.all_after("REFERENCES"))
    return [
        Action(
            "create",
            "column",
            name,
            table,
            uses=uses,
            new=sql_type(text),
            said="ADD COLUMN",
            traits=of_sql(words),
            facts=sql_column(words.found[words.at :]),
        )
    ]


def drop(words: Words, table: str) -> list[Action]:
    """DROP a constraint or a column."""
    kind = "column"
    if words.skip("CONSTRAINT") or words.skip("FOREIGN", "KEY") or words.skip("CHECK"):
        kind = "constraint"
    elif words.peek() in KEYS:
        words.take()
        kind = "index"
    elif words.skip("PRIMARY", "KEY"):
        return [Action("drop", "constraint", None, table, said="DROP PRIMARY KEY")]
    elif words.peek() in PARTS:
        return [Action("change", "table", table, said="ALTER TABLE DROP")]
    else:
        words.skip("COLUMN")
    lenient = words.skip("IF", "EXISTS")
    name = words.name()
    return [
        Action(
            "drop",
            kind,
            name,
            table,
            lenient=lenient,
            cascade=words.has("CASCADE"),
            said=f"DROP {kind.upper()}",
        )
    ]
