"""What cannot be seen is written out, in whatever is shown, and nothing else is changed."""

from __future__ import annotations

import io
import json
import re
import unicodedata

import pandas as pd
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from rich.table import Table as RichTable
from rich.text import Text

from invoicing.cli.output import LiteralConsole
from invoicing.errors import InvoicingError
from invoicing.notebook import Table
from invoicing.report.page import page
from invoicing.visible import escape, visible, visible_json

SGR = re.compile(r"\x1b\[[0-9;]*m")
# Written out wherever they stand; the joiners stay only where a script or an emoji needs them.
HIDDEN = {
    *map(chr, [*range(32), *range(127, 160), 0xAD, 0x61C, 0x200B, 0x200E, 0x200F]),
    *map(chr, [*range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0x3164, 0x115F]),
    *map(chr, [0xD800, 0xDC80, 0xDFFF, 0xE0001, 0xE0041, 0xE007F]),
}
HOSTILE = [
    "\x1b[2J", "\x1b]8;;http://evil\x1b\\x\x1b]8;;\x1b\\", "\x9b31m", "\x07\x08\r",
    "[link=http://x]a[/link]", "[bold red]a[/]", ":smile:", "\\[bold]", "a\\", "\u202egpj.exe",
    "\u2066x\u2069", "a\u200bb", "a\u2028b", "\udc80", "\U000e0041", "$\\alpha$", "a\tb\nc",
    "<script>x</script>", "Müller", "👨\u200d👩\u200d👧",
]  # fmt: skip
texts = st.lists(st.sampled_from([*HOSTILE, *HIDDEN, "a", " ", "é", "名"]), max_size=6).map("".join)
anything = texts | st.text(max_size=20)


def leaks(shown: str, kept: str = "\n") -> set[str]:
    return (set(shown) & HIDDEN) - set(kept)


@seed(13)
@given(anything)
def test_what_cannot_be_seen_is_an_escape(text: str) -> None:
    assert not leaks(visible(text), "")
    assert not leaks(visible(text, lines=True), "\n\t")
    assert not leaks(escape(text), "")
    assert visible(visible(text)) == visible(text)


@seed(13)
@given(st.text(st.characters(categories=["L", "M", "N", "P", "S"]), max_size=20))
def test_what_can_be_seen_is_as_it_was(text: str) -> None:
    assert visible(text) == "".join(c if c not in HIDDEN else visible(c) for c in text)


@pytest.mark.parametrize(
    "name",
    [
        "Müller & Söhne", "Cafe\u0301", "👨\u200d👩\u200d👧", "👩🏽\u200d💻", "❤\ufe0f\u200d🔥",
        "می\u200cکند",
        "क्\u200dष", "שלום", "東京電力", "Ångström", "Ω\u00a0Ltd", "🏴", "C:\\new",
    ],
)  # fmt: skip
def test_names_of_any_language_stay_readable(name: str) -> None:
    assert visible(name) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ac\u200dme", r"ac\u200dme"),
        ("ac\u200cme", r"ac\u200cme"),
        ("👨\u200d", r"👨\u200d"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x85\u202e", r"\x85\u202e"),
        ("\U000e0041", r"\U000e0041"),
        ("\udcff", r"\udcff"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
    ],
)
def test_an_escape_is_the_one_that_python_writes(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_every_control_and_format_character_is_known() -> None:
    """Whatever Unicode calls so; the Arabic signs among them can be seen."""
    categories = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    kept = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in categories and visible(chr(code)) == chr(code)
    ]
    assert all(unicodedata.name(c).startswith(("ARABIC", "SYRIAC")) for c in kept)


@seed(13)
@given(anything)
def test_json_means_the_same(text: str) -> None:
    for ascii_only in (True, False):
        written = json.dumps({text: [text]}, indent=2, ensure_ascii=ascii_only)
        assert json.loads(visible_json(written)) == {text: [text]}
        assert not leaks(visible_json(written))


def printed(*shown: object, **options: object) -> str:
    file = io.StringIO()
    console = LiteralConsole(file=file, force_terminal=True, width=400, color_system="standard")
    console.print(*shown, **options)
    return SGR.sub("", file.getvalue())


@seed(13)
@settings(deadline=None)
@given(anything)
def test_nothing_steers_the_terminal_whatever_prints_it(text: str) -> None:
    table = RichTable(title=text, caption=text)
    table.add_column(text)
    table.add_row(text)
    table.add_row(Text(text))
    table.add_row(Text(text).append(text, style="bold"))
    for shown in (printed(table), printed(text, style="red"), printed(Text(text))):
        assert not leaks(shown)


@pytest.mark.parametrize(
    "text", ["[bold]a[/bold]", "[link=http://x]a[/link]", ":smile:", "a\\", "[/]"]
)
def test_a_name_is_no_markup(text: str) -> None:
    table = RichTable(title=text)
    table.add_column("")
    table.add_row(text)
    assert printed(table).count(text) == 2
    assert printed(text) == f"{text}\n"


def test_a_hostile_cell_leaves_the_columns_aligned() -> None:
    table = RichTable("", "")
    table.add_row("a\x1b[31m\u202e\nb", "1")
    table.add_row("ab", "2")
    widths = {len(line) for line in printed(table).splitlines()}
    assert len(widths) == 1


@seed(13)
@settings(deadline=None)
@given(anything)
def test_a_notebooks_table_shows_it_as_text_and_as_html(text: str) -> None:
    table = Table(pd.DataFrame({"name": pd.Series([text], dtype=object)}), title=text)
    assert not leaks(repr(table))
    assert not leaks(table._repr_html_(), "")
    assert "<script" not in table._repr_html_()


@seed(13)
@given(anything)
def test_titles_of_pages_and_messages_of_errors(text: str) -> None:
    made = page(text, "", {"account": text})
    assert not leaks(made)
    assert "<script" not in made
    assert not leaks(str(InvoicingError(text)), "\n\t")
