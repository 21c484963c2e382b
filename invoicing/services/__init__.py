"""Every query of the domain, and the schemas its answers have."""

from invoicing.schemas.dashboard import AccountDashboard, InvoiceSummary
from invoicing.schemas.filtered import (
    Concentration,
    Headline,
    InvoiceDetail,
    InvoiceFilter,
    InvoiceLineItem,
    MatchedInvoices,
    PeriodComparison,
)
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
from invoicing.services.filtered import (
    ageing_of,
    currencies_of,
    get_invoice,
    headline,
    list_invoices,
    months_of,
    statuses_of,
)
from invoicing.services.periods import (
    compare_periods,
    concentration,
    every_month,
    months_before,
    previous_period,
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
    "Concentration",
    "Headline",
    "InvoiceDetail",
    "InvoiceFilter",
    "InvoiceLineItem",
    "InvoiceSummary",
    "MatchedInvoices",
    "MismatchedInvoice",
    "MonthlyTotals",
    "PeriodComparison",
    "Source",
    "StatusTotal",
    "TopAccount",
    "ageing",
    "ageing_of",
    "compare_periods",
    "concentration",
    "count_accounts",
    "currencies_of",
    "every_month",
    "find_account",
    "get_account_dashboard",
    "get_account_dashboards",
    "get_account_with_invoices",
    "get_invoice",
    "headline",
    "list_accounts",
    "list_invoices",
    "mismatched_invoices",
    "monthly_totals",
    "months_before",
    "months_of",
    "previous_period",
    "status_breakdown",
    "statuses_of",
    "top_accounts",
]
