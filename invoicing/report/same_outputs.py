"""Outputs of a notebook that differ from run to run, and say the same: times, counts, plots."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

# nbval does not compare these cells, for what they show is different each time.
_IGNORED = "nbval-ignore-output"
_NUMBERS = re.compile(r"[-+]?\d[\d.,]*")
_SPACES = re.compile(r"\s+")


def keep_same_outputs(kept: NotebookNode, fresh: NotebookNode) -> None:
    """Put the kept outputs back into cells whose fresh ones differ by numbers alone.

    Args:
        kept: the notebook before it was run.
        fresh: the same after it; changed in place.
    """
    before = {cell.id: cell for cell in kept.cells}
    for cell in fresh.cells:
        if _IGNORED not in cell.metadata.get("tags", []):
            continue
        old = before[cell.id]
        if _shape(old) == _shape(cell):
            cell.outputs = old.outputs


def _shape(cell: NotebookNode) -> list[tuple[str, str]]:
    """Return what an output says but for its numbers; a picture says what its text does."""
    shapes = []
    for output in cell.outputs:
        text = output.get("data", {}).get("text/plain", output.get("text", ""))
        words = _SPACES.sub(" ", _NUMBERS.sub("#", text)).strip()
        shapes.append((output.output_type, words))
    return shapes
