"""Months and periods: pure functions of what the portfolio's questions answer, with no query."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

from invoicing.schemas.filtered import Concentration, PeriodComparison
from invoicing.schemas.portfolio import MonthlyTotals
from invoicing.services.rolled_up import BILLED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoicing.schemas.portfolio import StatusTotal, TopAccount


def every_month(
    totals: Sequence[MonthlyTotals], since: date | None = None, until: date | None = None
) -> list[MonthlyTotals]:
    """Return the totals with a row of zeros for each month that a currency had no invoice in.

    Args:
        totals: of any currencies.
        since: the range begins with its month; with the first month of `totals` if not given.
        until: first day that is not of the range; it ends with the last month of `totals` if not
            given.
    """
    if not totals:
        return []
    first = min(row.month for row in totals) if since is None else since.replace(day=1)
    last = (
        max(row.month for row in totals)
        if until is None
        else (until - timedelta(days=1)).replace(day=1)
    )
    known = {(row.month, row.currency): row for row in totals}
    # What lies outside of the range is kept: nothing is left out silently.
    months = sorted({row.month for row in totals} | set(_months(first, last)))
    currencies = sorted({row.currency for row in totals})
    return [
        known.get((month, currency)) or _nothing(month, currency)
        for month in months
        for currency in currencies
    ]


def previous_period(since: date, until: date) -> tuple[date, date]:
    """Return the period before: as many months, where both begin a month, else as many days.

    Args:
        since: the first day of the period.
        until: the first day after it.
    """
    if since.day == until.day == 1:
        months = (until.year - since.year) * 12 + until.month - since.month
        return months_before(since, months), since
    return since - (until - since), since


def months_before(month: date, count: int) -> date:
    """Return the first day of the month that is `count` months before that of `month`."""
    place = month.year * 12 + month.month - 1 - count
    return date(place // 12, place % 12 + 1, 1)


def compare_periods(
    totals: Iterable[MonthlyTotals], since: date, months: int = 12
) -> list[PeriodComparison]:
    """Return what was billed in `months` months from `since`, beside as many months before.

    Args:
        totals: of both periods; months outside of them are not counted.
        since: a day of the period's first month.
        months: how many months a period has.
    """
    now, before = since.replace(day=1), months_before(since, months)
    end = months_before(since, -months)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in totals:
        if now <= row.month < end:
            for place, cents in enumerate((row.billed_cents, row.paid_cents, row.open_cents)):
                sums[row.currency][place] += cents
        elif before <= row.month < now:
            sums[row.currency][3] += row.billed_cents
    return [
        PeriodComparison(
            currency=currency,
            since=now,
            billed_cents=billed,
            paid_cents=paid,
            open_cents=left,
            previous_since=before,
            previous_billed_cents=previous,
            change_cents=billed - previous,
            change_share=(billed - previous) / previous if previous else None,
        )
        for currency, (billed, paid, left, previous) in sorted(sums.items())
    ]


def concentration(
    top: Sequence[TopAccount], statuses: Iterable[StatusTotal], sizes: Sequence[int] = (1, 5, 10)
) -> list[Concentration]:
    """Return how much of what was billed is of the 1, 5 and 10 largest accounts, by currency.

    Args:
        top: the largest accounts of each currency; at least as many as the largest of `sizes`.
        statuses: all that was billed: drafts and voids in it are not counted.
        sizes: how many accounts to count.
    """
    totals: dict[str, int] = defaultdict(int)
    for status in statuses:
        if status.status in BILLED:
            totals[status.currency] += status.amount_cents
    rows = []
    for currency, total in sorted(totals.items()):
        amounts = [row.billed_cents for row in top if row.currency == currency]
        for size in sorted({min(size, len(amounts)) for size in sizes if amounts}):
            billed = sum(amounts[:size])
            rows.append(
                Concentration(
                    currency=currency,
                    accounts=size,
                    billed_cents=billed,
                    total_cents=total,
                    share=billed / total if total else 0.0,
                )
            )
    return rows


def _months(first: date, last: date) -> list[date]:
    count = (last.year - first.year) * 12 + last.month - first.month
    return [months_before(first, -n) for n in range(count + 1)]


def _nothing(month: date, currency: str) -> MonthlyTotals:
    zeros = {"invoices": 0, "billed_cents": 0, "paid_cents": 0, "open_cents": 0}
    return MonthlyTotals(month=month, currency=currency, **zeros)
