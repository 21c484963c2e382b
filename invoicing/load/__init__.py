"""Load accounts, invoices and lines from files of the user's own."""

from invoicing.load.kinds import KINDS, FileColumn, FileKind
from invoicing.load.loader import LoadProgress, load_files

__all__ = ["KINDS", "FileColumn", "FileKind", "LoadProgress", "load_files"]
