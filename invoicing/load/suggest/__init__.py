"""A mapping suggested from the headers and values of files, to be read and corrected."""

from invoicing.load.suggest.write import suggest_mapping

__all__ = ["suggest_mapping"]
