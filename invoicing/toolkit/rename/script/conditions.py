"""What several of a script's statements say and ask: phases, triggers, NOT NULL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import literal

if TYPE_CHECKING:
    from collections.abc import Collection

    from invoicing.toolkit.rename.names import Names


def said(names: Names) -> str:
    """Return what is under way, for a message."""
    if names.keeps_name:
        return f"the change of the type of {names.table}.{names.old}"
    return f"the rename of {names.table}.{names.old} to {names.new}"


def say_wait(names: Names, quiet: float) -> str:
    """Return what says that old code is waited for."""
    message = f"waiting {quiet:g} s to see whether old code still writes {names.table}.{names.old}"
    if not quiet:
        return ""
    return (
        "        PERFORM set_config('client_min_messages', 'notice', true);\n"
        f"        RAISE NOTICE USING MESSAGE = {literal(message)};\n"
        "        PERFORM set_config('client_min_messages', 'warning', true);\n"
    )


# Whether a column is NOT NULL, by its name.
NOT_NULL = (
    "(SELECT a.attnotnull FROM pg_attribute AS a"
    " WHERE a.attrelid = rel AND a.attname = {} AND NOT a.attisdropped)"
)


def listed(phases: Collection[Phase]) -> str:
    """Return phases as SQL, in their order."""
    return ", ".join(literal(phase) for phase in Phase if phase in phases)


def when(phase: Phase, body: str) -> str:
    """Return what is done in one phase only."""
    return f"    IF noted.phase = {literal(phase)} THEN\n{body}    END IF;\n"


def unguarded(names: Names) -> str:
    """Return SQL that is true where a trigger is missing or off."""
    triggers = ", ".join(map(literal, names.triggers))
    return (
        "((SELECT count(*) FROM pg_trigger AS g WHERE g.tgrelid = rel AND g.tgenabled = 'A'"
        f" AND g.tgname IN ({triggers})) < {len(names.triggers)})"
    )
