"""`invoicing profile`: a program is run as Python would, and judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from sqlalchemy import create_engine, text

engine = create_engine("sqlite://")


def names(times):
    with engine.connect() as connection:
        for n in range(times):
            connection.execute(text("SELECT name FROM sqlite_master WHERE rootpage = :n"), {"n": n})


print("arguments", sys.argv[1:], __name__, flush=True)
names(int(sys.argv[1]))
if "fail" in sys.argv:
    names("wrong")
if "exit" in sys.argv:
    sys.exit(7)
if "message" in sys.argv:
    sys.exit("bad weather")
"""


def profile(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "invoicing", "profile", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "report.py").write_text(PROGRAM)
    return tmp_path


def test_a_wasteful_program_is_reported_and_ends_with_1(folder: Path) -> None:
    run = profile(folder, "report.py", "4", "--month", "2026-10")
    assert run.returncode == 1
    # Its own output, and nothing else.
    assert run.stdout == "arguments ['4', '--month', '2026-10'] __main__\n"
    assert "[n-plus-one] one query was sent 4 times, for 4 different values" in " ".join(
        run.stderr.split()
    )
    assert "report.py:11" in run.stderr
    assert "1 finding" in run.stderr


def test_a_program_that_wastes_nothing_ends_with_0(folder: Path) -> None:
    run = profile(folder, "report.py", "1")
    assert run.returncode == 0
    assert "No findings." in run.stderr


def test_a_module_is_run_as_python_does(folder: Path) -> None:
    run = profile(folder, "-m", "report", "1")
    assert (run.returncode, run.stdout) == (0, "arguments ['1'] __main__\n")


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("fail", 1, "TypeError: 'str' object cannot be interpreted as an integer"),
        ("exit", 7, "1 finding"),
        ("message", 1, "bad weather"),
    ],
)
def test_a_programs_own_end_comes_first(folder: Path, how: str, code: int, said: str) -> None:
    run = profile(folder, "report.py", "4", how)
    assert run.returncode == code
    assert said in run.stderr
    assert "1 finding" in run.stderr
    # A traceback as Python shows it: the program's lines only.
    assert "runpy" not in run.stderr
    assert "running.py" not in run.stderr


def test_json_is_for_programs(folder: Path) -> None:
    run = profile(folder, "--json", "found.json", "report.py", "4")
    assert run.returncode == 1
    found = json.loads((folder / "found.json").read_text())
    assert (found["program"], found["exit_code"], found["statements"]) == ("report.py", 0, 4)
    (finding,) = found["findings"]
    assert finding["slug"] == "n-plus-one"
    assert finding["file"].endswith("report.py")
    assert (finding["line"], finding["function"]) == (11, "names")
    assert finding["cost"]["statements"] == 3
    printed = profile(folder, "--json", "-", "report.py", "1")
    assert json.loads(printed.stdout.splitlines()[-1])["findings"] == []


def test_a_page_needs_nothing_from_outside(folder: Path) -> None:
    profile(folder, "--html", "queries.html", "report.py", "4")
    page = (folder / "queries.html").read_text()
    assert "<h3>n-plus-one</h3>" in page
    assert "report.py:11" in page
    assert "SELECT name FROM sqlite_master WHERE rootpage = ?" in page
    assert not [word for word in ("http://", "https://", "<script", "src=") if word in page]


def test_findings_can_be_left_out_and_thresholds_set(folder: Path) -> None:
    assert profile(folder, "--allow", "n-plus-one", "report.py", "4").returncode == 0
    assert profile(folder, "--threshold", "repeats=9", "report.py", "4").returncode == 0
    assert profile(folder, "--threshold", "repeats=9", "report.py", "9").returncode == 1


@pytest.mark.broad
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.py",), "there is no script nowhere.py"),
        (("-m", "nowhere"), "there is no module nowhere"),
        (("--allow", "n-plus-on", "report.py", "1"), "Did you mean n-plus-one?"),
        (("--threshold", "repeat=2", "report.py", "1"), "unknown threshold 'repeat'"),
        (("--threshold", "repeats=few", "report.py", "1"), "'few' is not of type int"),
        (("--html", "report.py/x.html", "report.py", "1"), "report.py is not a folder"),
        (("--html", "/proc/x.html", "report.py", "1"), "cannot write /proc/x.html: /proc takes no"),
        (("--threshold", "pause=1", "report.py", "1"), "no threshold 'pause' any more"),
        ((), "Missing argument"),
    ],
)
def test_wrong_use_ends_with_2(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    run = profile(folder, *arguments)
    assert run.returncode == 2
    assert said in " ".join(run.stderr.split())
    assert "Traceback" not in run.stderr


def test_a_missing_import_of_the_program_is_its_own(folder: Path) -> None:
    (folder / "broken.py").write_text("import nowhere_at_all\n")
    for arguments in (("broken.py",), ("-m", "broken")):
        run = profile(folder, *arguments)
        assert run.returncode == 1
        assert "ModuleNotFoundError: No module named 'nowhere_at_all'" in run.stderr


SHELVES = """
import atexit
import multiprocessing
from sqlalchemy import ForeignKey, create_engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.orm import selectinload


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))


def last(engine):
    with Session(engine) as session:
        for number in range(4):
            session.execute(text("SELECT count(*) FROM shelf WHERE id = :id"), {"id": number})


def gone():
    raise AssertionError("it was taken back")


if __name__ == "__main__":
    engine = create_engine("sqlite://")
    atexit.register(last, engine)
    atexit.register(gone)
    atexit.unregister(gone)
    child = multiprocessing.Process(target=print, args=("child",))
    child.start()
    child.join()
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Shelf(books=[Book(), Book()]) for _ in range(12))
        session.commit()
    with Session(engine) as session:
        shelves = session.scalars(select(Shelf)).all()
        print(sum(len(shelf.books) for shelf in shelves))
"""


def inserted(text: str, replacement: dict[str, dict[str, int]]) -> str:
    region = replacement["deletedRegion"]
    lines = text.splitlines(keepends=True)
    line, column = region["startLine"] - 1, region["startColumn"] - 1
    option = replacement["insertedContent"]["text"]
    lines[line] = f"{lines[line][:column]}{option}{lines[line][column:]}"
    return "".join(lines)


def test_findings_go_to_review_with_a_fix_that_works_and_to_a_baseline(tmp_path: Path) -> None:
    program = tmp_path / "shelves.py"
    program.write_text(SHELVES)
    options = ("--github", "--sarif", "log.sarif", "--write-baseline", "known.json")
    run = profile(tmp_path, *options, "shelves.py")
    assert run.returncode == 0, run.stderr
    (line,) = [line for line in run.stderr.splitlines() if "Shelf.books" in line and "::" in line]
    assert line.startswith("::error file=shelves.py,line=49,title=n-plus-one::Shelf.books was")
    assert "Fix: add .options(selectinload(Shelf.books))" in line
    assert "1 process was started by multiprocessing" in run.stderr
    assert "taken back" not in run.stderr
    log = json.loads((tmp_path / "log.sarif").read_text())
    results = {result["message"]["text"][:11]: result for result in log["runs"][0]["results"]}
    # What ran at exit is recorded too, and has no option to insert.
    assert {name: "fixes" in each for name, each in results.items()} == {
        "Shelf.books": True,
        "one query w": False,
    }
    (change,) = results["Shelf.books"]["fixes"][0]["artifactChanges"]
    program.write_text(inserted(SHELVES, change["replacements"][0]))
    (tmp_path / "pyproject.toml").write_text(
        '[tool.invoicing.profile]\nbaseline = "known.json"\nallow = ["over-fetch"]\n'
    )
    fixed = profile(tmp_path, "--json", "-", "shelves.py")
    assert fixed.returncode == 0, fixed.stderr
    assert "1 finding: 0 new, 1 known" in fixed.stderr
    assert "Not found in this run: shelves.py: n-plus-one of Shelf.books" in " ".join(
        fixed.stderr.split()
    )
    assert '"not_recorded": ["1 process' in fixed.stdout


def test_a_baseline_of_another_version_stops_before_the_program_runs(folder: Path) -> None:
    (folder / "known.json").write_text('{"version": 7, "findings": []}')
    run = profile(folder, "--baseline", "known.json", "report.py", "4")
    assert run.returncode == 2
    assert "arguments" not in run.stdout
    assert "has version 7" in run.stderr
