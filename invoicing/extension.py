"""`%load_ext invoicing`: the magics of the toolkit, imported when a notebook asks for them.

`%%queries` shows what a cell asks of its databases: see `invoicing.toolkit.profiling.magic`.
`%%sql` reads a DataFrame, on the session that the cells before it work on:

    %%sql large <<
    SELECT id, amount_cents, currency FROM invoice WHERE amount_cents > :least

`large` is then the DataFrame, `:least` the variable of that name. It is read from `database`;
`--from session` reads from a session instead, and sees what its transaction has not committed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NoReturn

from invoicing.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

SQL = "%%sql"
NAME = "_invoicing_sql"
_LINE = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)\s*<<)?\s*(?:--from\s+(?P<source>[A-Za-z_]\w*))?")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Make `%%queries` and `%%sql` known to a shell; IPython calls it for `%load_ext invoicing`."""
    from invoicing.toolkit.profiling import magic

    magic.load(shell)
    if NAME not in shell.user_ns_hidden:
        shell.user_ns[NAME] = shell.user_ns_hidden[NAME] = SqlMagic(shell)
        # Before IPython's own transformation, which would hand the cell over as text.
        shell.input_transformer_manager.cleanup_transforms.insert(0, read_by_sql)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take them away again; IPython calls it for `%unload_ext invoicing`."""
    from invoicing.toolkit.profiling import magic

    magic.unload(shell)
    if shell.user_ns_hidden.pop(NAME, None) is not None:
        shell.input_transformer_manager.cleanup_transforms.remove(read_by_sql)
        shell.user_ns.pop(NAME, None)


def read_by_sql(lines: list[str]) -> list[str]:
    """Replace a cell of SQL by the call that reads it, which may await: a magic could not."""
    first = next((place for place, line in enumerate(lines) if line.strip()), None)
    if first is None or lines[first].split(maxsplit=1)[0] != SQL:
        return lines
    line = " ".join(lines[first].split()[1:])
    found = _LINE.fullmatch(line)
    if found is None:
        return [f"{NAME}.refuse({line!r})\n"]
    call = f"await {NAME}.read({''.join(lines[first + 1 :])!r}, {found['source'] or 'database'!r})"
    return [f"{found['name']} = {call}\n", f"{found['name']}\n"] if found["name"] else [f"{call}\n"]


class SqlMagic:
    """Reads what cells of SQL ask for."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    async def read(self, sql: str, source: str) -> pd.DataFrame:
        """Return the rows; each `:name` in the SQL is the variable of that name.

        Raises:
            UsageError: there is no SQL, or no variable `source` to read from.
        """
        from invoicing.notebook import read_frame

        if not sql.strip():
            message = f"there is no statement below {SQL}. Nothing was read"
            raise UsageError(message)
        variables: dict[str, Any] = self._shell.user_ns
        if source not in variables:
            message = (
                f"{SQL} reads from the variable {source!r}, and there is none. Nothing was read. "
                "Run in a cell before: database = await open_database()"
            )
            raise UsageError(message)
        return await read_frame(variables[source], sql, variables)

    @staticmethod
    def refuse(line: str) -> NoReturn:
        """Say what the magic's line may be."""
        message = (
            f"{SQL} {line} is not understood. Nothing was read. Write: {SQL} name <<, "
            f"or {SQL} name << --from session; the statement begins on the next line"
        )
        raise UsageError(message)
