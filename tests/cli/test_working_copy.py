"""`invoicing init --update`: a working copy follows the notebooks, and keeps what was changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from invoicing.cli.working_copy import update_copy
from invoicing.folders import notebooks_folder
from tests.cli.here import run_here

if TYPE_CHECKING:
    from pathlib import Path


def notebook(path: Path, source: str, output: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = {"cell_type": "code", "source": [source], "outputs": [output]}
    path.write_text(json.dumps({"cells": [cell]}))


def test_outputs_are_replaced_and_changes_stay(tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "a" / "copy"
    notebook(source / "run.ipynb", "1", "kept")
    notebook(source / "edited.ipynb", "1")
    notebook(source / "broken.ipynb", "1")
    (source / "docs").mkdir()
    (source / "docs" / "page.md").write_text("old")
    (source / "conftest.py").write_text("")
    assert len(update_copy(source, copy).written) == 4
    assert not (copy / "conftest.py").exists()

    notebook(copy / "run.ipynb", "1", "of a run")
    notebook(copy / "edited.ipynb", "mine")
    (copy / "broken.ipynb").write_text("{")
    (copy / "own.ipynb").write_text("mine")
    unchanged = update_copy(source, copy)
    assert unchanged.kept == [], "nothing newer that is held back"
    assert "edited.ipynb" not in unchanged.written

    for name in ("run", "edited", "broken"):
        notebook(source / f"{name}.ipynb", "2", "new")
    (source / "docs" / "page.md").write_text("new")
    done = update_copy(source, copy)
    assert done.kept == ["broken.ipynb", "edited.ipynb"]
    assert json.loads((copy / "run.ipynb").read_text())["cells"][0]["outputs"] == ["new"]
    assert "mine" in (copy / "edited.ipynb").read_text()
    assert (copy / "own.ipynb").read_text() == "mine"
    assert (copy / "docs" / "page.md").read_text() == "new"


def test_the_command_updates_a_folder_and_never_the_notebooks_themselves(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    for _ in range(2):
        run = run_here({}, "init", "--update", str(folder))
        assert run.returncode == 0, run.stderr
    assert (folder / "01_dashboard.ipynb").is_file()
    run = run_here({}, "init", "--update", str(notebooks_folder()))
    assert (run.returncode, "come from" in run.stderr) == (2, True)
