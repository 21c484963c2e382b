"""Revisions are run up, down and up again: what does not come back is found, and nothing else."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from invoicing.db import Database
from invoicing.db.databases import run_on_server
from invoicing.toolkit.proof import Proof, assert_reversible, prove_paths
from tests.policy.test_gate import policy
from tests.policy.test_history import FOLDER, step
from tests.proof.cases import BEFORE, CASES, sql
from tests.proof.losses import KEPT, LOSSES

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

ROOT = Path(__file__).parents[2]
TWICE = [(label, twin) for label in CASES for twin in (False, True)]


def write(folder: Path, revisions: list[str]) -> None:
    """Write revisions that come one after the other: their upgrades, downgrades and headers."""
    folder.joinpath(FOLDER).mkdir(parents=True)
    for number, text in enumerate(revisions):
        folder.joinpath(FOLDER, f"r{number:03}.py").write_text(text)


def named(text: str, number: int) -> str:
    """Give a case a table of its own."""
    return re.sub(r"(?<!\w)T(?=_|\W|$)", f"t{number}", text)


def revision(number: int, up: str, down: str, flagged: bool = False) -> str:
    parent = f"r{number - 1:03}" if number else None
    text = step(f"r{number:03}", parent, named(up, number), named(down, number))
    note = named("DESTRUCTIVE: at, note, T_secret and what is in them\n", number)
    return text.replace("Create Date", f"{note}Create Date") if flagged else text


def base(count: int) -> str:
    statements = "\n".join(
        f"op.execute({named(' '.join(statement.split()) + ' ', number).strip()!r})"
        for number in range(1, count + 1)
        for statement in BEFORE.strip().split(";\n")
    )
    return revision(0, statements, "op.execute('DROP SCHEMA public CASCADE; CREATE SCHEMA public')")


def proof_of(folder: Path, server: URL, *texts: str) -> Proof:
    """Prove all but the first of revisions."""
    write(folder, [base(len(texts)), *texts])
    paths = sorted(folder.joinpath(FOLDER).glob("r*.py"))[1:]
    proof = asyncio.run(prove_paths(paths, root=folder, server=server))
    assert [str(problem) for problem in proof.problems] == []
    assert len(proof.proven) == len(texts)
    return proof


@pytest.mark.broad
@pytest.mark.parametrize("label", CASES)
def test_a_downgrade_that_does_not_restore_is_found_and_its_twin_is_not(
    label: str, newest_server_url: URL, tmp_path: Path
) -> None:
    up, bad, good, flagged = CASES[label]
    pair = revision(1, up, bad), revision(2, up, good, flagged)
    proof = proof_of(tmp_path, newest_server_url, *pair)
    said = [(finding.path, finding.rule, finding.message) for finding in proof.findings]
    assert (f"{FOLDER}/r001.py", "reversible-migration") in {each[:2] for each in said}
    assert [each for each in said if each[0] == f"{FOLDER}/r002.py"] == []
    assert proof.restored == 1


def test_an_extension_that_stays_is_found(newest_server_url: URL, tmp_path: Path) -> None:
    proof = proof_of(
        tmp_path,
        newest_server_url,
        revision(1, "op.execute('CREATE EXTENSION pg_trgm')", "pass"),
    )
    (finding,) = proof.findings
    assert finding.message.endswith("extension pg_trgm is left behind")


def test_a_revision_that_cannot_run_is_said_and_the_others_are_proven(
    newest_server_url: URL, tmp_path: Path
) -> None:
    adds, drops = 'op.add_column("T", sa.Column("x", sa.Text()))', 'op.drop_column("T", "x")'
    broken = revision(2, adds, drops).replace(
        "import sqlalchemy", "import nowhere\nimport sqlalchemy"
    )
    texts = [
        revision(1, "op.execute('SELECT nothing')", "pass"),
        broken,
        revision(3, adds, drops),
        revision(4, 'op.nonsense("T")', "pass"),
    ]
    write(tmp_path, [base(4), *texts])
    paths = sorted(tmp_path.joinpath(FOLDER).glob("r*.py"))[1:]
    proof = asyncio.run(prove_paths(paths, root=tmp_path, server=newest_server_url))
    said = {problem.path[-7:]: problem.message for problem in proof.problems}
    assert said["r001.py"] == 'upgrade() cannot run: column "nothing" does not exist'
    assert said["r002.py"].startswith("the file cannot run: ModuleNotFoundError: No module named")
    assert "nonsense" in said["r004.py"]
    assert (proof.findings, proof.proven) == ([], {f"{FOLDER}/r003.py"})


def test_a_test_can_ask_for_the_proof(newest_server_url: URL, tmp_path: Path) -> None:
    label = "an index without its predicate"
    up, bad, good, _ = CASES[label]
    write(tmp_path, [base(2), revision(1, up, bad), revision(2, up, good)])
    folder = tmp_path / FOLDER
    assert_reversible(folder / "r002.py", url=newest_server_url)
    with pytest.raises(AssertionError, match=r"index t1_open on t1 was CREATE INDEX .* WHERE"):
        assert_reversible(folder / "r001.py", url=newest_server_url)


def test_the_command_says_what_running_shows_in_place_of_what_reading_does(
    newest_server_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up, bad, good, _ = CASES["a default stays"]
    write(tmp_path, [base(2), revision(1, up, bad), revision(2, up, good)])
    monkeypatch.setenv("DATABASE_URL", newest_server_url.render_as_string(hide_password=False))
    run = policy(tmp_path, "check", f"{FOLDER}/r001.py", f"{FOLDER}/r002.py", "--database")
    assert "proved: 1 of 2 revisions restore the schema" in run.stderr
    assert "r001.py:18:1: [reversible-migration] downgrade() does not restore" in run.stdout
    assert (run.returncode, "does nothing" in run.stdout) == (1, False)


async def test_this_projects_revisions_are_proven(newest_server_url: URL) -> None:
    proof = await prove_paths([ROOT / "migrations"], root=ROOT, server=newest_server_url)
    # What the contract's downgrade does not bring back of the rename's own, its docstring says.
    assert proof.findings == []
    revisions = len([*(ROOT / "migrations/versions").glob("*.py")])
    assert (proof.problems, proof.restored, len(proof.proven)) == ([], revisions, revisions)


def test_what_does_not_come_back_may_be_said_by_its_kind(
    newest_server_url: URL, tmp_path: Path
) -> None:
    up, bad, _, _ = CASES["a trigger is not there again"]
    texts = [revision(number, up, bad, True) for number in (1, 2)]
    texts[1] = texts[1].replace("Create Date", "Not restored: triggers\nCreate Date")
    proof = proof_of(tmp_path, newest_server_url, *texts)
    assert [finding.path for finding in proof.findings] == [f"{FOLDER}/r001.py"]


def test_values_that_do_not_come_back_are_said_unless_the_docstring_says_it(
    newest_server_url: URL, tmp_path: Path
) -> None:
    texts = [revision(number, *LOSSES[label]) for number, label in enumerate(LOSSES, 1)]
    flagged = revision(len(texts) + 1, *LOSSES["values that are overwritten"], True)
    proof = proof_of(tmp_path, newest_server_url, *texts, flagged)
    expected = [f"{FOLDER}/r{number:03}.py" for number in range(1, len(texts) + 1)]
    assert [(each.path, each.rule) for each in proof.findings] == [
        (path, "destructive-flagged") for path in expected
    ]
    assert all("gone after upgrade() and downgrade()" in each.message for each in proof.findings)


def test_values_that_come_back_are_no_finding(newest_server_url: URL, tmp_path: Path) -> None:
    texts = [revision(number, *KEPT[label]) for number, label in enumerate(KEPT, 1)]
    proof = proof_of(tmp_path, newest_server_url, *texts)
    assert [str(finding) for finding in proof.findings] == []


async def test_roles_of_revisions_are_compared_and_do_not_stay(
    newest_server_url: URL, tmp_path: Path
) -> None:
    role = f"reader_{uuid4().hex[:8]}"
    makes = f"op.execute('CREATE ROLE {role}_{{}}; GRANT SELECT ON T TO {role}_{{}}')"
    drops = f"op.execute('REVOKE ALL ON T FROM {role}_{{0}}; DROP ROLE {role}_{{0}}')"
    texts = [
        revision(1, makes.format(1, 1), drops.format(1)),
        revision(2, makes.format(2, 2), f"op.execute('REVOKE ALL ON T FROM {role}_2')"),
        revision(3, 'op.add_column("T", sa.Column("x", sa.Text()))', 'op.drop_column("T", "x")'),
    ]
    write(tmp_path, [base(len(texts)), *texts])
    paths = sorted(tmp_path.joinpath(FOLDER).glob("r*.py"))[1:]
    for _ in range(2):
        proof = await prove_paths(paths, root=tmp_path, server=newest_server_url)
        assert [str(problem) for problem in proof.problems] == []
        (finding,) = proof.findings
        assert (finding.path[-7:], f"role {role}_2 is left behind" in finding.message) == (
            "r002.py",
            True,
        )
        assert not [name for name in await roles(newest_server_url) if name.startswith(role)]


async def test_what_others_of_the_server_use_is_not_changed(
    newest_server_url: URL, tmp_path: Path
) -> None:
    role = f"their_{uuid4().hex[:8]}"
    await run_on_server(newest_server_url, f"CREATE ROLE {role}")
    adds = "op.execute('CREATE TABLE T_x (id int)')\n"
    unless = (
        f"op.execute(\"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') "
    )
    unless += f'THEN CREATE ROLE {role}; END IF; END $$")'
    block = "DECLARE r text; BEGIN FOR r IN SELECT rolname FROM pg_roles WHERE rolname LIKE "
    block += "'their%' LOOP EXECUTE 'DROP ROLE ' || r; END LOOP; END"
    quoted = block.replace("'", "''")
    cases = {
        f"op.execute('CREATE ROLE {role}')": f'role "{role}" already exists',
        f"op.execute('ALTER ROLE {role} LOGIN')": "ALTER ROLE",
        f"op.execute('GRANT {role} TO postgres')": "GRANT",
        "op.execute('ALTER SYSTEM SET work_mem = 100')": "ALTER SYSTEM",
        "op.execute('CREATE DATABASE elsewhere')": "CREATE DATABASE",
        "op.execute('ALTER DATABASE postgres SET work_mem = 100')": "ALTER DATABASE",
        sql(f"DO $$ {block} $$"): "DROP ROLE",
        sql(f"DO '{quoted}'"): "DROP ROLE",
    }
    texts = [revision(number, up, "pass") for number, up in enumerate(cases, 1)]
    texts.append(revision(len(cases) + 1, adds + unless, f"op.execute('DROP ROLE {role}')"))
    write(tmp_path, [base(len(texts)), *texts])
    paths = sorted(tmp_path.joinpath(FOLDER).glob("r*.py"))[1:]
    proof = await prove_paths(paths, root=tmp_path, server=newest_server_url)
    said = [problem.message for problem in proof.problems]
    assert [problem.path[-7:] for problem in proof.problems] == [
        f"r{number:03}.py" for number in range(1, len(texts) + 1)
    ]
    for message, words in zip(
        said, [*cases.values(), "downgrade() cannot run: DROP ROLE"], strict=True
    ):
        assert words in message
    assert (proof.findings, role in await roles(newest_server_url)) == ([], True)
    await run_on_server(newest_server_url, f"DROP ROLE {role}")


async def roles(server: URL) -> set[str]:
    async with Database(server) as database, database.engine.connect() as connection:
        return {
            name for (name,) in await connection.exec_driver_sql("SELECT rolname FROM pg_roles")
        }
