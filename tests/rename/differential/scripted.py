"""The script of a rename as a third way: what psql runs takes the place of a run's phases."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError
from invoicing.toolkit.rename.names import Names
from invoicing.toolkit.rename.script.script import Script
from tests.migrations.project import psql

if TYPE_CHECKING:
    import subprocess

    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import Options
    from tests.rename.differential.case import Case

# What a script refuses, it refuses by this SQLSTATE.
_REFUSED = re.compile("^.*?ERROR: +55000: +(.*)$", re.MULTILINE)


class ScriptError(InvoicingError):
    """psql ended early."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.sqlstate = found[1] if (found := re.search(r"ERROR: +(\w+):", text)) else ""


class ScriptRefusedError(ScriptError):
    """The script refused, before it changed anything."""

    @property
    def kinds(self) -> set[str]:
        """Return what it refused: the first and the last word of each."""
        (said,) = _REFUSED.findall(str(self))
        items = said.rpartition(": ")[2].split("; ")
        return {" ".join((item.split()[0], item.split()[-1][:15])) for item in items}


@dataclass
class Report:
    """What a verify returns, which is part of the expand's script."""

    ok: bool = True


class ScriptedRename:
    """A rename by scripts."""

    def __init__(self, case: Case, url: URL, options: Options) -> None:
        self._url = url
        names = Names(case.schema, case.table, case.old, case.new)
        self._script = Script(names, options)

    async def expand(self) -> None:
        """Run the first two statements: the column and its triggers, as if it was killed then."""
        await self._run(self._script.expand().before[:2])

    async def backfill(self) -> None:
        """Run the whole script, which goes on there."""
        script = self._script.expand()
        await self._run([*script.before, "BEGIN", *script.last, "COMMIT"])

    async def verify(self) -> Report:
        """Run it once more: nothing is left to do."""
        await self.backfill()
        return Report()

    async def contract(self, *, confirm: str) -> None:
        await self._last(self._script.contract(confirm))

    async def rollback(self) -> None:
        await self._last(self._script.rollback())

    async def _last(self, script: tuple[list[str], list[str]]) -> None:
        before, last = script
        await self._run([*before, "BEGIN", *last, "COMMIT"])

    async def _run(self, statements: list[str]) -> None:
        sql = "\\set ON_ERROR_STOP on\n\\set VERBOSITY verbose\n"
        sql += "".join(f"{statement};\n" for statement in statements)
        ran: subprocess.CompletedProcess[str] = await asyncio.to_thread(psql, self._url, sql)
        if ran.returncode:
            kind = ScriptRefusedError if _REFUSED.search(ran.stderr) else ScriptError
            raise kind(ran.stderr)
