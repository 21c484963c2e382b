"""The roll-up's answers are those of the invoices, and what it cannot follow it does not answer."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db.migrations import upgrade
from invoicing.load import load_files
from invoicing.models import InvoiceStatus
from invoicing.rollup import (
    build_rollup,
    check_rollup,
    drop_rollup,
    fold_rollup,
    rollup_state,
)
from invoicing.rollup.errors import CannotRollUpError, NoRollupError, RollupBusyError
from invoicing.sample import load_sample
from invoicing.schemas.portfolio import Source
from invoicing.services import (
    ageing,
    find_account,
    mismatched_invoices,
    monthly_totals,
    status_breakdown,
    top_accounts,
)
from invoicing.toolkit.rename import Options, Rename, Target
from tests.conftest import execute
from tests.factories import create_account, create_invoice
from tests.migrations.running import downgrade
from tests.migrations.test_migrations import catalog
from tests.rollup.chaos import work_at_once

if TYPE_CHECKING:
    from pathlib import Path

    from invoicing.db import AsyncSession, Database

UNUSED = "DELETE FROM invoice_rollup"


async def answers(session: AsyncSession) -> tuple[list[Any], set[Source]]:
    """Return the answer to every question, and what they were read from."""
    asked = [
        await monthly_totals(session),
        await monthly_totals(session, since=date(2026, 1, 9), until=date(2026, 3, 2)),
        await status_breakdown(session),
        await ageing(session, as_of=date(2026, 2, 20)),
        await top_accounts(session, limit=2),
        await top_accounts(session),
        await mismatched_invoices(session, limit=3),
        await mismatched_invoices(session, limit=10**6),
    ]
    first = await find_account(session)
    return [*map(list, asked), first], {answer.source for answer in asked}


async def assert_answers_are_those_of_the_invoices(database: Database, source: Source) -> None:
    async with database.read_only() as session:
        rolled, sources = await answers(session)
    assert sources == {source}
    async with database.transaction() as session:
        await session.execute(text(UNUSED))
        plain, sources = await answers(session)
        await session.rollback()
    assert sources == {Source.INVOICES}
    assert rolled == plain
    assert rolled[2]


async def test_answers_are_those_of_the_invoices_folded_or_not(rolled_up: Database) -> None:
    """The chaos of two writers, less the amounts of which no BIGINT holds the sum."""
    await load_sample(rolled_up, accounts=30, invoices=500)
    await assert_answers_are_those_of_the_invoices(rolled_up, Source.ROLL_UP)
    for seed in range(3):
        await work_at_once(rolled_up.url, [Random(seed), Random(seed + 10)], 15)
        await execute(
            rolled_up.url,
            "DELETE FROM invoice_line WHERE abs(total_cents::numeric) > 10 ^ 12",
            "UPDATE invoice SET amount_cents = 7 WHERE abs(amount_cents::numeric) > 10 ^ 12",
        )
        await assert_answers_are_those_of_the_invoices(rolled_up, Source.ROLL_UP)
        assert (await fold_rollup(rolled_up)).changes
        await assert_answers_are_those_of_the_invoices(rolled_up, Source.ROLL_UP)


async def test_a_question_about_one_account_reads_its_invoices(rolled_up: Database) -> None:
    await load_sample(rolled_up, accounts=3, invoices=50)
    async with rolled_up.read_only() as session:
        account_id = await find_account(session)
        assert (await status_breakdown(session, account_id=account_id)).source is Source.INVOICES


async def test_an_empty_answer_says_where_it_comes_from(rolled_up: Database) -> None:
    async with rolled_up.read_only() as session:
        answer = await status_breakdown(session)
        assert (answer, answer.source) == ([], Source.ROLL_UP)


async def test_no_account_named_is_the_largest_of_the_currency_most_used(
    database: Database,
) -> None:
    """Not the first currency by its letters, whatever its amounts."""
    dollars, euros = create_account(name="Dollars"), create_account(name="Euros")
    create_invoice(euros, currency="EUR", amount_cents=10**9)
    for _ in range(2):
        create_invoice(dollars, currency="USD", amount_cents=5)
    async with database.transaction() as session:
        session.add_all([dollars, euros])
    for build in (None, build_rollup):
        if build is not None:
            await build(database)
        async with database.read_only() as session:
            assert await find_account(session) == dollars.id


async def test_a_sample_fills_the_totals_at_once(rolled_up: Database) -> None:
    await load_sample(rolled_up, accounts=9, invoices=200)
    await load_sample(rolled_up, accounts=5, invoices=100, replace=True)
    checked = await check_rollup(rolled_up)
    assert (checked.different, checked.unfolded) == (0, 0)
    assert checked.rows > 0


async def test_a_load_of_files_folds_what_it_has_changed(
    rolled_up: Database, tmp_path: Path
) -> None:
    accounts, invoices = tmp_path / "accounts.csv", tmp_path / "invoices.csv"
    accounts.write_text("id,name,plan\n1,A,team\n")
    invoices.write_text("id,account_id,amount_cents,currency,status\n1,1,5,EUR,open\n")
    await load_files(rolled_up, accounts=accounts, invoices=invoices)
    checked = await check_rollup(rolled_up)
    assert (checked.different, checked.unfolded, checked.rows) == (0, 0, 3)


async def test_a_comparison_finds_a_wrong_total(rolled_up: Database) -> None:
    await load_sample(rolled_up, accounts=5, invoices=100)
    await execute(
        rolled_up.url,
        "SET invoicing.rollup = 'on'",
        "UPDATE invoice_account_total SET open_cents = open_cents + 1",
    )
    checked = await check_rollup(rolled_up)
    assert {row.total for row in checked.shown} == {"invoice_account_total"}
    assert checked.different > 1
    await build_rollup(rolled_up)
    assert not (await check_rollup(rolled_up)).different


async def test_what_wrote_past_the_triggers_is_noticed(rolled_up: Database) -> None:
    """As pg_restore --disable-triggers does; and TRUNCATE where the snapshot is an old one."""
    await load_sample(rolled_up, accounts=5, invoices=100)
    old = "BEGIN ISOLATION LEVEL REPEATABLE READ; TRUNCATE invoice_line; COMMIT"
    disabled = "ALTER TABLE invoice DISABLE TRIGGER ALL"
    enabled = "ALTER TABLE invoice ENABLE TRIGGER ALL"
    changed = "UPDATE invoice SET amount_cents = amount_cents + 1"
    for statements in ([disabled], [disabled, changed, enabled], [old]):
        await execute(rolled_up.url, *statements)
        await assert_answers_are_those_of_the_invoices(rolled_up, Source.INVOICES)
        with pytest.raises(NoRollupError, match="invoicing portfolio build"):
            await fold_rollup(rolled_up)
        with pytest.raises(NoRollupError):
            await check_rollup(rolled_up)
        await execute(rolled_up.url, enabled)
        await build_rollup(rolled_up)
        await assert_answers_are_those_of_the_invoices(rolled_up, Source.ROLL_UP)


async def test_writers_and_readers_need_no_right_more(database: Database) -> None:
    await load_sample(database, accounts=3, invoices=20)
    role = f"clerk_{database.url.database}"
    tables = "account, invoice, invoice_line"
    await downgrade(database, "c5e2907fa316")
    await execute(
        database.url,
        f"CREATE ROLE {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}",
    )
    try:
        await upgrade(database)
        await build_rollup(database)
        async with database.transaction() as session:
            await session.execute(text(f"SET LOCAL ROLE {role}"))
            await session.execute(text("UPDATE invoice SET status = 'paid', amount_cents = 1"))
            (total, *_) = await status_breakdown(session)
            assert total.status is InvoiceStatus.PAID
            with pytest.raises(DBAPIError, match="permission denied"):
                await session.execute(text("DELETE FROM invoice_delta"))
            await session.rollback()
    finally:
        await execute(database.url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_it_is_dropped_without_a_trace_and_so_is_its_migration(database: Database) -> None:
    before = await catalog(database.url)
    await build_rollup(database)
    await load_sample(database, accounts=3, invoices=20)
    built = await catalog(database.url)
    assert len(built["triggers"]) == len(before["triggers"]) + 14
    await drop_rollup(database)
    assert await catalog(database.url) == before
    async with database.read_only() as session:
        state = await rollup_state(session)
    assert (state.usable, state.unfolded) == (False, 0)
    await build_rollup(database)
    await downgrade(database, "c5e2907fa316")
    assert not [name for (name,) in (await catalog(database.url))["functions"] if "roll" in name]


async def test_a_build_that_cannot_have_its_lock_says_who_holds_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invoicing.rollup.locking._TRIES", (1, 1))
    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE invoice IN ROW EXCLUSIVE MODE"))
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
        with pytest.raises(RollupBusyError, match=f"pid {pid} .*invoicing portfolio build"):
            await build_rollup(database)
    async with database.transaction() as session:
        await session.execute(text("LOCK TABLE invoice_rollup IN SHARE UPDATE EXCLUSIVE MODE"))
        await build_and_expect_a_fold_to_wait(database)


async def build_and_expect_a_fold_to_wait(database: Database) -> None:
    impatient = database.with_settings(database.settings.model_copy(update={"lock_timeout": 0.05}))
    async with impatient:
        with pytest.raises(RollupBusyError, match="invoicing portfolio fold"):
            await fold_rollup(impatient)


async def test_a_table_of_which_triggers_would_miss_changes_is_refused(database: Database) -> None:
    await execute(database.url, "CREATE TABLE old_invoice () INHERITS (invoice)")
    with pytest.raises(CannotRollUpError, match="invoice is no plain table"):
        await build_rollup(database)


async def test_the_amount_is_renamed_with_the_roll_up_built(database: Database) -> None:
    """The contract waits until the triggers name the new column, which building anew lets them."""
    await load_sample(database, accounts=5, invoices=300)
    await execute(database.url, "ALTER TABLE invoice RENAME amount_cents TO amt")
    await build_rollup(database)
    rename = Rename(database, Target("invoice", "amt", "amount_cents"), Options(quiet=0))
    await rename.expand()
    await build_rollup(database)  # half-way: still by the column that every row has
    writes = (
        "UPDATE invoice SET amt = amt + 1 WHERE id IN (SELECT id FROM invoice LIMIT 9)",
        "UPDATE invoice SET amount_cents = 5 WHERE id IN (SELECT id FROM invoice LIMIT 5)",
    )
    await execute(database.url, *writes)
    await rename.backfill()
    assert 0 < (await check_rollup(database)).unfolded < 100  # the backfill left no trace
    assert not (await check_rollup(database)).different
    await rename.verify()
    refused = [str(finding) for finding in (await rename.gate()).objections]
    assert any("invoice_rollup" in finding for finding in refused), refused
    await build_rollup(database)
    await rename.contract(confirm="invoice.amt")
    await execute(database.url, writes[1])
    assert not (await check_rollup(database)).different
    await assert_answers_are_those_of_the_invoices(database, Source.ROLL_UP)
