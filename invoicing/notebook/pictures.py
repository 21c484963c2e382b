"""A plot that can be seen in either theme, read aloud, and pointed at."""

from __future__ import annotations

import re
from base64 import b64encode
from contextlib import contextmanager
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from invoicing.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# As far from white as from JupyterLab's dark grey: a picture is kept once, for both themes.
INK = "#787878"
DOTS = 96  # an inch, as a browser counts them
# Distinguished by their hatching where colours do not print: dark strokes on a light colour, which
# both stand out from either theme's background.
LIGHT, MIDDLE, WARM = "#a9cbec", "#5b9bd5", "#e8b06a"
STROKE, WARM_STROKE = "#1f4e79", "#6b4208"
HATCH = "////"
_COLOURS = 64
_SVG = "http://www.w3.org/2000/svg"
_STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "axes.titlesize": 11,
    "hatch.linewidth": 1.2,
    "legend.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # a title is no formula
    "xtick.color": INK,
    "ytick.color": INK,
    # Text as text, and the same bytes for the same plot.
    "svg.fonttype": "none",
    "svg.hashsalt": "invoicing",
}


class Picture(Figure):
    """A figure on no background, with a text for whoever does not see it.

    A notebook shows it as a PNG; `svg()` is for a widget, which follows the theme and shows the
    value of what is pointed at.

    Attributes:
        subject: what it shows, in a few words; its titles say the finding.
    """

    def __init__(self, *arguments: Any, subject: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        FigureCanvasAgg(self)
        self.patch.set_alpha(0)
        self.subject = subject
        self._values: dict[str, str] = {}

    @property
    def alt(self) -> str:
        """What it says, in words: the subject, and the title of each panel."""
        titles = [axes.get_title(loc="left") for axes in self.axes]
        return visible(". ".join(filter(None, [self.subject, *titles])))

    def describe(self, artist: Artist, value: str) -> None:
        """Let `value` be shown by whoever points at `artist`, in an SVG."""
        name = f"value-{len(self._values)}"
        artist.set_gid(name)
        self._values[name] = value

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        width = round(self.get_figwidth() * DOTS)
        file = BytesIO()
        with mpl.rc_context(_STYLE):
            # More dots than are shown, for screens that have them.
            self.savefig(file, format="png", dpi=DOTS * 1.25, metadata={"Software": None})
        data = b64encode(_with_fewer_colours(file)).decode()
        alt = self.alt
        image = (
            f'<img alt="{escape(alt)}" width="{width}" style="max-width: 100%" '
            f'src="data:image/png;base64,{data}">'
        )
        bundle = {"text/html": image, "image/png": data, "text/plain": f"<Picture: {alt}>"}
        return bundle, {"image/png": {"alt": alt, "width": width}}

    def svg(self) -> str:
        """Return it as SVG in the colours of the page around it, for HTML that is trusted."""
        file = StringIO()
        with mpl.rc_context(_STYLE):
            self.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        ET.register_namespace("", _SVG)
        root = ET.fromstring(file.getvalue())  # noqa: S314 -- matplotlib's own
        for element in list(root.iter()):
            value = self._values.get(element.get("id", ""))
            if value is not None:
                title = ET.Element(f"{{{_SVG}}}title")
                title.text = visible(value)
                element.insert(0, title)
            # Several pictures share a page, and nothing refers to a group.
            if element.tag == f"{{{_SVG}}}g":
                element.attrib.pop("id", None)
        for name in ("width", "height"):
            root.attrib.pop(name, None)
        root.set("role", "img")
        root.set("aria-label", self.alt)
        root.set("style", f"width: 100%; max-width: {round(self.get_figwidth() * DOTS)}px")
        text = ET.tostring(root, encoding="unicode")
        text = re.sub(rf"{INK}\b", "currentColor", text)
        return re.sub(r"font: [^;\"]*?'?DejaVu Sans'?[^;\"]*", _own_font, text)


@contextmanager
def drawing(
    panels: tuple[int, int], size: tuple[float, float], subject: str
) -> Iterator[tuple[Picture, list[list[Axes]]]]:
    """Yield a picture with so many rows and columns of panels, and the panels, to draw on."""
    with mpl.rc_context(_STYLE):
        yield _new_picture(panels, size, subject)


def _new_picture(
    panels: tuple[int, int], size: tuple[float, float], subject: str
) -> tuple[Picture, list[list[Axes]]]:
    picture = Picture(figsize=size, layout="constrained", subject=subject)
    grid = picture.subplots(*panels, squeeze=False)
    for axes in picture.axes:
        axes.patch.set_alpha(0)
        axes.spines[["top", "right"]].set_visible(False)
    return picture, [list(row) for row in grid]


def _with_fewer_colours(png: BytesIO) -> bytes:
    """Return the picture in a third of the bytes: it is kept in the notebook."""
    smaller = BytesIO()
    with Image.open(png) as image:
        image.quantize(_COLOURS, Image.Quantize.FASTOCTREE).save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def _own_font(found: re.Match[str]) -> str:
    size = re.search(r"[\d.]+px", found[0])
    weight = "bold " if "bold" in found[0] or "700" in found[0] else ""
    return f"font: {weight}{size[0] if size else '10px'} sans-serif"
