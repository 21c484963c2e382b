"""Find accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, select, true

from invoicing.errors import NoSuchAccountNameError
from invoicing.models import Account, Invoice
from invoicing.schemas.portfolio import AccountSummary
from invoicing.services.portfolio import top_accounts

if TYPE_CHECKING:
    from invoicing.db.session import AsyncSession


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
    """Return the account that `text` means: its id, a part of its name, or the one billed most.

    Raises:
        NoSuchAccountNameError: no account's name contains `text`, or there is no account at all.
    """
    if text:
        try:
            return UUID(text)
        except ValueError:
            found = [account.id for account in await list_accounts(session, search=text, limit=1)]
    else:
        found = [account.account_id for account in await top_accounts(session, limit=1)]
    if not found:
        raise NoSuchAccountNameError(text)
    return found[0]
