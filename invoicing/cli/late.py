"""Compile jsonschema's grammar of an IRI when the first IRI is checked, not when it is imported.

Whatever reads a notebook imports jsonschema, and that imports `rfc3987_syntax`, which compiles 38
grammars: longer than everything else that a report imports, for a format that no notebook has.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

NAME = "rfc3987_syntax"


class LateModule(ModuleType):
    """Stands for `rfc3987_syntax` until one of its functions is called."""

    def is_valid_syntax(self, term: str, value: str) -> bool:
        """Tell whether `value` is a `term`, as the module itself does.

        Raises:
            ModuleNotFoundError: it is not installed.
        """
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return bool(import_module(NAME).is_valid_syntax(term, value))


def postpone_grammar() -> None:
    """Let whatever imports jsonschema after this start at once."""
    sys.modules.setdefault(NAME, LateModule(NAME))
