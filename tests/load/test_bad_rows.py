from __future__ import annotations

import csv

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from invoicing.errors import UsageError
from invoicing.load import load_files
from invoicing.load.errors import BadRowsError, RejectsError
from tests.conftest import newest_server_url
from tests.load.conftest import ACCOUNTS, INVOICES, LINES, contents, rows

server_url = newest_server_url

DIGITS = "Write whole cents with digits alone: 1900 for 19.00"
NOTHING = {"account": [], "invoice": [], "invoice_line": []}


# The kind of file, a bad row after the good ones, the rules it breaks, words of the reason.
BAD_ROWS = [
    ("accounts", b"A-3,,team", ["empty-value"], "name is empty"),
    ("accounts", b"A-3,   ,team", ["empty-value"], "name is empty"),
    ("accounts", b",Cobalt,team", ["empty-value"], "id is empty"),
    ("accounts", b"A-3,Cobalt", ["malformed-row"], "has 2 fields where the header has 3"),
    ("accounts", b"A-3,Cobalt,team,x", ["malformed-row"], "has 4 fields where the header has 3"),
    ("accounts", b"A-3,Caf\xe9,team", ["not-utf-8"], r"name 'Caf\udce9' holds bytes"),
    ("accounts", b"A-\xe9,Cafe,team", ["not-utf-8"], "id 'A-"),
    ("accounts", b"A-3,Co\x00balt,team", ["nul-character"], r"name 'Co\x00balt' holds a NUL"),
    ("accounts", b"A-1,Other,team", ["duplicate-id"], "id 'A-1' is also on line 2"),
    ("accounts", b'A-3,"Cobalt" Foods,team', ["malformed-row"], "broken quotes"),
    ("accounts", b'A-3,"Cobalt,team', ["malformed-row"], "broken quotes"),
    ("accounts", b"A-3,%b,team" % (b"x" * 140_000), ["malformed-row"], "endless field"),
    ("invoices", b"I-3,A-9,1,EUR,paid,,", ["missing-account"], "_id 'A-9' matches no account"),
    ("invoices", b"I-3,,1,EUR,paid,,", ["empty-value"], "account_id is empty"),
    ("invoices", b"I-3,A-1,1,eur,paid,,", ["bad-currency"], "currency 'eur' is not an ISO 4217"),
    ("invoices", b"I-3,A-1,1,ZZZ,paid,,", ["bad-currency"], "currency 'ZZZ'"),
    ("invoices", b"I-3,A-1,1,,paid,,", ["empty-value"], "currency is empty"),
    ("invoices", b"I-3,A-1,1,EUR,sent,,", ["unknown-status"], "not one of draft, open, paid, void"),
    ("invoices", b"I-3,A-1,1.5,EUR,paid,,", ["fractional-cents"], "amount_cents '1.5'"),
    ("invoices", b"I-3,A-1,,EUR,paid,,", ["empty-value"], "amount_cents is empty"),
    ("invoices", b"I-3,A-1,abc,EUR,paid,,", ["not-a-number"], "amount_cents 'abc'"),
    ("invoices", b"I-3,A-1,1_0,EUR,paid,,", ["not-a-number"], "amount_cents '1_0'"),
    ("invoices", b"I-3,A-1,nan,EUR,paid,,", ["not-a-number"], "amount_cents 'nan'"),
    ("invoices", b"I-3,A-1,inf,EUR,paid,,", ["not-a-number"], "amount_cents 'inf'"),
    ("invoices", b"I-3,A-1,1e999999,EUR,paid,,", ["exponent"], "amount_cents '1e999999'"),
    ("invoices", b"I-3,A-1,1.23E+17,EUR,paid,,", ["exponent"], "digits may be lost"),
    ("invoices", b"I-3,A-1,1.000,EUR,paid,,", ["fractional-cents"], "Write whole cents"),
    ("invoices", b"I-3,A-1,19.00,EUR,paid,,", ["fractional-cents"], "1900 for 19.00"),
    ("invoices", b"I-3,A-1,9223372036854775808,EUR,paid,,", ["out-of-range"], "BIGINT"),
    ("invoices", b"I-3,A-1,-9223372036854775809,EUR,paid,,", ["out-of-range"], "BIGINT"),
    ("invoices", b"I-3,A-1," + b"9" * 5000 + b",EUR,paid,,", ["out-of-range"], "BIGINT"),
    ("invoices", b"I-3,A-1,1,EUR,paid,3.8.2026,", ["bad-date"], "issued_at '3.8.2026'"),
    ("invoices", b"I-3,A-1,1,EUR,paid,2026-02-30,", ["bad-date"], "issued_at '2026-02-30'"),
    ("invoices", b"I-3,A-1,1,EUR,paid,,0001-01-01T00:00+05:00", ["bad-date"], "created_at"),
    ("invoices", b"I-3,A-1,1.5,eur,paid,,", ["bad-currency", "fractional-cents"], "; currency"),
    ("lines", b"4,I-9,Seats,1", ["missing-invoice"], "_id 'I-9' matches no invoice of the files"),
    ("lines", b"4,I-1,Seats,0.01", ["fractional-cents"], "total_cents '0.01'"),
    ("lines", b"4,I-1,Se\x00ats,1", ["nul-character"], "description"),
    ("lines", b"1,I-1,Seats,1", ["duplicate-id"], "is also on line 2"),
]
GOOD = {"accounts": ACCOUNTS, "invoices": INVOICES, "lines": LINES}


@pytest.mark.parametrize(("kind", "row", "rules", "reason"), BAD_ROWS, ids=str)
async def test_a_bad_row_is_reported_and_nothing_is_loaded(
    database, files, kind, row, rules, reason
):
    written = files(**{kind: GOOD[kind].encode() + row})
    with pytest.raises(BadRowsError) as caught:
        await load_files(database, **written)
    report = caught.value.report
    (rejected,) = report.first_rejected
    assert (rejected.path, rejected.line) == (written[kind], GOOD[kind].count("\n") + 1)
    assert reason in rejected.reason
    assert sorted(report.reasons) == sorted(rules)
    assert caught.value.rejected == report.rejected == 1
    assert not report.loaded
    assert await contents(database) == NOTHING


@pytest.mark.broad
@pytest.mark.parametrize(("kind", "row", "rules", "reason"), BAD_ROWS, ids=str)
async def test_skipping_a_bad_row_loads_the_others(
    database, files, tmp_path, kind, row, rules, reason
):
    written = files(**{kind: GOOD[kind].encode() + row})
    report = await load_files(
        database, **written, skip_bad=True, rejects=tmp_path / "rejects.csv"
    )  # fmt: skip
    assert report.loaded
    assert [file.inserted for file in report.files] == [2, 2, 3]
    assert report.rejected == 1
    data = (tmp_path / "rejects.csv").read_bytes()
    first_bytes = row.split(b",")[0]
    assert first_bytes in data
    text = data.decode("utf-8", errors="surrogateescape")
    # The reader's limit is the process's: widened for this one long cell, then put back.
    limit = csv.field_size_limit(1_000_000)
    (rejected,) = csv.DictReader(text.splitlines(keepends=True))
    csv.field_size_limit(limit)
    assert rejected["line"] == str(GOOD[kind].count("\n") + 1)
    assert reason in rejected["reason"]


async def test_every_bad_row_of_every_file_is_reported(database, files):
    with pytest.raises(BadRowsError, match=r"5 of 12 rows are bad.*--skip-bad") as caught:
        await load_files(
            database,
            **files(
                accounts=ACCOUNTS + "A-3,,team\n",
                invoices=INVOICES + "I-3,A-3,1,EUR,,,\nI-4,A-2,x,EUR,,,\n",
                lines=LINES + "4,I-3,,1\n5,I-4,,2\n",
            ),
        )
    rejected = [(row.path.name, row.line, row.reason) for row in caught.value.report.first_rejected]
    assert rejected == [
        ("accounts.csv", 4, "name is empty"),
        ("invoices.csv", 4, "account_id 'A-3' was rejected on line 4 of accounts.csv"),
        ("invoices.csv", 5, f"amount_cents 'x' is not a whole number of cents. {DIGITS}"),
        ("lines.csv", 5, "invoice_id 'I-3' was rejected on line 4 of invoices.csv"),
        ("lines.csv", 6, "invoice_id 'I-4' was rejected on line 5 of invoices.csv"),
    ]
    assert caught.value.report.reasons == {
        "rejected-invoice": 2,
        "empty-value": 1,
        "not-a-number": 1,
        "rejected-account": 1,
    }


async def test_lines_of_a_rejected_invoice_are_rejected_though_the_database_has_an_older_one(
    database, files, tmp_path
):
    await load_files(database, **files())
    before = await contents(database)
    report = await load_files(
        database,
        **files(
            invoices=INVOICES.replace("1500", "15.5"),
            lines=LINES.replace("1000", "1100").replace("900", "950"),
        ),
        skip_bad=True,
    )
    assert [file.rejected for file in report.files] == [0, 1, 2]
    assert [file.updated for file in report.files] == [0, 0, 1]
    after = await contents(database)
    assert after["invoice"] == before["invoice"]
    totals = await rows(database, "SELECT total_cents FROM invoice_line ORDER BY 1")
    assert totals == [(500,), (950,), (1000,)]


async def test_of_a_repeated_id_the_first_row_stands(database, files):
    await load_files(
        database, **files(accounts=ACCOUNTS + " A-1 ,Later,free\n", lines=None), skip_bad=True
    )
    names = await rows(database, "SELECT name FROM account ORDER BY name")
    assert names == [("Aurora Optics",), ("Brandt",)]


async def test_lines_are_counted_as_an_editor_counts_them(database, files):
    accounts = 'id,name,plan\r\nA-1,"two\r\nlines",team\r\n\r\nA-2,,team\r\nA-3,"a\n\nb",\r\n'
    with pytest.raises(BadRowsError) as caught:
        await load_files(database, accounts=files(accounts=accounts)["accounts"])
    rejected = [(row.line, row.reason) for row in caught.value.report.first_rejected]
    assert rejected == [(5, "name is empty"), (6, "plan is empty")]


async def test_rows_after_broken_quotes_are_still_checked(database, files):
    accounts = 'id,name,plan\nA-1,"Auro"ra,team\nA-2,,team\nA-3,Cobalt,team\n'
    with pytest.raises(BadRowsError) as caught:
        await load_files(database, accounts=files(accounts=accounts)["accounts"])
    assert [row.line for row in caught.value.report.first_rejected] == [2, 3]


async def test_a_bad_row_of_parquet_is_reported_by_its_number(database, files, tmp_path):
    table = pa.table({"id": [1, None, 3], "name": ["a", "b", "c\x00"], "plan": ["x", "x", "x"]})
    pq.write_table(table, tmp_path / "accounts.parquet")
    with pytest.raises(BadRowsError) as caught:
        await load_files(
            database, accounts=tmp_path / "accounts.parquet", rejects=tmp_path / "rejects.csv"
        )
    rejected = [(row.line, row.reason.split()[0]) for row in caught.value.report.first_rejected]
    assert rejected == [(2, "id"), (3, "name")]
    assert len((tmp_path / "rejects.csv").read_text().splitlines()) == 3


async def test_only_the_first_bad_rows_are_kept_and_the_rejects_file_has_all(
    database, files, tmp_path
):
    bad = 6_000
    accounts = "id,name,plan\n" + "".join(f"{number},,team\n" for number in range(bad))
    with pytest.raises(BadRowsError) as caught:
        await load_files(
            database,
            accounts=files(accounts=accounts)["accounts"],
            rejects=tmp_path / "rejects.csv",
            show=7,
        )
    report = caught.value.report
    assert [row.line for row in report.first_rejected] == list(range(2, 9))
    assert report.reasons == {"empty-value": bad}
    with (tmp_path / "rejects.csv").open(newline="") as file:
        assert [int(row["id"]) for row in csv.DictReader(file)] == list(range(bad))


async def test_corrected_rejects_load_as_they_are(database, files, tmp_path):
    rejects = tmp_path / "rejects.csv"
    invoices = INVOICES + "I-3,A-1,7,usd,open,2026-08-03,2026-08-03\n"
    await load_files(
        database, **files(invoices=invoices, lines=None), skip_bad=True, rejects=rejects
    )
    rejects.write_text(rejects.read_text().replace(",usd,", ",USD,"))
    report = await load_files(database, invoices=rejects)
    assert report.files[0].inserted == 1
    assert await rows(database, "SELECT amount_cents FROM invoice WHERE currency = 'USD'") == [(7,)]


@pytest.mark.parametrize("row", ["L9,I1,Nails,19,99", "L9,I1,Nails"], ids=["too many", "too few"])
async def test_rejects_that_were_not_corrected_stay_rejected(database, files, tmp_path, row):
    rejects = tmp_path / "rejects.csv"
    lines = f"id,invoice_id,description,total_cents\n{row}\n"
    written = files(lines=lines)
    await load_files(database, **written, skip_bad=True, rejects=rejects)
    report = await load_files(database, lines=rejects, skip_bad=True)
    assert (report.rejected, report.files[0].inserted) == (1, 0)


async def test_no_rejects_file_appears_without_bad_rows(database, files, tmp_path):
    report = await load_files(database, **files(), skip_bad=True, rejects=tmp_path / "rejects.csv")
    assert report.rejects is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "accounts.csv",
        "invoices.csv",
        "lines.csv",
    ]


async def test_rejects_that_cannot_be_written_stop_the_load(database, files, tmp_path):
    written = files(accounts=ACCOUNTS + "A-3,,team\n")
    full = tmp_path / "full"
    full.symlink_to("/dev/full")  # which takes nothing, and says so when it is closed
    for rejects, reason in [
        (tmp_path / "accounts.csv" / "rejects.csv", "Not a directory"),
        (full, "No space left on device.* not every bad row"),
    ]:
        with pytest.raises(RejectsError, match=f"cannot write the rejects to .*{reason}"):
            await load_files(database, **written, skip_bad=True, rejects=rejects)
        assert await contents(database) == NOTHING
    assert full.is_symlink()


async def test_rejects_never_replace_a_file_to_load(database, files):
    written = files()
    with pytest.raises(UsageError, match="it is a file to load"):
        await load_files(database, **written, rejects=written["lines"])
    assert written["lines"].read_text() == LINES


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("accounts", "A-9,Cobalt,team", "A-9,,team"),
        ("invoices", "I-9,A-1,1,EUR,paid,,", "I-9,A-1,1.5,EUR,paid,,"),
        ("invoices", "I-9,A-1,1,EUR,paid,,", "I-9,A-77,1,EUR,paid,,"),
        ("lines", "9,I-1,Seats,1", "9,I-1,Seats"),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
async def test_a_good_row_is_rejected_with_a_bad_row_of_its_id(
    database, files, kind, good, bad, order
):
    both = [good, bad][::order]
    written = files(**{kind: GOOD[kind] + "".join(f"{row}\n" for row in both)})
    report = await load_files(database, **written, skip_bad=True)
    assert [file.inserted for file in report.files] == [2, 2, 3]
    first = GOOD[kind].count("\n") + 1
    lines = {good: first + both.index(good), bad: first + both.index(bad)}
    reasons = {row.line: row.reason for row in report.first_rejected}
    assert {*reasons} == {*lines.values()}
    assert f"is also on line {lines[bad]}" in reasons[lines[good]]
