"""One HTML file that opens offline and prints well: no script, font or picture from elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from invoicing import __version__
from invoicing.visible import escape

if TYPE_CHECKING:
    from collections.abc import Mapping


def page(title: str, body: str, facts: Mapping[str, str]) -> str:
    """Return a page.

    Args:
        title: its title, as text.
        body: HTML that is shown as it is.
        facts: what the page is about, said at its end; the time and the version are added.
    """
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by invoicing {__version__}"
    foot = " &middot; ".join(
        f"{escape(name)} {escape(value)}" for name, value in {**facts, "made": made}.items()
    )
    return _PAGE.format(title=escape(title), body=body, foot=foot)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1b1b1b; background: white;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 0.5rem 0 1.5rem; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; font-weight: 600; padding-bottom: 0.4rem; }}
th, td {{ padding: 0.25rem 0.5rem; border-bottom: 1px solid #ddd; vertical-align: top; }}
thead th {{ border-bottom: 2px solid #888; }}
img {{ max-width: 100%; }}
code, pre {{ font: 13px/1.4 ui-monospace, monospace; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
footer {{ margin-top: 3rem; border-top: 1px solid #ddd; font-size: 12px; color: #555; }}
.anchor-link {{ display: none; }}
@page {{ size: A4; margin: 15mm 12mm; }}
@media print {{
  body {{ margin: 0; padding: 0; max-width: none; font-size: 10pt; }}
  th, td {{ padding: 0.15rem 0.35rem; font-size: 8.5pt; }}
  code, pre {{ font-size: 8pt; }}
  thead {{ display: table-header-group; }}
  tr, img, caption {{ break-inside: avoid; }}
  h1, h2, h3, caption {{ break-after: avoid; }}
}}
</style>
</head>
<body>
{body}
<footer>{foot}</footer>
</body>
</html>
"""
