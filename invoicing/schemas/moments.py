"""Moments and days of rows, none of which is another than the one that the database has.

PostgreSQL has infinite dates, and years before 1 and after 9999; Python has neither. asyncpg reads
an infinite date as the first or the last that Python has, without a time zone.
"""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, date, datetime
from typing import Annotated

from pydantic import AfterValidator

from invoicing.errors import InvoicingError


class DateOutOfRangeError(InvoicingError):
    """A date of an invoice is infinite, or of a year that Python cannot hold."""

    def __init__(self) -> None:
        super().__init__(
            "cannot answer: an invoice has a date that is infinite, or not of the years 1 to 9999. "
            "The date is probably wrong, and no other is shown in its place. "
            'Run: psql -c "SELECT id, account_id, created_at, issued_at FROM invoice '
            "WHERE created_at NOT BETWEEN '0001-01-02' AND '9999-12-30' "
            "OR issued_at NOT BETWEEN '0001-01-02' AND '9999-12-30'\""
        )


def _finite_moment(moment: datetime) -> datetime:
    if moment.tzinfo is None and moment.year in {MINYEAR, MAXYEAR}:
        raise DateOutOfRangeError
    return moment


def _finite_day(day: date) -> date:
    if day in {date.min, date.max}:
        raise DateOutOfRangeError
    return day


StoredMoment = Annotated[datetime, AfterValidator(_finite_moment)]
StoredDay = Annotated[date, AfterValidator(_finite_day)]
