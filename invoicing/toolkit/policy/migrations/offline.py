"""Write the SQL of every upgrade, each statement with the line of the revision that sends it.

This is a program of its own: it runs the migrations' code (in Alembic's offline mode, without a
database), so `check_sql` starts it in another process, and only on request.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory


class Tape:
    """What Alembic writes to, with the place each piece comes from."""

    def __init__(self, paths: set[str]) -> None:
        self.paths = paths
        self.pieces: list[dict[str, str | int | None]] = []

    def write(self, text: str) -> int:
        """Note a piece of SQL and the line of the revision it comes from, if from one."""
        frame = inspect.currentframe()
        while frame is not None and frame.f_code.co_filename not in self.paths:
            frame = frame.f_back
        piece: dict[str, str | int | None] = {
            "sql": text,
            "path": None,
            "line": None,
            "column": None,
        }
        if frame is not None:
            positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
            piece["path"] = frame.f_code.co_filename
            piece["line"] = positions[0] or frame.f_lineno
            piece["column"] = (positions[2] or 0) + 1
        self.pieces.append(piece)
        return len(text)

    def flush(self) -> None:
        """Do nothing: what is noted is noted."""


def main(config_path: str, revisions: str, output: str) -> None:
    """Write the pieces to a file as JSON."""
    file = Path(config_path)
    toml = file.suffix == ".toml"
    config = Config(toml_file=str(file)) if toml else Config(str(file))
    scripts = ScriptDirectory.from_config(config)
    tape = Tape({script.path for script in scripts.walk_revisions()})
    config.output_buffer = tape  # type: ignore[assignment]
    command.upgrade(config, revisions, sql=True)
    Path(output).write_text(json.dumps(tape.pieces), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
