"""`no-query-in-models` and `query-outside-services`: who may ask the database.

An SQL expression is no query: hybrid expressions and `column_property(select(...))` pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.model import Finding, Rule
from invoicing.toolkit.policy.rules.sessions import is_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.facts import CallFacts, ModuleFacts
    from invoicing.toolkit.policy.project import Project

IN_MODELS, OUTSIDE = "no-query-in-models", "query-outside-services"
FINDS_SESSIONS = {
    "sqlalchemy.orm.object_session",
    "sqlalchemy.ext.asyncio.async_object_session",
}


def check_models(project: Project) -> Iterator[Finding]:
    """Find queries in files of models."""
    for module in project.modules:
        if module.path not in project.model_files:
            continue
        for call in module.calls:
            if project.resolve(module, call.callee) in FINDS_SESSIONS:
                yield _finding(module, call, IN_MODELS, "a model looks for its session")
            elif is_query(project, module, call):
                yield _finding(module, call, IN_MODELS, f"a model queries by {call.callee}")


def check_services(project: Project) -> Iterator[Finding]:
    """Find queries in files that are neither services nor where sessions are made."""
    settings = project.settings
    allowed = (*settings.services, *settings.session_module, *settings.migrations)
    for module in project.modules:
        path = module.path.partition("[")[0]
        if path in project.model_files or settings.matches(path, allowed):
            continue
        for call in module.calls:
            if is_query(project, module, call):
                yield _finding(module, call, OUTSIDE, f"{call.callee} queries outside of services")


def _finding(module: ModuleFacts, call: CallFacts, slug: str, message: str) -> Finding:
    mend = "move the query to a service, and pass it the session"
    return Finding(module.path, call.place.line, call.place.column + 1, slug, message, mend)


NO_QUERY_IN_MODELS = Rule(
    IN_MODELS,
    "models hold no queries",
    "A query inside a model runs wherever an attribute is read: nobody who reads the caller sees "
    "it, and a loop over models makes an N+1 of it.",
    "class Invoice(Base):\n    async def account_name(self, session: AsyncSession) -> str:\n"
    "        return await session.scalar(select(Account.name))",
    "async def get_account_name(session: AsyncSession, invoice: Invoice) -> str:\n"
    "    return await session.scalar(select(Account.name))",
    check_models,
)
QUERY_OUTSIDE_SERVICES = Rule(
    OUTSIDE,
    "services own the queries",
    "Queries that are spread over handlers, commands and notebooks are written twice, loaded "
    "differently each time, and found by nobody who changes a table.",
    "async def handler(session: AsyncSession) -> list[Invoice]:\n"
    "    return (await session.scalars(select(Invoice))).all()",
    "async def handler(session: AsyncSession) -> list[Invoice]:\n"
    "    return await list_invoices(session)",
    check_services,
)
