"""Plots that both themes, a screen reader and a pointer can read."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from datetime import date

from matplotlib.colors import to_rgb
from PIL import Image

from invoicing.models import InvoiceStatus
from invoicing.notebook import plot_ageing, plot_billed_and_paid, plot_concentration, plot_statuses
from invoicing.notebook.pictures import INK
from invoicing.schemas.filtered import Concentration
from invoicing.schemas.portfolio import AgeBucket, AgeingTotal, MonthlyTotals, StatusTotal


def month(number: int, currency: str = "EUR") -> MonthlyTotals:
    amounts = {"billed_cents": 400, "paid_cents": 100, "open_cents": 300}
    return MonthlyTotals(month=date(2026, number, 1), currency=currency, invoices=1, **amounts)


PAID = StatusTotal(currency="JPY", status=InvoiceStatus.PAID, invoices=1, amount_cents=7)
AGES = [AgeingTotal(currency="EUR", bucket=b, invoices=3, amount_cents=500) for b in AgeBucket]
PLOTS = [
    plot_billed_and_paid([month(1), month(4)]),
    plot_ageing(AGES),
    plot_statuses([PAID]),
    plot_concentration(
        [Concentration(currency="EUR", accounts=1, billed_cents=5, total_cents=10, share=0.5)]
    ),
]  # fmt: skip


def luminance(color: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(color: str, other: str) -> float:
    darker, lighter = sorted((luminance(color), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_months_without_invoices_are_on_the_axis() -> None:
    totals = [month(2), month(5, "JPY")]
    picture = plot_billed_and_paid(totals, since=date(2025, 12, 9), until=date(2026, 7, 1))
    for axes in picture.axes:
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert labels == [
            "Dec 25",
            *(f"{name} 26" for name in ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]),
        ]
    assert len(PLOTS[0].axes[0].get_xticklabels()) == 4


def test_a_picture_has_no_background_and_words_for_who_does_not_see_it() -> None:
    for picture in PLOTS:
        bundle, metadata = picture._repr_mimebundle_()
        alt = metadata["image/png"]["alt"]
        assert picture.subject in alt
        assert picture.axes[0].get_title("left") in alt
        assert f'alt="{alt}"'.replace("'", "&#x27;") in bundle["text/html"]
        with Image.open(io.BytesIO(b64decode(bundle["image/png"]))) as image:
            assert image.convert("RGBA").getpixel((0, 0))[3] == 0
        assert len(bundle["image/png"]) < 50_000, "it is kept in the notebook"
    assert contrast(INK, "#ffffff") > 4
    assert contrast(INK, "#111111") > 4


def test_all_text_is_in_the_ink_of_both_themes() -> None:
    for picture in PLOTS:
        svg = picture.svg()
        assert INK not in svg
        assert set(re.findall(r"<text[^>]*fill: ([^;\"]+)", svg)) <= {"currentColor"}
        assert "currentColor" in svg


def test_the_hatching_of_what_is_old_can_be_seen() -> None:
    *others, old = PLOTS[1].axes[0].patches
    assert old.get_hatch()
    assert not any(bar.get_hatch() for bar in others)
    assert contrast(old.get_facecolor()[:3], old.get_edgecolor()[:3]) > 3


def test_whoever_points_at_a_bar_reads_its_value() -> None:
    titles = re.findall(r"<title>([^<]+)</title>", PLOTS[0].svg())
    assert "April 2026: 4.00 EUR billed" in titles
    assert "February 2026: 0.00 EUR paid" in titles
    assert "90+: 5.00 EUR, 3 invoices" in re.findall(r"<title>([^<]+)</title>", PLOTS[1].svg())
    assert 'role="img"' in PLOTS[0].svg()
