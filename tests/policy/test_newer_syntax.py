"""Syntax newer than the running Python is read by a newer one, or the command ends with 2."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from invoicing.toolkit.policy import newer
from invoicing.toolkit.policy.source import parse
from tests.policy.project import write
from tests.policy.test_gate import policy

NEWER = newer.newest_python()
needs_newer = pytest.mark.skipif(NEWER is None, reason="no newer Python is here")
# The minor version that a text needs, and the text.
TEXTS = {
    "a type statement": (12, "type Row[T] = list[T]\n"),
    "type parameters": (12, "def first[T](rows: list[T]) -> T: ...\nclass Box[T]: ...\n"),
    "quotes in an f-string": (12, 'x = f"{rows["a"]}"\n'),
    "a default of a type parameter": (13, "class Box[T = int]: ...\n"),
}
ENGINE = "from sqlalchemy import create_engine\nengine = create_engine('x')\n"
MODEL = """
from app.base import Base
from sqlalchemy.orm import relationship
class A[T](Base):
    __tablename__ = "a"
    b = relationship("B")
"""


@pytest.fixture(autouse=True)
def known_anew() -> None:
    newer.newest_python.cache_clear()


@needs_newer
@pytest.mark.parametrize("label", TEXTS)
def test_a_newer_python_reads_what_this_one_cannot(label: str, tmp_path: Path) -> None:
    minor, text = TEXTS[label]
    assert NEWER is not None
    if NEWER[0] < minor:
        pytest.skip(f"no Python 3.{minor} is here")
    allowed = "other = create_engine('x')  # policy: allow async-only -- a script\n"
    write(tmp_path, {"app/new.py": text + ENGINE + allowed})
    run = policy(tmp_path, "check", "--select", "async-only", "--select", "unused-suppression")
    line = text.count("\n") + 2
    assert run.stdout.startswith(f"app/new.py:{line}:10: [async-only] create_engine is not async")
    assert run.stdout.endswith("1 finding in 3 files\n")
    assert run.returncode == 1


@needs_newer
def test_a_model_with_type_parameters_is_a_model(tmp_path: Path) -> None:
    write(tmp_path, {"app/models.py": MODEL})
    run = policy(tmp_path, "check")
    assert run.stdout.count("[lazy-raise]") == run.stdout.count("[base-and-timestamps]") == 1
    run = policy(tmp_path, "check", "--fix", "--unsafe-fixes")
    assert 'relationship("B", lazy="raise")' in (tmp_path / "app/models.py").read_text()


@needs_newer
def test_a_syntax_error_is_one_for_the_newest_as_well(tmp_path: Path) -> None:
    write(tmp_path, {"app/wrong.py": "x = 1\ndef f(:\n"})
    run = policy(tmp_path, "check")
    assert "app/wrong.py:2: not checked: syntax error: " in run.stdout
    assert (run.returncode, f"(read by Python 3.{NEWER[0]})" in run.stdout) == (2, True)


def test_without_a_newer_python_it_is_said_and_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, {"app/new.py": "async async = 1\n" + ENGINE})
    run = policy(tmp_path, "check")
    running = ".".join(map(str, sys.version_info[:2]))
    assert f"(read by Python {running}; no newer one is here to ask)" in run.stdout
    assert (run.returncode, "1 not checked" in run.stdout) == (2, True)


def test_an_interpreter_that_gives_no_answer_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert newer.newest_python() is None


@needs_newer
def test_the_newer_tree_is_the_same_as_ones_own() -> None:
    for name in ("newer", "source", "fixing"):
        text = Path(newer.__file__).with_name(f"{name}.py").read_text()
        read = newer.read_by_newest(text, SyntaxError("x"))
        # Places in f-strings are known better since 3.12, so only the nodes are compared.
        assert ast.dump(read.tree) == ast.dump(parse(text).tree)
