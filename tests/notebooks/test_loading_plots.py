"""Plots of comparisons say in their titles what the figures are."""

from __future__ import annotations

from invoicing.notebook import plot_loading
from invoicing.toolkit.profiling import LoadingComparison, Measured, Strategy


def measured(strategy: Strategy, size: int, received: int | None, rows: int) -> Measured:
    times = (0.1, None, 0.1, 0.2)
    return Measured(strategy, size, 10, 10 * size, 10 * size, 1, 1, rows, 0, received, *times, 1000)


def comparison(sizes: list[int], unknown: bool = False) -> LoadingComparison:
    rows = [
        measured(strategy, size, None if unknown else 1000 * size * factor, 10 * size)
        for size in sizes
        for strategy, factor in ((Strategy.SELECTIN, 1), (Strategy.JOINED, 4))
    ]
    return LoadingComparison("Shelf.books", True, rows)


def test_the_title_names_the_worst_and_the_best_of_the_largest_size() -> None:
    figure = plot_loading(comparison([1, 100]))
    rows, received = figure.axes
    assert received.get_title("left") == "joinedload takes 4.0 times the bytes of selectinload"
    assert rows.get_title("left") == "All have the same: the rows do not differ"
    assert received.get_xlabel() == "books each"
    assert [line.get_label() for line in received.lines] == ["selectinload", "joinedload"]
    assert list(received.lines[1].get_ydata()) == [4, 400]


def test_one_size_is_drawn_as_bars() -> None:
    (axes,) = plot_loading(comparison([5]), ["bytes_received"]).axes
    assert len(axes.patches) == 2
    assert axes.get_xlabel() == "KB received"


def test_what_is_not_known_is_said_so() -> None:
    (axes,) = plot_loading(comparison([1, 2], unknown=True), ["bytes_received"]).axes
    assert axes.get_title("left") == "The bytes are not known"
