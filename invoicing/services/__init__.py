"""Every query of the domain."""

from invoicing.services.accounts import count_accounts, list_accounts
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
    "ageing",
    "count_accounts",
    "get_account_dashboard",
    "get_account_dashboards",
    "get_account_with_invoices",
    "list_accounts",
    "mismatched_invoices",
    "monthly_totals",
    "status_breakdown",
    "top_accounts",
]
