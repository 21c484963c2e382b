"""The two consoles."""

from __future__ import annotations

import sys

from rich.console import Console

# A pipe or a log has no width of its own; a table cut at 80 columns would lose its figures.
console = Console(width=None if sys.stdout.isatty() else 140)
errors = Console(stderr=True, soft_wrap=True)
