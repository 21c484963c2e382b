"""The gate's speed and memory: 100,000 lines of models, services and migrations."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from tests.benchmarks.memory import PEAK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINES = 100_000
MODEL = '''
class Thing{n}(TimeStampedMixin, Base):
    """A thing of the kind {n}."""

    __tablename__ = "thing_{n}"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("thing_0.id"))
    parent: Mapped["Thing0"] = relationship(back_populates="things_{n}", lazy="raise")

    def shown(self, *, long: bool = False) -> str:
        parts = [str(self.id), self.name]
        if long:
            parts += [f"{{key}}={{value}}" for key, value in vars(self).items() if key != "name"]
        return ", ".join(parts)


async def list_things_{n}(session: AsyncSession, *, limit: int = 10) -> list[Thing{n}]:
    """Return things, newest first."""
    statement = (
        select(Thing{n})
        .where(Thing{n}.name != "", Thing{n}.parent_id.in_([1, 2, 3]))
        .options(joinedload(Thing{n}.parent))
        .order_by(Thing{n}.id.desc())
        .limit(limit)
    )
    return [*await session.scalars(statement)]
'''
HEAD = """from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from app.base import Base, TimeStampedMixin
"""
BASE = """from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


class TimeStampedMixin:
    pass
"""
MEASURE = """
import json, sys
from invoicing.toolkit.policy import check
root = Path(sys.argv[1])
report = check([root], root=root, processes=int(sys.argv[2]))
found = len(report.findings), len(report.problems)
print(json.dumps([report.lines, report.seconds, peak(), *found]))
"""


def measure(folder: Path, processes: int) -> tuple[float, ...]:
    command = [sys.executable, "-c", PEAK + MEASURE, folder, str(processes)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(json.loads(run.stdout))


@pytest.mark.bench
def test_a_hundred_thousand_lines(
    tmp_path: Path, results_folder: Path, measured: Callable[..., None]
) -> None:
    app = tmp_path / "app" / "services"
    app.mkdir(parents=True)
    for folder in (app, app.parent):
        (folder / "__init__.py").write_text("")
    (app.parent / "base.py").write_text(BASE)
    written, number = 0, 0
    while written < LINES:
        text = HEAD + "".join(MODEL.format(n=number + n) for n in range(20))
        (app / f"things_{number}.py").write_text(text)
        written += text.count("\n")
        number += 20
    (large := tmp_path / "large.py").write_text(
        HEAD + "".join(MODEL.format(n=n) for n in range(3300))
    )
    lines, seconds, peak, findings, problems = measure(tmp_path / "app", 1)
    parallel = measure(tmp_path / "app", 2)[1]
    single = measure(large, 1)
    Console().print(
        f"{lines:,} lines: {seconds:.1f} s and {peak:.0f} MB on one core, {parallel:.1f} s on two; "
        f"one file of {single[0]:,} lines: {single[1]:.1f} s and {single[2]:.0f} MB"
    )
    measured(
        f"checking {lines:,} lines by `invoicing policy check`, one core",
        f"{seconds:.1f} s, {peak:.0f} MB",
        "5 s, 300 MB",
    )
    figures = {"lines": lines, "seconds": seconds, "peak_mb": peak, "two_cores": parallel}
    (results_folder / "policy.json").write_text(json.dumps(figures, indent=2))
    assert (findings, problems) == (0, 0)
    assert seconds < 5
    assert peak < 300
