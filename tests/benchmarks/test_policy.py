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
import ast, gc, json, sys, time
from invoicing.toolkit.policy import check
root = Path(sys.argv[1])
cache = Path(sys.argv[3]) if sys.argv[3:] else None
texts = [path.read_text() for path in (root.rglob("*.py") if root.is_dir() else [root])]
gc.disable()
before = time.process_time()
for text in texts:
    ast.parse(text)
parsing = time.process_time() - before
gc.enable()
before = time.process_time()
report = check([root], root=root, processes=int(sys.argv[2]), cache=cache)
cpu = time.process_time() - before
found = len(report.findings), len(report.problems)
print(json.dumps([report.lines, report.seconds, peak(), cpu, parsing, *found]))
"""
# The machine's own speed: what `ast.parse` takes for the same text.
MOST_PARSINGS = 5


def measure(folder: Path, processes: int, *cache: Path) -> tuple[float, ...]:
    command = [sys.executable, "-c", PEAK + MEASURE, folder, str(processes), *cache]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return tuple(json.loads(run.stdout))


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """Return a folder of 100,000 lines, in a few hundred files."""
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
    return app.parent


@pytest.mark.bench
def test_a_hundred_thousand_lines(
    application: Path, tmp_path: Path, results_folder: Path, measured: Callable[..., None]
) -> None:
    (large := tmp_path / "large.py").write_text(
        HEAD + "".join(MODEL.format(n=n) for n in range(3300))
    )
    lines, seconds, peak, cpu, parsing, findings, problems = measure(application, 1)
    parallel = measure(application, 2)[1]
    single = measure(large, 1)
    Console().print(
        f"{lines:,} lines: {cpu:.1f} s of CPU ({cpu / parsing:.1f} times ast.parse) and "
        f"{peak:.0f} MB on one core, {parallel:.1f} s on two; "
        f"one file of {single[0]:,} lines: {single[3]:.1f} s and {single[2]:.0f} MB"
    )
    measured(
        f"checking {lines:,} lines by `invoicing policy check`, CPU on one core",
        f"{cpu:.1f} s, {cpu / parsing:.1f} times `ast.parse`, {peak:.0f} MB",
        f"2 s, {MOST_PARSINGS} times, 300 MB",
    )
    figures = {"lines": lines, "seconds": seconds, "peak_mb": peak, "two_cores": parallel}
    (results_folder / "policy.json").write_text(json.dumps(figures | {"cpu": cpu}, indent=2))
    assert (findings, problems) == (0, 0)
    assert cpu < MOST_PARSINGS * parsing
    assert peak < 300


@pytest.mark.bench
def test_a_hundred_thousand_lines_again(
    application: Path, tmp_path: Path, measured: Callable[..., None]
) -> None:
    cache = tmp_path / "cache"
    first, again = (measure(application, 1, cache)[3] for _ in range(2))
    changed = application / "services" / "things_20.py"
    changed.write_text(changed.read_text().replace("newest first", "the newest first"))
    after = measure(application, 1, cache)[3]
    measured(
        "the same with a cache: nothing changed, one file changed",
        f"{again / first:.2f} and {after / first:.2f} of the first time; {after:.1f} s",
        "0.2 of it; 0.3 s",
    )
    assert again < first / 5
    assert after < first / 2
