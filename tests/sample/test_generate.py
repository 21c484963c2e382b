from __future__ import annotations

import subprocess
import sys
import tracemalloc
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect

from invoicing.models import Account, Invoice, InvoiceLine, InvoiceStatus
from invoicing.sample import DEFAULT_SEED, generate
from invoicing.sample.generate import count_lines
from invoicing.sample.invoices import STATUSES
from tests.sample.rows import digests, sample_bytes, split_rows

# What the seed means, for good: a change here changes everybody's sample, notebook outputs too.
GOLDEN = {
    "account": "96cdcee044c4b708d6b84909a2cafd6e845664a5de1b6411e0d7447992dda916",
    "invoice": "aca39bd48d8a930ab5f4ebcafa112b4cd91a13bd4aa98a41e3edacf47f92c1e9",
    "invoice_line": "3c1f1af279033277d2927213233c7a8d7f45d7ec8e4909b75e4c7c609a193ad4",
}


def test_the_default_seed_gives_the_bytes_it_always_gave() -> None:
    assert digests(accounts=1_000, invoices=50_000, seed=DEFAULT_SEED) == GOLDEN


def test_another_process_at_another_time_zone_gives_the_same_bytes() -> None:
    code = (
        "from tests.sample.rows import digests\n"
        f"print(digests(accounts=1_000, invoices=50_000, seed={DEFAULT_SEED}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(GOLDEN)


@settings(deadline=None, max_examples=25)
@given(
    accounts=st.integers(1, 40),
    invoices=st.integers(0, 60),
    seed=st.integers(0, 2**64 - 1),
    chunk=st.integers(1, 70),
)
def test_the_chunk_size_does_not_matter(
    accounts: int, invoices: int, seed: int, chunk: int
) -> None:
    sample = {"accounts": accounts, "invoices": invoices, "seed": seed}
    assert sample_bytes(**sample, chunk_invoices=chunk) == sample_bytes(**sample)


@settings(deadline=None, max_examples=25)
@given(
    accounts=st.integers(1, 40),
    few=st.integers(0, 60),
    more=st.integers(0, 60),
    seed=st.integers(0, 2**64 - 1),
)
def test_a_smaller_sample_of_the_same_accounts_begins_a_larger_one(
    accounts: int, few: int, more: int, seed: int
) -> None:
    small = sample_bytes(accounts=accounts, invoices=few, seed=seed)
    large = sample_bytes(accounts=accounts, invoices=few + more, seed=seed)
    assert large["account"] == small["account"]
    assert large["invoice"].startswith(small["invoice"])
    assert large["invoice_line"].startswith(small["invoice_line"])


def test_fewer_accounts_are_the_first_of_more() -> None:
    few = sample_bytes(accounts=100, invoices=0, seed=5)["account"]
    assert sample_bytes(accounts=101, invoices=0, seed=5)["account"].startswith(few)


def test_another_seed_shares_no_row() -> None:
    rows = [
        {
            row[0]
            for data in sample_bytes(accounts=50, invoices=500, seed=seed).values()
            for row in split_rows(data)
        }
        for seed in (1, 2)
    ]
    assert not rows[0] & rows[1]


@settings(deadline=None, max_examples=20)
@given(accounts=st.integers(1, 30), invoices=st.integers(0, 80), seed=st.integers(0, 2**64 - 1))
def test_every_row_refers_to_one_that_comes_before(accounts: int, invoices: int, seed: int) -> None:
    found = sample_bytes(accounts=accounts, invoices=invoices, seed=seed)
    tables = {table: list(split_rows(data)) for table, data in found.items()}
    ids = {table: {row[0] for row in rows} for table, rows in tables.items()}
    assert len(ids["account"]) == accounts
    assert len(ids["invoice"]) == invoices
    assert len(ids["invoice_line"]) == len(tables["invoice_line"]) == count_lines(seed, invoices)
    assert {row[1] for row in tables["invoice"]} <= ids["account"]
    assert {row[1] for row in tables["invoice_line"]} <= ids["invoice"]
    assert all(UUID(bytes=row[0]).version == 8 for rows in tables.values() for row in rows)


def test_every_column_of_the_models_is_filled() -> None:
    made = {chunk.table: set(chunk.fields) for chunk in generate(accounts=1, invoices=1)}
    assert made == {
        model.__tablename__: {column.name for column in inspect(model).columns}
        for model in (Account, Invoice, InvoiceLine)
    }


def test_every_status_of_the_model_has_its_number() -> None:
    assert list(STATUSES) == [status.value for status in InvoiceStatus]


def test_chunks_are_made_one_at_a_time() -> None:
    tracemalloc.start()
    for _ in generate(accounts=100, invoices=5_000, seed=1, chunk_invoices=1_000):
        pass
    _, small = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in generate(accounts=100, invoices=100_000, seed=1, chunk_invoices=1_000):
        pass
    _, large = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert large < small * 1.5
