"""Every query of the domain, and the schemas its answers have."""

from invoicing.schemas.dashboard import AccountDashboard, InvoiceSummary
from invoicing.schemas.portfolio import (
    AccountSummary,
    AgeingTotal,
    Answer,
    MismatchedInvoice,
    MonthlyTotals,
    Source,
    StatusTotal,
    TopAccount,
)
from invoicing.services.accounts import count_accounts, find_account, list_accounts
from invoicing.services.dashboard import (
    get_account_dashboard,
    get_account_dashboards,
    get_account_with_invoices,
)
from invoicing.services.portfolio import (
    ageing,
    mismatched_invoices,
    monthly_totals,
    status_breakdown,
    top_accounts,
)

__all__ = [
    "AccountDashboard",
    "AccountSummary",
    "AgeingTotal",
    "Answer",
    "InvoiceSummary",
    "MismatchedInvoice",
    "MonthlyTotals",
    "Source",
    "StatusTotal",
    "TopAccount",
    "ageing",
    "count_accounts",
    "find_account",
    "get_account_dashboard",
    "get_account_dashboards",
    "get_account_with_invoices",
    "list_accounts",
    "mismatched_invoices",
    "monthly_totals",
    "status_breakdown",
    "top_accounts",
]
