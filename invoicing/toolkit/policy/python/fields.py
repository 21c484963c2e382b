"""The fields of SQLModel that become columns: annotated as in Pydantic, without `Mapped[...]`.

A class with `table=True` maps its own fields, and those of the SQLModel classes it inherits; any
other SQLModel class is a schema, whose fields are no columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.project import SQLMODEL

if TYPE_CHECKING:
    from invoicing.toolkit.policy.python.project import Project

FIELD = {"sqlmodel.Field", "sqlmodel.main.Field"}
NO_FIELDS = {"sqlmodel.Relationship", "sqlmodel.main.Relationship", "pydantic.PrivateAttr"}


def table_fields(project: Project) -> set[tuple[str, str]]:
    """Return the fields that are columns of a table, as the class that has them and their name.

    A field that every table overrides is none.
    """
    fields: set[tuple[str, str]] = set()
    for table in project.classes.values():
        if table.syntax.keywords.get("table") != "True":
            continue
        seen: set[str] = set()
        for owner in project.ancestors(table)[0]:
            if not SQLMODEL & {*project.ancestors(owner)[1]}:
                continue
            for attribute in owner.syntax.attributes.values():
                call = attribute.call
                made = project.resolve(owner.module, call.callee) if call is not None else None
                if attribute.plain is not None and made not in NO_FIELDS:
                    fields |= {(owner.name, attribute.name)} - {(owner.name, each) for each in seen}
            seen |= owner.syntax.attributes.keys()
    return fields
