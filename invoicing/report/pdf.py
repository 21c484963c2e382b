"""Pages as PDF, printed by a browser that is installed here: what its print dialog would save."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from invoicing.files import write_whole
from invoicing.report.errors import BrowserMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
# A page needs nothing from elsewhere, and nothing is asked for.
_OPTIONS = (
    *("--headless", "--no-pdf-header-footer", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_PATIENCE = 120


def find_browser() -> str:
    """Return the program that prints.

    Raises:
        BrowserMissingError: there is none of the kind.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise BrowserMissingError
    return found


def write_pdfs(
    pages: Iterable[Path], browser: str, *, jobs: int = 2, progress: Callable[[], None]
) -> dict[Path, str]:
    """Print each page into a PDF beside it, and return why some were not, by their page.

    Args:
        pages: HTML files.
        browser: what `find_browser` found.
        jobs: how many browsers at once.
        progress: called after each page.
    """
    failed: dict[Path, str] = {}

    def work(page: Path) -> None:
        try:
            _print(page, browser)
        except (OSError, subprocess.TimeoutExpired) as error:
            failed[page] = f"no PDF: {error}"
        progress()

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, pages))
    return failed


def _print(page: Path, browser: str) -> None:
    # Beside the page: some browsers are let into no other folder. Its profile goes with it.
    with TemporaryDirectory(prefix=".pdf-", dir=page.parent) as folder:
        printed = Path(folder) / "page.pdf"
        own = [f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            own.append("--no-sandbox")
        run = subprocess.run(  # noqa: S603 -- a program of a fixed list
            [browser, *_OPTIONS, *own, page.absolute().as_uri()],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
        if not printed.is_file():
            said = run.stderr.strip().splitlines()[-1:] or [f"exit code {run.returncode}"]
            message = f"{Path(browser).name}: {said[0]}"
            raise OSError(message)
        write_whole(printed.read_bytes(), page.with_suffix(".pdf"))
