"""An account with its last invoices and what their lines add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Uuid, bindparam, func, literal_column, select, true
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.orm import selectinload
from sqlalchemy.types import NullType

from invoicing.models import Account, Invoice, InvoiceLine
from invoicing.schemas.dashboard import AccountDashboard, InvoiceSummary
from invoicing.services.errors import AccountNotFoundError
from invoicing.services.figures import summed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import FromClause, Row, Select

    from invoicing.db.session import AsyncSession

LAST_INVOICES = 10
# A statement of tables, not of classes: its rows are columns, and the ORM has nothing to load.
_ACCOUNT, _INVOICE, _LINE = (model.__table__ for model in (Account, Invoice, InvoiceLine))
# The columns, in the order of the schemas: a field that is added there is selected and returned.
ACCOUNT_FIELDS = tuple(name for name in AccountDashboard.model_fields if name != "invoices")
INVOICE_FIELDS = tuple(InvoiceSummary.model_fields)


async def get_account_dashboard(session: AsyncSession, account_id: UUID) -> AccountDashboard:
    """Return the account with its last 10 invoices, newest first, each with its lines' total.

    One round trip: the sums are joined to the invoices, and the invoices to the account, by LATERAL
    joins, so that one statement brings all three as one row. Loading the objects instead takes
    three statements and fetches every invoice with all its lines. In a session of
    `Database.read_only()` no BEGIN or ROLLBACK is added; the first statement of a new connection
    also prepares itself, once.

    Raises:
        AccountNotFoundError: no account has this id.
    """
    row = (await summed(session, _ONE, {"account_id": account_id})).one_or_none()
    if row is None:
        raise AccountNotFoundError(account_id)
    return _dashboard(row)


async def get_account_dashboards(
    session: AsyncSession, account_ids: Sequence[UUID]
) -> list[AccountDashboard]:
    """Return the dashboards of many accounts, in the order asked.

    One round trip, as for one account: the ids go as one array, and the statement stays the same
    whatever their number, so that it is prepared once.

    Raises:
        AccountNotFoundError: some ids are of no account; it names them all.
    """
    rows = (await summed(session, _MANY, {"account_ids": list(account_ids)})).all()
    if len(rows) < len(account_ids):
        found = {row.id for row in rows}
        raise AccountNotFoundError(*dict.fromkeys(id_ for id_ in account_ids if id_ not in found))
    return [_dashboard(row) for row in rows]


async def get_account_with_invoices(session: AsyncSession, account_id: UUID) -> Account:
    """Return the account as an object, with all its invoices and all their lines loaded.

    Three statements, so three round trips, whatever the number of invoices up to 500, and one more
    for the lines of each further 500: `selectinload` asks for the invoices of the account, then
    for the lines of those invoices. For the last 10 invoices, `get_account_dashboard` is cheaper:
    a `selectinload` cannot be limited.

    Raises:
        AccountNotFoundError: no account has this id.
    """
    account = await session.scalar(account_with_invoices_statement(account_id))
    if account is None:
        raise AccountNotFoundError(account_id)
    return account


def account_with_invoices_statement(account_id: UUID) -> Select[Account]:
    """Select the account with its invoices and their lines, each collection by `selectinload`."""
    return (
        select(Account)
        .where(Account.id == account_id)
        .options(selectinload(Account.invoices).selectinload(Invoice.lines))
    )


def account_dashboard_statement() -> Select[Any]:
    """Select a dashboard's one row for the account `:account_id`; none if it is not there."""
    return _dashboard_statement(_ACCOUNT).where(
        _ACCOUNT.c.id == bindparam("account_id", type_=Uuid())
    )


def account_dashboards_statement() -> Select[Any]:
    """Select one dashboard's row for each id of the array `:account_ids`, in its order."""
    wanted = (
        func.unnest(bindparam("account_ids", type_=ARRAY(Uuid())))
        .table_valued("id", with_ordinality="position", name="wanted")
        .render_derived()
    )
    accounts = wanted.join(_ACCOUNT, _ACCOUNT.c.id == wanted.c.id)
    return _dashboard_statement(accounts).order_by(wanted.c.position)


def _dashboard_statement(accounts: FromClause) -> Select[Any]:
    """Join each account's invoices to it as parallel arrays, one element an invoice.

    A row an account, not a row an invoice, is what makes a hundred dashboards cheap: the driver
    and SQLAlchemy handle a tenth of the rows, and name and plan come once.
    """
    # The limit stands in the statement: as a parameter the planner would not know that it is small.
    last = (
        select(_INVOICE)
        .where(_INVOICE.c.account_id == _ACCOUNT.c.id)
        .order_by(_INVOICE.c.created_at.desc(), _INVOICE.c.id.desc())
        .limit(literal_column(str(LAST_INVOICES)))
        .correlate(_ACCOUNT)
        .lateral("last_invoice")
    )
    lines_total = func.coalesce(func.sum(_LINE.c.total_cents), literal_column("0"))
    lines = (
        select(lines_total.cast(BigInteger).label("lines_total_cents"))
        .where(_LINE.c.invoice_id == last.c.id)
        .lateral("lines")
    )
    newest_first = (last.c.created_at.desc(), last.c.id.desc())
    # What an invoice does not have itself, the computed columns have by the field's name.
    columns = ((last if name in last.c else lines).c[name] for name in INVOICE_FIELDS)
    invoices = (
        # As the driver returns it: the schema makes of an array's items what they are.
        select(
            *(
                func.array_agg(aggregate_order_by(c, *newest_first), type_=NullType())
                for c in columns
            )
        )
        .select_from(last.join(lines, true()))
        .lateral("invoices")
    )
    own = (_ACCOUNT.c[name] for name in ACCOUNT_FIELDS)
    return select(*own, *invoices.c).select_from(accounts.join(invoices, true()))


def _dashboard(row: Row[Any]) -> AccountDashboard:
    own, columns = row[: len(ACCOUNT_FIELDS)], row[len(ACCOUNT_FIELDS) :]
    # Without invoices each array is NULL.
    invoices = zip(*columns, strict=True) if columns[0] is not None else ()
    return AccountDashboard.model_validate(
        dict(zip(ACCOUNT_FIELDS, own, strict=True))
        | {"invoices": [dict(zip(INVOICE_FIELDS, invoice, strict=True)) for invoice in invoices]}
    )


_ONE = account_dashboard_statement()
_MANY = account_dashboards_statement()
