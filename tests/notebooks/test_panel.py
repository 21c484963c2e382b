"""The rename's buttons, as a browser drives them: by clicks of its widgets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from invoicing.db import Database
from invoicing.notebook import RenamePanel
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from tests.conftest import execute, newest_server_url
from tests.notebooks.bills import create_bills

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.engine import URL

    from invoicing.notebook.confirm import Question

server_url = newest_server_url

ROWS = 2_000


@asynccontextmanager
async def opened(url: URL, *, practice: bool) -> AsyncIterator[RenamePanel]:
    async with Database(url, Settings()) as database:
        target = Target("bill", "amt", "cents")
        options = Options(batch_size=100, quiet=0.1)
        panel = RenamePanel(Rename(database, target, options), practice=practice, interval=0.1)
        await panel.open()
        yield panel
        await panel.close()


@pytest.fixture
async def bills_url(empty_database_url: URL) -> URL:
    """Return a database with a table of bills."""
    await create_bills(empty_database_url, ROWS)
    return empty_database_url


@pytest.fixture
async def panel(bills_url: URL) -> AsyncIterator[RenamePanel]:
    """Yield the buttons of a rename that has not begun, in practice."""
    async with opened(bills_url, practice=True) as panel:
        yield panel


@pytest.fixture
async def real(bills_url: URL) -> AsyncIterator[RenamePanel]:
    """Yield the same on what is a real database."""
    async with opened(bills_url, practice=False) as panel:
        yield panel


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def click(panel: RenamePanel, name: str, said: str) -> None:
    await until(lambda: not panel.buttons[name].disabled)
    panel.buttons[name].click()
    await until(lambda: said in panel.message.value)


async def asked(panel: RenamePanel, name: str) -> Question:
    """Click, and return the question that is shown."""
    await until(lambda: not panel.buttons[name].disabled)
    panel.buttons[name].click()
    await until(lambda: len(panel.asked.children) == 1)
    assert panel._question is not None
    return panel._question


async def said_no(panel: RenamePanel, question: Question) -> None:
    question.no.click()
    await until(lambda: "nothing was changed" in panel.message.value)
    assert panel.asked.children == ()


async def filled(panel: RenamePanel) -> None:
    """Expand and backfill."""
    await panel.rename.expand()
    await panel.rename.backfill()
    await until(lambda: "verify" in offered(panel))


async def columns(panel: RenamePanel) -> set[str]:
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = 'bill'"
    async with panel.rename.database.read_only() as session:
        return set((await session.scalars(text(query))).all())


def offered(panel: RenamePanel) -> set[str]:
    """Return the phases that can be clicked; to count changes nothing."""
    clickable = {name for name, button in panel.buttons.items() if not button.disabled}
    return clickable - {"count", "renew"}


async def test_what_comes_next_can_be_clicked_and_nothing_else(panel: RenamePanel) -> None:
    assert offered(panel) == {"expand"}
    await click(panel, "expand", "Both names work")
    assert offered(panel) == {"backfill", "rollback"}
    await click(panel, "backfill", f"{ROWS:,} rows filled")
    assert offered(panel) == {"verify", "rollback"}
    await click(panel, "verify", f"{ROWS:,} of {ROWS:,} rows equal")
    assert offered(panel) == {"gate", "contract", "verify", "rollback"}
    await click(panel, "gate", "The gate is open")
    await until(lambda: "contract" in offered(panel))
    question = await asked(panel, "contract")
    assert "It drops bill.amt" in question.message.value
    question.text.value = "bill.amt"
    question.yes.click()
    await until(lambda: "bill.amt was dropped" in panel.message.value)
    assert offered(panel) == {"restore"}
    assert "&#10003; contract" in panel.head.value
    await click(panel, "restore", "rows filled")


async def test_what_goes_wrong_is_said_beside_the_buttons(panel: RenamePanel) -> None:
    url = panel.rename.database.url
    await execute(url, "ALTER TABLE bill ADD cents text")
    await click(panel, "expand", "cannot rename")
    assert "var(--jp-error-color1)" in panel.message.value
    await execute(url, "ALTER TABLE bill DROP cents")
    await click(panel, "expand", "Both names work")


async def test_it_shows_what_another_operator_does(panel: RenamePanel) -> None:
    other = Rename(panel.rename.database, panel.rename.target, Options(batch_size=20, pause=0.05))
    await other.expand()
    stop = asyncio.Event()
    work = asyncio.create_task(other.backfill(stop=stop))
    await until(lambda: "at work" in panel.facts.value and ", backfill since" in panel.facts.value)
    assert offered(panel) == set()
    stop.set()
    await work
    await until(lambda: "backfill" in offered(panel))
    assert (await panel.rename.status()).phase is Phase.BACKFILLING


async def test_a_table_that_is_gone_is_named_and_looked_for_again(panel: RenamePanel) -> None:
    url = panel.rename.database.url
    await execute(url, "ALTER TABLE bill RENAME TO away")
    await until(lambda: "Stale: " in panel.seen.value and "bill" in panel.seen.value)
    assert offered(panel) == set()
    await execute(url, "ALTER TABLE away RENAME TO bill")
    await until(lambda: "Stale: " not in panel.seen.value)
    assert offered(panel) == {"expand"}


async def test_it_names_the_database_the_server_and_the_user_always(bills_url: URL) -> None:
    url = bills_url.set(password="top-secret")
    async with opened(url, practice=False) as panel:
        shown = panel.where.value
        assert "<b>Real</b>" in shown
        assert f"database {url.database}" in shown
        assert str(url.query.get("host") or url.host) in shown
        assert "as postgres" in shown
        assert f"PostgreSQL {await panel.rename.database.server_version()}" in shown
        await filled(panel)
        assert panel.where.value == shown
        question = await asked(panel, "rollback")
        parts = (panel.where, panel.head, panel.facts, panel.message, question.message)
        assert not [part.value for part in parts if "top-secret" in part.value]
        await said_no(panel, question)


async def test_a_rollback_says_what_it_costs_and_no_leaves_all_as_it_is(panel: RenamePanel) -> None:
    await filled(panel)
    question = await asked(panel, "rollback")
    said = question.message.value
    for fact in (f"{ROWS:,} of {ROWS:,} rows", "which took ", "bill.cents", "The record"):
        assert fact in said
    assert offered(panel) == set()
    await said_no(panel, question)
    assert await columns(panel) == {"id", "amt", "cents"}
    assert (await panel.rename.status()).phase is Phase.BACKFILLED
    await until(lambda: "rollback" in offered(panel))


async def test_a_rollback_is_done_for_who_has_typed_the_name(panel: RenamePanel) -> None:
    await filled(panel)
    question = await asked(panel, "rollback")
    for wrong in ("", "bill", "cents", "bill.amt", "bill.cents2", "BILL.CENTS"):
        question.text.value = wrong
        assert question.yes.disabled
        question.yes.click()
    await asyncio.sleep(0.2)
    assert panel.asked.children
    assert await columns(panel) == {"id", "amt", "cents"}
    question.text.value = " bill.cents\t"
    assert not question.yes.disabled
    question.yes.click()
    await until(lambda: "as it was before the expand" in panel.message.value)
    assert await columns(panel) == {"id", "amt"}


async def test_on_a_real_database_each_phase_says_what_it_will_do_and_asks(
    real: RenamePanel,
) -> None:
    said = {
        "expand": ("It adds cents", f"{ROWS:,} rows", "ACCESS EXCLUSIVE"),
        "backfill": (f"{ROWS:,} rows", " s of work", "Locks: the rows of one batch"),
        "verify": ("compares every row", "milliseconds"),
    }
    for name, facts in said.items():
        before = (await real.rename.status()).phase
        question = await asked(real, name)
        for fact in facts:
            assert fact in question.message.value, question.message.value
        await said_no(real, question)
        assert (await real.rename.status()).phase is before
        question = await asked(real, name)
        question.yes.click()
        stood = f"({before.value})"
        await until(lambda stood=stood: not real._working and stood not in real.head.value)
        await until(lambda: not real.asked.children)
    assert (await real.rename.status()).phase is Phase.VERIFIED


async def test_a_click_while_it_asks_begins_nothing(real: RenamePanel) -> None:
    question = await asked(real, "expand")
    for name in ("expand", "rollback", "backfill"):
        real.buttons[name].click()
    await asyncio.sleep(0.3)
    assert real._question is question
    assert await columns(real) == {"id", "amt"}
    await said_no(real, question)


async def test_a_question_is_withdrawn_when_the_rename_has_moved_on(real: RenamePanel) -> None:
    await filled(real)
    question = await asked(real, "rollback")
    question.text.value = "bill.cents"
    await real.rename.verify()
    await real.rename.contract(confirm="bill.amt")
    await until(lambda: not real.asked.children)
    assert "nothing was changed" in real.message.value
    assert await columns(real) == {"id", "cents"}


async def test_names_with_escapes_are_shown_and_can_be_typed(empty_database_url: URL) -> None:
    name = 'Grün\x1b[31m\u202e"'
    quoted = name.replace('"', '""')
    await execute(
        empty_database_url, f'CREATE TABLE "Bill" (id bigint PRIMARY KEY, "{quoted}" bigint)'
    )
    async with Database(empty_database_url, Settings()) as database:
        rename = Rename(database, Target("Bill", "New", name), Options())
        await execute(empty_database_url, f'ALTER TABLE "Bill" RENAME "{quoted}" TO "New"')
        panel = RenamePanel(rename, practice=True, interval=0.1)
        await panel.open()
        await panel.rename.expand()
        question = await asked(panel, "rollback")
        shown = (question.message.value, question.text.placeholder, panel.head.value)
        assert all("\\x1b[31m\\u202e" in text for text in shown)
        assert not [text for text in shown if "\x1b" in text or "\u202e" in text]
        question.text.value = 'Bill.Grün\\x1b[31m\\u202e"'
        question.yes.click()
        await until(lambda: "as it was before" in panel.message.value)
        await panel.close()
