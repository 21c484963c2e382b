"""The settings a server of ours starts with, sized to the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from invoicing.toolkit.postgres.installation import Installation
    from invoicing.toolkit.postgres.owner import Owner

FILE = "invoicing.conf"
_MB = 1024 * 1024


def default_settings(installation: Installation) -> dict[str, str]:
    """Return settings for one developer's machine: ample for bulk loads, no more than its share."""
    settings = {
        "shared_buffers": f"{_shared_buffers() // _MB}MB",
        "maintenance_work_mem": "512MB",
        "max_wal_size": "4GB",
        "max_connections": "100",
        "wal_level": "replica",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # Our own messages quote the log, so it has to speak one language.
        "lc_messages": "C",
        "log_line_prefix": "%m [%p] ",
        "log_checkpoints": "off",
        # A failed ALTER ROLE ... PASSWORD would be in the log, password and all; so would its
        # context, where a function ran it. The error itself is.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_parameter_max_length_on_error": "0",
    }
    if installation.has_library("pg_stat_statements"):
        settings["shared_preload_libraries"] = "pg_stat_statements"
    return settings


def write_settings(data_dir: Path, settings: Mapping[str, str], owner: Owner) -> None:
    """Write `settings` where the server reads them; what ALTER SYSTEM has set still wins."""
    lines = (f"{name} = {_quoted(value)}" for name, value in settings.items())
    text = "# Written by every start: use ALTER SYSTEM to change a setting.\n" + "\n".join(lines)
    owner.sh('cat >"$1.new"; mv -f "$1.new" "$1"', data_dir / FILE, text=f"{text}\n")


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _shared_buffers() -> int:
    return max(128 * _MB, min(2048 * _MB, int(psutil.virtual_memory().total) // 8))
