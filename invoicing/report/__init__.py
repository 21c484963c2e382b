"""Reports: notebooks run without a browser, and a rename's record, as pages that need nothing."""

from invoicing.report.dashboards import Written, write_dashboards
from invoicing.report.many import write_index, write_invoices
from invoicing.report.notebooks import NOTEBOOKS, refresh_outputs, write_report
from invoicing.report.parameters import parse_parameters
from invoicing.report.pdf import find_browser, write_pdfs
from invoicing.report.rename import rename_page, write_rename_report

__all__ = [
    "NOTEBOOKS",
    "Written",
    "find_browser",
    "parse_parameters",
    "refresh_outputs",
    "rename_page",
    "write_dashboards",
    "write_index",
    "write_invoices",
    "write_pdfs",
    "write_rename_report",
    "write_report",
]
