"""What notebooks show: tables, plots and pickers over what the services return."""

from invoicing.notebook.analyst import AnalystPage
from invoicing.notebook.confirm import confirm, is_attended
from invoicing.notebook.connection import open_database
from invoicing.notebook.figures import HeadlineFigures
from invoicing.notebook.files import LoadedFiles, load_files
from invoicing.notebook.frames import frame
from invoicing.notebook.loading import Stage, plot_loading
from invoicing.notebook.panel import RenamePanel
from invoicing.notebook.picker import AccountPicker
from invoicing.notebook.plots import (
    plot_ageing,
    plot_billed_and_paid,
    plot_concentration,
    plot_statuses,
)
from invoicing.notebook.progress import ProgressDisplay
from invoicing.notebook.reading import read_frame
from invoicing.notebook.rename import (
    plot_traffic,
    show_clocks,
    show_counts,
    show_findings,
    show_gate,
    show_ledger,
    show_status,
    show_steps,
    show_traffic,
    show_trials,
    show_ways,
)
from invoicing.notebook.synchronous import run_synchronously
from invoicing.notebook.tables import Table
from invoicing.notebook.waiting import interruptible, until_stopped
from invoicing.notebook.walkthrough import Walkthrough

__all__ = [
    "AccountPicker",
    "AnalystPage",
    "HeadlineFigures",
    "LoadedFiles",
    "ProgressDisplay",
    "RenamePanel",
    "Stage",
    "Table",
    "Walkthrough",
    "confirm",
    "frame",
    "interruptible",
    "is_attended",
    "load_files",
    "open_database",
    "plot_ageing",
    "plot_billed_and_paid",
    "plot_concentration",
    "plot_loading",
    "plot_statuses",
    "plot_traffic",
    "read_frame",
    "run_synchronously",
    "show_clocks",
    "show_counts",
    "show_findings",
    "show_gate",
    "show_ledger",
    "show_status",
    "show_steps",
    "show_traffic",
    "show_trials",
    "show_ways",
    "until_stopped",
]
