"""Each kind of finding explains itself: its examples are run, and the pages are made of it."""

from __future__ import annotations

import asyncio
import os
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import sqlalchemy
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from invoicing.errors import UsageError
from invoicing.toolkit.profiling import SLUGS, Thresholds, record_queries
from invoicing.toolkit.profiling.findings import KINDS, findings_page
from tests.conftest import execute
from tests.profiling.corpus import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

    from invoicing.toolkit.profiling import Finding

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "invoicing/toolkit/profiling/FINDINGS.md"
LOADING = ROOT / "notebooks/docs/loading.md"


@pytest.fixture(scope="session")
def library(server_url: URL) -> Iterator[AsyncEngine]:
    """Return the engine of a database that each example leaves as it was."""
    name = f"test_{uuid4().hex[:12]}"
    asyncio.run(execute(server_url, f"CREATE DATABASE {name}"))
    engine = create_async_engine(server_url.set(database=name), poolclass=sqlalchemy.NullPool)
    asyncio.run(fill(engine))
    yield engine
    asyncio.run(execute(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def fill(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(schema.Base.metadata.create_all)
    async with async_sessionmaker(engine).begin() as session:
        session.add_all(schema.library())


async def findings_of(example: str, engine: AsyncEngine, *, explain: bool) -> list[Finding]:
    names: dict[str, Any] = {**vars(sqlalchemy), **vars(orm), **vars(schema)}
    body = textwrap.indent(example.strip(), "    ")
    exec(compile(f"async def program(session):\n{body}\n", "example.py", "exec"), names)
    async with async_sessionmaker(engine)() as session:
        async with record_queries(engine, explain=explain) as recorder:
            await names["program"](session)
        await session.rollback()
    return recorder.findings


@pytest.mark.parametrize("slug", SLUGS)
async def test_the_bad_example_has_the_finding(slug: str, library: AsyncEngine) -> None:
    kind = KINDS[slug]
    findings = await findings_of(kind.bad, library, explain=kind.needs_plans)
    assert {finding.slug for finding in findings} == {slug}


@pytest.mark.parametrize("slug", SLUGS)
async def test_the_good_example_has_none(slug: str, library: AsyncEngine) -> None:
    kind = KINDS[slug]
    assert await findings_of(kind.good, library, explain=kind.needs_plans) == []


def test_the_page_is_made_of_the_kinds() -> None:
    assert PAGE.read_text() == findings_page()


def is_current(path: Path, pattern: str, generated: str) -> bool:
    """Tell whether a page shows what is generated; `INVOICING_UPDATE_README=1` writes it there."""
    shown = path.read_text()
    current, places = re.subn(pattern, lambda _: generated, shown)
    if os.environ.get("INVOICING_UPDATE_README"):
        path.write_text(current)
        shown = current
    return places == 1 and shown == current


def test_the_table_of_kinds_is_made_of_them() -> None:
    head = "| slug | what it is |\n|---|---|\n"
    rows = [f"| `{kind.slug}` | {kind.title} |\n" for kind in KINDS.values()]
    assert is_current(LOADING, rf"{re.escape(head)}(?:\| .*\n)*", "".join([head, *rows]))


def test_the_readme_counts_the_kinds() -> None:
    generated = f"[{len(KINDS)} kinds of waste]"
    assert is_current(ROOT / "README.md", r"\[\d+ kinds of waste\]", generated)


def test_every_module_of_a_kind_is_named_after_it() -> None:
    folder = ROOT / "invoicing/toolkit/profiling/findings/kinds"
    modules = {path.stem.replace("_", "-") for path in folder.glob("[!_]*.py")}
    assert modules == set(SLUGS)


def test_no_two_kinds_declare_the_same_threshold() -> None:
    names = [threshold.name for kind in KINDS.values() for threshold in kind.thresholds]
    assert len(names) == len(set(names))


def test_an_unknown_threshold_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"unknown threshold 'repeat'; expected one of: .*repeats"):
        Thresholds(repeat=2)


def test_a_threshold_that_was_withdrawn_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"'pause' any more: .*Remove the setting"):
        Thresholds.parse(["pause=0.5"])


def test_suppressions_name_the_kinds_that_there_are() -> None:
    assert all(re.fullmatch(r"[a-z][a-z0-9-]+", slug) for slug in SLUGS)
