"""The bar of a page: which account's invoices, of which currency, status and days."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import ipywidgets

from invoicing.models import InvoiceStatus
from invoicing.notebook.picker import SHOWN, account_label, advice
from invoicing.services import (
    InvoiceFilter,
    count_accounts,
    currencies_of,
    list_accounts,
    months_before,
)
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from uuid import UUID

    from invoicing.db import Database
    from invoicing.services import AccountSummary

# A person who types waits for the word's end, not for each letter.
_TYPING = 0.25
# An option of the value None is shown as a blank.
_ALL = ("all", "")
# Whole months, the last of them up to the last day.
_EVER = -1
_PERIODS = [
    ("days as given", 0),
    *((f"last {months} months", months) for months in (3, 6, 12, 24)),
    ("all days", _EVER),
]


class FilterBar:
    """Search box, account, currency, status, period, from and to, in one line that wraps.

    Args:
        database: where to search.
        changed: called after a choice; it returns at once.
    """

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database, self._changed = database, changed
        self._is_filling = False
        self._last_day: date | None = None
        wide, narrow = {"width": "17em"}, {"width": "11em"}
        self.search = ipywidgets.Text(
            placeholder="part of a name", description="Search", layout=wide
        )
        self.account = ipywidgets.Dropdown(description="Account", layout={"width": "24em"})
        self.currency = ipywidgets.Dropdown(
            options=[_ALL], description="Currency", layout={"width": "10em"}
        )
        statuses = [_ALL, *((status.value, status) for status in InvoiceStatus)]
        self.status = ipywidgets.Dropdown(options=statuses, description="Status", layout=narrow)
        self.period = ipywidgets.Dropdown(options=_PERIODS, description="Period", layout=wide)
        self.since = ipywidgets.DatePicker(description="From", layout=wide)
        self.until = ipywidgets.DatePicker(description="To", layout=wide)
        self.mismatched = ipywidgets.Checkbox(
            description="only what does not add up", indent=False, layout={"width": "15em"}
        )
        days = [self.since, self.until]
        choices = [self.account, self.currency, self.status, *days]
        for choice in (*choices, self.mismatched):
            choice.observe(self._choose, names="value")
        choices.insert(-len(days), self.period)
        self.period.observe(self._choose_period, names="value")
        for day in days:
            day.observe(self._take_days, names="value")
        self.widget = ipywidgets.HBox(
            [self.search, *choices, self.mismatched],
            layout={"flex_flow": "row wrap", "align_items": "center", "width": "100%"},
        )
        self.widget.add_class("invoicing-filter")

    def set_days(self, since: date | None, until: date | None) -> None:
        """Set the first day and the first day not to count any more."""
        self._last_day = until - timedelta(days=1) if until is not None else None
        self._fill_days(since, self._last_day)
        self._is_filling = True
        self.period.value = next(
            (
                months
                for _, months in _PERIODS
                if months > 0
                and self._last_day
                and since == months_before(self._last_day, months - 1)
            ),
            0,
        )
        self._is_filling = False

    @property
    def chosen(self) -> InvoiceFilter | None:
        """What is chosen; None while no account is."""
        if self.account.value is None:
            return None
        until = self.until.value
        return InvoiceFilter(
            account_id=self.account.value,
            currency=self.currency.value or None,
            status=self.status.value or None,
            since=self.since.value,
            until=until + timedelta(days=1) if until is not None else None,
            mismatched=self.mismatched.value,
        )

    async def find(self, *, typing: bool = False) -> str | None:
        """Fill the list of accounts, and return what to say of it; None if more was typed."""
        search = self.search.value
        if typing:
            await asyncio.sleep(_TYPING)
        async with self._database.read_only() as session:
            found = await list_accounts(session, search=search or None, limit=SHOWN)
            total = await count_accounts(session, search=search or None)
        if search != self.search.value:
            return None
        self._offer(found)
        undecided = bool(search) and total > 1
        return advice(len(found), total) if undecided or not found else ""

    async def offer_currencies(self) -> None:
        """Offer the currencies of the account's invoices."""
        if self.account.value is None:
            return
        async with self._database.read_only() as session:
            currencies = await currencies_of(session, self.account.value)
        kept = self.currency.value
        options = [_ALL, *((visible(currency), currency) for currency in currencies)]
        if tuple(options) != tuple(self.currency.options):
            self._is_filling = True
            self.currency.options = options
            self.currency.value = kept if kept in currencies else ""
            self._is_filling = False

    def show(self, account: AccountSummary) -> None:
        """Choose an account that need not be in the list."""
        self._offer([account])

    def label_of(self, account_id: UUID) -> str:
        """Return what the list calls an account."""
        return next((text for text, id_ in self.account.options if id_ == account_id), "")

    def _offer(self, accounts: list[AccountSummary]) -> None:
        names = Counter(account.name for account in accounts)
        options = [(account_label(a, alone=names[a.name] == 1), a.id) for a in accounts]
        before = self.account.value
        ids = [account.id for account in accounts]
        self._is_filling = True
        self.account.options = options
        # Who is looked at stays, as long as the name fits what is searched for.
        self.account.value = before if before in ids else next(iter(ids), None)
        self._is_filling = False
        if self.account.value != before:
            self._changed()

    def _fill_days(self, since: date | None, last: date | None) -> None:
        self._is_filling = True
        self.since.value, self.until.value = since, last
        self._is_filling = False

    def _choose_period(self, change: dict[str, int]) -> None:
        if self._is_filling or not change["new"]:
            return
        last = self._last_day or datetime.now(UTC).date()
        if change["new"] == _EVER:
            self._fill_days(None, None)
        else:
            self._fill_days(months_before(last, change["new"] - 1), last)
        self._changed()

    def _take_days(self, _: object) -> None:
        """Days that are given by themselves are no period any more."""
        if not self._is_filling:
            self.period.value = 0

    def _choose(self, _: object) -> None:
        if not self._is_filling:
            self._changed()
