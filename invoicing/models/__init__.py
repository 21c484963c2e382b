"""The mapped classes; they hold no queries."""

from invoicing.models.account import Account
from invoicing.models.invoice import Invoice, InvoiceStatus
from invoicing.models.invoice_line import InvoiceLine
from invoicing.models.rollup import (
    INVOICE_ACCOUNT_TOTAL,
    INVOICE_DAY_TOTAL,
    INVOICE_DELTA,
    INVOICE_DIFFERENCE,
    INVOICE_LINE_DELTA,
    INVOICE_ROLLUP,
)

__all__ = [
    "INVOICE_ACCOUNT_TOTAL",
    "INVOICE_DAY_TOTAL",
    "INVOICE_DELTA",
    "INVOICE_DIFFERENCE",
    "INVOICE_LINE_DELTA",
    "INVOICE_ROLLUP",
    "Account",
    "Invoice",
    "InvoiceLine",
    "InvoiceStatus",
]
