"""The proof for a command and for a test: from paths to findings."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.db import parse_url
from invoicing.toolkit.policy import PolicySettings, Problem, Proof, read_settings, root_of
from invoicing.toolkit.policy.files import context, find_files
from invoicing.toolkit.policy.migrations import Revision
from invoicing.toolkit.policy.source import read_sources
from invoicing.toolkit.postgres import database_url
from invoicing.toolkit.proof.proving import prove
from invoicing.toolkit.proof.running import home_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.engine import URL


async def prove_paths(
    paths: Sequence[Path],
    *,
    root: Path | None = None,
    settings: PolicySettings | None = None,
    server: URL | None = None,
) -> Proof:
    """Prove the revisions below paths; those beside them build what they stand on.

    Args:
        paths: files and folders.
        root: the project's folder; the nearest with a pyproject.toml.
        settings: where things are; of the root's pyproject.toml if None.
        server: a URL of a server; DATABASE_URL, or the embedded one, if None.
    """
    root = root or root_of(paths[0] if paths else Path())
    settings = settings or read_settings(root)
    found = find_files(root, paths, settings)
    asked = list(_revisions(found.files, root))
    beside = list(_revisions(context(root, found, settings), root))
    total = Proof()
    for home in dict.fromkeys(_home(root, revision) for revision in asked):
        mine = [each for each in (*beside, *asked) if _home(root, each) == home]
        names = {revision.path for revision in asked}
        proof = await prove(server or database_url(), mine, root, names)
        total.findings += proof.findings
        total.problems += proof.problems
        total.proven |= proof.proven
        total.restored += proof.restored
    if not asked:
        shown = ", ".join(map(str, paths))
        total.problems.append(Problem(shown, 1, "there is no revision to be proven"))
    return total


def _home(root: Path, revision: Revision) -> Path:
    return home_of((root / revision.path).parent)


def _revisions(files: Sequence[Path], root: Path) -> Iterator[Revision]:
    for file in files:
        for source in read_sources(file, root).files if file.suffix == ".py" else ():
            revision = Revision(source.path, source.text, source.tree)
            if "down_revision" in source.text and revision.is_migration:
                yield revision


def assert_reversible(*paths: Path | str, url: str | URL | None = None) -> None:
    """Prove revisions in a test: each is run up, down and up again, with rows in every table.

    Args:
        paths: folders of revisions, or some of their files.
        url: a server, in which databases are made and dropped; DATABASE_URL, or the embedded one,
            if None.

    Raises:
        AssertionError: one does not restore the schema, or cannot run; it lists them.
    """
    chosen = [Path(path) for path in paths]
    server = None if url is None else parse_url(url)
    # A thread of its own, as the test itself may run in an event loop.
    with ThreadPoolExecutor(1) as pool:
        proof = pool.submit(asyncio.run, prove_paths(chosen, server=server)).result()
    lines = [*map(str, proof.findings), *map(str, proof.problems)]
    if lines:
        raise AssertionError("\n".join([f"{proof}:", *lines]))
