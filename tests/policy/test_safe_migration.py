"""squawk's word on the SQL of each revision comes back at the revision's own line."""

from __future__ import annotations

from pathlib import Path

import pytest

from invoicing.toolkit.policy import all_rules
from invoicing.toolkit.policy.migrations import check_sql, squawk
from invoicing.toolkit.policy.migrations.errors import OfflineSqlError, SquawkMissingError

ROOT = Path(__file__).parents[2]
RULE = all_rules()["safe-migration"]
INI = "[alembic]\nscript_location = %(here)s/scripts\n"
ENV = """\
from alembic import context
context.configure(dialect_name="postgresql", transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
"""


def project(folder: Path, sources: list[str]) -> Path:
    """Write an Alembic project whose revisions are these, one after the other."""
    versions = folder / "scripts" / "versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text(INI)
    (folder / "scripts" / "env.py").write_text(ENV)
    for number, source in enumerate(sources):
        parent = f'"r{number - 1}"' if number else "None"
        text = source.replace('"2a"', f'"r{number}"').replace('"1a"', parent)
        (versions / f"r{number}.py").write_text(text)
    return folder / "alembic.ini"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What is found in every example, bad and good, in one run of each program."""
    labels = [*RULE.bad, *RULE.good]
    sources = [*RULE.bad.values(), *RULE.good.values()]
    config = project(tmp_path_factory.mktemp("alembic"), sources)
    found: dict[str, list[str]] = {label: [] for label in labels}
    for finding in check_sql(config):
        label = labels[int(Path(finding.path).stem[1:])]
        line = Path(finding.path).read_text().splitlines()[finding.line - 1]
        found[label].append(f"{finding.message} @ {line[finding.column - 1 :]}")
    return found


@pytest.mark.parametrize("label", RULE.bad)
def test_a_statement_that_blocks_is_found_at_its_line(
    judged: dict[str, list[str]], label: str
) -> None:
    assert judged[label]
    last = RULE.bad[label].partition("def downgrade")[0].strip().splitlines()[-1].strip()
    assert all(message.endswith(f"@ {last}") for message in judged[label])


@pytest.mark.parametrize("label", RULE.good)
def test_a_statement_that_blocks_no_session_is_not_found(
    judged: dict[str, list[str]], label: str
) -> None:
    assert judged[label] == []


def test_alembics_error_is_one_line_without_a_password(tmp_path: Path) -> None:
    config = project(tmp_path, [])
    (tmp_path / "scripts" / "env.py").write_text(
        "raise RuntimeError('postgresql://a:secret@b/c')\n"
    )
    (tmp_path / "scripts" / "versions" / "r0.py").write_text(
        next(iter(RULE.good.values())).replace('"1a"', "None")
    )
    with pytest.raises(OfflineSqlError, match="Nothing was checked") as caught:
        check_sql(config)
    assert "secret" not in str(caught.value)
    assert "a:***@b" in caught.value.reason


def test_without_squawk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squawk.shutil, "which", lambda *_, **__: None)
    with pytest.raises(SquawkMissingError, match="pip install squawk-cli"):
        check_sql(ROOT / "pyproject.toml")
