"""The field's words, everywhere that a user or a reader looks: code, messages, docs, notebooks."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Words that no engineer of this field uses; `} is no finding` is "unknown finding".
WORDS = (
    r"mend(?:s|ed|ing)?",
    "told",
    "somebody",
    "nobody",
    r"hangs? on",
    "shall",
    "in the way",
    r"\} is no finding",
    "be meant",
    "pace",
    "brake",
)
BANNED = re.compile(rf"(?<![a-z])(?:{'|'.join(WORDS)})(?![a-z])|[«»]", re.IGNORECASE)
# A key of `--format json` that programs read; a user that Unix has.
KEPT = re.compile(r'"mend": |[`"]nobody[`"]')
FOLDERS = ("invoicing", "tests", "migrations", "notebooks", "docs")
# The changelog quotes what was; this file names the words.
NOT_READ = {"CHANGELOG.md", "tests/test_words.py"}


def readable() -> list[Path]:
    below = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return [
        path
        for path in (*sorted(below), *sorted(ROOT.glob("*.md")), ROOT / "Makefile")
        if (path.suffix in {".py", ".md", ".ipynb"} or path.name == "Makefile")
        and ".ipynb_checkpoints" not in path.parts
        and path.relative_to(ROOT).as_posix() not in NOT_READ
    ]


def prose(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return text


def words_of(path: Path) -> list[str]:
    """Return each banned word of a file with its line; in code, also what is called `one`."""
    text = prose(path)
    lines = [
        f"{number}: {match[0]}"
        for number, line in enumerate(text.splitlines(), 1)
        for match in BANNED.finditer(KEPT.sub("", line))
    ]
    if path.suffix == ".py" and re.search(r"\bone\b", text):
        lines += [f"{number}: one, as a name" for number in called_one(ast.parse(text))]
    return lines


def called_one(tree: ast.Module) -> list[int]:
    return sorted(
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "one" and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.arg) and node.arg == "one")
    )


def test_no_file_has_a_banned_word() -> None:
    found = [f"{path.relative_to(ROOT)}:{line}" for path in readable() for line in words_of(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text", ["Mend it", "mended", "x_told = 1", "«name»", "hangs on", "is in the way"]
)
def test_a_banned_word_is_found(text: str) -> None:
    assert BANNED.search(text)


@pytest.mark.parametrize("text", ["recommend", "amended", "shallow", "in the same way", "untold"])
def test_a_word_that_holds_another_is_not(text: str) -> None:
    assert not BANNED.search(text)
