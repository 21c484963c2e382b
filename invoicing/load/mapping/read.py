"""Reading a mapping: a file of the user's, or one that comes with the package."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from invoicing.load.errors import MappingError
from invoicing.load.mapping.model import Mapping
from invoicing.load.mapping.rules import TO_FILL_IN

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from pydantic_core import ErrorDetails

_TABLE = re.compile(r"\s*\[+\s*([\w.\s\"-]+?)\s*\]+")
_UNFILLED = re.compile(rf"^(?:Value error, )?(.+) is still {re.escape(repr(TO_FILL_IN))}")
_KEY = re.compile(r"\s*[\"']?([^\"'=]*?)[\"']?\s*=")


def ready_mappings() -> dict[str, Traversable]:
    """Return the mappings that come with the package, by their names."""
    folder = files("invoicing.load.mapping").joinpath("ready")
    paths = (path for path in folder.iterdir() if path.name.endswith(".toml"))
    return {path.name.removesuffix(".toml"): path for path in sorted(paths, key=str)}


def mapping_text(place: str) -> tuple[str, Path]:
    """Return the text of a mapping, and the folder that its file names start from.

    Args:
        place: a path, or the name of one that comes with the package.

    Raises:
        MappingError: there is none.
    """
    path = Path(place)
    ready = ready_mappings()
    if place in ready and not path.exists():
        return ready[place].read_text(encoding="utf-8"), Path()
    try:
        return path.read_text(encoding="utf-8"), path.parent
    except UnicodeDecodeError:
        raise MappingError(place, None, "it is not UTF-8") from None
    except OSError as error:
        reason = f"{error.strerror or error}; those that come with it are {', '.join(ready)}"
        raise MappingError(place, None, reason) from None


def read_mapping(place: str) -> tuple[Mapping, Path]:
    """Return a mapping, and the folder that its file names start from.

    Raises:
        MappingError: there is none, it is no TOML, or it is invalid.
    """
    text, folder = mapping_text(place)
    return parse_mapping(text, place), folder


def parse_mapping(text: str, place: str) -> Mapping:
    """Return the mapping that a text is; `place` names it in errors."""
    try:
        return Mapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MappingError(place, None, f"it is no TOML: {error}") from None
    except ValidationError as error:
        # A key that is misspelt is missing too: its own line says more.
        problems = sorted(
            error.errors(include_url=False),
            key=lambda problem: problem["type"] != "extra_forbidden",
        )
        first = problems[0]
        location = [str(part) for part in first["loc"]]
        if (unfilled := _UNFILLED.search(first["msg"])) is not None:
            location += unfilled[1].split(".", 1)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise MappingError(place, _line(text, location), _said(first) + more) from None


def _said(problem: ErrorDetails) -> str:
    where = ".".join(map(str, problem["loc"]))
    match problem["type"]:
        case "extra_forbidden":
            return f"unknown key {where}"
        case "missing":
            return f"{where} is missing"
    message = str(problem["msg"]).removeprefix("Value error, ")
    shown = problem["input"]
    value = f" {shown!r}" if isinstance(shown, str | int | float) else ""
    return f"{where}{value}: {message}" if where else message


def _line(text: str, location: list[str]) -> int | None:
    """Return the line of a key, or of the table that it should be in."""
    keys = [part for part in location if not part.isdigit()]
    table: list[str] = []
    best, best_depth = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = [part.strip(' "') for part in header[1].split(".")]
            path = table
        elif key := _KEY.match(line):
            path = [*table, key[1]]
        else:
            continue
        if path == keys[: len(path)] and len(path) > best_depth:
            best, best_depth = number, len(path)
    return best
