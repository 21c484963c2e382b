"""The dashboard notebook as a page for a customer, for one account or many at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, NamedTuple

from invoicing.errors import InvoicingError
from invoicing.files import write_whole
from invoicing.report.notebooks import NOTEBOOKS, runner, to_html

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from uuid import UUID

NOTEBOOK = NOTEBOOKS / "01_dashboard.ipynb"


class Written(NamedTuple):
    """What became of one account's report.

    Attributes:
        account_id: whose.
        path: where it is, or would have been.
        error: why it is not there; None if it is.
    """

    account_id: UUID
    path: Path
    error: str | None


def write_dashboards(
    reports: Mapping[UUID, Path],
    database_url: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    names: Mapping[UUID, str] | None = None,
    jobs: int = 2,
    internal: bool = False,
    progress: Callable[[Written], None] = lambda _: None,
) -> list[Written]:
    """Write a page for each account; one that fails does not stop the others.

    A page is for the customer: it shows that account alone, and nothing of how it was made. One
    that is internal has every cell that a page can show, with the prose between them.

    Args:
        reports: where the page of each account goes.
        database_url: of the kernels; it may hold a password, and is written nowhere.
        parameters: further ones of the notebook.
        names: of the accounts, for the titles.
        jobs: kernels at work at once.
        internal: whether the pages are for those who work here.
        progress: called after each page, in any order.
    """
    waiting: Queue[tuple[UUID, Path]] = Queue()
    for report in reports.items():
        waiting.put(report)
    written: list[Written] = []

    def work() -> None:
        failed = True
        while failed:  # what a failed run has left in a kernel, the next is not to meet
            failed = False
            with runner(NOTEBOOK, database_url) as kernel:
                while not failed:
                    try:
                        account_id, path = waiting.get_nowait()
                    except Empty:
                        return
                    error = None
                    try:
                        name = (names or {}).get(account_id, "")
                        asked = {**(parameters or {}), "account": str(account_id)}
                        node = kernel.run(asked, page=not internal)
                        write_whole(to_html(node, {"account": str(account_id)}, name), path)
                    except (InvoicingError, OSError) as raised:
                        error, failed = str(raised), True
                    report = Written(account_id, path, error)
                    written.append(report)
                    progress(report)

    kernels = max(min(jobs, len(reports)), 1)
    with ThreadPoolExecutor(kernels) as pool:
        for done in [pool.submit(work) for _ in range(kernels)]:
            done.result()
    order = list(reports)
    return sorted(written, key=lambda report: order.index(report.account_id))
