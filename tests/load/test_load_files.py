from __future__ import annotations

import asyncio
import gzip
import os
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from invoicing.db import Database
from invoicing.errors import SchemaMissingError, UsageError
from invoicing.load import load_files
from invoicing.load.errors import BadRowsError, InputFileError, LoadFailedError, LoadInProgressError
from invoicing.load.staging import LOAD_LOCK
from invoicing.schemas.cells import stable_id
from invoicing.settings import Settings
from tests.load.conftest import ACCOUNTS, INVOICES, LINES, contents, rows


def quoted(text: str) -> str:
    lines = text.splitlines()
    return "\n".join('"' + line.replace(",", '","') + '"' for line in lines)


def spaced(text: str) -> str:
    header, rest = text.split("\n", 1)
    return header.upper().replace(",", " ,") + "\n" + rest.replace(",", " , ")


def turned(text: str) -> str:
    return "\n".join(",".join(reversed(line.split(","))) for line in text.splitlines())


EXAMPLES = Path(__file__).parent / "examples"


async def test_the_examples_load_and_every_value_arrives(database):
    report = await load_files(
        database,
        accounts=EXAMPLES / "accounts.csv",
        invoices=EXAMPLES / "invoices.csv",
        lines=EXAMPLES / "lines.csv",
    )
    assert report.loaded
    assert [(file.kind, file.rows, file.inserted) for file in report.files] == [
        ("accounts", 3, 3),
        ("invoices", 4, 4),
        ("lines", 5, 5),
    ]
    query = (
        "SELECT account_id, amount_cents, currency, status::text, issued_at, created_at"
        " FROM invoice WHERE amount_cents IN (9900, 3500000) ORDER BY amount_cents"
    )
    assert await rows(database, query) == [
        (
            stable_id("account", "A-2"), 9900, "USD", "open",
            datetime(2026, 10, 5, 8, tzinfo=UTC), datetime(2026, 10, 1, 8, tzinfo=UTC),
        ),
        (
            stable_id("account", "A-3"), 3500000, "JPY", "draft",
            None, datetime(2026, 11, 2, 14, 15, tzinfo=UTC),
        ),
    ]  # fmt: skip
    names = await rows(database, "SELECT name FROM account ORDER BY name")
    assert names == [("Aurora Optics",), ("Brandt & Söhne, Köln",), ("Cobalt Foods",)]
    query = "SELECT description FROM invoice_line WHERE total_cents = 25000"
    assert await rows(database, query) == [("Support,\nfirst year",)]


async def test_loading_again_touches_no_row(database, files):
    written = files()
    await load_files(database, **written)
    before = await contents(database)
    report = await load_files(database, **written)
    assert await contents(database) == before
    assert [(file.inserted, file.updated, file.unchanged) for file in report.files] == [
        (0, 0, 2),
        (0, 0, 2),
        (0, 0, 3),
    ]


async def test_a_changed_row_is_the_only_one_updated(database, files):
    await load_files(database, **files())
    before = await contents(database)
    report = await load_files(database, **files(invoices=INVOICES.replace("1500", "1600")))
    after = await contents(database)
    assert [file.updated for file in report.files] == [0, 1, 0]
    assert after["account"] == before["account"]
    assert after["invoice_line"] == before["invoice_line"]
    changed = [
        (old, new) for old, new in zip(before["invoice"], after["invoice"], strict=True)
        if old != new
    ]  # fmt: skip
    assert len(changed) == 1
    updated_at = await rows(
        database, "SELECT updated_at > created_at FROM invoice WHERE amount_cents = 1600"
    )
    assert updated_at == [(True,)]


async def test_a_column_that_is_not_in_the_file_keeps_its_values(database, files):
    await load_files(database, **files())
    before = await contents(database)
    short = "id,account_id,amount_cents,currency\nI-1,A-1,1500,EUR\nI-2,A-2,900,JPY\n"
    report = await load_files(database, **files(invoices=short))
    assert await contents(database) == before
    assert report.files[1].unchanged == 2


async def test_an_empty_cell_means_the_default(database, files):
    cells = "id,account_id,amount_cents,currency,status,issued_at,created_at\nI-1,A-1,1,EUR,,,\n"
    await load_files(database, **files(invoices=cells, lines=None))
    query = "SELECT status::text, issued_at, created_at > now() - interval '1 hour' FROM invoice"
    assert await rows(database, query) == [("draft", None, True)]
    before = await contents(database)
    await load_files(database, **files(invoices=cells, lines=None))
    assert await contents(database) == before


async def test_references_to_rows_of_the_database_are_good(database, files):
    await load_files(database, accounts=files()["accounts"])
    await load_files(database, invoices=files()["invoices"])
    report = await load_files(database, lines=files()["lines"])
    assert report.files[0].inserted == 3


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("semicolons", lambda text: text.replace(",", ";").encode()),
        ("tabs", lambda text: text.replace(",", "\t").encode()),
        ("a byte order mark", lambda text: b"\xef\xbb\xbf" + text.encode()),
        ("CRLF", lambda text: text.replace("\n", "\r\n").encode()),
        ("gzip", lambda text: gzip.compress(text.encode())),
        ("blank lines", lambda text: text.replace("\n", "\n\n").strip().encode()),
        ("quotes everywhere", lambda text: quoted(text).encode()),
        ("spaces and capitals", lambda text: spaced(text).encode()),
        ("columns turned round", lambda text: turned(text).encode()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_the_same_rows_written_otherwise_are_the_same_rows(database, files, name, change):
    await load_files(database, **files())
    before = await contents(database)
    other = files(accounts=change(ACCOUNTS), invoices=change(INVOICES), lines=change(LINES))
    await load_files(database, **other)
    assert await contents(database) == before


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
async def test_parquet_with_types_of_its_own_equals_csv(database, files, tmp_path, unit):
    accounts = "id,name,plan\n1,Aurora,team\n2,Brandt,free\n"
    invoices = (
        "id,account_id,amount_cents,currency,status,issued_at,created_at\n"
        "10,1,1500,EUR,paid,2026-08-03,2026-08-01T09:30:00.125Z\n"
        "11,2,12,JPY,,,2026-10-01\n"
    )
    await load_files(database, **files(accounts=accounts, invoices=invoices, lines=None))
    before = await contents(database)
    table = pa.table(
        {
            "id": pa.array([10, 11], pa.int64()),
            "account_id": pa.array([1.0, 2.0], pa.float64()),
            "amount_cents": pa.array([1500, 12], pa.decimal128(20, 0)),
            "currency": pa.array(["EUR", "JPY"]).dictionary_encode(),
            "status": ["paid", None],
            "issued_at": pa.array([date(2026, 8, 3), None], pa.date32()),
            "created_at": pa.array(
                [datetime(2026, 8, 1, 9, 30, 0, 125000, UTC), datetime(2026, 10, 1, tzinfo=UTC)],
                pa.timestamp(unit, "UTC"),
            ),
        }
    )  # fmt: skip
    pq.write_table(table, tmp_path / "invoices.parquet")
    report = await load_files(database, invoices=tmp_path / "invoices.parquet")
    assert await contents(database) == before
    assert report.files[0].unchanged == 2


async def test_a_uuid_stays_itself_and_anything_else_is_the_same_on_every_machine(database, files):
    own = "0B4AC3F1-7F0E-4C5E-8F43-1C2F1F6F5A10"
    accounts = f"id,name,plan\n{own},Aurora,team\n 17 ,Brandt,free\n"
    await load_files(database, accounts=files(accounts=accounts)["accounts"])
    assert await rows(database, "SELECT id FROM account ORDER BY name") == [
        (UUID(own),),
        (UUID("b265a05e-de32-5b7a-8da0-534c3a3f284d"),),
    ]


async def test_unknown_columns_are_reported_and_the_rest_is_loaded(database, files):
    accounts = "id,name,plan,phone\nA-1,Aurora,team,123\n"
    report = await load_files(database, accounts=files(accounts=accounts)["accounts"])
    assert report.files[0].ignored_columns == ["phone"]
    assert report.files[0].inserted == 1


async def test_a_dry_run_counts_and_leaves_nothing(database, files):
    report = await load_files(database, **files(), dry_run=True)
    assert not report.loaded
    assert report.dry_run
    assert [file.inserted for file in report.files] == [2, 2, 3]
    assert await contents(database) == {"account": [], "invoice": [], "invoice_line": []}


async def test_lines_that_only_the_database_has_are_counted_and_said(database, files):
    await load_files(database, **files())
    (stored,) = await rows(database, "SELECT count(*), sum(total_cents) FROM invoice_line")
    fewer = files(lines=LINES.replace("2,I-1,,500\n", "").replace("3,I-2,Disk,900\n", ""))
    gone = [str(stable_id("line", number)) for number in (2, 3)]
    alone = {"lines": fewer["lines"]}
    for given, held, said in [
        (fewer, stored, "2 lines that the files do not have: 5.00 EUR, 900 JPY, of 2 invoices"),
        (alone, (2, 1500), "1 line that the files do not have: 5.00 EUR, of 1 invoice"),
    ]:
        for dry_run in (True, False):
            report = await load_files(database, **given, dry_run=dry_run)
            lines = [(month.lines, month.lines_cents or 0) for month in report.sums]
            assert tuple(map(sum, zip(*lines, strict=True))) == held
            (note,) = [note for note in report.notes if "the files do not have" in note]
            assert said in note
            assert gone[0] in note
    async with database.transaction() as session:
        delete = text("DELETE FROM invoice_line WHERE id::text = ANY(:gone)")
        await session.execute(delete, {"gone": gone})
    report = await load_files(database, **fewer)
    assert not [note for note in report.notes if "the files do not have" in note]


async def test_a_line_that_was_rejected_is_not_said_to_be_missing(database, files):
    await load_files(database, **files())
    bad = files(lines=LINES.replace("2,I-1,,500", "2,I-1,,5.00"))
    report = await load_files(database, **bad, skip_bad=True)
    assert report.loaded
    assert not [note for note in report.notes if "that the files do not have" in note]


async def test_a_dry_run_refuses_bad_rows_too(database, files):
    with pytest.raises(BadRowsError):
        await load_files(database, **files(accounts="id,name,plan\nA-1,,team\n"), dry_run=True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a CSV header"),
        (b"\n", "not a CSV header"),
        (b"id,name\n1,a\n", "lacks plan"),
        (b"id,name,plan,Name\n1,a,b,c\n", "more than one column name"),
        (b"PK\x03\x04rest", "Excel workbook"),
        ("id,name,plan\n".encode("utf-16"), "UTF-16"),
        (b"id,n\xe4me,plan\n", "header is not UTF-8"),
        (b"PAR1 but no more", "Parquet"),
        (gzip.compress(b"id,name,plan\n" + bytes(range(256)) * 4000)[:-40], "end"),
    ],
)
async def test_a_file_that_is_no_table_is_refused(database, files, content, reason):
    with pytest.raises(InputFileError, match=r"Run: invoicing load --help") as caught:
        await load_files(database, accounts=files(accounts=content)["accounts"])
    assert reason.lower() in caught.value.reason.lower()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("wide", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["-le", "-be"])
async def test_a_wide_encoding_is_read_with_a_mark_and_without(database, files, wide, order):
    """A mark says which of two it is; without one it has to be named."""
    mark, text = "\ufeff".encode(wide + order), "id,name,plan\r\nA-1,Zoë,team\r\n"
    for content, encoding in [
        (mark + text.encode(wide + order), wide),
        (mark + text.encode(wide + order), wide + order),
        (text.encode(wide + order), wide + order),
    ]:
        path = files(accounts=content)["accounts"]
        report = await load_files(database, accounts=path, encoding=encoding, dry_run=True)
        assert report.files[0].inserted == 1
    with pytest.raises(InputFileError, match=f"no byte order mark.*{wide}-le"):
        await load_files(database, accounts=path, encoding=wide)


@pytest.mark.parametrize("text", ["id,name,plan\nA-1,Zoë,team", '{"id": "A-1", "name": "x"}'])
async def test_a_wide_file_that_ends_in_half_a_character_is_refused(database, files, text):
    for length in (15, 25, 41, 2 * len(text) + 1):
        path = files(accounts=text.encode("utf-16")[:length])["accounts"]
        with pytest.raises((InputFileError, BadRowsError), match=r"truncated|header|lacks|bad"):
            await load_files(database, accounts=path, encoding="utf-16")


async def test_a_missing_file_a_folder_and_nothing_are_refused(database, tmp_path):
    with pytest.raises(InputFileError, match="there is no such file"):
        await load_files(database, lines=tmp_path / "absent.csv")
    os.mkfifo(tmp_path / "pipe")  # which would be waited for
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputFileError, match="not a regular file"):
            await load_files(database, lines=path)
        with pytest.raises(InputFileError, match="not a regular file"):
            await load_files(database, mapping="xero", files=[path])
    with pytest.raises(UsageError, match="nothing to load"):
        await load_files(database)


async def test_a_file_that_grows_meanwhile_is_refused(database, files):
    written = files()

    def grow(_):
        with written["lines"].open("a") as file:
            file.write("4,I-1,Late,1\n")

    with pytest.raises(InputFileError, match="changed while it was being read"):
        await load_files(database, **written, progress=grow)
    assert await contents(database) == {"account": [], "invoice": [], "invoice_line": []}


async def test_two_loads_at_once_are_refused(database, files):
    async with database.transaction() as other:
        holder = await (await other.connection()).get_raw_connection()
        await holder.driver_connection.fetchval(
            "SELECT pg_advisory_lock($1)", LOAD_LOCK
        )  # fmt: skip
        pid = holder.driver_connection.get_server_pid()
        with pytest.raises(LoadInProgressError, match=f"pid {pid} ") as caught:
            await load_files(database, **files())
        await holder.driver_connection.fetchval("SELECT pg_advisory_unlock($1)", LOAD_LOCK)
    assert caught.value.pid == pid


async def test_a_database_without_tables_names_the_next_command(empty_database_url, files):
    async with Database(empty_database_url, Settings()) as database:
        with pytest.raises(SchemaMissingError, match="invoicing db upgrade"):
            await load_files(database, **files())


async def test_a_connection_lost_meanwhile_is_one_error_and_leaves_nothing(database, files):
    lines = LINES + "".join(f"x{number},I-1,Seats,1\n" for number in range(50_000))

    async def lose():
        async with database.transaction() as session:
            await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    tasks = []

    def progress(step):
        if step.kind == "lines" and step.phase == "reading" and not tasks:
            tasks.append(asyncio.get_running_loop().create_task(lose()))

    with pytest.raises(LoadFailedError, match="Nothing was loaded"):
        await load_files(database, **files(lines=lines), progress=progress)
    await tasks[0]
    assert await contents(database) == {"account": [], "invoice": [], "invoice_line": []}


async def test_each_row_costs_the_same_however_many_there_are(database, files):
    """A plan made for a table that is known to be empty must not scan what it has just written."""
    count = 12_000
    async with database.transaction() as session:
        await session.execute(text("ANALYZE invoice"))
    invoices = "".join(f"I-{n},A-1,3000,EUR\n" for n in range(count))
    await load_files(
        database, **files(invoices=f"id,account_id,amount_cents,currency\n{invoices}", lines=None)
    )
    pages = "SELECT heap_blks_hit + heap_blks_read FROM pg_statio_user_tables"
    async with asyncio.timeout(20):
        # The server tells its statistics a moment after the commit.
        while not (read := await rows(database, f"{pages} WHERE relname = 'invoice'"))[0][0]:
            await asyncio.sleep(0.1)
    assert read[0][0] < 30 * count
