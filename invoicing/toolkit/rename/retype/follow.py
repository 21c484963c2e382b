"""The triggers of a change of the type alone: the new column follows the old one, and never back.

No client knows the new column, so that the value is always what the statement has made of the old
one: given, by default or by identity. Neither defaults nor statements have to be watched, as `sync`
watches them for a rename. What a client writes to the new column all the same is overwritten.

- *insert* (row, before): converts the value.
- *sync* (row, before update): the same where either column changes. The backfill's own UPDATE
  changes nothing further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.retype import conversion

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names


def create_functions(names: Names) -> list[str]:
    """Return the statements that make the functions; they lock nothing."""
    old, new = quote(names.old), quote(names.new)
    follow = f"NEW.{new} := {conversion.checked_new(names, f'NEW.{old}')};"
    right = f"NOT {conversion.apart_for_triggers(names, f'NEW.{old}', f'NEW.{new}')}"
    update = f"""BEGIN
    IF NOT {conversion.changed(old)} AND {right} THEN
        RETURN NEW;
    END IF;
    {follow}
    RETURN NEW;
END
"""
    return [
        *conversion.create_functions(names),
        names.create_function(names.sync_trigger, update),
        names.create_function(names.insert_trigger, f"BEGIN\n    {follow}\n    RETURN NEW;\nEND\n"),
    ]


def create_triggers(names: Names) -> list[str]:
    """Return the statements that put the triggers on the table and its partitions."""
    changed = " OR ".join(conversion.changed(quote(name)) for name in (names.old, names.new))
    return [
        *_trigger(names, names.insert_trigger, "INSERT", ""),
        *_trigger(names, names.sync_trigger, "UPDATE", f"WHEN ({changed}) "),
    ]


def _trigger(names: Names, trigger: str, event: str, when: str) -> tuple[str, str]:
    table, name, function = names.relation, quote(trigger), names.function(trigger)
    create = (
        f"CREATE OR REPLACE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW"
        f" {when}EXECUTE FUNCTION {function}()"
    )
    return create, f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
