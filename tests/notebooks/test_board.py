"""What the board of a rename says, held against the database that it speaks of."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import asyncpg
import pytest
from sqlalchemy import text

from invoicing.db import Database
from invoicing.notebook import RenamePanel
from invoicing.notebook.place import is_production
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from invoicing.toolkit.rename.facts import lock_holder, status_facts
from tests.conftest import execute, newest_server_url
from tests.notebooks.bills import create_bills
from tests.notebooks.test_panel import asked, click, offered, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

server_url = newest_server_url

ROWS = 3_000
SLOWLY = Options(batch_size=100, stripes=1, pause=0.1)


@pytest.fixture
async def panel(empty_database_url: URL) -> AsyncIterator[RenamePanel]:
    """Yield the board of a rename that takes its time."""
    await create_bills(empty_database_url, ROWS)
    async with Database(empty_database_url, Settings()) as database:
        rename = Rename(database, Target("bill", "amt", "cents"), SLOWLY)
        panel = RenamePanel(rename, practice=True, interval=0.1)
        await panel.open()
        yield panel
        await panel.close()


def figures(panel: RenamePanel) -> dict[str, str]:
    """Return the figures of the board by their names."""
    html = panel.head.value + panel.facts.value
    return dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", html))


def number(panel: RenamePanel, name: str) -> int:
    return int(figures(panel).get(name, "-1").replace(",", ""))


async def begun(panel: RenamePanel) -> None:
    """Expand, and let a backfill be under way."""
    await click(panel, "expand", "Both names work")
    panel.buttons["backfill"].click()
    await until(lambda: "ETA" in figures(panel))


async def test_figures_are_of_one_snapshot_and_gone_after_a_rollback(panel: RenamePanel) -> None:
    await begun(panel)
    for _ in range(10):
        await asyncio.sleep(0.05)
        done, left = number(panel, "done, about"), number(panel, "left, about")
        assert done + left == ROWS
    panel.buttons["stop"].click()
    await until(lambda: "Stopped between" in panel.message.value)
    assert "ETA" not in figures(panel)
    assert "rows a second" not in figures(panel)
    question = await asked(panel, "rollback")
    question.text.value = "bill.cents"
    question.yes.click()
    await until(lambda: "as it was before the expand" in panel.message.value)
    assert not {"done, about", "left, about", "ETA", "equal"} & set(figures(panel))
    assert "progressbar" not in panel.head.value


async def test_the_rows_by_state_are_what_plain_sql_counts(panel: RenamePanel) -> None:
    await begun(panel)
    panel.buttons["stop"].click()
    await until(lambda: "Stopped between" in panel.message.value)
    before = panel._counted.at
    await until(lambda: panel._counted.at != before)
    query = "SELECT count(*) FILTER (WHERE cents = amt), count(*) FILTER (WHERE cents IS NULL)"
    async with panel.rename.database.read_only() as session:
        equal, missing = (await session.execute(text(f"{query} FROM bill"))).one()
    await until(lambda: number(panel, "equal") == equal)
    assert (number(panel, "not filled"), number(panel, "different")) == (missing, 0)
    assert 0 < equal < ROWS


async def test_who_is_at_work_is_this_notebook_or_is_named(panel: RenamePanel) -> None:
    await begun(panel)
    assert figures(panel)["at work"].startswith("this notebook, pid ")
    assert ", backfill since" in figures(panel)["at work"]
    assert "idle" not in panel.facts.value
    panel.buttons["stop"].click()
    await until(lambda: figures(panel)["at work"] == "none")
    stop = asyncio.Event()
    other = Rename(panel.rename.database, panel.rename.target, SLOWLY)
    work = asyncio.create_task(other.backfill(stop=stop))
    await until(lambda: "@" in figures(panel)["at work"])
    assert "idle" not in lock_holder(await panel.rename.status())
    stop.set()
    await work


async def test_a_backfill_is_paused_throttled_and_resumed(panel: RenamePanel) -> None:
    await begun(panel)
    speed = panel.speed
    speed.buttons["pause"].click()
    await until(lambda: figures(panel).get("speed") == "paused")
    assert speed.buttons["pause"].disabled
    # The batch that was under way when the pause was asked for is still counted.
    stood = -1
    for _ in range(10):
        before, stood = stood, number(panel, "done, about")
        if before == stood:
            break
        await asyncio.sleep(1)
    assert before == stood
    for wrong, said in (
        ("many", "is not a number"),
        ("2.5", "no whole number"),
        ("", "nothing to"),
    ):
        speed.fields["batch_size"].value = wrong
        speed.buttons["throttle"].click()
        await until(lambda said=said: said in panel.message.value)
    speed.fields["batch_size"].value = "1,000"
    speed.fields["pause"].value = "0"
    await until(lambda: not speed.buttons["throttle"].disabled)
    speed.buttons["throttle"].click()
    await until(lambda: "batch-size 1000" in panel.message.value)
    await until(lambda: not speed.buttons["resume"].disabled)
    speed.buttons["resume"].click()
    await until(lambda: f"{ROWS - stood:,}" not in panel.message.value and not panel._working)
    assert (await panel.rename.status()).phase is Phase.BACKFILLED
    await until(lambda: speed.widget.layout.display == "none")


async def test_a_blocker_is_named_and_who_waits_is_counted(panel: RenamePanel) -> None:
    await begun(panel)
    url = panel.rename.database.url.set(drivername="postgresql")
    blocker = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        await blocker.execute("BEGIN; UPDATE bill SET amt = amt; -- the culprit")
        pid = blocker.get_server_pid()
        await until(lambda: f"<td>{pid}</td>" in re.sub("<td [^>]*>", "<td>", panel.facts.value))
        assert "the culprit" in panel.facts.value
        assert number(panel, "sessions waiting for a lock") >= 1
    finally:
        await blocker.close()
    await until(lambda: "blocking sessions: <b>none</b>" in panel.facts.value)


async def test_everything_that_the_command_says_is_on_the_board(panel: RenamePanel) -> None:
    await click(panel, "expand", "Both names work")
    await execute(panel.rename.database.url, "UPDATE bill SET amt = 0 WHERE id = 1")
    await until(lambda: figures(panel)["writes to the old name"].startswith("1"))
    shown = panel.where.value + panel.head.value + panel.facts.value
    ours = {"rename": "bill.amt -&gt; cents", "rows": f"<dd>{ROWS:,}</dd>"}
    for name, value in status_facts(await panel.rename.status()):
        if name not in {"dead rows", "table", "indexes"}:  # these change by themselves
            assert ours.get(name, value) in shown, (name, value)
    assert {"dead rows", "table", "indexes"} <= set(figures(panel))


async def test_the_record_grows_with_each_phase(panel: RenamePanel) -> None:
    assert "Nothing was done yet" in panel.record.value
    await click(panel, "expand", "Both names work")
    await until(lambda: panel.record.value.count("<tr>") == 2)
    panel.buttons["backfill"].click()
    await until(lambda: ">running</td>" in panel.record.value)
    await until(lambda: "rows filled" in panel.message.value)
    assert f"rows updated {ROWS:,}" in panel.record.value


async def test_a_closed_panel_says_so_and_nothing_can_be_clicked(panel: RenamePanel) -> None:
    await click(panel, "expand", "Both names work")
    await panel.close("the notebook was closed")
    assert "Closed: the notebook was closed" in panel.seen.value
    assert re.search(r"as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", panel.seen.value)
    controls = [
        *panel.buttons.values(),
        *panel.speed.buttons.values(),
        *panel.speed.fields.values(),
    ]
    assert all(control.disabled for control in controls)
    shown = panel.seen.value
    panel.buttons["backfill"].click()
    await asyncio.sleep(0.5)
    assert (await panel.rename.status()).phase is Phase.EXPANDED
    assert panel.seen.value == shown


async def test_while_the_database_does_not_answer_it_is_stale_without_rate_or_eta(
    panel: RenamePanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invoicing.notebook.panel._PATIENCE", 0.3)
    await begun(panel)
    snapshot, answer = panel.rename.snapshot, asyncio.Event()

    async def never() -> object:
        await answer.wait()
        return await snapshot()

    panel.rename.snapshot = never  # type: ignore[method-assign]
    await until(lambda: "Stale: the database has not answered" in panel.seen.value)
    assert not {"rows a second", "ETA"} & set(figures(panel))
    assert number(panel, "done, about") > 0
    assert "invoicing-stale" in panel.widget._dom_classes
    assert offered(panel) == set()
    panel.rename.snapshot = snapshot  # type: ignore[method-assign]
    answer.set()
    await until(lambda: "Stale: " not in panel.seen.value)
    assert "invoicing-stale" not in panel.widget._dom_classes


@pytest.mark.parametrize(
    ("patterns", "names", "production"),
    [
        ("", ["prod", ""], False),
        ("*prod*", ["billing_Prod_1"], True),
        (" stage , db1.example.com", ["orders", "", "DB1.example.com"], True),
        ("db?/orders", ["orders", "db1", "db1/orders"], True),
        ("prod", ["production", "db1"], False),
        (" , ,", ["", "orders"], False),
    ],
)
def test_production_is_what_the_user_names(
    patterns: str, names: list[str], *, production: bool
) -> None:
    assert is_production(patterns, names) is production


async def test_the_banner_says_production(empty_database_url: URL) -> None:
    await create_bills(empty_database_url, 10)
    settings = Settings(production=f"other,{empty_database_url.database}")
    async with Database(empty_database_url, settings) as database:
        panel = RenamePanel(Rename(database, Target("bill", "amt", "cents")))
        await panel.open()
        assert "board-production" in panel.where.value
        assert "<b>PRODUCTION</b>" in panel.where.value
        await panel.close()
