"""Find accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import normalize
from uuid import UUID

from sqlalchemy import func, or_, select, true

from invoicing.models import Account, Invoice
from invoicing.schemas.cells import stable_id
from invoicing.schemas.portfolio import AccountSummary
from invoicing.services.errors import (
    AccountNotFoundError,
    AmbiguousAccountError,
    NoSuchAccountNameError,
)
from invoicing.services.portfolio import first_account

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from invoicing.db.session import AsyncSession

# Of the accounts that an ambiguous name could mean.
MOST_LISTED = 20


async def list_accounts(
    session: AsyncSession, *, search: str | None = None, limit: int = 50
) -> list[AccountSummary]:
    """Return accounts by name with how many invoices each has; one round trip.

    Only the accounts returned are counted, so that the cost does not grow with the rest.

    Args:
        session: any session.
        search: text that the name contains, in any case; taken literally, `%` and `_` too.
        limit: how many accounts at the most.
    """
    found = select(Account.id, Account.name, Account.plan).order_by(Account.name, Account.id)
    if search:
        found = found.where(Account.name.icontains(search, autoescape=True))
    account = found.limit(limit).subquery("account")
    counted = (
        select(func.count().label("invoices"))
        .select_from(Invoice)
        .where(Invoice.account_id == account.c.id)
        .lateral("counted")
    )
    statement = (
        select(account, counted.c.invoices)
        .join_from(account, counted, true())
        .order_by(account.c.name, account.c.id)
    )
    return [AccountSummary.model_validate(row) for row in await session.execute(statement)]


async def count_accounts(session: AsyncSession, *, search: str | None = None) -> int:
    """Return how many accounts there are whose name contains `search`; one round trip."""
    statement = select(func.count()).select_from(Account)
    if search:
        statement = statement.where(Account.name.icontains(search, autoescape=True))
    return (await session.execute(statement)).scalar_one()


async def find_account(session: AsyncSession, text: str = "") -> UUID:
    """Return the one account that `text` means; of no text, the one billed most.

    That is the first of the currency that most invoices are billed in: amounts of different
    currencies cannot be compared.

    Its id (a UUID, or the id it was loaded by) or its whole name, in any case, comes first; else a
    part of its name that no other account's name contains. The text is taken literally, `%` and
    `_` too, and an accent may be a character of its own or not.

    Raises:
        AmbiguousAccountError: it means several accounts; it has their names and ids.
        AccountNotFoundError: it is a UUID, and of no account.
        NoSuchAccountNameError: no account's name contains it, or there is no account at all.
    """
    if not text:
        first = await first_account(session)
        if first is None:
            raise NoSuchAccountNameError(text)
        return first
    if not _is_storable(text):
        raise NoSuchAccountNameError(text)
    own_id = _as_uuid(text)
    for match in (_is_exactly(text, own_id), _contains(text)):
        found = await _matches(session, match)
        if len(found) > 1:
            total = await session.scalar(select(func.count()).where(match))
            raise AmbiguousAccountError(text, found[:MOST_LISTED], total or len(found))
        if found:
            return found[0][0]
    raise NoSuchAccountNameError(text) if own_id is None else AccountNotFoundError(own_id)


async def _matches(session: AsyncSession, match: ColumnElement[bool]) -> list[tuple[UUID, str]]:
    statement = select(Account.id, Account.name).where(match).order_by(Account.name, Account.id)
    rows = await session.execute(statement.limit(MOST_LISTED + 1))
    return [(row.id, row.name) for row in rows]


def _is_exactly(text: str, own_id: UUID | None) -> ColumnElement[bool]:
    ids = {stable_id("account", text)} if text.strip() else set()
    if own_id is not None:
        ids.add(own_id)
    name = func.lower(Account.name)
    return or_(Account.id.in_(ids), *(name == func.lower(form) for form in _forms(text)))


def _contains(text: str) -> ColumnElement[bool]:
    return or_(*(Account.name.icontains(form, autoescape=True) for form in _forms(text)))


def _is_storable(text: str) -> bool:
    """Tell whether PostgreSQL could hold the text: no NUL, and no bytes that are not UTF-8."""
    return "\0" not in text and text.encode(errors="ignore").decode() == text


def _forms(text: str) -> set[str]:
    """Return the text as names may have it: accents composed, and apart."""
    return {normalize(form, text) for form in ("NFC", "NFD")}


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
