"""Practice databases have owners: each is offered, kept or dropped as its notebooks say."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from invoicing.db import Database
from invoicing.errors import UsageError
from invoicing.notebook import Walkthrough
from invoicing.notebook.gate import wait_for_gate
from invoicing.notebook.practising import PracticeDatabase, join_practice, own_practice
from invoicing.practice import PracticeShare, drop_practice, open_practice
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from tests.conftest import execute, newest_server_url
from tests.notebooks.bills import create_bills

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import URL

server_url = newest_server_url

TARGET = Target("invoice", "amt", "amount_cents")
ROWS = 200


@pytest.fixture
def url(server_url: URL) -> URL:
    """Return the URL of a practice database that is not there yet."""
    return server_url.set(database=f"practice_{uuid4().hex[:8]}")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], list[str]]:
    """Let a person be there who answers every question alike; return what was asked."""

    def answer(*, yes: bool) -> list[str]:
        questions: list[str] = []

        async def confirm(question: str, **_: object) -> bool:
            questions.append(question)
            return yes

        monkeypatch.setattr("invoicing.notebook.practising.is_attended", lambda: True)
        monkeypatch.setattr("invoicing.notebook.practising.confirm", confirm)
        return questions

    return answer


async def is_there(url: URL) -> bool:
    query = text("SELECT count(*) FROM pg_database WHERE datname = :name")
    async with Database(url.set(database="postgres")) as server, server.read_only() as session:
        return bool(await session.scalar(query, {"name": url.database}))


async def phase_and_rows(practice: PracticeDatabase) -> tuple[Phase, int]:
    rename = Rename(practice.database, TARGET)
    return (await rename.status()).phase, (await rename.counts()).rows


async def left_at(url: URL, phase: str) -> None:
    """Leave a practice database in the middle, as a kernel does that is killed."""
    practice = await own_practice(url, TARGET, rows=ROWS, leftover="ask")
    rename = Rename(practice.database, TARGET, Options(quiet=0))
    await rename.expand()
    if phase == "contracted":
        await rename.backfill()
        await rename.verify()
        await rename.contract(confirm="invoice.amt")
    await practice.close(drop=False)


async def test_two_that_are_open_at_once_practise_apart(url: URL) -> None:
    first = await own_practice(url, TARGET, rows=ROWS, leftover="ask")
    second = await own_practice(url, TARGET, rows=ROWS, leftover="begin anew")
    assert second.name == f"{first.name}_2"
    await Rename(first.database, TARGET).expand()
    assert "was dropped" in await second.close()
    assert not await is_there(second.database.url)
    assert await phase_and_rows(first) == (Phase.EXPANDED, ROWS)
    assert "was dropped" in await first.close()
    assert not await is_there(url)


async def test_a_shared_one_is_dropped_by_the_last_to_close(url: URL) -> None:
    first, second = await asyncio.gather(
        join_practice(url, rows=ROWS), join_practice(url, rows=ROWS)
    )
    with pytest.raises(UsageError, match=r"open elsewhere \(pid \d+, since"):
        await first.renew()
    said = await first.close()
    assert "was kept: it is open elsewhere (pid " in said
    assert await phase_and_rows(second) == (Phase.NONE, ROWS)
    await Rename(second.database, TARGET).expand()
    await second.renew()
    assert await phase_and_rows(second) == (Phase.NONE, ROWS)
    third = await join_practice(url, rows=ROWS)
    await asyncio.gather(second.close(), third.close())
    assert not await is_there(url)


@pytest.mark.parametrize(("yes", "phase"), [(True, Phase.EXPANDED), (False, Phase.NONE)])
async def test_what_was_left_in_the_middle_is_offered(
    url: URL, asked: Callable[..., list[str]], *, yes: bool, phase: Phase
) -> None:
    await left_at(url, "expanded")
    questions = asked(yes=yes)
    practice = await own_practice(url, TARGET, rows=ROWS, leftover="ask")
    (question,) = questions
    assert f"at phase expanded with {ROWS} rows. Go on with it, or begin anew" in question
    assert await phase_and_rows(practice) == (phase, ROWS)
    await practice.close()


async def test_what_has_nothing_to_go_on_with_is_made_anew(
    url: URL, asked: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    await left_at(url, "contracted")
    questions = asked(yes=True)
    practice = await own_practice(url, TARGET, rows=ROWS, leftover="ask")
    assert questions == []
    assert "at phase contracted with 200 rows, and nothing to go on with" in capsys.readouterr().out
    assert await phase_and_rows(practice) == (Phase.NONE, ROWS)
    await practice.close()


async def test_without_anybody_to_ask_it_is_made_anew(
    url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    await left_at(url, "expanded")
    practice = await own_practice(url, TARGET, rows=ROWS, leftover="ask")
    assert await phase_and_rows(practice) == (Phase.NONE, ROWS)
    assert capsys.readouterr().out == ""
    await practice.close()


async def test_one_that_no_notebook_made_is_kept(url: URL) -> None:
    await (await open_practice(url, invoices=2 * ROWS)).dispose()
    practice = await own_practice(url, TARGET, rows=ROWS, leftover="ask")
    assert await phase_and_rows(practice) == (Phase.NONE, 2 * ROWS)
    assert "no notebook made it" in await practice.close()
    assert await is_there(url)
    await drop_practice(Database(url))


async def test_a_database_of_that_name_that_is_not_for_practice_is_never_dropped(url: URL) -> None:
    await (await open_practice(url, invoices=ROWS)).dispose()
    await execute(url, f"COMMENT ON DATABASE {url.database} IS NULL")
    with pytest.raises(UsageError, match="was not made to practise on"):
        await own_practice(url, TARGET, rows=ROWS, leftover="begin anew")
    assert await is_there(url)
    async with PracticeShare(url) as share:  # and nothing is held on to
        assert await share.own()
    await drop_practice(Database(url))


async def test_the_set_up_cell_can_be_run_again(
    server_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = uuid4().hex[:8]
    monkeypatch.setattr("invoicing.notebook.walkthrough.database_url", lambda: server_url)
    first = await Walkthrough.open(TARGET, practice=name, rows=ROWS)
    await first.panel(practice=f"{name}_buttons", rows=ROWS)
    panel = first._panel
    assert panel is not None
    again = await Walkthrough.open(TARGET, practice=name, rows=ROWS)
    assert again.database.url == first.database.url
    assert "Closed: the set-up cell was run again" in panel.seen.value
    assert await first.close() == ""
    assert (await again.rename.status()).phase is Phase.NONE
    await again.panel(practice=f"{name}_buttons", rows=ROWS)
    said = await again.close()
    assert said.count("was dropped") == 2
    assert not await is_there(again.database.url)


async def test_the_wait_for_the_gate_ends_and_says_what_for(
    empty_database_url: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    await create_bills(empty_database_url, 100)
    async with Database(empty_database_url, Settings()) as database:
        rename = Rename(database, Target("bill", "amt", "cents"), Options(quiet=0.5))
        assert not await wait_for_gate(rename)
        assert "its phase is none" in capsys.readouterr().out
        await rename.expand()
        assert not await wait_for_gate(rename)  # at once: to wait changes nothing
        assert "its phase is expanded, not verified" in capsys.readouterr().out
        await rename.backfill()
        await rename.verify()
        writes = asyncio.create_task(_write_on(empty_database_url))
        assert not await wait_for_gate(rename, limit=1)
        said = capsys.readouterr().out
        assert "still closed after" in said
        assert re.search("(old-writes|running): ", said)
        assert "invoicing rename gate bill amt cents" in said
        writes.cancel()
        assert await wait_for_gate(rename, limit=30)


async def _write_on(url: URL) -> None:
    while True:
        await execute(url, "UPDATE bill SET amt = amt + 1 WHERE id = 1")
        await asyncio.sleep(0.05)
