"""Precision and recall of the findings, on programs that waste and programs that only seem to."""

from __future__ import annotations

import asyncio
import inspect
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, orm
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import StaticPool

from invoicing.toolkit.profiling import SLUGS, record_queries
from invoicing.toolkit.profiling.findings.bulk_fix import BulkFix
from tests.conftest import execute, newest_server_url
from tests.profiling.bulk_loop import differences
from tests.profiling.closed_loop import Loop, closed_loop, options_of, plain
from tests.profiling.corpus import (
    fine_loads,
    fine_repeats,
    identity_map,
    n_plus_one,
    rarer,
    repeats,
    schema,
    too_much,
    which_statement,
    whose_ids,
)
from tests.profiling.corpus.airline import by_asyncpg, by_psycopg, by_sqlmodel
from tests.profiling.corpus.airline.garage import Garage, fill_garage
from tests.profiling.corpus.airline.schema import Airline, fill_airline
from tests.profiling.corpus.campus import clean as clean_campus
from tests.profiling.corpus.campus import reads as reads_campus
from tests.profiling.corpus.campus import writes as writes_campus
from tests.profiling.corpus.campus.schema import Campus, fill_campus
from tests.profiling.corpus.cases import CASES, Case, Place, World
from tests.profiling.corpus.festival import clean as clean_festival
from tests.profiling.corpus.festival import reads, writes
from tests.profiling.corpus.festival.schema import Festival, fill_festival
from tests.profiling.corpus.outside import (
    fine_more,
    fine_pages,
    fine_read,
    fine_write,
    forum,
    hospital,
    shop,
    waste_more,
    waste_shop,
)
from tests.profiling.corpus.outside import too_much as too_much_outside
from tests.profiling.corpus.pairs import ANSWERS
from tests.profiling.corpus.pairs import PAIRS as SERVER_PAIRS
from tests.profiling.corpus.reported import clean, tracker, wasteful_reads, wasteful_writes
from tests.profiling.corpus.reported.pairs import PAIRS
from tests.profiling.corpus.schema import Base, library
from tests.profiling.corpus.streaming import by_async
from tests.profiling.corpus.streaming import clean as clean_streaming
from tests.profiling.corpus.streaming import reads as reads_streaming
from tests.profiling.corpus.streaming.music import fill_music
from tests.profiling.corpus.streaming.schema import Streaming, fill_streaming

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.profiling import Finding

# Their programs register themselves.
assert {fine_loads, fine_repeats, identity_map, n_plus_one, rarer, repeats}
assert {too_much, which_statement, whose_ids}
assert {fine_more, fine_pages, fine_read, fine_write, too_much_outside, waste_more, waste_shop}
assert {clean, wasteful_reads, wasteful_writes}
assert {clean_festival, reads, writes}
assert {by_asyncpg, by_psycopg, by_sqlmodel}
assert {by_async, clean_streaming, reads_streaming}
assert {clean_campus, reads_campus, writes_campus}

server_url = newest_server_url
NAMES = vars(schema) | vars(orm)
OPTION = re.compile(r"\.options\((.*?\))\)(?= to the statement|,? and |$)")
LINE = re.compile(r"the statement at \S+:(\d+)")
Found = dict[str, list["Finding"]]
LOOPS: dict[str, Loop] = {}
# What the bulk forms that are named answer otherwise than the program's own statements.
BULK: dict[str, list[str]] = {}
SERVED = {Airline: fill_airline, Streaming: fill_streaming, Campus: fill_campus}
Flagged = frozenset[tuple[str, str | None]]


async def run_inside(url: URL) -> Found:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        sessions = async_sessionmaker(engine, expire_on_commit=False)
        async with sessions.begin() as session:
            session.add_all(library())
        return await run_all(Place(engine, sessions))
    finally:
        await engine.dispose()


async def run_outside(url: URL) -> Found:
    engines = [create_async_engine(url) for _ in range(4)]
    sqlite = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    server = create_engine(url.set(drivername="postgresql+psycopg"))
    garage = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    try:
        engine = engines[0]
        async with engine.begin() as connection:
            for base in (shop.Shop, forum.Forum, hospital.Hospital, Festival, *SERVED):
                await connection.run_sync(base.metadata.create_all)
            await shop.fill_shop(connection)
            await forum.fill_forum(connection)
            await connection.run_sync(hospital.fill_hospital)
            await connection.run_sync(fill_festival)
            for fill in SERVED.values():
                await connection.run_sync(fill)
        async with garage.begin() as connection:
            await connection.run_sync(Garage.metadata.create_all)
            await connection.run_sync(fill_garage)
            await connection.run_sync(fill_music)
        with sqlite.begin() as connection:
            hospital.Hospital.metadata.create_all(connection)
            hospital.fill_hospital(connection)
            tracker.Tracker.metadata.create_all(connection)
            tracker.fill_tracker(connection)
            for base in (Streaming, Campus):
                base.metadata.create_all(connection)
                SERVED[base](connection)
        sessions = async_sessionmaker(engine, expire_on_commit=False)
        world = World(engine, sessions, sqlite, server, garage, tuple(engines[1:]))
        return await run_all(world)
    finally:
        sqlite.dispose()
        server.dispose()
        await garage.dispose()
        for engine in engines:
            await engine.dispose()


async def run_all(place: Place) -> Found:
    outside = isinstance(place, World)
    mine = [case for case in CASES.values() if case.outside == outside]
    found = {case.name: await run(case, place) for case in mine}
    for case in mine:
        if any(options_of(finding) for finding in found[case.name]):
            LOOPS[case.name] = await closed_loop(case, place)
        fixes = [fix for each in found[case.name] for fix in each.fixes]
        bulk = [fix for fix in fixes if isinstance(fix, BulkFix)]
        if bulk:
            BULK[case.name] = await differences(case, place, bulk)
        if case.loop:
            options = [eval(text, NAMES) for text in options_in(found[case.name])]
            found[fixed(case)] = await run(case, place, *options)
    return found


def fixed(case: Case) -> str:
    return f"{case.name}, fixed"


def options_in(findings: list[Finding]) -> set[str]:
    return {option for finding in findings for option in OPTION.findall(finding.fix)}


def lines_in(findings: list[Finding]) -> set[int]:
    """Return the lines that the fixes name, or leave out where it is the finding's own."""
    return {
        line
        for finding in findings
        if finding.relationship
        for line in [int(line) for line in LINE.findall(finding.fix)] or [finding.caller.line]
    }


async def run(case: Case, place: Place, *options: Any) -> list[Finding]:
    # Those outside use other engines too.
    target = None if case.outside else place.engine
    async with record_queries(target, explain=case.explain) as recorder:
        # What a program returns is handed on: it lives longer than the recording.
        kept = await case.run(place, *options)
    assert recorder.lost == 0
    if case.after is not None:
        case.after(kept)
    del kept
    return recorder.findings


@pytest.fixture(scope="session")
def found(server_url: URL) -> Found:
    """Return what is found in each program."""
    found: Found = {}
    for run_corpus in (run_inside, run_outside):
        name = f"test_{uuid4().hex[:12]}"
        asyncio.run(execute(server_url, f"CREATE DATABASE {name}"))
        try:
            found |= asyncio.run(run_corpus(server_url.set(database=name)))
        finally:
            asyncio.run(execute(server_url, f"DROP DATABASE {name} WITH (FORCE)"))
    return found


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if case.loop])
def test_the_fix_that_is_named_leaves_nothing_to_find(name: str, found: Found) -> None:
    again = found[fixed(CASES[name])]
    assert not again, "\n".join(map(str, [*found[name], *again]))


def test_every_option_that_is_named_works(found: Found, capsys: pytest.CaptureFixture[str]) -> None:
    findings = [finding for name in CASES for finding in found[name]]
    named = [finding for finding in findings if finding.fixes]
    loops = LOOPS.values()
    ran, same = [each for each in loops if not each.error], [each for each in loops if each.same]
    ended = [each for each in same if not each.left and not each.in_their_place]
    with capsys.disabled():
        print(  # noqa: T201 -- the figures are what this test is for
            f"\n{len(named)} of {len(findings)} findings have a fix to apply; of {len(loops)} "
            f"programs {len(ran)} run with it, {len(same)} answer the same, {len(ended)} end clean;"
            f" {len(BULK)} name a bulk form"
        )
    assert len(named) >= 130
    assert [name for name, loop in LOOPS.items() if loop not in ended] == []


def test_wide_rows_that_parents_share_are_not_joined(found: Found) -> None:
    (finding,) = found["a_wide_parent_of_each"]
    assert [str(fix) for fix in finding.fixes] == ["selectinload(Stage.venue)"]


def test_every_bulk_form_answers_what_was_sent_for_each_value(found: Found) -> None:
    assert found
    assert {name: differing for name, differing in BULK.items() if differing} == {}
    assert len(BULK) >= 35


@pytest.mark.parametrize("name", PAIRS)
def test_the_corrected_form_answers_the_same(name: str) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        tracker.Tracker.metadata.create_all(connection)
        tracker.fill_tracker(connection)
    with orm.Session(engine) as session, orm.Session(engine) as other:
        wasteful = PAIRS[name].wasteful(session)
        session.rollback()
        assert PAIRS[name].corrected(other) == wasteful
    engine.dispose()


@pytest.mark.parametrize("name", SERVER_PAIRS)
def test_the_corrected_form_answers_the_same_on_a_server(name: str, found: Found) -> None:
    assert {name, SERVER_PAIRS[name]} <= found.keys()
    assert plain(ANSWERS[SERVER_PAIRS[name]]) == plain(ANSWERS[name])


@pytest.mark.parametrize("name", CASES)
def test_the_fix_names_the_statement_that_brought_the_parents(name: str, found: Found) -> None:
    lines, first = inspect.getsourcelines(CASES[name].run)
    sources = {first + place for place, line in enumerate(lines) if line.endswith("  # source\n")}
    if sources:
        assert lines_in(found[name]) == sources, "\n".join(map(str, found[name]))


def flagged(findings: list[Finding]) -> Flagged:
    return frozenset((finding.slug, finding.relationship) for finding in findings)


@pytest.mark.parametrize("name", CASES)
def test_a_program_is_judged_by_its_cause(name: str, found: Found) -> None:
    findings = found[name]
    assert flagged(findings) == CASES[name].expected, "\n".join(map(str, findings))


def test_precision_and_recall_are_whole(found: Found, capsys: pytest.CaptureFixture[str]) -> None:
    right = sum(len(flagged(found[case.name]) & case.expected) for case in CASES.values())
    said = sum(len(flagged(findings)) for findings in (found[name] for name in CASES))
    wanted = sum(len(case.expected) for case in CASES.values())
    wasteful_ones = sum(bool(case.expected) for case in CASES.values())
    with capsys.disabled():
        print(  # noqa: T201 -- the figures are what this test is for
            f"\nfindings on {len(CASES)} programs, {wasteful_ones} of them wasteful: "
            f"precision {right / said:.3f}, recall {right / wanted:.3f}"
        )
    assert wasteful_ones >= 30
    assert len(CASES) - wasteful_ones >= 30
    assert right == said == wanted


def test_every_kind_of_finding_has_a_program() -> None:
    slugs = {slug for case in CASES.values() for slug, _ in case.expected}
    assert slugs == {*SLUGS}
