"""Outputs that are kept: those that differ only by what was measured stay as they were.

A cell tagged `nbval-ignore-output` shows times, bytes or ids of widgets. Run again on the same data
it differs from what is kept, and says nothing new: then what is kept stays, so that a diff shows
what has changed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode

MEASURED = "nbval-ignore-output"
# Figures, the units that follow from their size, and the lines and spaces that follow from both.
_NUMBER = re.compile(r"\d[\d,.]*(?:e[-+]?\d+[,.]*)?(?:\s*(?:ns|µs|us|ms|s|B|KB|MB|GB)\b)?")
_LAYOUT = re.compile(r"\s+|[-─━═]{2,}")
_PICTURE = re.compile(r"data:image/[\w+]+;base64,[\w+/=]+")


def keep_measured(before: list[NotebookNode], cells: list[NotebookNode]) -> None:
    """Give cells of `cells` back the outputs of `before` that say the same.

    Args:
        before: the notebook's cells as they are kept.
        cells: the same after a run; changed in place.
    """
    kept = {cell.id: cell for cell in before}
    for cell in cells:
        old = kept.get(cell.id)
        if old is None or MEASURED not in cell.metadata.get("tags", []):
            continue
        if old.source == cell.source and said(old.outputs) == said(cell.outputs):
            cell.outputs = old.outputs


def said(outputs: list[Any]) -> str:
    """Return what outputs say without what was measured: figures, pictures and their layout."""
    words = []
    for output in outputs:
        data = dict(output.get("data", {}))
        for kind in [kind for kind in data if kind.startswith("image/")]:
            data[kind] = ""
        text = json.dumps([output["output_type"], data, output.get("text", "")], sort_keys=True)
        text = text.replace("\\n", " ")
        words.append(_LAYOUT.sub(" ", _NUMBER.sub("0", _PICTURE.sub("", text))))
    return "\n".join(words)
