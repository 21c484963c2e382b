"""Where a rename stands as OpenMetrics text, for Prometheus (its textfile collector, or a scrape).

https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from invoicing.toolkit.rename import Status

_PREFIX = "invoicing_rename_"
_PHASE = "The phase of the rename; 1 for the one it is in."
# Each metric with its help, and where it is read.
_GAUGES: dict[str, tuple[str, Callable[[Status], float | None]]] = {
    "rows": (
        "Rows that the backfill has to look at, as estimated when it began.",
        lambda status: status.rows_total,
    ),
    "rows_done": ("Rows that are looked at and right.", lambda status: status.rows_done),
    "rate_rows_per_second": ("Rows a second of a running backfill.", lambda status: status.rate),
    "eta_seconds": ("Seconds left at that rate.", lambda status: status.eta),
    "table_bytes": ("Size of the table, with TOAST.", lambda status: status.table_bytes),
    "index_bytes": ("Size of its indexes.", lambda status: status.index_bytes),
    "dead_rows": (
        "Dead rows of the table, as its statistics say.",
        lambda status: status.dead_rows,
    ),
    "old_writes": ("Writes by the old name since the expand.", lambda status: status.old_writes),
    "replica_lag_seconds": (
        "Replay lag of the furthest replica; not there without a replica.",
        lambda status: status.lag,
    ),
    "guard_speed": (
        "Share of its full speed that the guard lets a running backfill have.",
        lambda status: status.guard.get("speed"),
    ),
    "guard_latency": (
        "Wait of a client, in times of the calm level.",
        lambda status: status.guard.get("latency"),
    ),
    "lock_held": (
        "Whether a session works on the rename.",
        lambda status: int(status.operator is not None),
    ),
    "blockers": (
        "Sessions that it waits for, and old transactions.",
        lambda status: len(status.blockers),
    ),
    "notes": ("What status warns of.", lambda status: len(status.notes)),
}


def openmetrics(status: Status) -> str:
    """Return the metrics of a rename; what is not known is left out."""
    target = status.target
    labels = {"table": target.table, "old": target.old, "new": target.new}
    if target.schema is not None:
        labels = {"schema": target.schema, **labels}
    lines = [*_head("phase", "stateset", _PHASE)]
    lines += [
        _line("phase", labels | {_PREFIX + "phase": phase.value}, int(phase is status.phase))
        for phase in Phase
    ]
    for name, (meaning, read) in _GAUGES.items():
        value = read(status)
        if value is not None:
            lines += [*_head(name, "gauge", meaning), _line(name, labels, value)]
    return "\n".join([*lines, "# EOF"])


def _head(name: str, kind: str, meaning: str) -> tuple[str, ...]:
    unit = next((unit for unit in ("seconds", "bytes") if name.endswith("_" + unit)), None)
    units = () if unit is None else (f"# UNIT {_PREFIX}{name} {unit}",)
    return (f"# TYPE {_PREFIX}{name} {kind}", *units, f"# HELP {_PREFIX}{name} {meaning}")


def _line(name: str, labels: dict[str, str], value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{_PREFIX}{name}{{{pairs}}} {value:.16g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
