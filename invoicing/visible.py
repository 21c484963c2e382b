r"""Text of others (names, queries, paths) made safe to show: what cannot be seen is written out.

Every place that shows text goes through here: the command line's consoles, tables, pages, plots
and the messages of errors. Data, JSON values, SQL for psql and files to load again stay exact.

Written as an escape, as Python writes it (`\x1b`, `\u202e`): control characters, C1 too, which
steer a terminal; marks that turn the direction of text; characters without width, tags and blank
fillers, which make two names look alike; separators of lines and paragraphs; lone surrogates, which
are bytes of a file name that is not UTF-8.

Kept: combining marks and variation selectors; a joiner between two emoji, and a joiner or
non-joiner between letters of scripts that are spelt with it (Arabic, Indic ones). A backslash is
not doubled, so a name that spells an escape looks like the character itself.
"""

from __future__ import annotations

import html
import re

_EMOJI = "\u2190-\u2bff\u3030\u303d\ufe0f\U0001f000-\U0001faff"
_JOINED_SCRIPTS = "\u0620-\u065f\u066e-\u06d3\u0750-\u077f\u08a0-\u08c9\u0900-\u0dff\u1000-\u109f"
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
    f"|\u200c(?![{_JOINED_SCRIPTS}])|(?<![{_JOINED_SCRIPTS}])\u200c"
    f"|\u200d(?![{_EMOJI}{_JOINED_SCRIPTS}])|(?<![{_EMOJI}{_JOINED_SCRIPTS}])\u200d"
)


def visible(text: str, *, lines: bool = False) -> str:
    """Return `text` with an escape for each character that cannot be seen.

    Args:
        text: any; printable ASCII is returned as it is.
        lines: whether line ends and tabs are the text's own layout, and stay.
    """
    return _HIDDEN.sub(_shown_in_lines if lines else _shown, text)


def escape(text: str, *, quote: bool = True, lines: bool = False) -> str:
    """Return `text` for HTML: `visible`, then what HTML itself asks for."""
    return html.escape(visible(text, lines=lines), quote)


def visible_json(text: str) -> str:
    r"""Return JSON that means the same, with \u escapes for what cannot be seen in its strings."""
    return _HIDDEN.sub(_shown_in_json, text)


def _shown(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "backslashreplace").decode("ascii")


def _shown_in_lines(found: re.Match[str]) -> str:
    return found[0] if found[0] in "\n\t" else _shown(found)


def _shown_in_json(found: re.Match[str]) -> str:
    character = found[0]
    if character in "\n\t":  # between values: inside of a string JSON has escaped them already
        return character
    code = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{code[n : n + 2].hex()}" for n in range(0, len(code), 2))


def plural(number: int, noun: str) -> str:
    """Return so many of a thing, of which `noun` is one: `1 batch`, `2 batches`."""
    ending = "es" if noun.endswith(("ch", "x", "s")) else "s"
    return f"{number:,} {noun}{'' if number == 1 else ending}"
