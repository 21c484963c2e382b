"""A Jupyter-driven data and operations toolkit for invoices kept in PostgreSQL."""

from invoicing.extension import load_ipython_extension, unload_ipython_extension

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension"]

__version__ = "0.2.0"
