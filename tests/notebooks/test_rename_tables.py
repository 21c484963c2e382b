"""What a rename's reports look like in a notebook."""

from __future__ import annotations

from invoicing.notebook import (
    plot_traffic,
    show_clocks,
    show_findings,
    show_gate,
    show_status,
    show_steps,
    show_traffic,
    show_ways,
)
from invoicing.practice import RequestOutcome, TrafficFigures
from invoicing.toolkit.rename import (
    Estimate,
    GateReport,
    Phase,
    Plan,
    PlanFinding,
    Status,
    Step,
    Target,
)

TARGET = Target("invoice", "amt", "amount_cents")
INDEX = PlanFinding("index", "ix_invoice_amt", "carried", "is built again on the new column")
PLAN = Plan(
    target=TARGET,
    strategy="columns",
    server_version=180006,
    rows=20_000,
    pages=300,
    table_bytes=2_457_600,
    index_bytes=3_000_000,
    findings=[INDEX],
    steps=[
        Step("expand", "ALTER TABLE invoice\n  ADD COLUMN amount_cents bigint", "ACCESS", "all"),
        Step("backfill", f"UPDATE invoice SET {'amount_cents = amt, ' * 20}", "ROW", "none"),
    ],
    estimates=[
        Estimate("columns", 12.34, 1_500_000, "2 s", [], safe=True),
        Estimate("view", 0.01, 0, "10 ms", ["COPY into it", "TRUNCATE"], safe=False),
    ],
)
FIGURES = TrafficFigures(
    seconds=2.0,
    requests={RequestOutcome.DONE: 1200, RequestOutcome.FAILED: 3},
    by_code={"old": 700, "new": 500},
    by_operation={},
    p50=0.0021,
    p99=0.0123,
    longest=0.2,
    replanned=0,
    failures=(),
)


def test_findings_say_what_becomes_of_each() -> None:
    line = repr(show_findings(PLAN.findings)).splitlines()[1]
    assert " ".join(line.split()) == "index ix_invoice_amt carried is built again on the new column"
    assert "(nothing)" in repr(show_findings([]))


def test_each_step_is_one_line_with_its_lock() -> None:
    lines = repr(show_steps(PLAN)).splitlines()
    assert len(lines) == 3
    assert "ALTER TABLE invoice ADD COLUMN amount_cents bigint" in lines[1]
    assert "..." in lines[2]
    assert len(repr(show_steps(PLAN, "backfill")).splitlines()) == 2


def test_both_ways_stand_beside_each_other() -> None:
    columns, view = repr(show_ways(PLAN)).splitlines()[1:]
    assert columns.split()[1:3] == ["12.3", "1.5"]
    assert columns.endswith("nothing")
    assert "COPY into it; TRUNCATE" in view


def test_a_status_says_what_is_left_and_who_is_at_work() -> None:
    status = Status(
        target=TARGET,
        strategy="columns",
        phase=Phase.BACKFILLING,
        rows_done=5_000,
        rows_total=20_000,
        rate=None,
        eta=None,
        table_bytes=2_000_000,
        index_bytes=0,
        dead_rows=0,
        old_writes=0,
        old_write_age=None,
        operator=None,
        blockers=[],
        lag=None,
    )
    shown = repr(show_status(status))
    assert "5,000 of 20,000 done, 15,000 left" in shown
    assert "invoice.amt -> amount_cents" in shown
    assert "backfilling" in shown


def test_a_gate_names_every_objection() -> None:
    assert repr(show_gate(GateReport([]))).startswith("The gate is open")
    closed = repr(show_gate(GateReport([INDEX])))
    assert closed.startswith("The gate is closed")
    assert "is built again on the new column" in closed


def test_traffic_is_shown_by_phase_with_what_it_noticed() -> None:
    (line,) = repr(show_traffic({"expand": FIGURES})).splitlines()[1:]
    assert " ".join(line.split()) == "expand 700 500 3 2.1 12.3 200.0"
    clocks = repr(show_clocks({"three steps": {"expand": FIGURES}, "view": {}}))
    assert "2,000.0" in clocks


def test_the_plot_says_the_longest_request_and_marks_the_phases() -> None:
    figure = plot_traffic([(0.5, 0.002), (1.5, 0.2)], {"expand": 1.0})
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "2 requests; the longest took 200 ms"
    assert [text.get_text().strip() for text in axes.texts] == ["expand"]
    assert "ms" in axes.get_ylabel()
