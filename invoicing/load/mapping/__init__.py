"""Mappings: files of other systems, read as accounts, invoices and lines."""

from invoicing.load.mapping.model import Mapping
from invoicing.load.mapping.read import mapping_text, read_mapping, ready_mappings

__all__ = ["Mapping", "mapping_text", "read_mapping", "ready_mappings"]
