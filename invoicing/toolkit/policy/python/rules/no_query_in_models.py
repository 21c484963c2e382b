"""`no-query-in-models`: models hold no queries.

An SQL expression is no query: hybrid expressions and `column_property(select(...))` pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.sessions import is_query, query_finding
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project

SLUG = "no-query-in-models"
FINDS_SESSIONS = {
    "sqlalchemy.orm.object_session",
    "sqlalchemy.ext.asyncio.async_object_session",
}


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find queries in files of models."""
    for module in project.modules:
        if module.path not in project.model_files:
            continue
        for what, place in module.reads:
            message = f"a model queries by {what}"
            fix = "move the query to a service, and pass it the session"
            yield PolicyFinding(module.path, place.line, place.column + 1, SLUG, message, fix)
        for call in module.calls:
            if project.resolve(module, call.callee) in FINDS_SESSIONS:
                yield query_finding(module, call, SLUG, "a model looks for its session")
            elif is_query(project, module, call):
                yield query_finding(module, call, SLUG, f"a model queries by {call.callee}")


RULE = Rule(
    SLUG,
    "models hold no queries",
    "A query inside a model runs wherever an attribute is read: the code that reads it does not "
    "show it, and a loop over models makes an N+1 of it.",
    {
        "a method that queries": "class Invoice(Base):\n"
        '    __tablename__ = "invoice"\n\n'
        "    async def account_name(self, session: AsyncSession) -> str:\n"
        "        return await session.scalar(select(Account.name))"
    },
    {
        "a service": "async def get_account_name(session: AsyncSession, invoice: Invoice) -> str:\n"
        "    return await session.scalar(select(Account.name))"
    },
    check,
)
