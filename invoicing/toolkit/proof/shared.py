"""What a revision does outside of its database: to roles, other databases, the server itself.

All databases of a server share its roles, so those that a revision makes are noted and dropped at
the end; a role that was there before is left alone. What else would reach outside is not run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import event

from invoicing.toolkit.policy.migrations.tokens import statements

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPICursor

ROLE = r"(?:role|user|group)\b(?!\s+mapping)"
ROLES = re.compile(
    rf"\b(?:create|alter|drop)\s+{ROLE}|\b(?:drop|reassign)\s+owned\b", re.IGNORECASE
)
CHANGED = re.compile(
    rf"\b(?:alter|drop)\s+{ROLE}|\b(?:drop|reassign)\s+owned\b|\bon\s+role\b"
    r"|\b(?:grant|revoke)\s+(?:(?!\bon\b)[^;(])*?\s(?:to|from)\s",
    re.IGNORECASE | re.DOTALL,
)
OUTSIDE = re.compile(
    r"\b(?:(?:create|drop)\s+(?:database|tablespace|subscription)|alter\s+(?:tablespace"
    r"|subscription|system)|on\s+(?:tablespace|subscription)|to\s+program|from\s+program"
    r"|pg_(?:create|drop|copy)_\w*replication_slot|pg_reload_conf|lo_export|lo_import)\b",
    re.IGNORECASE,
)
DATABASE = re.compile(r"\b(?:alter|comment\s+on)\s+database\s+(\"[^\"]+\"|\w+)", re.IGNORECASE)
NO_WORDS = {"text", "body"}
NAMES = "SELECT rolname FROM pg_roles"


class OutsideError(Exception):
    """A statement that would change what other databases of the server use."""


class SharedObjects:
    """The roles that the revisions of a proof have made.

    Attributes:
        roles: their names.
    """

    def __init__(self) -> None:
        self.roles: set[str] = set()
        self._before: set[str] = set()

    def watch(self, connection: Connection) -> None:
        """Look at each statement of a connection before it runs, and after it."""
        event.listen(connection, "before_cursor_execute", self._before_execute)
        event.listen(connection, "after_cursor_execute", self._after_execute)
        event.listen(connection.engine, "do_execute", _run_each)
        event.listen(connection.engine, "do_execute_no_params", _run_each_without)

    def _before_execute(
        self, connection: Connection, _cursor: object, statement: str, *_rest: object
    ) -> None:
        plain = _plain(statement)
        outside = OUTSIDE.search(plain)
        if outside is not None:
            raise OutsideError(_shown(outside[0]))
        named = DATABASE.search(plain)
        if named is not None and named[1].strip('"') != connection.engine.url.database:
            raise OutsideError(_shown(named[0]))
        if not (ROLES.search(plain) or CHANGED.search(plain)):
            return
        self._before = _roles(connection)
        change = CHANGED.search(plain)
        own = any(_is_named(name, plain) for name in self.roles)
        if change is not None and not own:
            theirs = [name for name in sorted(self._before) if _is_named(name, plain)]
            if theirs or re.search(r"\b(?:current|session)_(?:user|role)\b", plain, re.IGNORECASE):
                raise OutsideError(f"{_shown(change[0])} {', '.join(theirs)}".rstrip())

    def _after_execute(
        self, connection: Connection, _cursor: object, statement: str, *_rest: object
    ) -> None:
        plain = _plain(statement)
        if not ROLES.search(plain):
            return
        now = _roles(connection)
        gone = self._before - now - self.roles
        if gone:
            raise OutsideError(f"DROP ROLE {', '.join(sorted(gone))}")
        # Others may make roles at the same time.
        is_dynamic = re.search(r"\bexecute\b", plain, re.IGNORECASE) is not None
        new = {name for name in now - self._before if is_dynamic or _is_named(name, plain)}
        self.roles = (self.roles & now) | new


def _roles(connection: Connection) -> set[str]:
    return {name for (name,) in connection.exec_driver_sql(NAMES)}


def _is_named(name: str, statement: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", statement, re.IGNORECASE) is not None


def _shown(text: str) -> str:
    return " ".join(text.split()).upper()


def _plain(statement: str) -> str:
    """Return a statement without its texts and comments; of bodies only what runs at once."""
    kept = []
    for words in statements(statement):
        runs = words[0].word == "DO"
        kept.append(" ".join(word.text for word in words if runs or word.kind not in NO_WORDS))
    return " ; ".join(kept)


def _run_each(cursor: DBAPICursor, statement: str, parameters: object, _context: object) -> bool:
    """Run statements one by one, where a migration has several in a text: asyncpg takes one."""
    if parameters or ";" not in statement:
        return False
    starts = [found[0].start for found in statements(statement)]
    if len(starts) <= 1:
        return False
    for begin, end in zip(starts, [*starts[1:], len(statement)], strict=True):
        cursor.execute(statement[begin:end])
    return True


def _run_each_without(cursor: DBAPICursor, statement: str, context: object) -> bool:
    return _run_each(cursor, statement, (), context)
