"""Find what would lock or rewrite a large table, by squawk on each revision's SQL.

It runs the migrations' code in another process (`offline.py`), so it is done on request only. What
a migration decides by looking at the database is not seen: offline there is none.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.migrations.errors import OfflineSqlError, SquawkMissingError
from invoicing.toolkit.policy.migrations.settings import MigrationSettings

SLUG = "safe-migration"
TIMEOUT = 300.0
BEGIN = re.compile(r"\s*(BEGIN|START TRANSACTION)\b", re.IGNORECASE)
END = re.compile(r"\s*(COMMIT|ROLLBACK)\b", re.IGNORECASE)
TIMEOUTS = {"require-lock-timeout", "require-statement-timeout", "require-timeout-settings"}


@dataclass
class RevisionSql:
    """The SQL of one revision, with the place in its file for each line of it.

    Attributes:
        path: the revision's file.
        lines: the SQL.
        places: for each line of SQL, the line and column of the revision.
    """

    path: str
    lines: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    def add(self, sql: str, place: tuple[int, int] | None = None) -> None:
        """Add a statement; one of Alembic's own is at the place of the one before it."""
        lines = sql.strip().splitlines()
        self.lines += lines
        self.places += [place or (self.places[-1] if self.places else (1, 1))] * len(lines)


def check_sql(
    config: str | Path, revisions: str = "base:heads", settings: MigrationSettings | None = None
) -> list[PolicyFinding]:
    """Find what would lock or rewrite a large table.

    Args:
        config: alembic.ini, or a pyproject.toml with [tool.alembic].
        revisions: what to check, as `from:to`.
        settings: which of squawk's rules count, and for which PostgreSQL.

    Raises:
        OfflineSqlError: Alembic could not write the SQL.
        SquawkMissingError: squawk is not installed.
    """
    chosen = settings or MigrationSettings()
    squawk = find_squawk()
    scripts = split(write_sql(Path(config).resolve(), revisions))
    found = [
        finding
        for script, violation in run_squawk(squawk, scripts, chosen)
        if (finding := judged(script, violation, chosen)) is not None
    ]
    return sorted(
        set(found),
        key=lambda finding: (finding.path, finding.line, finding.column, finding.message),
    )


def find_squawk() -> str:
    """Find the program that the package squawk-cli installs."""
    found = shutil.which("squawk", path=sysconfig.get_path("scripts")) or shutil.which("squawk")
    if found is None:
        raise SquawkMissingError
    return found


def write_sql(config: Path, revisions: str) -> list[dict[str, Any]]:
    """Let Alembic write the SQL, in another process that stands where its configuration is."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "pieces.json")
        program = Path(__file__).with_name("offline.py")
        command = [sys.executable, str(program), str(config), revisions, str(output)]
        done = run(command, config.parent, str(config))
        if done.returncode or not output.exists():
            reason = next(
                iter(done.stderr.strip().splitlines()[-1:]), f"exit code {done.returncode}"
            )
            raise OfflineSqlError(str(config), reason)
        pieces: list[dict[str, Any]] = json.loads(output.read_text(encoding="utf-8"))
        return pieces


def run(command: list[str], folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder; `what` is named where it takes too long."""
    try:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise OfflineSqlError(what, f"not done after {TIMEOUT:.0f} s") from None


def split(pieces: list[dict[str, Any]]) -> list[RevisionSql]:
    """Give each revision its statements, and the transaction they run in."""
    scripts: list[RevisionSql] = []
    inside = False
    for piece in pieces:
        sql, path = piece["sql"], piece["path"]
        if path is not None and (not scripts or scripts[-1].path != path):
            scripts.append(RevisionSql(path))
            if inside and not BEGIN.match(sql):
                scripts[-1].add("BEGIN;", (piece["line"], piece["column"]))
        if BEGIN.match(sql):
            inside = True
        elif END.match(sql):
            inside = False
        if path is not None:
            scripts[-1].add(sql, (piece["line"], piece["column"]))
        elif scripts and END.match(sql):
            scripts[-1].add(sql)
    return scripts


def run_squawk(
    squawk: str, scripts: list[RevisionSql], settings: MigrationSettings
) -> list[tuple[RevisionSql, dict[str, Any]]]:
    """Let squawk read every script at once."""
    if not scripts:
        return []
    with tempfile.TemporaryDirectory() as folder:
        for number, script in enumerate(scripts):
            text = "\n".join(script.lines) + "\n"
            Path(folder, f"{number}.sql").write_text(text, encoding="utf-8")
        names = [f"{number}.sql" for number in range(len(scripts))]
        command = [squawk, "--reporter", "json", "--pg-version", settings.pg_version, *names]
        done = run(command, Path(folder), "squawk")
    try:
        said: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        raise OfflineSqlError("squawk", done.stderr.strip() or "no answer") from None
    return [(scripts[int(Path(violation["file"]).stem)], violation) for violation in said]


def judged(
    script: RevisionSql, said: dict[str, Any], settings: MigrationSettings
) -> PolicyFinding | None:
    """Make a finding of what squawk says, at the place of the revision."""
    rule = said["rule_name"]
    counts = rule in settings.squawk_rules or (settings.strict and rule == "syntax-error")
    if not counts or (settings.lock_timeout_elsewhere and rule in TIMEOUTS):
        return None
    line, column = script.places[min(said["line"], len(script.places) - 1)]
    message = f"{rule}: {said['message'].strip().rstrip('.')}"
    fix = (said.get("help") or f"see what squawk says of {rule}").strip().rstrip(".")
    return PolicyFinding(shortened(script.path), line, column, SLUG, message, fix)


def shortened(path: str) -> str:
    """Give a path from here where it lies below."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
