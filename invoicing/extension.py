"""`%load_ext invoicing`: the magics of the toolkit, imported when a notebook asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Make `%%queries` known to a shell; IPython calls it for `%load_ext invoicing`."""
    from invoicing.toolkit.profiling import magic

    magic.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take them away again; IPython calls it for `%unload_ext invoicing`."""
    from invoicing.toolkit.profiling import magic

    magic.unload(shell)
