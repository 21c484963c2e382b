"""Read what SQL does: enough of CREATE, ALTER, DROP, DELETE and TRUNCATE, and of DO blocks.

It does not parse SQL: expressions and queries are passed over, and what it does not know is a
change without a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import HOLE, Action
from invoicing.toolkit.policy.migrations.alter import alter_table, table_parts
from invoicing.toolkit.policy.migrations.definitions import (
    NONE,
    facts,
    sql_index,
    sql_sequence,
    squeezed,
)
from invoicing.toolkit.policy.migrations.reader import Words
from invoicing.toolkit.policy.migrations.tokens import listed, statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoicing.toolkit.policy.migrations.tokens import SqlToken

# They leave nothing behind that a downgrade could undo.
PASSING = listed(
    "SET RESET SHOW ANALYZE ANALYSE VACUUM REINDEX CLUSTER LOCK BEGIN START COMMIT END ROLLBACK"
    " SAVEPOINT RELEASE REFRESH PRAGMA CHECKPOINT DISCARD EXPLAIN VALUES USE GO NOTIFY"
    " LISTEN DESCRIBE OPTIMIZE TABLE FETCH CLOSE"
)
PRIVILEGES = {"GRANT", "REVOKE"}
ADJECTIVES = listed(
    "TEMP TEMPORARY UNLOGGED GLOBAL LOCAL UNIQUE MATERIALIZED RECURSIVE CONSTRAINT EVENT FOREIGN"
    " DEFAULT TRUSTED PROCEDURAL FULLTEXT SPATIAL VIRTUAL"
)
KINDS = {
    **dict.fromkeys(("FUNCTION", "PROCEDURE", "AGGREGATE", "ROUTINE"), "function"),
    **dict.fromkeys(("TYPE", "DOMAIN"), "type"),
    **{
        word: word.lower()
        for word in listed(
            "TABLE INDEX TRIGGER EXTENSION VIEW SEQUENCE SCHEMA POLICY RULE PUBLICATION STATISTICS"
            " COLLATION DATABASE"
        )
    },
}
ON_A_TABLE = {"index", "trigger", "policy", "rule"}
# Rows, or values that cannot be computed again.
# Known by how their definition is written.
WRITTEN = {"function", "view", "trigger", "policy", "rule"}
HOLDS_DATA = {"table", "column", "schema", "sequence", "database"}
BLOCKS = {"BEGIN", "THEN", "ELSE", "LOOP", "DECLARE"}
DEEPEST = 4
LONGEST = 1_000_000


def read_sql(sql: str, depth: int = 0) -> list[Action]:
    """List what a text of one or more statements does, in order."""
    if len(sql) > LONGEST:
        return [*read_sql(sql[:LONGEST], depth), Action("opaque", said="very long SQL")]
    if not sql.replace(HOLE, "").strip():
        return (
            [Action("opaque", said="SQL that is not known before it runs")] if HOLE in sql else []
        )
    return [action for statement in statements(sql) for action in read_statement(statement, depth)]


def read_statement(found: list[SqlToken], depth: int) -> list[Action]:
    """List what one statement does."""
    words = Words(found)
    first = words.take()
    if first in PASSING:
        return []
    if first == HOLE or HOLE in first:
        return [Action("opaque", said="SQL that is not known before it runs")]
    reader = READERS.get(first)
    if reader is not None:
        return reader(words)
    if first == "DO":
        return read_block(found, depth)
    return [Action("change", "object" if first in PRIVILEGES else "data", said=first)]


def read_create(words: Words) -> list[Action]:
    """CREATE ... name, with what it stands on."""
    replaces = words.skip("OR", "REPLACE")
    adjectives = words.take_all(ADJECTIVES)
    kind = KINDS.get(words.take())
    if kind is None:
        return [Action("change", "object", said="CREATE")]
    known = frozenset({"concurrent"} if words.skip("CONCURRENTLY") else ())
    known |= frozenset({"unique"} if kind == "index" and "UNIQUE" in adjectives else ())
    words.skip("IF", "NOT", "EXISTS")
    temporary = bool(adjectives & {"TEMP", "TEMPORARY"})
    name = None if words.peek() in {"ON", "("} else words.name()
    if kind == "schema" and name == "AUTHORIZATION":
        name = words.name()
    action = Action(
        "create",
        kind,
        name,
        temporary=temporary,
        lenient=replaces,
        said=f"CREATE {kind.upper()}",
        traits=known,
    )
    return created(action, words)


def created(action: Action, words: Words) -> list[Action]:
    """Add the table something is on, its columns, and what it needs."""
    kind = action.kind
    if kind in WRITTEN:
        written = squeezed(words.found[words.at :])
        action = words.replace(action, facts=facts(definition=None if HOLE in written else written))
    if kind == "sequence":
        return [words.replace(action, facts=sql_sequence(words.found[words.at :]))]
    if kind == "type" and words.skip("AS", "ENUM"):
        labels = [token.text for token in words.found[words.at :] if token.kind == "text"]
        return [words.replace(action, facts=facts(labels=", ".join(labels)))]
    if kind in ON_A_TABLE:
        table = words.after("TO" if kind == "rule" else "ON", skipping={"ONLY"})
        rest = words.found[words.at :]
        columns = words.parenthesis() if kind == "index" else None
        action = words.replace(action, table=table, columns=columns)
        if kind == "index":
            action = words.replace(action, facts=sql_index(rest, unique="unique" in action.traits))
    uses: list[tuple[str, str]] = []
    if kind == "trigger":
        function = words.after("FUNCTION", "PROCEDURE")
        uses = [("function", function)] if function else []
    elif kind == "table":
        action = words.replace(action, facts=facts(row_security="off"))
        uses = [("table", name) for name in words.all_after("REFERENCES")]
        uses += [("type", name) for name in words.names()]
    elif kind == "view":
        uses = [("table", name) for name in words.names()]
    parts = table_parts(words, action.name or HOLE) if kind == "table" else []
    return [words.replace(action, uses=tuple(uses)), *parts]


def read_drop(words: Words) -> list[Action]:
    """DROP ... names; with CASCADE also what depends on them."""
    words.take_all(ADJECTIVES)
    word = words.take()
    if word == "OWNED":
        return [Action("lose", "schema", None, said="DROP OWNED")]
    kind = KINDS.get(word)
    if kind is None:
        return [Action("change", "object", said="DROP")]
    words.skip("CONCURRENTLY")
    lenient = words.skip("IF", "EXISTS")
    names = words.name_list()
    table = words.after("ON") if kind in ON_A_TABLE else None
    cascade = words.has("CASCADE")
    return [
        Action(
            "drop", kind, name, table, lenient=lenient, cascade=cascade, said=f"DROP {kind.upper()}"
        )
        for name in names
    ]


def read_alter(words: Words) -> list[Action]:
    """ALTER TABLE's actions; of the others a rename."""
    words.take_all(ADJECTIVES)
    word = words.take()
    kind = KINDS.get(word)
    if kind == "table":
        return alter_table(words)
    words.skip("IF", "EXISTS")
    name = words.name() if kind else None
    if kind == "type" and (words.has("ADD", "VALUE") or words.has("RENAME", "VALUE")):
        known = facts(relabel=squeezed(words.found[words.at :]))
        return [Action("change", "type", name, said="ALTER TYPE", facts=known)]
    if kind and words.skip("RENAME", "TO"):
        return [Action("rename", kind, name, becomes=words.name(), said=f"ALTER {word} RENAME")]
    return [Action("change", kind or "object", name, said=f"ALTER {word}")]


def read_comment(words: Words) -> list[Action]:
    """COMMENT ON ... IS text."""
    words.skip("ON")
    kind = words.take().lower()
    name = words.name()
    given = words.found[-1] if words.found else None
    text = given.text if given is not None and given.kind == "text" and given.text else NONE
    table, _, last = name.rpartition(".") if kind == "column" else ("", "", name)
    known = facts(comment=text)
    return [Action("change", kind, last, table or None, said="COMMENT", facts=known)]


def read_truncate(words: Words) -> list[Action]:
    """TRUNCATE loses every row of its tables."""
    words.skip("TABLE")
    words.skip("ONLY")
    return [Action("lose", "table", name, said="TRUNCATE") for name in words.name_list()]


def read_delete(words: Words) -> list[Action]:
    """DELETE loses rows, whatever its WHERE says."""
    words.skip("FROM")
    words.skip("ONLY")
    return [Action("lose", "table", words.name(), said="DELETE")]


def read_update(words: Words) -> list[Action]:
    """UPDATE ... SET column = NULL loses the column's values."""
    words.skip("ONLY")
    table = words.name()
    lost = []
    depth = 0
    for index, token in enumerate(words.found):
        depth += (token.text == "(") - (token.text == ")")
        if token.word in {"WHERE", "FROM", "RETURNING"} and not depth:
            break
        follows = [each.word for each in words.found[index + 1 : index + 4]]
        # `= NULL`, and nothing behind it but the next column.
        if token.kind == "name" and follows[:2] == ["=", "NULL"] and follows[2:] != ["::"]:
            lost.append(Action("lose", "column", token.text, table, said="UPDATE"))
    known = frozenset({"fills"} if fills(words) else ())
    return lost or [Action("change", "data", said="UPDATE", traits=known)]


def fills(words: Words) -> bool:
    """Tell whether an UPDATE sets one column, where it is NULL and perhaps more is so."""
    text = squeezed(words.found[words.at :])
    while (shorter := re.sub(r"\( [^()]*\)|\( \)", "group", text)) != text:
        text = shorter
    found = re.fullmatch(r"set (\S+) = (?:(?! where | , ).)+ where ((?:(?! or ).)+)", text)
    if found is None:
        return False
    empty = re.compile(rf"(?:\S+\.)?{re.escape(found[1])} is null")
    return any(empty.fullmatch(condition) for condition in found[2].split(" and "))


def read_with(words: Words) -> list[Action]:
    """WITH ... may hold a DELETE."""
    found = [
        Action("lose", "table", name, said="DELETE")
        for name in words.all_after("DELETE", then="FROM")
    ]
    return found or ([Action("change", "data", said="WITH")] if words.writes() else [])


def read_merge(words: Words) -> list[Action]:
    """MERGE ... WHEN MATCHED THEN DELETE."""
    words.skip("INTO")
    name = words.name()
    verb = "lose" if words.has("THEN", "DELETE") else "change"
    return [Action("lose" if verb == "lose" else "change", "table", name, said="MERGE")]


def read_select(words: Words) -> list[Action]:
    """SELECT function(...) may do anything; another SELECT reads."""
    name = words.peek()
    harmless = (
        "SET_CONFIG",
        "PG_",
        "CURRENT_SETTING",
        "COUNT",
        "MAX",
        "MIN",
        "NOW",
        "EXISTS",
        "SETVAL",
    )
    called = words.peek(1) == "(" and not name.startswith(harmless) and name.isidentifier()
    if words.has("INTO") and not words.has("FROM"):
        called = False
    return (
        [Action("opaque", said=f"SELECT {name.lower()}()")]
        if called and not words.has("FROM")
        else []
    )


def read_block(found: list[SqlToken], depth: int) -> list[Action]:
    """DO runs its body: statement by statement, each perhaps, and the texts it executes."""
    if depth >= DEEPEST:
        return [Action("opaque", said="DO")]
    actions = [
        words_action
        for token in found
        if token.kind in {"body", "text"}
        for words_action in read_body(token.text, depth + 1)
    ]
    return [Words.replace(action, guarded=True) for action in actions] or [
        Action("opaque", said="DO")
    ]


def read_body(body: str, depth: int) -> list[Action]:
    """List what the body of a block does."""
    actions: list[Action] = []
    for found in statements(body):
        pieces: list[list[SqlToken]] = [[]]
        for token in found:
            if token.word in BLOCKS:
                pieces.append([])
            else:
                pieces[-1].append(token)
        for piece in filter(None, pieces):
            word = piece[0].word
            if word in {"EXECUTE", "PERFORM"}:
                texts = [token.text for token in piece if token.kind in {"text", "body"}]
                actions += [step for text in texts[:1] for step in read_sql(holes(text), depth)]
            elif word in READERS and word != "SELECT":
                actions += read_statement(piece, depth)
            elif word in {"INSERT", "UPDATE"}:
                actions.append(Action("change", "data", said=word))
    return actions


def holes(text: str) -> str:
    """Read format()'s %I, %L and %s as what is not known."""
    for sign in ("%I", "%L", "%s"):
        text = text.replace(sign, HOLE)
    return text


READERS: dict[str, Callable[[Words], list[Action]]] = {
    "CREATE": read_create,
    "DROP": read_drop,
    "ALTER": read_alter,
    "TRUNCATE": read_truncate,
    "COMMENT": read_comment,
    "DELETE": read_delete,
    "UPDATE": read_update,
    "WITH": read_with,
    "MERGE": read_merge,
    "SELECT": read_select,
}
