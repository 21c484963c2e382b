"""The answer with a cache is the answer without it, whatever happens between two checks."""

from __future__ import annotations

import json
import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.policy import FORMATS, all_rules, answers, check, reading
from invoicing.toolkit.policy import cache as cache_module
from invoicing.toolkit.policy.cache import Cache, open_cache, tool
from invoicing.toolkit.policy.python import collect
from tests.policy.cached_project import EDITS, NEVER_KEPT, begin
from tests.policy.project import write
from tests.policy.snippets import BAD
from tests.policy.test_daily_work import append, git
from tests.policy.test_gate import policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEPS = 50
BROKEN = BAD["lazy-raise"]["no lazy"]


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the key of these tests in a folder of theirs."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def first(tmp_path: Path) -> str:
    """Return what the first check of a project with a fault says, which fills the cache."""
    write(tmp_path, BROKEN)
    return shown(tmp_path, tmp_path / "cache", [tmp_path])


def shown(root: Path, cache: Path | None, paths: list[Path], **options: object) -> str:
    """Return all that a check says, in every format."""
    report = check(paths, root=root, processes=1, cache=cache, **options)
    said = [show(report, all_rules()) for show in FORMATS.values()]
    return "\n".join([*said, *report.notes, *map(repr, report.findings), repr(report.not_run)])


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_edited_the_answer_is_the_same(tmp_path: Path, seed: int) -> None:
    by = Random(seed)
    root, cache = tmp_path / "project", tmp_path / "cache"
    begin(root)
    edits = [by.choice(EDITS) for _ in range(STEPS)]
    options: dict[str, object] = {}
    said = set()
    for edit in edits:
        edit(root, by)
        files = sorted(root.rglob("*.py"))
        paths = by.choice([[root], [root], [root / "app"], by.sample(files, min(3, len(files)))])
        if by.random() < 0.2:
            rule = by.choice(sorted(all_rules()))
            options = by.choice([{}, {"select": [rule]}, {"ignore": [rule]}, {"strict": True}])
        paths = [path for path in paths if os.path.lexists(path)]
        without = shown(root, None, paths, **options)
        assert shown(root, cache, paths, **options) == without, edit.__name__
        assert shown(root, cache, paths, **options) == without, f"again after {edit.__name__}"
        said.add(without)
    # They would prove nothing if every answer were the same.
    assert len(said) > STEPS / 4


def test_a_second_check_reads_nothing_and_one_after_a_change_only_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, cache = tmp_path / "project", tmp_path / "cache"
    begin(root)
    first = shown(root, cache, [root])
    read: list[str] = []
    kept = collect.collect
    monkeypatch.setattr(collect, "collect", lambda source: read.append(source.path) or kept(source))
    assert shown(root, cache, [root]) == first
    assert read == []
    append(root / "app/models.py", "x = 1\n")
    shown(root, cache, [root])
    assert read == ["app/models.py"]
    for entry in (cache / "policy").glob("answer-*"):
        entry.unlink()
    shown(root, cache, [root])
    assert read == ["app/models.py"]


def test_a_file_whose_time_stays_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    cache, models = tmp_path / "cache", tmp_path / "app/models.py"
    before, status = models.read_text(), models.stat()
    assert len(check([tmp_path], cache=cache).findings) == 1
    # As many bytes, and the time of before.
    models.write_text(before.replace("relationship", "relationshiq"))
    os.utime(models, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert models.stat().st_size == status.st_size
    assert shown(tmp_path, cache, [tmp_path]) == shown(tmp_path, None, [tmp_path])


def test_another_gate_or_python_reads_everything_again(
    tmp_path: Path, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    before = tool()
    monkeypatch.setattr(sys, "version", "3.99")
    tool.cache_clear()
    assert tool() != before
    monkeypatch.undo()
    tool.cache_clear()
    monkeypatch.setattr(cache_module, "__file__", str(tmp_path / "app/models.py"))
    assert tool() != before  # by its sources
    monkeypatch.undo()
    tool.cache_clear()
    for module in (reading, answers):
        monkeypatch.setattr(module, "tool", lambda: "of another version")
    monkeypatch.setattr(reading, "_read", lambda *_: reading.Checked([], []))
    assert shown(tmp_path, cache, [tmp_path]) != first


def corrupt(entry: Path, how: str) -> None:
    content = bytearray(entry.read_bytes())
    if how == "cut short":
        entry.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        entry.write_bytes(b"")
    elif how == "a bit":
        content[-5] ^= 1
        entry.write_bytes(content)
    else:
        entry.unlink()
        entry.mkdir()


@pytest.mark.parametrize("how", ["cut short", "empty", "a bit", "a folder"])
def test_what_is_corrupt_is_read_again(tmp_path: Path, first: str, how: str) -> None:
    cache = tmp_path / "cache"
    for entry in (cache / "policy").iterdir():
        corrupt(entry, how)
    assert shown(tmp_path, cache, [tmp_path]) == first
    assert shown(tmp_path, cache, [tmp_path]) == first


class Runs:
    """What an attacker would have unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("was-run",)


def test_an_entry_of_another_person_is_never_opened(
    tmp_path: Path, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.chdir(tmp_path)
    for entry in (cache / "policy").iterdir():
        foreign = Cache(cache / "policy", b"k" * 32)
        foreign.write(entry.name, Runs())
        assert len(pickle.dumps(Runs())) < entry.stat().st_size
    assert shown(tmp_path, cache, [tmp_path]) == first
    assert not (tmp_path / "was-run").exists()


def test_a_key_that_others_can_read_signs_nothing(tmp_path: Path, home: Path) -> None:
    assert open_cache(tmp_path / "cache") is not None
    (home / "invoicing/policy.key").chmod(0o644)
    assert open_cache(tmp_path / "cache") is None
    (home / "invoicing/policy.key").chmod(0o600)
    (home / "invoicing/policy.key").write_bytes(b"short")
    assert open_cache(tmp_path / "cache") is None


def test_where_nothing_can_be_kept_the_answer_is_the_same(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    without = shown(tmp_path, None, [tmp_path])
    (tmp_path / "taken").write_text("")
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(elsewhere)
    for folder in ("taken", "taken/below", "link"):
        assert shown(tmp_path, tmp_path / folder, [tmp_path]) == without
    assert not any(elsewhere.iterdir())
    run = policy(tmp_path, "check", "--cache-dir", "taken")
    assert (run.returncode, "no cache can be kept in taken" in run.stderr) == (1, True)


def test_checks_at_once_give_the_same_answer(tmp_path: Path) -> None:
    begin(tmp_path)
    cache = tmp_path / "cache"
    without = shown(tmp_path, None, [tmp_path])
    with ThreadPoolExecutor(4) as pool:
        said = set(pool.map(lambda _: shown(tmp_path, cache, [tmp_path]), range(12)))
    assert said == {without}
    assert not [entry for entry in (cache / "policy").iterdir() if entry.name.count(".")]


def test_it_is_kept_in_the_project_and_out_of_git_and_backups(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    git(tmp_path, "init", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    append(tmp_path / "app/models.py", "    c: Mapped['C'] = relationship()\n")
    with_diff = ("check", "--diff-base", "main")
    first = policy(tmp_path, *with_diff)
    folder = tmp_path / ".invoicing_cache"
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f0688")
    git(tmp_path, "add", ".")
    git(tmp_path, "diff", "--cached", "--quiet", "--", ".invoicing_cache")
    assert first.stdout.count("lazy-raise") == policy(tmp_path, *with_diff).stdout.count(
        "lazy-raise"
    )
    policy(tmp_path, "check", "--write-baseline", "known.json")
    assert len(json.loads((tmp_path / "known.json").read_text())) == 2
    append(tmp_path / "app/models.py", "    d: Mapped['C'] = relationship()\n")
    baseline = ("check", "--baseline", "known.json")
    assert policy(tmp_path, *baseline).stdout == policy(tmp_path, *baseline, "--no-cache").stdout


def test_an_editors_text_is_not_kept(tmp_path: Path, first: str) -> None:
    cache = tmp_path / "cache"
    kept = {entry.name: entry.read_bytes() for entry in (cache / "policy").iterdir()}
    clean = {"app/models.py": b"x = 1\n"}
    assert check([tmp_path], cache=cache, texts=clean).findings == []
    assert kept == {entry.name: entry.read_bytes() for entry in (cache / "policy").iterdir()}
    assert shown(tmp_path, cache, [tmp_path]) == first


@pytest.mark.parametrize("text", NEVER_KEPT)
def test_what_cannot_be_read_is_tried_again(tmp_path: Path, text: bytes) -> None:
    write(tmp_path, BROKEN)
    cache, file = tmp_path / "cache", tmp_path / "app/broken.py"
    file.write_bytes(text)
    first = check([tmp_path], cache=cache)
    assert [problem.path for problem in first.problems] == ["app/broken.py"]
    assert check([tmp_path], cache=cache).problems == first.problems
    file.write_bytes(b"x = 1\n")
    assert check([tmp_path], cache=cache).problems == []


def set_no_mixin(root: Path) -> None:
    (root / "pyproject.toml").write_text('[tool.invoicing.policy]\nmixin = "Other"\n')


def give_a_history_of_its_own(root: Path) -> None:
    (root / "app/migrations/other/env.py").write_text("")


def put_a_problem_beside(root: Path) -> None:
    (root / "app/broken.py").write_text("def f(:\n")


@pytest.mark.parametrize("edit", [set_no_mixin, give_a_history_of_its_own, put_a_problem_beside])
def test_what_stands_beside_the_files_counts(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    root, cache = tmp_path / "project", tmp_path / "cache"
    begin(root)
    write(root, {"app/migrations/env.py": "", "app/migrations/other/two.py": ""})
    (root / "app/migrations/versions/two.py").unlink()
    # A second head, unless it is of another history. No file that is checked says which.
    (root / "pyproject.toml").write_text("[tool.invoicing.policy]\nexclude = ['**/env.py']\n")
    first = (root / "app/migrations/versions/one.py").read_text()
    (root / "app/migrations/other/two.py").write_text(first.replace('"a"', '"z"'))
    before = shown(root, cache, [root])
    edit(root)
    after = shown(root, None, [root])
    assert after != before
    assert shown(root, cache, [root]) == after
