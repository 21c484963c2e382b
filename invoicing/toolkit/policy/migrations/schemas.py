"""Tell tables of one name in several schemas apart.

A name without a schema is whatever the search path makes of it, so it is taken for the same table
as one with a schema, unless both are created, or several schemas are named.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import APART, HOLE, bare

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.policy.migrations.actions import Action
    from invoicing.toolkit.policy.migrations.values import Value

Split = tuple[str, str]


def in_schema(action: Action, schema: Value) -> Action:
    """Put the schema that an operation names before its table."""
    if not isinstance(schema, str) or not schema:
        return action
    if action.kind == "table" and action.name is not None:
        becomes = f"{schema}.{action.becomes}" if action.becomes else None
        action = replace(action, name=f"{schema}.{action.name}", becomes=becomes)
    return replace(action, table=f"{schema}.{action.table}" if action.table else action.table)


def names_apart(actions: Iterable[Action]) -> frozenset[str]:
    """Return the names that tables of several schemas have."""
    named: dict[str, set[str]] = defaultdict(set)
    created: dict[str, set[str]] = defaultdict(set)
    for action in actions:
        for schema, name in map(split, tables_of(action)):
            named[name].add(schema)
        if action.kind == "table" and action.verb == "create" and action.name:
            schema, name = split(action.name)
            created[name].add(schema)
    return frozenset(
        name for name, schemas in named.items() if len(schemas - {""}) > 1 or len(created[name]) > 1
    )


def kept_apart(actions: Iterable[Action], names: frozenset[str]) -> tuple[Action, ...]:
    """Return steps in which tables of these names are called by their schemas, too."""
    if not names:
        return tuple(actions)
    return tuple(_kept_apart(action, names) for action in actions)


def _kept_apart(action: Action, names: frozenset[str]) -> Action:
    uses = tuple(
        (kind, _called(name, names) or name) if kind == "table" else (kind, name)
        for kind, name in action.uses
    )
    action = replace(action, table=_called(action.table, names), uses=uses)
    if action.kind != "table":
        return action
    becomes = _called(action.becomes, names)
    if becomes and action.name and "." in action.name and APART not in becomes:
        # A table is renamed within its schema.
        schema, _ = split(action.name)
        becomes = f"{schema}{APART}{bare(becomes)}" if schema else becomes
    return replace(action, name=_called(action.name, names), becomes=becomes)


def _called(name: str | None, names: frozenset[str]) -> str | None:
    if name is None or HOLE in name:
        return name
    schema, own = split(name)
    return f"{schema}{APART}{own}" if schema and own in names else name


def tables_of(action: Action) -> list[str]:
    """Return the tables that a step names."""
    own = (action.name, action.becomes) if action.kind == "table" else ()
    named = (action.table, *own, *(name for kind, name in action.uses if kind == "table"))
    return [name for name in named if name is not None and HOLE not in name]


def split(name: str) -> Split:
    """Return a table's schema, "" for none or the usual, and its own name."""
    schema, _, _ = name.rpartition(".")
    return "" if bare(schema) == "public" else bare(schema), bare(name)
