"""Settings from the environment, read when asked and never at import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from invoicing.errors import SettingsError

# Seconds; the server counts its timeouts in milliseconds, as a 32-bit integer.
LONGEST = 2_147_483
# What PostgreSQL keeps of a name, in bytes; it cuts off the rest without an error.
LONGEST_NAME = 63


def _usable_schema(name: str) -> str:
    """Return the name of a schema that tables may be in; the server would take others for less."""
    size = len(name.encode(errors="surrogateescape"))
    if size > LONGEST_NAME:
        message = f"is {size} bytes long, and a name may have {LONGEST_NAME} at most"
        raise ValueError(message)
    if name in {"$user", "information_schema"} or name.startswith("pg_"):
        message = "is a name that the server keeps for itself: name a schema of your own"
        raise ValueError(message)
    return name


class Settings(BaseSettings):
    """What the environment says; every variable but DATABASE_... begins with INVOICING_.

    Attributes:
        database_url: the database to use; the embedded server when it is not set.
        database_read_url: a hot standby of it, for read-only sessions; none when it is not set.
        database_schema: the schema to work in, as it is in the catalog, without quotes; that of the
            role's own search_path when it is not set. A URL whose options set search_path wins.
        max_staleness: seconds that the standby may be behind; if it is more, the primary is read.
        home: folder of the embedded server's data, of reports and of logs.
        port: names the embedded server's socket; a TCP port only where there are no Unix sockets.
        pgbouncer: whether `database_url` leads through pgbouncer in transaction mode.
        pool_size: connections kept open by each engine.
        pool_timeout: seconds to wait for a free connection.
        connect_timeout: seconds to wait for a new connection.
        statement_timeout: seconds a statement of a read-only session may take; 0 for no limit.
        lock_timeout: seconds a writing statement waits for a lock; 0 for no limit.
        application_name: what pg_stat_activity calls our connections.
        read_only: whether the server refuses every write of these sessions, a rename's too.
        production: patterns such as `*prod*,db1.example.com`; what matches a database, its host or
            the server's `cluster_name` is shown as production on the board of a rename.
    """

    model_config = SettingsConfigDict(
        env_prefix="INVOICING_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    database_read_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_READ_URL")
    database_schema: Annotated[str, AfterValidator(_usable_schema)] | None = Field(
        default=None, validation_alias="INVOICING_SCHEMA"
    )
    max_staleness: float = Field(default=10.0, gt=0, le=LONGEST)
    home: Path = Path(".invoicing")
    port: int = Field(default=5432, ge=1, le=65535)
    pgbouncer: bool = False
    pool_size: int = Field(default=5, ge=1)
    pool_timeout: float = Field(default=10.0, gt=0, le=LONGEST)
    connect_timeout: float = Field(default=10.0, gt=0, le=LONGEST)
    statement_timeout: float = Field(default=30.0, ge=0, le=LONGEST)
    lock_timeout: float = Field(default=10.0, ge=0, le=LONGEST)
    application_name: str = "invoicing"
    read_only: bool = False
    production: str = ""

    @classmethod
    def read(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: a variable holds a value that cannot be used; the value is not shown.
        """
        try:
            return cls()
        except ValidationError as error:
            problems = []
            for problem in error.errors(include_input=False, include_url=False):
                reason = problem["msg"].lower().removeprefix("value error, ")
                problems.append(f"{_variable(str(problem['loc'][0]))}: {reason}")
            # "from None": the original shows the rejected input, which may be a secret.
            raise SettingsError(problems) from None


def _variable(field: str) -> str:
    return field if field.startswith(("DATABASE_", "INVOICING_")) else f"INVOICING_{field.upper()}"
