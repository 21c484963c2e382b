"""What notebooks show: tables, plots and pickers over what the services return."""

from invoicing.notebook.confirm import confirm, is_attended
from invoicing.notebook.connection import open_database
from invoicing.notebook.frames import frame
from invoicing.notebook.picker import AccountPicker
from invoicing.notebook.plots import plot_ageing, plot_billed_and_paid, plot_statuses
from invoicing.notebook.progress import ProgressDisplay
from invoicing.notebook.synchronous import run_synchronously
from invoicing.notebook.tables import Table
from invoicing.notebook.waiting import interruptible, until_stopped

__all__ = [
    "AccountPicker",
    "ProgressDisplay",
    "Table",
    "confirm",
    "frame",
    "interruptible",
    "is_attended",
    "open_database",
    "plot_ageing",
    "plot_billed_and_paid",
    "plot_statuses",
    "run_synchronously",
    "until_stopped",
]
