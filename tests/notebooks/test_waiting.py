"""A cell that waits can be interrupted, asks where it can, and shows how far it has got."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.notebook import ProgressDisplay, confirm, interruptible, until_stopped
from invoicing.notebook.confirm import Question
from tests.conftest import newest_server_url
from tests.notebooks.kernels import running_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

    from tests.notebooks.kernels import Kernel

server_url = newest_server_url

WAIT_FOR_THE_SERVER = """
from sqlalchemy import text
from invoicing.db import Database
async with Database({url!r}) as database:
    try:
        async with interruptible(), database.transaction() as session:
            await session.execute(text("SELECT pg_sleep(60)"))
    finally:
        async with database.read_only() as session:
            left = await session.scalar(text(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%'"
                " AND pid <> pg_backend_pid() AND state = 'active'"
            ))
            print("still at work on the server:", left)
"""
BATCHES = """
stopping, batches = asyncio.Event(), []
async def work():
    while not stopping.is_set():
        batches.append("begun")
        await asyncio.sleep(0.2)
        batches[-1] = "ended"
await until_stopped(work(), stopping.set)
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with running_kernel() as running:
        # The import takes seconds: an interrupt is to come in the wait, not before.
        running.run("import asyncio\nfrom invoicing.notebook import *")
        yield running


def test_an_interrupt_ends_a_wait_and_the_statement_on_the_server(
    kernel: Kernel, server_url: URL
) -> None:
    code = WAIT_FOR_THE_SERVER.format(url=server_url.render_as_string(hide_password=False))
    output, error, seconds = kernel.run(code, interrupt_after=1)
    assert (output, error) == ("still at work on the server: 0", "CancelledError")
    assert seconds < 10, "the wait would have gone on for 60 seconds"


def test_an_interrupt_ends_the_work_where_it_may_end(kernel: Kernel) -> None:
    _, error, _ = kernel.run(BATCHES, interrupt_after=1)
    assert error == "CancelledError"
    output, _, _ = kernel.run("print(len(batches) > 1, set(batches))")
    assert output == "True {'ended'}"


def test_nothing_is_asked_where_no_prompt_can_be_shown(kernel: Kernel) -> None:
    for answer in ("True", "False"):
        ask = f"print(await confirm('Drop?', unattended={answer}))"
        output, error, _ = kernel.run(ask, stdin=False)
        assert (output, error) == (answer, "")


def test_what_drops_something_needs_its_name_where_no_question_can_be_asked(kernel: Kernel) -> None:
    for given, answer in (("True", False), ("'invoice'", False), ("'invoice.amt '", True)):
        ask = f"print(await confirm('Drop it?', unattended={given}, typed='invoice.amt'))"
        output, error, _ = kernel.run(ask, stdin=False)
        *said, answered = output.splitlines()
        assert (answered, error) == (str(answer), ""), given
        assert answer or "invoice.amt was not named. Nothing was changed" in said[0]


def test_a_question_is_asked_where_it_can_be_clicked(kernel: Kernel) -> None:
    ask = "print(await asyncio.wait_for(confirm('Drop?', unattended=True), 0.3))"
    output, error, _ = kernel.run(ask)
    assert (output, error) == ("", "TimeoutError")


async def test_who_waits_in_vain_can_cancel_twice() -> None:
    ended = []

    async def deaf() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    waiting = asyncio.create_task(until_stopped(deaf(), lambda: None))
    for _ in range(2):
        await asyncio.sleep(0.05)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0)
    assert ended == [True]


async def test_what_the_work_raises_or_returns_passes_through() -> None:
    async def fail() -> None:
        message = "no"
        raise ValueError(message)

    assert await until_stopped(asyncio.sleep(0, "done"), lambda: None) == "done"
    with pytest.raises(ValueError, match="no"):
        await until_stopped(fail(), lambda: None)


async def test_no_task_is_left_after_the_wait() -> None:
    async with interruptible():
        assert len(asyncio.all_tasks()) == 2
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize(("button", "answer"), [("yes", True), ("no", False)])
async def test_a_click_in_another_thread_answers(button: str, *, answer: bool) -> None:
    question = Question("Go on?")
    waiting = asyncio.create_task(question.answer())
    await asyncio.to_thread(getattr(question, button).click)
    assert await waiting is answer
    assert question.yes.disabled
    assert f"<b>{'Yes, continue' if answer else 'No'}</b>" in question.message.value


async def test_yes_needs_the_text_typed_first() -> None:
    question = Question("Drop it?", typed="invoice.amt")
    assert question.yes.disabled
    question.text.value = "invoice.amount"
    assert question.yes.disabled
    question.yes.click()
    await asyncio.sleep(0)
    assert not question._answer.done()
    question.text.value = "invoice.amt "
    assert not question.yes.disabled


async def test_outside_a_kernel_nothing_is_asked() -> None:
    assert await confirm("Go on?", unattended=True)


def test_progress_prints_one_line_where_it_is_not_watched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ProgressDisplay("backfill") as progress:
        progress.show(5_000, 20_000, {"rate": "50,000 rows/s", "p99": "<3 ms"})
        assert progress.bar.value == 5_000
        assert "5,000 of 20,000 rows" in progress.facts.value
        assert "&lt;3 ms" in progress.facts.value
        progress.show(20_000, 20_000)
    assert capsys.readouterr().out == "backfill: 20,000 of 20,000 rows\n"


def test_a_bar_whose_work_failed_shows_it() -> None:
    progress = ProgressDisplay("backfill")
    with pytest.raises(ValueError, match="no"), progress:
        progress.show(1, 2)
        message = "no"
        raise ValueError(message)
    assert progress.bar.bar_style == "danger"
