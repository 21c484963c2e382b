"""Run one function of one revision on a connection of ours.

The project's env.py is not run: it knows where the project's own database is. Only its imports are,
as operations of the project's own are registered by them.
"""

from __future__ import annotations

import ast
import re
import sys
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import load_python_file
from sqlalchemy.exc import DBAPIError

from invoicing.toolkit.proof.scratch import within
from invoicing.toolkit.proof.shared import OutsideError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from invoicing.toolkit.proof.shared import SharedObjects


class StepError(Exception):
    """A function of a revision that raised; handled where the step was asked for.

    Attributes:
        sqlstate: what the database calls it; empty where it is not the database's error.
        is_refused: whether it was not run, as it would reach outside of its database.
    """

    def __init__(self, reason: str, sqlstate: str = "", *, is_refused: bool = False) -> None:
        self.sqlstate = sqlstate
        self.is_refused = is_refused
        super().__init__(reason)


@contextmanager
def importing(root: Path, folders: set[Path]) -> Iterator[None]:
    """Let revisions import their project; what they print is no part of our output."""
    before = list(sys.path)
    homes = {home_of(folder) for folder in folders}
    sys.path[:0] = [str(path) for path in (root, root / "src", *sorted(homes)) if path.is_dir()]
    try:
        with redirect_stdout(sys.stderr):
            for home in sorted(homes):
                _import_as(home / "env.py")
            yield
    finally:
        sys.path[:] = before


def home_of(folder: Path) -> Path:
    """Return the folder of Alembic's env.py, above that of the revisions."""
    above = (folder, *folder.parents)
    return next((each for each in above if (each / "env.py").is_file()), folder)


def _import_as(env: Path) -> None:
    """Import what an env.py imports, as far as that can be imported."""
    if not env.is_file():
        return
    tree = ast.parse(env.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0):
            program = compile(ast.Module([node], []), str(env), "exec")
            with suppress(Exception):  # what needs it will say so itself
                exec(program, {"__name__": "env"})  # noqa: S102 -- the project's own imports


def load(path: Path) -> ModuleType:
    """Return the module of a revision.

    Raises:
        StepError: it cannot be imported.
    """
    try:
        return load_python_file(str(path.parent), path.name)
    except (Exception, SystemExit) as error:
        raise StepError(_reason(error)) from error


async def run_step(
    url: URL,
    module: ModuleType,
    name: str,
    shared: SharedObjects,
) -> None:
    """Run `upgrade` or `downgrade` of a revision on a database, in a transaction of its own.

    Raises:
        StepError: it raised.
    """
    step: Callable[[], object] | None = getattr(module, name, None)
    if step is None:
        reason = f"there is no {name}()"
        raise StepError(reason)
    home = home_of(Path(str(module.__file__)).parent)
    before = set(shared.roles)
    try:
        await within(url, partial(_run, step, home, shared))
    except (Exception, SystemExit) as error:
        shared.roles |= before
        if isinstance(error, OutsideError):
            reason = f"{error} reaches outside of the proof's database, so it is not run"
            raise StepError(reason, is_refused=True) from error
        raise StepError(_reason(error), _sqlstate(error)) from error


def _run(
    step: Callable[[], object], home: Path, shared: SharedObjects, connection: Connection
) -> None:
    shared.watch(connection)
    config = Config(str(home.parent / "alembic.ini"))
    config.set_main_option("script_location", str(home).replace("%", "%%"))
    environment = EnvironmentContext(config, ScriptDirectory(str(home)))
    with environment:
        environment.configure(connection=connection, transaction_per_migration=True)
        context = environment.get_context()
        with Operations.context(context), context.begin_transaction(_per_migration=True):
            step()
    connection.commit()


def _sqlstate(error: BaseException) -> str:
    origin = error.orig if isinstance(error, DBAPIError) else None
    return str(getattr(origin, "sqlstate", "") or "")


def _reason(error: BaseException) -> str:
    text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    text = text.partition(">: ")[2] if text.startswith("<class ") else text
    first = next(iter(text.strip().splitlines()), "")
    if re.fullmatch('role ".*" already exists', first):
        first += " on this server: drop it, or prove on a server without it (DATABASE_URL)"
    kind = type(error).__name__
    return first if isinstance(error, DBAPIError) else f"{kind}: {first}" if first else kind
