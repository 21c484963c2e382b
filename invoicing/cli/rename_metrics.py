"""Where a rename stands as OpenMetrics text, for Prometheus (its textfile collector, or a scrape).

https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import Phase

if TYPE_CHECKING:
    from invoicing.toolkit.rename import Status

_PREFIX = "invoicing_rename_"
_HELP = {
    "phase": "The phase of the rename; 1 for the one it is in.",
    "rows": "Rows that the backfill has to look at, as estimated when it began.",
    "rows_done": "Rows that are looked at and right.",
    "rate_rows_per_second": "Rows a second of a running backfill.",
    "eta_seconds": "Seconds left at that rate.",
    "table_bytes": "Size of the table, with TOAST.",
    "index_bytes": "Size of its indexes.",
    "dead_rows": "Dead rows of the table, as its statistics say.",
    "old_writes": "Writes by the old name since the expand.",
    "replica_lag_seconds": "Replay lag of the furthest replica; not there without a replica.",
    "guard_speed": "Share of its full speed that the guard lets a running backfill have.",
    "guard_latency": "Wait of a client, in times of the calm level.",
    "lock_held": "Whether a session works on the rename.",
    "blockers": "Sessions that it waits for, and old transactions.",
    "notes": "What status warns of.",
}


def openmetrics(status: Status) -> str:
    """Return the metrics of a rename; what is not known is left out."""
    values = {
        "rows": status.rows_total,
        "rows_done": status.rows_done,
        "rate_rows_per_second": status.rate,
        "eta_seconds": status.eta,
        "table_bytes": status.table_bytes,
        "index_bytes": status.index_bytes,
        "dead_rows": status.dead_rows,
        "old_writes": status.old_writes,
        "replica_lag_seconds": status.lag,
        "guard_speed": status.guard.get("speed"),
        "guard_latency": status.guard.get("latency"),
        "lock_held": int(status.operator is not None),
        "blockers": len(status.blockers),
        "notes": len(status.notes),
    }
    target = status.target
    labels = {"table": target.table, "old": target.old, "new": target.new}
    if target.schema is not None:
        labels = {"schema": target.schema, **labels}
    lines = [*_head("phase", "stateset")]
    lines += [
        _line("phase", labels | {_PREFIX + "phase": phase.value}, int(phase is status.phase))
        for phase in Phase
    ]
    for name, value in values.items():
        if value is not None:
            lines += [*_head(name, "gauge"), _line(name, labels, value)]
    return "\n".join([*lines, "# EOF"])


def _head(name: str, kind: str) -> tuple[str, ...]:
    unit = next((unit for unit in ("seconds", "bytes") if name.endswith("_" + unit)), None)
    units = () if unit is None else (f"# UNIT {_PREFIX}{name} {unit}",)
    return (f"# TYPE {_PREFIX}{name} {kind}", *units, f"# HELP {_PREFIX}{name} {_HELP[name]}")


def _line(name: str, labels: dict[str, str], value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{_PREFIX}{name}{{{pairs}}} {value:.16g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
