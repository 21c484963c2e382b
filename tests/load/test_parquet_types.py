"""What a Parquet column's type may be, for each thing that a column holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from invoicing.load import load_files
from invoicing.load.errors import BadRowsError, InputFileError
from tests.conftest import newest_server_url
from tests.load.conftest import contents, rows

server_url = newest_server_url

OWN = UUID("0b4ac3f1-7f0e-4c5e-8f43-1c2f1f6f5a10")
NOTHING = {"account": [], "invoice": [], "invoice_line": []}
DECIMALS = [Decimal("1000.00")]


def of_each_type(name, arrays):
    return pytest.mark.parametrize(name, arrays, ids=lambda array: str(array.type))


def invoices(folder, **columns):
    """Write one invoice as Parquet, the given columns in place of the good ones."""
    table = {
        "id": ["I-1"],
        "account_id": ["A-1"],
        "amount_cents": pa.array([1000], pa.int64()),
        "currency": ["EUR"],
    }
    pq.write_table(pa.table(table | columns), path := folder / "invoices.parquet")
    return path


def accounts(folder, **columns):
    table = {"id": ["A-1"], "name": ["Acme"], "plan": ["team"]}
    pq.write_table(pa.table(table | columns), path := folder / "accounts.parquet")
    return path


async def loaded(database, files, tmp_path, **columns):
    await load_files(database, accounts=files()["accounts"])
    return await load_files(database, invoices=invoices(tmp_path, **columns))


@of_each_type(
    "amounts",
    [
        pa.array(DECIMALS, pa.decimal128(18, 2)),
        pa.array(DECIMALS, pa.decimal256(40, 2)),
        pa.array(DECIMALS, pa.decimal128(18, 2)).dictionary_encode(),
        pa.array([1000.0], pa.float64()),
        pa.array([1000.0], pa.float32()),
        pa.array([1000.0, None], pa.float64()).slice(0, 1),
        pa.array([True]),
        pa.array([date(2026, 8, 3)]),
        pa.array([datetime(2026, 8, 3, tzinfo=UTC)], pa.timestamp("us")),
        pa.array([timedelta(seconds=5)], pa.duration("s")),
        pa.array([[1000]]),
        pa.array([{"cents": 1000}]),
    ],
)
async def test_a_type_that_is_not_whole_numbers_is_no_column_of_cents(
    database, files, tmp_path, amounts
):
    with pytest.raises(InputFileError, match=r"its column amount_cents is of type .*int64"):
        await loaded(database, files, tmp_path, amount_cents=amounts)
    assert await rows(database, "SELECT id FROM invoice") == []


@of_each_type(
    "amounts",
    [
        *(pa.array([100], type_()) for type_ in (pa.int8, pa.int16, pa.int32, pa.int64)),
        *(pa.array([100], type_()) for type_ in (pa.uint8, pa.uint16, pa.uint32, pa.uint64)),
        pa.array([Decimal(100)], pa.decimal128(18, 0)),
        pa.array([100]).dictionary_encode(),
        pa.array(["100"]),
        pa.array(["100"], pa.large_string()),
        pa.array(["100"], pa.string_view()),
        pa.array(["100"]).dictionary_encode(),
        pa.array([b"100"]),
    ],
)  # fmt: skip
async def test_whole_numbers_of_any_type_are_cents(database, files, tmp_path, amounts):
    await loaded(database, files, tmp_path, amount_cents=amounts)
    assert await rows(database, "SELECT amount_cents FROM invoice") == [(100,)]


@pytest.mark.parametrize(
    ("amounts", "rule"),
    [
        (pa.array([2**63], pa.uint64()), "out-of-range"),
        (pa.array([Decimal(2**63)], pa.decimal128(38, 0)), "out-of-range"),
        (pa.array(["1000.00"]), "fractional-cents"),
        (pa.array([b"1.000"]), "fractional-cents"),
        (pa.array(["1e3"]).dictionary_encode(), "exponent"),
        (pa.array([None], pa.null()), "empty-value"),
        (pa.array([None], pa.int64()), "empty-value"),
    ],
    ids=str,
)
async def test_a_value_that_is_no_cents_is_a_matter_of_its_row(
    database, files, tmp_path, amounts, rule
):
    with pytest.raises(BadRowsError) as refused:
        await loaded(database, files, tmp_path, amount_cents=amounts)
    (rejected,) = refused.value.report.first_rejected
    assert (rejected.line, list(refused.value.report.reasons)) == (1, [rule])
    assert "amount_cents" in rejected.reason


@of_each_type(
    "name",
    [
        pa.array(["Müller".encode()]),
        pa.array(["Müller".encode()], pa.large_binary()),
        pa.array(["Müller".encode()], pa.binary_view()),
        pa.array(["Müller".encode()], pa.binary(7)),
        pa.array(["Müller".encode()]).dictionary_encode(),
        pa.array(["Müller"]).dictionary_encode(),
        pa.array(["Müller"], pa.large_string()),
        pa.array(["Müller"], pa.string_view()),
    ],
)
async def test_bytes_are_read_as_the_text_they_are(database, tmp_path, name):
    await load_files(database, accounts=accounts(tmp_path, name=name))
    assert await rows(database, "SELECT name FROM account") == [("Müller",)]


async def test_bytes_that_are_no_text_are_refused_by_row(database, tmp_path):
    with pytest.raises(BadRowsError) as refused:
        await load_files(database, accounts=accounts(tmp_path, name=pa.array([b"Caf\xe9"])))
    (rejected,) = refused.value.report.first_rejected
    assert r"name 'Caf\udce9' holds bytes that are not UTF-8" in rejected.reason
    assert await contents(database) == NOTHING


@of_each_type(
    "ids",
    [
        pa.array([OWN.bytes], pa.binary(16)),
        pa.array([OWN.bytes], pa.uuid()),
        pa.array([OWN.bytes], pa.binary(16)).dictionary_encode(),
        pa.array([str(OWN)]),
        pa.array([str(OWN).encode()]),
        pa.array([OWN.hex]).dictionary_encode(),
    ],
)
async def test_a_uuid_of_any_type_stays_itself(database, tmp_path, ids):
    await load_files(database, accounts=accounts(tmp_path, id=ids))
    assert await rows(database, "SELECT id FROM account") == [(OWN,)]


async def test_sixteen_letters_in_bytes_are_the_id_that_the_same_text_is(database, tmp_path):
    text = "customer-0000017"
    await load_files(database, accounts=accounts(tmp_path, id=pa.array([text.encode()])))
    report = await load_files(database, accounts=accounts(tmp_path, id=pa.array([text])))
    assert report.files[0].unchanged == 1


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("name", pa.array([["Acme"]])),
        ("name", pa.array([{"first": "Acme"}])),
        ("name", pa.array([timedelta(1)])),
        ("id", pa.array([True])),
        ("id", pa.array([date(2026, 8, 3)])),
        ("plan", pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string()))),
    ],
    ids=str,
)
async def test_a_type_that_is_no_text_is_refused_by_file(database, tmp_path, column, values):
    with pytest.raises(InputFileError, match=rf"its column {column} is of type .*string"):
        await load_files(database, accounts=accounts(tmp_path, **{column: values}))


async def test_a_missing_number_is_an_empty_cell_and_no_text(database, tmp_path):
    with pytest.raises(BadRowsError) as refused:
        path = accounts(tmp_path, id=pa.array([float("nan")]), name=pa.array([float("nan")]))
        await load_files(database, accounts=path)
    assert refused.value.report.reasons == {"empty-value": 2}


@of_each_type(
    "moments",
    [
        pa.array([datetime(2026, 8, 2, 22, 30, tzinfo=UTC)], pa.timestamp("s")),
        pa.array([datetime(2026, 8, 2, 22, 30, tzinfo=UTC)], pa.timestamp("ns")),
        pa.array([datetime(2026, 8, 2, 22, 30, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")),
        pa.array([datetime(2026, 8, 2, 22, 30, tzinfo=UTC)], pa.timestamp("ms", "+02:00")),
        pa.array([datetime(2026, 8, 2, 22, 30, tzinfo=UTC)], pa.timestamp("ns", "Mars/Olympus")),
        pa.array([datetime(2026, 8, 3, 0, 30, tzinfo=timezone(timedelta(hours=2)))]),
        pa.array(["2026-08-03T00:30+02:00"]).dictionary_encode(),
        pa.array([b"2026-08-02 22:30"]),
    ],
)  # fmt: skip
async def test_a_moment_is_the_same_in_any_zone(database, files, tmp_path, moments):
    await loaded(database, files, tmp_path, issued_at=moments)
    moment = datetime(2026, 8, 2, 22, 30, tzinfo=UTC)
    assert await rows(database, "SELECT issued_at FROM invoice") == [(moment,)]


@pytest.mark.parametrize("type_", [pa.date32(), pa.date64()], ids=str)
async def test_a_date_is_midnight_in_utc(database, files, tmp_path, type_):
    await loaded(database, files, tmp_path, issued_at=pa.array([date(2026, 8, 3)], type_))
    midnight = datetime(2026, 8, 3, tzinfo=UTC)
    assert await rows(database, "SELECT issued_at FROM invoice") == [(midnight,)]


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        (pa.array([timedelta(5)]), "its column issued_at is of type duration"),
        (pa.array([20260803]), "its column issued_at is of type int64"),
        (pa.array([2.5]), "its column issued_at is of type double"),
        (pa.array([2**62], pa.timestamp("ms")), "out of bounds"),
        (pa.array([2**62], pa.timestamp("us")), "out of range"),
    ],
    ids=str,
)
async def test_what_is_no_moment_is_refused(database, files, tmp_path, moments, said):
    with pytest.raises(InputFileError, match=said):
        await loaded(database, files, tmp_path, issued_at=moments)
    assert await rows(database, "SELECT id FROM invoice") == []
