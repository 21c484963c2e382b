"""A foreign project as `alembic init` writes it, its URL and one import in its env.py."""

from __future__ import annotations

import io
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import CommandLine, Config

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

MODEL = """from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass
"""


@dataclass(frozen=True)
class ForeignProject:
    """A folder with alembic.ini, migrations and the models of an application."""

    folder: Path
    place: str

    @property
    def versions(self) -> Path:
        return self.folder / self.place / "versions"

    def alembic(self, *arguments: str, code: int = 0) -> str:
        """Run what the command line runs, in this process; return what it prints."""
        line, said = CommandLine(), io.StringIO()
        options = line.parser.parse_args(arguments)
        ini, toml = self.folder / "alembic.ini", self.folder / "pyproject.toml"
        config = Config(ini, toml, cmd_opts=options, stdout=said)
        # Once the file is read: env.py would set up logging by it, for this whole process.
        assert config.file_config is not None
        config.config_file_name = None
        self.forget()
        ended = 0
        with chdir(self.folder), redirect_stdout(said), redirect_stderr(said):
            try:
                line.run_cmd(config, options)
            except SystemExit as error:
                ended = error.code
        assert bool(ended) == bool(code), said.getvalue()
        return said.getvalue()

    def forget(self) -> None:
        """Let the application's module be imported anew, from this folder."""
        sys.modules.pop("app", None)
        # Alembic puts it before the others, and Python keeps what it was when it was first used.
        sys.path_importer_cache.pop(".", None)
        sys.path[:] = [path for path in sys.path if path != "."]

    def model(self, text: str, base: str = MODEL) -> None:
        """Write the application's model."""
        (self.folder / "app.py").write_text(f"{text}\n\n{base}" if not base else base + text)

    def files(self) -> dict[str, str]:
        """Return the texts of the revisions, by their names."""
        return {path.name: path.read_text() for path in sorted(self.versions.glob("*.py"))}

    def change(self, old: str, new: str, file: str = "env.py") -> None:
        """Change a text of env.py, or of another file."""
        path = self.folder / (file if file != "env.py" else f"{self.place}/env.py")
        assert old in path.read_text(), path.read_text()
        path.write_text(path.read_text().replace(old, new))


def make_foreign(
    folder: Path, url: URL, template: str = "generic", place: str = "migrations"
) -> ForeignProject:
    """Make a project by `alembic init`, and what its author has to write: nothing of a rename's."""
    folder.mkdir(exist_ok=True)
    project = ForeignProject(folder, place)
    config = Config(folder / "alembic.ini", folder / "pyproject.toml", stdout=io.StringIO())
    with chdir(folder), redirect_stdout(io.StringIO()):
        command.init(config, place, template=template)
    address = url.render_as_string(hide_password=False).replace("%", "%%")
    project.change("driver://user:pass@localhost/dbname", address, "alembic.ini")
    project.change(
        "target_metadata = None",
        "from app import Base\nfrom invoicing.toolkit.rename import operations\n\n"
        "target_metadata = Base.metadata",
    )
    project.model("")
    return project
