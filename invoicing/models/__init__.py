"""The mapped classes; they hold no queries."""

from invoicing.models.account import Account
from invoicing.models.invoice import Invoice, InvoiceStatus
from invoicing.models.invoice_line import InvoiceLine

__all__ = ["Account", "Invoice", "InvoiceLine", "InvoiceStatus"]
