"""What is kept of a notebook's outputs when it is run again."""

from __future__ import annotations

import nbformat
import pytest

from invoicing.report.kept import keep_measured, said

TABLE = "   #  DB ms   KB\n  12   1.3  9.0\n"
PICTURE = '<img alt="over ten times" src="data:image/png;base64,{}">'


def cell(text: str, *tags: str, source: str = "x", html: str = "") -> nbformat.NotebookNode:
    data = {"text/plain": text, "text/html": html, "image/png": text}
    output = nbformat.v4.new_output("display_data", data)
    new = nbformat.v4.new_code_cell(source, id="a", outputs=[output])
    new.metadata["tags"] = list(tags)
    return new


@pytest.mark.parametrize(
    ("before", "after", "stays"),
    [
        (TABLE, "  #   DB ms    KB\n 12   11.35  9.12\n", True),
        ("took 950 ms, 1,200 B", "took 1.2 s, 1.2 KB", True),
        ("seconds=0.5, orm=1", "seconds=5.1e-05, orm=1", True),
        ("n-plus-one", "constant", False),
        ("2 statements", "2 statements, one slow", False),
    ],
)
def test_only_what_was_measured_stays(before: str, after: str, stays: bool) -> None:
    old, new = cell(before, "nbval-ignore-output"), cell(after, "nbval-ignore-output")
    keep_measured([old], [new])
    assert new.outputs[0].data["text/plain"] == (before if stays else after)


def test_a_picture_counts_by_its_words() -> None:
    old, new = (cell("", html=PICTURE.format(data)) for data in ("AAAA", "QUJD+/=="))
    assert said(old.outputs) == said(new.outputs)
    other = cell("", html=PICTURE.format("AAAA").replace("ten", "a hundred"))
    assert said(old.outputs) != said(other.outputs)


@pytest.mark.parametrize("changed", [{"source": "y"}, {"tags": []}])
def test_a_changed_cell_and_one_that_is_compared_are_new(changed: dict) -> None:
    old = cell("1 s", "nbval-ignore-output")
    new = cell(
        "2 s", *changed.get("tags", ["nbval-ignore-output"]), source=changed.get("source", "x")
    )
    keep_measured([old], [new])
    assert new.outputs[0].data["text/plain"] == "2 s"
