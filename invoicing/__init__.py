"""A Jupyter-driven data and operations toolkit for invoices kept in PostgreSQL."""

__all__ = ["__version__"]

__version__ = "0.1.0"
