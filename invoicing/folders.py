"""Where the notebooks and migrations are: in the checkout, or in the installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def notebooks_folder() -> Path:
    """Return the folder of the notebooks; those of an installed package are not to be changed."""
    return _folder("notebooks")


def migrations_folder() -> Path:
    """Return the folder of the migrations, with its `env.py`."""
    return _folder("migrations")


def _folder(name: str) -> Path:
    checkout = _PACKAGE.parent / name
    is_checkout = (_PACKAGE.parent / "pyproject.toml").is_file()
    return checkout if is_checkout else _PACKAGE / "resources" / name
