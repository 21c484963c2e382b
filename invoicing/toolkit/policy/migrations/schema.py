"""What Alembic's operations do to the schema."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations import constraints, definitions, traits
from invoicing.toolkit.policy.migrations.actions import HOLE, Action, ColumnType
from invoicing.toolkit.policy.migrations.narrowing import family
from invoicing.toolkit.policy.migrations.sql import read_sql
from invoicing.toolkit.policy.migrations.values import CallValue, Ref, Value, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENUMS = {"Enum", "ENUM"}
SIZED = {"varchar", "numeric"}


def name_of(value: Value) -> str | None:
    """Give a name, None for none, a hole for one that is not known."""
    return None if value is None else text_of(value)


def names_of(value: Value) -> tuple[str, ...] | None:
    """Give the names of columns, None where they are not known."""
    if not isinstance(value, list):
        return None
    return tuple(text_of(item) for item in value)


def type_of(value: Value) -> ColumnType | None:
    """Give a SQLAlchemy type as far as it says what fits, called or not."""
    made = CallValue(value.dotted, []) if isinstance(value, Ref) else value
    if not isinstance(made, CallValue):
        return None
    if made.word in ENUMS:
        labels = made.args if all(isinstance(argument, str) for argument in made.args) else []
        return ColumnType("enum", labels=tuple(labels) or None)
    found = family(made.word)
    if found is None or not known(made):
        return None
    size = made.get(0, "precision" if found == "numeric" else "length") if found in SIZED else None
    scale = made.get(1, "scale") if found == "numeric" else None
    if not isinstance(size, int | None) or not isinstance(scale, int | None):
        return None
    return ColumnType(found, size, scale)


def known(made: CallValue) -> bool:
    """Tell SQLAlchemy's types from a class of one's own by the same name."""
    return made.dotted.startswith(("sqlalchemy.", "citext.")) or made.dotted == made.word


def enum_name(value: Value) -> str | None:
    """Give the name of the database's type behind an enumeration that is kept as one."""
    if isinstance(value, CallValue) and value.word == "ARRAY":
        return enum_name(value.get(0, "item_type"))
    if (
        not (isinstance(value, CallValue) and value.word in ENUMS)
        or value.kwargs.get("native_enum") is False
    ):
        return None
    return name_of(value.kwargs.get("name"))


def makes_type(value: Value) -> bool:
    """Tell whether a table's creation also creates the type of its column."""
    return isinstance(value, CallValue) and value.kwargs.get("create_type") is not False


def columns_in(values: list[Value]) -> Iterator[CallValue]:
    """Give the columns among what a table is made of."""
    yield from (
        value for value in values if isinstance(value, CallValue) and value.word == "Column"
    )


def column_type(column: CallValue) -> Value:
    """Give a column's type argument."""
    return column.kwargs.get("type_", column.args[1] if len(column.args) > 1 else None)


def references(values: list[Value], *, named: bool = True) -> tuple[tuple[str, str], ...]:
    """Give the tables that foreign keys in a list of columns and constraints point to."""
    targets: list[str] = []
    for value in values:
        if not isinstance(value, CallValue):
            continue
        if value.word == "Column":
            targets += [target for _, target in references(value.args)]
        elif value.word == "ForeignKey":
            targets.append(text_of(value.get(0, "column")).rpartition(".")[0])
        elif value.word == "ForeignKeyConstraint" and (named or "name" not in value.kwargs):
            remote = value.get(1, "refcolumns")
            targets += (
                [text_of(key).rpartition(".")[0] for key in remote]
                if isinstance(remote, list)
                else []
            )
    return tuple(("table", target) for target in targets if target)


def create_table(made: CallValue) -> list[Action]:
    """Read a table, its columns, and the enumeration types that are made with it."""
    name, parts = name_of(made.get(0, "table_name")), made.args[1:]
    types = [column_type(column) for column in columns_in(parts)]
    enums = [(enum, kind) for kind in types if (enum := enum_name(kind))]
    uses = (*references(parts, named=False), *(("type", enum) for enum, _ in enums))
    temporary = "TEMPORARY" in str(made.kwargs.get("prefixes", ""))
    said = "op.create_table"
    return [
        *(
            Action("create", "type", enum, said=said, implied=True, facts=labels_of(kind))
            for enum, kind in enums
            if makes_type(kind)
        ),
        Action(
            "create",
            "table",
            name,
            uses=uses,
            temporary=temporary,
            said=said,
            facts=definitions.facts(
                comment=definitions.comment_text(made.kwargs.get("comment")), row_security="off"
            ),
        ),
        *parts_of_table(name, parts),
    ]


def labels_of(kind: Value) -> tuple[tuple[str, str], ...]:
    """Give the labels of an enumeration, of a column or an array of it."""
    made = (
        kind.get(0, "item_type") if isinstance(kind, CallValue) and kind.word == "ARRAY" else kind
    )
    return definitions.of_labels(made) if isinstance(made, CallValue) else ()


def parts_of_table(table: str | None, parts: list[Value]) -> Iterator[Action]:
    """Give the named foreign keys and the columns, which come and go with their table."""
    said = "op.create_table"
    made = [part for part in parts if isinstance(part, CallValue)]
    keys = tuple(
        name
        for part in made
        if part.word == "PrimaryKeyConstraint"
        for name in names_of(part.args) or ()
    )
    for part in parts:
        word = part.word if isinstance(part, CallValue) else ""
        if word == "ForeignKeyConstraint" and part.kwargs.get("name"):
            name, columns = name_of(part.kwargs["name"]), names_of(part.get(0, "columns"))
            known = constraints.of_foreign_part(
                part, part.get(0, "columns"), part.get(1, "refcolumns")
            )
            step = Action("create", "constraint", name, table, columns, references([part]))
            yield replace(step, implied=True, said=said, facts=known)
        elif word == "Column":
            name, kind = name_of(part.get(0, "name")), type_of(column_type(part))
            known = definitions.of_column(part, keys)
            yield Action(
                "create", "column", name, table, new=kind, implied=True, said=said, facts=known
            )
            yield from keys_of_column(table, part)
        elif word in constraints.PARTS and isinstance(part.kwargs.get("name"), str):
            name, columns = name_of(part.kwargs["name"]), names_of(part.args)
            known = constraints.of_part(part)
            yield Action(
                "create", "constraint", name, table, columns, implied=True, said=said, facts=known
            )


def keys_of_column(table: str | None, column: CallValue) -> Iterator[Action]:
    """Give the foreign keys with a name that a column of a new table has."""
    name = column.get(0, "name")
    for part in column.args:
        if isinstance(part, CallValue) and part.word == "ForeignKey" and part.kwargs.get("name"):
            known = constraints.of_foreign_part(part, [name], [part.get(0, "column")])
            step = Action("create", "constraint", name_of(part.kwargs["name"]), table)
            columns = (text_of(name),)
            yield replace(step, columns=columns, implied=True, said="op.create_table", facts=known)


def drop_table(made: CallValue) -> list[Action]:
    """Read op.drop_table."""
    lenient = made.kwargs.get("if_exists") is True
    return [
        Action(
            "drop",
            "table",
            name_of(made.get(0, "table_name")),
            lenient=lenient,
            said="op.drop_table",
        )
    ]


def rename_table(made: CallValue) -> list[Action]:
    """Read op.rename_table."""
    old, new = name_of(made.get(0, "old_table_name")), name_of(made.get(1, "new_table_name"))
    return [Action("rename", "table", old, becomes=new, said="op.rename_table")]


def add_column(made: CallValue) -> list[Action]:
    """Read a column; SQLAlchemy makes no type for it."""
    table, column = name_of(made.get(0, "table_name")), made.get(1, "column")
    if not isinstance(column, CallValue):
        return [Action("create", "column", HOLE, table, said="op.add_column")]
    enum = enum_name(column_type(column))
    uses = references([column]) + ((("type", enum),) if enum else ())
    return [
        Action(
            "create",
            "column",
            name_of(column.get(0, "name")),
            table,
            uses=uses,
            new=type_of(column_type(column)),
            said="op.add_column",
            traits=traits.of_column(column),
            facts=definitions.of_column(column),
        )
    ]


def drop_column(made: CallValue) -> list[Action]:
    """Read op.drop_column."""
    table, name = name_of(made.get(0, "table_name")), name_of(made.get(1, "column_name"))
    lenient = made.kwargs.get("if_exists") is True
    return [Action("drop", "column", name, table, lenient=lenient, said="op.drop_column")]


def alter_column(made: CallValue) -> list[Action]:
    """Read a new type, a new name, or another change."""
    table, name = name_of(made.get(0, "table_name")), name_of(made.get(1, "column_name"))
    becomes = made.kwargs.get("new_column_name", made.kwargs.get("name"))
    step = Action("change", "column", name, table, said="op.alter_column")
    step = replace(
        step, facts=definitions.of_alter(made), was=definitions.of_alter(made, "existing_")
    )
    if made.kwargs.get("type_") is not None:
        old, new = type_of(made.kwargs.get("existing_type")), type_of(made.kwargs["type_"])
        step = replace(step, verb="retype", old=old, new=new)
    actions = [step]
    if becomes is not None:
        actions.append(
            Action(
                "rename", "column", name, table, becomes=name_of(becomes), said="op.alter_column"
            )
        )
    return actions


def create_index(made: CallValue) -> list[Action]:
    """Read op.create_index."""
    name, table = name_of(made.get(0, "index_name")), name_of(made.get(1, "table_name"))
    columns = names_of(made.get(2, "columns"))
    said = "op.create_index"
    return [
        Action(
            "create",
            "index",
            name,
            table,
            columns,
            said=said,
            traits=traits.of_index(made),
            facts=definitions.of_index(made),
        )
    ]


def drop_index(made: CallValue) -> list[Action]:
    """Read op.drop_index."""
    lenient = made.kwargs.get("if_exists") is True
    name, table = name_of(made.get(0, "index_name")), name_of(made.get(1, "table_name"))
    return [Action("drop", "index", name, table, lenient=lenient, said="op.drop_index")]


def create_constraint(made: CallValue) -> list[Action]:
    """Read a constraint of any kind, with the columns it covers and the table it points to."""
    first = "constraint_name"
    table = name_of(made.get(1, "source_table" if "foreign" in made.word else "table_name"))
    uses: tuple[tuple[str, str], ...] = ()
    columns = None
    if made.word == "create_foreign_key":
        uses = (("table", text_of(made.get(2, "referent_table"))),)
        columns = names_of(made.get(3, "local_cols"))
    elif made.word in {"create_unique_constraint", "create_primary_key"}:
        columns = names_of(made.get(2, "columns"))
    name = name_of(made.get(0, first))
    said = f"op.{made.word}"
    step = Action("create", "constraint", name, table, columns, uses, said=said)
    return [replace(step, traits=traits.of_constraint(made), facts=constraints.of_constraint(made))]


def drop_constraint(made: CallValue) -> list[Action]:
    """Read op.drop_constraint."""
    name, table = name_of(made.get(0, "constraint_name")), name_of(made.get(1, "table_name"))
    lenient = made.kwargs.get("if_exists") is True
    if name is None and made.get(2, "type_") == "primary":
        # A naming convention can name it: a table has one.
        name = HOLE
    return [Action("drop", "constraint", name, table, lenient=lenient, said="op.drop_constraint")]


def execute(made: CallValue) -> list[Action]:
    """Read SQL, as a text or as an expression."""
    given = made.get(0, "sqltext", made.kwargs.get("statement"))
    if isinstance(given, str):
        return read_sql(given)
    if isinstance(given, CallValue):
        return expression(given)
    return [Action("opaque", said="SQL that is not known before it runs")]


def expression(given: CallValue) -> list[Action]:
    """Read an expression: DELETE loses rows, SELECT reads, and the rest changes something."""
    parts = given.dotted.split(".")
    if "delete" in parts:
        start = given.args[0] if given.args and isinstance(given.args[0], CallValue | Ref) else None
        table = name_of(start.get(0, "name")) if isinstance(start, CallValue) else None
        return [Action("lose", "table", table or HOLE, said="DELETE")]
    if parts[-1] == "select" or "select" in parts:
        return []
    if "update" in parts and given.word == "values":
        nulled = [name for name, value in given.kwargs.items() if value is None]
        start = given.args[0] if given.args and isinstance(given.args[0], CallValue) else None
        table = name_of(start.get(0, "name")) if start is not None else HOLE
        return [Action("lose", "column", name, table, said="UPDATE") for name in nulled] or [
            Action("change", "data", said="execute")
        ]
    if "insert" in parts or "update" in parts:
        return [Action("change", "data", said="execute")]
    if given.word in {
        "CreateTable",
        "DropTable",
        "CreateSequence",
        "DropSequence",
        "CreateSchema",
        "DropSchema",
    }:
        verb = "create" if given.word.startswith("Create") else "drop"
        kind = given.word.removeprefix("Create").removeprefix("Drop").lower()
        first = given.get(0, "element")
        name = name_of(first.get(0, "name") if isinstance(first, CallValue) else first)
        is_sequence = isinstance(first, CallValue) and given.word == "CreateSequence"
        known = definitions.of_sequence(first) if is_sequence else ()
        step = Action("create" if verb == "create" else "drop", kind, name, said=given.word)
        return [replace(step, facts=known)]
    return [Action("opaque", said="SQL that is not known before it runs")]


def table_comment(made: CallValue) -> list[Action]:
    """Read op.create_table_comment and op.drop_table_comment."""
    given = made.get(1, "comment") if made.word.startswith("create") else None
    known = definitions.facts(comment=definitions.comment_text(given) or HOLE)
    was = definitions.facts(comment=definitions.comment_text(made.kwargs.get("existing_comment")))
    step = Action("change", "table", name_of(made.get(0, "table_name")), said=f"op.{made.word}")
    return [replace(step, facts=known, was=was if "existing_comment" in made.kwargs else ())]


OPERATIONS: dict[str, Callable[[CallValue], list[Action]]] = {
    "create_table": create_table,
    "drop_table": drop_table,
    "rename_table": rename_table,
    "add_column": add_column,
    "drop_column": drop_column,
    "alter_column": alter_column,
    "create_index": create_index,
    "drop_index": drop_index,
    "drop_constraint": drop_constraint,
    "create_foreign_key": create_constraint,
    "create_unique_constraint": create_constraint,
    "create_check_constraint": create_constraint,
    "create_primary_key": create_constraint,
    "create_exclude_constraint": create_constraint,
    "execute": execute,
    "bulk_insert": lambda _: [Action("change", "data", said="op.bulk_insert")],
    "create_table_comment": table_comment,
    "drop_table_comment": table_comment,
}
# They look, or give the means to.
LOOKING = {
    "get_bind",
    "get_context",
    "f",
    "batch_alter_table",
    "inline_literal",
    "implementation_for",
}
