"""Load accounts, invoices and lines from files of the user's own."""

from invoicing.load.kinds import KINDS, Column, Kind
from invoicing.load.loader import LoadProgress, load_files

__all__ = ["KINDS", "Column", "Kind", "LoadProgress", "load_files"]
