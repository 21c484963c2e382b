"""Whether a ready mapping fits the files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.load.mapping import read_mapping, ready_mappings
from invoicing.load.mapping.cells import plain_name

if TYPE_CHECKING:
    from invoicing.load.suggest.roles import Role


def ready_for(roles: list[Role]) -> str | None:
    """Return the name of the ready mapping all of whose columns the files have."""
    for name in ready_mappings():
        mapping, _ = read_mapping(name)
        sections = mapping.sections()
        has = {role.kind: {plain_name(column) for column in role.names} for role in roles}
        if all(
            any(plain_name(column) in has.get(kind, ()) for column in rule.names) or not rule.names
            for kind, section in sections.items()
            for rule in section.rules().values()
        ) and {*sections} == {*has}:
            return name
    return None
