"""Make the fixes that findings bring, as ruff does: the safe ones, the others on request.

A file is written only when it has been proven: it still parses, the findings are gone, and no new
one has arisen in any file. Its encoding, byte order mark and line ends stay as they are.
"""

from __future__ import annotations

import ast
import codecs
import difflib
import os
import shutil
import tempfile
import tokenize
from collections import Counter, defaultdict
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.finding import Problem
from invoicing.toolkit.policy.registry import all_rules
from invoicing.toolkit.policy.runner import check
from invoicing.toolkit.policy.source import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from invoicing.toolkit.policy.finding import Edit, PolicyFinding
    from invoicing.toolkit.policy.runner import Report


class FileFix(NamedTuple):
    """A file as it is and as it would be.

    Attributes:
        path: relative to the root.
        before, after: all of it.
        findings: those that are gone then.
    """

    path: str
    before: bytes
    after: bytes
    findings: list[PolicyFinding]


def fix(
    root: Path, findings: list[PolicyFinding], *, unsafe: bool = False
) -> tuple[int, list[str]]:
    """Change the files; return how many findings are fixed and in which files."""
    fixes = find_fixes(root, findings, unsafe=unsafe)
    failed = {problem.path for problem in write_fixes(root, fixes)}
    written = [file for file in fixes if file.path not in failed]
    return sum(len(file.findings) for file in written), [file.path for file in written]


def fixable(findings: Iterable[PolicyFinding], *, unsafe: bool) -> list[PolicyFinding]:
    """Return the findings that have a fix: a safe one, or with `unsafe` any."""
    rules = all_rules()
    kinds = {"safe", "unsafe"} if unsafe else {"safe"}
    return [
        finding
        for finding in findings
        if finding.is_fixable and rules[finding.rule].applicability in kinds
    ]


def find_fixes(
    root: Path,
    findings: Iterable[PolicyFinding],
    *,
    paths: Sequence[Path] = (),
    unsafe: bool = False,
) -> list[FileFix]:
    """Return each file that can be fixed, proven by a check of the files as they would be.

    Args:
        root: the project's folder.
        findings: what is to be fixed, of what can be.
        paths: what was checked; the root if empty.
        unsafe: also make fixes that change what the code does.
    """
    wanted = set(fixable(findings, unsafe=unsafe))
    texts = _read({finding.path for finding in wanted}, root)
    if not texts:
        return []

    def check_again(changed: Mapping[str, bytes]) -> Report:
        return check(paths or [root], root=root, texts=texts | dict(changed))

    before = check_again({})
    by_path: dict[str, list[PolicyFinding]] = defaultdict(list)
    for finding in before.findings:
        # A file that has changed since it was checked has other findings than those.
        if finding in wanted:
            by_path[finding.path].append(finding)
    fixes = {}
    for path, broken in by_path.items():
        after = _applied(texts[path], [edit for finding in broken for edit in finding.edits])
        if after is not None:
            fixes[path] = FileFix(path, texts[path], after, broken)
    while fixes:
        after_all = check_again({path: file.after for path, file in fixes.items()})
        wrong = _not_proven(before, after_all, fixes)
        if not wrong:
            break
        fixes = {path: file for path, file in fixes.items() if path not in wrong}
    return list(fixes.values())


def _read(names: Iterable[str], root: Path) -> dict[str, bytes]:
    texts = {}
    for name in sorted(names):
        with suppress(OSError):  # it is gone since it was checked
            texts[name] = (root / name).read_bytes()
    return texts


def _not_proven(before: Report, after: Report, fixes: Mapping[str, FileFix]) -> set[str]:
    """Return the files in which a finding stays, or through which something new arises."""
    expected = Counter(finding.key for finding in before.findings)
    expected -= Counter(finding.key for file in fixes.values() for finding in file.findings)
    unexpected = Counter(finding.key for finding in after.findings) - expected
    wrong = {path for path, _, _ in unexpected}
    wrong |= {problem.path for problem in after.problems}
    wrong -= {problem.path for problem in before.problems}
    # What has arisen elsewhere may come from any of them.
    return wrong if wrong.issubset(fixes) else set(fixes)


def _applied(content: bytes, edits: list[Edit]) -> bytes | None:
    """Return the file with its edits made; None where a name they need is not there for certain."""
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    encoding, _ = tokenize.detect_encoding(BytesIO(content).readline)
    # The columns are those of UTF-8, whatever the file is written in.
    text = content[len(mark) :].decode(encoding.removesuffix("-sig")).encode()
    names = {name for edit in edits for name in edit.needs}
    if names and not names <= _imported_for_certain(parse(text.decode()).tree):
        return None
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    # From the end, so that the places before stay right.
    for edit in sorted(set(edits), reverse=True):
        begin = starts[edit.line - 1] + edit.column
        end = starts[edit.end_line - 1] + edit.end_column
        text = text[:begin] + edit.text.encode() + text[end:]
    return mark + text.decode().encode(encoding.removesuffix("-sig"))


def _imported_for_certain(tree: ast.Module) -> set[str]:
    """Return the names that an import at the top binds, and nothing else in the file does."""
    bound = Counter(name for node in ast.walk(tree) for name in _bound(node))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {name for node in imports for name in _bound(node) if bound[name] == 1}


def _bound(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name.partition(".")[0] for alias in names]
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return [name]
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def write_fixes(root: Path, fixes: Iterable[FileFix]) -> list[Problem]:
    """Write the files, each whole or not at all; return those that could not be written."""
    problems = []
    for file in fixes:
        path = (root / file.path).resolve()
        try:
            if path.read_bytes() != file.before:
                problems.append(Problem(file.path, 1, "changed while it was being checked"))
            elif path.stat().st_mode & 0o222:
                _replace(path, file.after)
            else:
                problems.append(Problem(file.path, 1, "read-only, so its fixes are not written"))
        except OSError as error:
            problems.append(Problem(file.path, 1, f"its fixes are not written: {error.strerror}"))
    return problems


def _replace(path: Path, content: bytes) -> None:
    status = path.stat()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        shutil.copymode(path, name)
        with suppress(OSError, AttributeError):  # only root may give it back to its owner
            os.chown(name, status.st_uid, status.st_gid)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def as_diff(fixes: Iterable[FileFix]) -> str:
    """Return a unified diff of what would be written."""
    lines: list[str] = []
    unended = "\n\\ No newline at end of file\n"
    for file in fixes:
        encoding, _ = tokenize.detect_encoding(BytesIO(file.before).readline)
        before, after = (
            text.decode(encoding).splitlines(keepends=True) for text in (file.before, file.after)
        )
        changed = difflib.unified_diff(before, after, file.path, file.path)
        lines += [line if line.endswith("\n") else line + unended for line in changed]
    return "".join(lines)
