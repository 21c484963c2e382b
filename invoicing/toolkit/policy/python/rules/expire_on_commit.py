"""`expire-on-commit`: a commit leaves the objects of an async session as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.called import called
from invoicing.toolkit.policy.python.sessions import made_by
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project

SLUG = "expire-on-commit"
MAKERS = {
    "sqlalchemy.ext.asyncio.AsyncSession",
    "sqlalchemy.ext.asyncio.async_sessionmaker",
    "sqlmodel.ext.asyncio.session.AsyncSession",
}


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find sessions that expire what they have loaded."""
    for module in project.modules:
        for call in called(project, module, {*MAKERS, "sqlalchemy.orm.sessionmaker"}):
            if made_by(project, module, call) not in MAKERS:
                continue
            given = project.keyword(module, call, "expire_on_commit")
            if given.text == "False":
                continue
            place = call.place
            written = f"has expire_on_commit={given.text or '...'}"
            yield PolicyFinding(
                module.path,
                place.line,
                place.column + 1,
                SLUG,
                f"{call.callee} {written if given.is_given else 'has no expire_on_commit='}",
                "write expire_on_commit=False",
                strict=not given.is_known,
            )


IMPORT = "from sqlalchemy.ext.asyncio import async_sessionmaker\n"
RULE = Rule(
    SLUG,
    "async sessions are made with expire_on_commit=False",
    "After a commit every attribute is read again when it is next touched. Under asyncio that read "
    "fails at a place that has no await: a response that was built after the commit, a log line.",
    {"the default": f"{IMPORT}sessions = async_sessionmaker(engine)"},
    {"said": f"{IMPORT}sessions = async_sessionmaker(engine, expire_on_commit=False)"},
    check,
)
