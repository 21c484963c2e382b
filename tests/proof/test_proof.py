"""Revisions are run up, down and up again: what does not come back is found, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.proof import Proof, assert_reversible, prove_paths
from tests.policy.test_gate import policy
from tests.policy.test_history import FOLDER, step
from tests.proof.cases import BEFORE, CASES, LOSSES

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
    return (
        text.replace("T_", f"t{number}_")
        .replace('"T"', f'"t{number}"')
        .replace(" T ", f" t{number} ")
        .replace(" T.", f" t{number}.")
        .replace(" T'", f" t{number}'")
        .replace(' T"', f' t{number}"')
    )


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
    # The contract of a rename takes its machinery along, and its downgrade does not bring it back.
    assert {finding.path[-23:] for finding in proof.findings} == {"contract_invoice_amt.py"}
    assert (proof.problems, proof.restored, len(proof.proven)) == ([], 3, 4)


def test_what_does_not_come_back_may_be_said_by_its_kind(
    newest_server_url: URL, tmp_path: Path
) -> None:
    up, bad, _, _ = CASES["a trigger is not there again"]
    texts = [revision(number, up, bad, True) for number in (1, 2)]
    texts[1] = texts[1].replace("Create Date", "Not restored: triggers\nCreate Date")
    proof = proof_of(tmp_path, newest_server_url, *texts)
    assert [finding.path for finding in proof.findings] == [f"{FOLDER}/r001.py"]


@pytest.mark.parametrize("label", LOSSES)
def test_values_that_do_not_come_back_are_said_unless_the_docstring_says_it(
    label: str, newest_server_url: URL, tmp_path: Path
) -> None:
    up, down = LOSSES[label]
    pair = revision(1, up, down), revision(2, up, down, True)
    proof = proof_of(tmp_path, newest_server_url, *pair)
    (finding,) = proof.findings
    assert (finding.path, finding.rule) == (f"{FOLDER}/r001.py", "destructive-flagged")
    assert "gone after upgrade() and downgrade()" in finding.message
