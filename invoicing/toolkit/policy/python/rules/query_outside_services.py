"""`query-outside-services`: services own the queries.

An SQL expression is no query: hybrid expressions and `column_property(select(...))` pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import file_of
from invoicing.toolkit.policy.python.sessions import is_query, query_finding
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.project import Project

SLUG = "query-outside-services"


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find queries in files that are neither services nor where sessions are made."""
    settings = project.settings
    allowed = (*settings.services, *settings.session_module)
    for module in project.modules:
        path = file_of(module.path)
        elsewhere = path in project.model_files or project.is_migration(module)
        if elsewhere or settings.matches(path, allowed):
            continue
        for call in module.calls:
            if is_query(project, module, call):
                yield query_finding(
                    module, call, SLUG, f"{call.callee} queries outside of services"
                )


RULE = Rule(
    SLUG,
    "services own the queries",
    "Queries that are spread over handlers, commands and notebooks are written twice, loaded "
    "differently each time, and missed when a table changes.",
    {
        "a handler that queries": "async def handler(session: AsyncSession) -> list[Invoice]:\n"
        "    return (await session.scalars(select(Invoice))).all()"
    },
    {
        "by a service": "async def handler(session: AsyncSession) -> list[Invoice]:\n"
        "    return await list_invoices(session)"
    },
    check,
)
