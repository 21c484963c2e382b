"""The sample looks like a business: asserted on 200,000 invoices of 2,000 accounts."""

from __future__ import annotations

from functools import cache

import numpy as np

from invoicing.sample import DEFAULT_SEED, catalogue
from invoicing.sample.accounts import Accounts, account_names, make_accounts
from invoicing.sample.calendar import AS_OF_SECONDS, DAY, MONTHS, month_start_days
from invoicing.sample.invoices import DRAFT, OPEN, PAID, VOID, Book, Invoices
from invoicing.sample.lines import Lines, LineShape, amounts, make_lines, make_shape

INVOICES = 200_000


@cache
def everything() -> tuple[Accounts, Invoices, LineShape, Lines]:
    book = Book(DEFAULT_SEED, 2_000)
    shape = make_shape(DEFAULT_SEED, 0, INVOICES)
    invoices = book.make_invoices(0, INVOICES, empty=shape.lines == 0)
    return book.accounts, invoices, shape, make_lines(book, invoices, shape)


def by_month() -> np.ndarray:
    _, invoices, _, _ = everything()
    starts = month_start_days(0, MONTHS) * DAY
    return np.histogram(invoices.created_at, starts)[0]


def test_a_few_accounts_have_much_and_many_have_little() -> None:
    _, invoices, _, _ = everything()
    sizes = np.sort(np.bincount(invoices.account, minlength=2_000))[::-1]
    assert 0.01 < sizes[0] / INVOICES < 0.1
    assert 0.4 < sizes[:200].sum() / INVOICES < 0.75
    assert np.median(sizes) < sizes.mean() / 1.5
    assert sizes.argmax() == 0


def test_one_customer_never_is_most_of_a_large_business() -> None:
    book = Book(1, 100_000)
    assert book._shares[0] / book._shares[-1] < 0.01


def test_one_account_has_all_the_invoices_of_its_sample() -> None:
    invoices = Book(3, 1).make_invoices(0, 500, empty=np.zeros(500, dtype=np.bool_))
    assert not invoices.account.any()


def test_the_business_grows_and_has_seasons() -> None:
    months = by_month()
    assert months.sum() == INVOICES
    years = months.reshape(3, 12).sum(axis=1)
    assert 1.1 < years[1] / years[0] < 3
    assert 1.1 < years[2] / years[1] < 3
    # Month 0 is a July: the year's end is hurried, and the month after it is not.
    for december in (5, 17, 29):
        assert months[december] > months[december + 1]
    growth = months[12:] / months[:-12]
    assert (growth > 1).all()


def test_nothing_is_later_than_the_sample_s_today() -> None:
    accounts, invoices, _, _ = everything()
    for times in (accounts.created_at, invoices.created_at, invoices.issued_at):
        assert times.max() <= AS_OF_SECONDS
    assert invoices.updated_at.max() <= AS_OF_SECONDS
    assert (invoices.issued_at >= invoices.created_at).all()
    assert (invoices.updated_at >= np.where(invoices.status == DRAFT, 0, invoices.issued_at)).all()


def test_no_invoice_is_older_than_its_account() -> None:
    accounts, invoices, _, _ = everything()
    assert (invoices.created_at > accounts.created_at[invoices.account]).all()


def test_weekends_are_quiet() -> None:
    _, invoices, _, _ = everything()
    weekday = (invoices.created_at // DAY + 3) % 7
    assert np.isin(weekday, (5, 6)).mean() < 0.12


def test_some_invoices_of_an_account_have_the_same_created_at() -> None:
    _, invoices, _, _ = everything()
    pairs = np.stack([invoices.account, invoices.created_at])
    assert 0.02 < 1 - np.unique(pairs, axis=1).shape[1] / INVOICES < 0.3


def test_statuses_are_mostly_paid_with_some_of_each() -> None:
    _, invoices, _, _ = everything()
    shares = np.bincount(invoices.status, minlength=4) / INVOICES
    assert 0.003 < shares[DRAFT] < 0.04
    assert 0.03 < shares[OPEN] < 0.15
    assert shares[PAID] > 0.75
    assert 0.01 < shares[VOID] < 0.04


def test_the_older_an_invoice_the_less_likely_it_is_open() -> None:
    _, invoices, _, _ = everything()
    age = (AS_OF_SECONDS - invoices.created_at) // DAY
    shares = [
        (invoices.status[(age >= low) & (age < high)] == OPEN).mean()
        for low, high in ((0, 30), (30, 60), (60, 180), (180, 365), (365, 1_200))
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.5
    assert 0 < shares[-1] < 0.05


def test_some_accounts_are_always_late() -> None:
    accounts, invoices, _, _ = everything()
    assert 0.04 < accounts.is_late.mean() < 0.09
    age = (AS_OF_SECONDS - invoices.created_at) // DAY
    due = (age > 45) & (age < 180)
    late = accounts.is_late[invoices.account] != 0
    is_open = invoices.status == OPEN
    assert is_open[due & late].mean() > 3 * is_open[due & ~late].mean()


def test_an_account_has_one_currency_and_a_few_have_two() -> None:
    _, invoices, _, _ = everything()
    assert set(invoices.currency.tolist()) == set(range(len(catalogue.CURRENCIES)))
    used = np.unique(np.stack([invoices.account, invoices.currency]), axis=1)[0]
    per_account = np.bincount(used, minlength=2_000)
    assert per_account.max() == 2
    assert 0.005 < (per_account == 2).mean() < 0.06


def test_invoices_have_about_three_lines_and_a_few_have_none() -> None:
    _, invoices, shape, lines = everything()
    assert 2.9 < shape.lines.mean() < 3.1
    assert 0.001 < (shape.lines == 0).mean() < 0.004
    assert shape.lines.max() == 8
    assert (invoices.status[shape.lines == 0] == DRAFT).all()
    assert np.array_equal(np.bincount(lines.invoice, minlength=INVOICES), shape.lines)


def test_one_invoice_in_a_thousand_does_not_match_its_lines() -> None:
    _, _, shape, lines = everything()
    sums = np.zeros(INVOICES, dtype=np.int64)
    np.add.at(sums, lines.invoice, lines.total_cents)
    wrong = amounts(shape, lines) != sums
    assert 0.0006 < wrong.mean() < 0.0015
    assert np.array_equal(wrong, shape.wrong_by != 0)
    assert amounts(shape, lines).min() >= 0


def test_totals_are_positive_and_skewed() -> None:
    _, _, _, lines = everything()
    assert lines.total_cents.min() > 0
    assert lines.total_cents.mean() > 3 * np.median(lines.total_cents)
    assert 0.004 < (lines.description < 0).mean() < 0.012


def test_names_are_all_different() -> None:
    accounts = make_accounts(DEFAULT_SEED, 0, 150_000)
    names = account_names(DEFAULT_SEED, accounts)
    assert len(set(names)) == 150_000
    assert max(map(len, names)) < 60


def test_dearer_plans_are_with_larger_accounts() -> None:
    accounts, _, _, _ = everything()
    assert accounts.plan[:50].mean() > accounts.plan[1_000:].mean() + 1
    assert set(accounts.plan.tolist()) == set(range(len(catalogue.PLANS)))
