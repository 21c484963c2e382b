"""What a step says of a constraint, as `definitions.py` has it of other things."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import HOLE
from invoicing.toolkit.policy.migrations.definitions import (
    NONE,
    UNSAID,
    facts,
    inside,
    joined,
    listed_text,
    sql_text,
    squeezed,
)

if TYPE_CHECKING:
    from invoicing.toolkit.policy.migrations.definitions import Facts
    from invoicing.toolkit.policy.migrations.tokens import SqlToken
    from invoicing.toolkit.policy.migrations.values import CallValue, Value


def of_constraint(made: CallValue) -> Facts:
    """Return what `op.create_..._constraint(...)` says."""
    kind = made.word.removeprefix("create_").removesuffix("_constraint").replace("_", " ")
    valid = "not valid" if made.kwargs.get("postgresql_not_valid") is True else "valid"
    if kind == "foreign key":
        target = made.get(2, "referent_table")
        return facts(
            kind=kind,
            columns=listed_text(made.get(3, "local_cols")),
            target=target.rpartition(".")[2] if isinstance(target, str) else None,
            target_columns=listed_text(made.get(4, "remote_cols")),
            on_delete=sql_text(made.kwargs.get("ondelete")),
            on_update=sql_text(made.kwargs.get("onupdate")),
            validity=valid,
            deferrable=deferrable_text(made),
        )
    if kind in {"unique", "primary key"}:
        columns = listed_text(made.get(2, "columns"))
        return facts(kind=kind, columns=columns, deferrable=deferrable_text(made))
    condition = sql_text(made.get(2, "condition", UNSAID))
    return facts(kind=kind, condition=condition, validity=valid if kind == "check" else None)


def deferrable_text(made: CallValue) -> str | None:
    """Say whether a constraint waits for the end of the transaction."""
    waits = made.kwargs.get("deferrable")
    when = made.kwargs.get("initially")
    if not isinstance(waits, bool | None) or not isinstance(when, str | None):
        return None
    if when is not None and when.upper() == "DEFERRED":
        return DEFERRED
    return "deferrable" if waits else "not deferrable"


DEFERRED = "deferrable initially deferred"
PARTS = {
    "UniqueConstraint": "unique",
    "PrimaryKeyConstraint": "primary key",
    "CheckConstraint": "check",
}


def of_part(part: CallValue) -> Facts:
    """Return what a constraint in a table's parts says."""
    kind = PARTS[part.word]
    if kind == "check":
        condition = sql_text(part.get(0, "sqltext", UNSAID))
        return facts(kind=kind, condition=condition, validity="valid")
    columns = listed_text(part.args)
    return facts(kind=kind, columns=columns, deferrable=deferrable_text(part))


def of_foreign_part(part: CallValue, columns: Value, targets: Value) -> Facts:
    """Return what a foreign key in a table's parts, or of a column, says."""
    named = listed_text(targets)
    places = [name.replace(" ", "").rpartition(".") for name in (named or "").split(", ")]
    tables = {table.rpartition(".")[2] for table, _, _ in places}
    return facts(
        kind="foreign key",
        columns=listed_text(columns),
        target=min(tables) if named and len(tables) == 1 else None,
        target_columns=joined(key for _, _, key in places) if named else None,
        on_delete=sql_text(part.kwargs.get("ondelete")),
        on_update=sql_text(part.kwargs.get("onupdate")),
        validity="valid",
        deferrable=deferrable_text(part),
    )


def sql_constraint(found: list[SqlToken]) -> Facts:
    """Return what a constraint of SQL says, behind its name; NOT VALID is no part of it."""
    words = [token.word for token in found]
    columns, rest = inside(found)
    text = joined([squeezed(columns)])
    valid = "not valid" if words[-2:] == ["NOT", "VALID"] else "valid"
    if HOLE in squeezed(found):
        return ()
    if words[:1] == ["UNIQUE"] or words[:2] == ["PRIMARY", "KEY"]:
        kind = "unique" if words[0] == "UNIQUE" else "primary key"
        return facts(kind=kind, columns=text, deferrable=waits_of(squeezed(rest)))
    if words[:1] == ["CHECK"]:
        condition = sql_text(text.replace(", ", " , "))
        return facts(kind="check", condition=condition, validity=valid)
    if words[:2] != ["FOREIGN", "KEY"] or len(rest) < len(("REFERENCES", "table")):
        return facts(definition=squeezed(found).removesuffix(" not valid"))
    targets, _ = inside(rest)
    said = squeezed(rest)
    return facts(
        kind="foreign key",
        columns=text,
        target=rest[1].text.lower().rpartition(".")[2],
        target_columns=joined([squeezed(targets)]) or None,
        on_delete=rule_of(said, "on delete"),
        on_update=rule_of(said, "on update"),
        validity=valid,
        deferrable=waits_of(said),
    )


def waits_of(said: str) -> str:
    """Return whether a constraint of SQL waits for the end of the transaction."""
    if "initially deferred" in said:
        return DEFERRED
    return "deferrable" if re.search(r"(?<!not )\bdeferrable\b", said) else "not deferrable"


def rule_of(said: str, event: str) -> str:
    """Return what a foreign key does on an event."""
    found = re.search(rf"{event} (cascade|restrict|set null|set default|no action)", said)
    return NONE if found is None or found[1] == "no action" else found[1]
