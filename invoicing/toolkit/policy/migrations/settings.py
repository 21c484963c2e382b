"""What a project asks of its migrations."""

from __future__ import annotations

from dataclasses import dataclass

HEADER = ("Revision ID", "Revises", "Create Date")

# What squawk knows of locks and rewrites; its other rules are about taste, or about compatibility.
LOCKING = (
    "adding-exclude-constraint",
    "adding-field-with-default",
    "adding-foreign-key-constraint",
    "adding-not-nullable-field",
    "adding-primary-key-field",
    "adding-required-field",
    "adding-serial-primary-key-field",
    "ban-concurrent-index-creation-in-transaction",
    "changing-column-type",
    "constraint-missing-not-valid",
    "disallowed-unique-constraint",
    "require-concurrent-index-creation",
    "require-concurrent-index-deletion",
    "require-concurrent-partition-detach",
    "require-concurrent-reindex",
    "require-concurrent-refresh-materialized-view",
    "require-lock-timeout",
    "require-timeout-settings",
)


@dataclass(frozen=True)
class MigrationSettings:
    """Say what a project's migrations are held to.

    Attributes:
        dialect: the database they run on; types and the order of drops differ between databases.
        header: topics the docstring must have; `Revision ID`, `Revises` and `Create Date` are held
            against the file's variables.
        topics: further topics that must be there and say something (`Locks`, `Deploy sequence`).
        phases: what `Phase:` may be; nothing means that no phase is asked for.
        destructive_operations: the project's own `op.*` directives that lose data.
        strict: also say what could not be read, instead of passing over it.
        squawk_rules: the rules of squawk that count.
        pg_version: the version squawk judges for.
        lock_timeout_elsewhere: env.py sets it on the connection, so the SQL need not.
    """

    dialect: str = "postgresql"
    header: tuple[str, ...] = HEADER
    topics: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    destructive_operations: frozenset[str] = frozenset()
    strict: bool = False
    squawk_rules: tuple[str, ...] = LOCKING
    pg_version: str = "15"
    lock_timeout_elsewhere: bool = False
