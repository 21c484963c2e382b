"""`invoicing app` as a reader has it: pages without code, behind a token, that only read."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest
from playwright.async_api import Error, expect

from tests.browser.conftest import ROOT
from tests.browser.lab import PATIENCE
from tests.cli.here import PROGRAM
from tests.cli.rename_line import HEED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Page
    from sqlalchemy.engine import URL

expect.set_options(timeout=PATIENCE)


@pytest.fixture
def started(sample_url: URL) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Yield the address that the command prints, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = sample_url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [*PROGRAM[:-1], HEED + PROGRAM[-1], "app", f"--port={port}", "--as-of=2026-06-30"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate(timeout=30)


async def test_pages_are_read_filtered_and_drilled_into(
    page: Page, started: tuple[str, subprocess.Popen[str]]
) -> None:
    address, process = started
    plain = address.split("?")[0]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for attempt in range(100):
        try:
            await page.goto(address)
            break
        except Error:  # it is printed before it listens
            assert attempt < 99
            await page.wait_for_timeout(200)
    assert page.url == plain  # a cookie stands for the token from here on
    for path in ("", "voila/render/account.ipynb", "login", "?token=wrong"):
        with pytest.raises(HTTPError) as refused:
            await asyncio.to_thread(urlopen, f"{plain}{path}", timeout=10)
        assert refused.value.code == 403
        refused.value.close()

    await page.get_by_role("link", name="An account at a glance").click()
    row = page.locator("table.dataTable tbody tr")
    await expect(row).to_have_count(10)
    for place, shown in enumerate(
        ("all", "all", "last 12 months", "choose a row, or an invoice here"), 1
    ):
        await expect(page.locator("select").nth(place)).to_have_value(shown)
    await page.get_by_label("Search").first.fill("linden")
    await expect(page.get_by_role("main")).to_contain_text("Linden")
    await page.locator("input[type=date]").first.fill("2024-01-01")
    await page.locator("input[type=checkbox]").check()
    await expect(row).to_have_count(1)
    await row.first.click()
    await expect(page.locator("body")).to_contain_text("Difference -19.00 USD")
    content = await page.content()
    assert "open_database" not in content
    found = re.search(r'"kernelId":\s*"([^"]+)"', content)
    assert found is not None
    for origin in ("http://elsewhere.example", "null"):  # neither is a page of ours
        beacon = f"{plain}voila/api/shutdown/{found[1]}"
        answer = await page.request.post(beacon, headers={"Origin": origin})
        assert answer.status == 404
    await page.locator("input[type=checkbox]").uncheck()
    await expect(row).to_have_count(10)  # its kernel lives

    await page.get_by_role("link", name="All pages").click()
    await expect(page).to_have_url(plain)
    await page.get_by_role("link", name="All accounts together").click()
    await expect(page.locator("body")).to_contain_text("Invoices that do not add up")
    await page.goto(plain)
    await page.get_by_role("link", name=re.compile("Rename invoice.amt")).click()
    await expect(page.locator("body")).to_contain_text("the buttons are left out")
    await expect(page.get_by_role("button", name="Expand")).to_have_count(0)
    # Every page was answered by this machine alone.
    assert [url for url in asked if not url.startswith((plain, "data:", "blob:"))] == []
    await asyncio.to_thread(ended, process, address)


def ended(process: subprocess.Popen[str], address: str) -> None:
    """End it as Ctrl-C does: no kernel stays, and the token was printed once."""
    server, deadline = psutil.Process(process.pid), time.monotonic() + 20
    while len(kernels := server.children(recursive=True)) > 1:  # pages that are left end theirs
        assert time.monotonic() < deadline, kernels
        time.sleep(0.2)
    assert kernels
    process.send_signal(signal.SIGINT)
    printed, log = process.communicate(timeout=60)
    assert address.partition("token=")[2] not in printed + log
    assert "Traceback" not in log, log[-3000:]
    assert not [kernel for kernel in kernels if kernel.is_running()]
