"""The database: no connection, a refused statement, a migration that cannot run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from invoicing.db.url import quoted
from invoicing.errors import InvoicingError, UsageError, error_of_fields

if TYPE_CHECKING:
    from pathlib import Path


@error_of_fields
class PoolExhaustedError(InvoicingError):
    """No connection of the pool came free in time.

    Attributes:
        connections: how many there are, all of them in use.
        waiting: how many tasks waited already.
        seconds: how long was waited.
        pool_size: what INVOICING_POOL_SIZE is; twice as many connections are opened.
    """

    connections: int
    waiting: int
    seconds: float
    pool_size: int
    message = (
        "no connection came free within {seconds:g} s: all {connections} of the pool are in use, "
        "and {waiting} tasks waited before this one. Close sessions sooner, or set "
        "INVOICING_POOL_SIZE (now {pool_size}; up to twice as many connections are opened) or "
        "INVOICING_POOL_TIMEOUT"
    )


@error_of_fields
class ForeignStandbyError(UsageError):
    """The server to read from does not follow the one to write to.

    Attributes:
        primary, standby: the database of each, and the cluster it is of.
    """

    primary: str
    standby: str
    message = (
        "DATABASE_READ_URL leads to {standby}, which is no standby of {primary}: its answers would "
        "be those of other data. Correct or unset DATABASE_READ_URL"
    )


class SchemaNotFoundError(UsageError):
    """The schema that INVOICING_SCHEMA names is not there, or may not be used.

    Attributes:
        schema: its name.
        target: the database's URL without its password.
        similar: a schema whose name differs in case or by its quotes; None for none.
        exists: whether it is there, and this account may not use it.
        role: the account.
    """

    def __init__(
        self, schema: str, target: str, *, similar: str | None, exists: bool, role: str
    ) -> None:
        self.schema, self.target, self.similar = schema, target, similar
        self.exists, self.role = exists, role
        if exists:
            grant = f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(role)}"
            says = f"{role} may not use it. Nothing was changed. Let its owner run: {grant}"
        else:
            create = shlex.quote(f"CREATE SCHEMA {quoted(schema)}")
            meant = f"There is {similar!r}: names are taken as they are. " if similar else ""
            says = (
                f"{target} has no such schema. Nothing was changed. {meant}Correct "
                f"INVOICING_SCHEMA, or run: invoicing db psql -c {create}"
            )
        super().__init__(f"INVOICING_SCHEMA is {schema!r}, and {says}")


class MigrationError(InvoicingError):
    """The database's schema cannot be migrated."""


@error_of_fields
class MigrationsMissingError(MigrationError):
    """The folder of migrations is not where it was installed."""

    folder: Path
    message = (
        "cannot migrate: there is no {folder}, so the installation is not complete. Run: "
        "pip install --force-reinstall invoicing"
    )


class MigrationInProgressError(MigrationError):
    """Another operator is migrating this database.

    Attributes:
        pid: the server process that holds the lock; None when it has just let go.
        application: its application_name.
    """

    def __init__(self, pid: int | None, application: str | None) -> None:
        self.pid = pid
        self.application = application
        holder = f"pid {pid} ({application or 'no application_name'})" if pid else "another process"
        super().__init__(
            f"cannot migrate: {holder} is migrating this database. Nothing was changed. "
            "Wait until it has ended, then run the command again"
        )
