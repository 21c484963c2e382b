"""Pages as PDF: printed whole by what is installed, or not there and said why."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from invoicing.report import find_browser, pdf, write_pdfs
from invoicing.report.errors import BrowserMissingError
from invoicing.report.page import page

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pages(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.html" for name in ("a", "b c")]
    for path in paths:
        path.write_text(page(path.stem, f"<h1>{path.stem}</h1>", {}))
    return paths


def test_each_page_is_printed_beside_itself(pages: list[Path]) -> None:
    try:
        browser = find_browser()
    except BrowserMissingError:
        pytest.skip("no browser is installed that prints")
    done: list[None] = []
    assert write_pdfs(pages, browser, progress=lambda: done.append(None)) == {}
    assert len(done) == 2
    folder = pages[0].parent
    assert sorted(path.name for path in folder.iterdir()) == [
        "a.html", "a.pdf", "b c.html", "b c.pdf",
    ]  # fmt: skip
    for path in folder.glob("*.pdf"):
        assert path.read_bytes().startswith(b"%PDF-")
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_page_that_is_not_printed_says_why_and_leaves_nothing(pages: list[Path]) -> None:
    program = shutil.which("false")
    assert program is not None
    failed = write_pdfs(pages, program, progress=lambda: None)
    assert failed == dict.fromkeys(pages, "no PDF: false: exit code 1")
    assert {path.suffix for path in pages[0].parent.iterdir()} == {".html"}


def test_without_a_browser_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    with pytest.raises(BrowserMissingError, match="Install chromium"):
        find_browser()
