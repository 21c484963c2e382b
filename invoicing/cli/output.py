"""The two consoles, and what is printed past them: text for programs.

All of it comes from here, so that no name, path or query of others can steer the terminal: see
`invoicing.visible`. Text is literal: brackets are no markup.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.segment import Segment
from rich.text import Text

from invoicing.visible import visible, visible_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType
    from rich.status import Status

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Shown = TypeVar("Shown")


class LiteralConsole(Console):
    """A console that shows each text as it is: no markup, no emoji codes, no control characters.

    A string that is printed may have lines; one in a cell or a title has none.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def print(self, *objects: object, **options: Any) -> None:
        """Print; line ends of a string are kept."""
        super().print(*map(_literal, objects), **options)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """Return a spinner beside a text."""
        return super().status(_literal(status), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape a cell or a title before it is measured, so that columns stay aligned."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Escape whatever did not come as a string."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text, lines=True), segment.style)


def _literal(shown: Shown) -> Text | Shown:
    return Text(visible(shown, lines=True)) if isinstance(shown, str) else shown


# A pipe or a log has no width of its own; a table cut at 80 columns would lose its figures.
console = LiteralConsole(width=None if sys.stdout.isatty() else 140)
errors = LiteralConsole(stderr=True, soft_wrap=True)


def echo_text(text: str) -> None:
    """Print text as wide as it is."""
    typer.echo(visible(text, lines=True))


def echo_json(text: str) -> None:
    """Print JSON; it means the same, wherever it goes."""
    typer.echo(visible_json(text))


def echo_for_program(text: str) -> None:
    """Print SQL or a URL: to a program exactly, on a terminal like any other text."""
    typer.echo(visible(text, lines=True) if sys.stdout.isatty() else text)
