"""Make the fixes that findings bring, as ruff does: the safe ones, the others on request.

A file is written only when it has been proven: it still parses, the findings are gone, and no new
one has arisen in any file. Its encoding, byte order mark and line ends stay as they are.
"""

from __future__ import annotations

import ast
import codecs
import difflib
import tokenize
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.finding import Edit, Problem
from invoicing.toolkit.policy.registry import all_rules, fixable
from invoicing.toolkit.policy.replacing import replace_file
from invoicing.toolkit.policy.runner import check
from invoicing.toolkit.policy.source import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from invoicing.toolkit.policy.finding import PolicyFinding
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
        if finding in wanted and not _uncertain(texts[finding.path], finding):
            by_path[finding.path].append(finding)
    fixes = {}
    for path, broken in by_path.items():
        after = _applied(texts[path], [edit for finding in broken for edit in finding.edits])
        fixes[path] = FileFix(path, texts[path], after, broken)
    while fixes:
        after_all = check_again({path: file.after for path, file in fixes.items()})
        wrong = _not_proven(before, after_all, fixes)
        if not wrong:
            break
        fixes = {path: file for path, file in fixes.items() if path not in wrong}
    return list(fixes.values())


def explain_left(
    root: Path,
    findings: Iterable[PolicyFinding],
    *,
    unsafe: bool,
    unwritten: Iterable[Problem] = (),
) -> list[PolicyFinding]:
    """Return findings that fixing has left, each with the reason.

    Args:
        root: the project's folder.
        findings: what is left.
        unsafe: whether unsafe fixes were made as well.
        unwritten: the files that could not be written.
    """
    said = {problem.path: problem.message for problem in unwritten}
    return [
        replace(finding, left=_why_left(root, finding, said.get(finding.path, ""), unsafe=unsafe))
        for finding in findings
    ]


def _why_left(root: Path, finding: PolicyFinding, unwritten: str, *, unsafe: bool) -> str:
    applicability = all_rules()[finding.rule].applicability
    text = _read([finding.path], root).get(finding.path) if finding.is_fixable else None
    names = sorted(_uncertain(text, finding)) if text is not None else []
    why = {
        finding.left: bool(finding.left),
        "this rule has no automatic fix": applicability is None,
        "what would have to change stands elsewhere": not finding.edits,
        "the cells of a notebook are left to you": not finding.is_fixable,
        "its fix is unsafe, and made with --unsafe-fixes": applicability == "unsafe" and not unsafe,
        f"{''.join(names[:1])} is not bound once, by an import at the top": bool(names),
        unwritten: bool(unwritten),
    }
    other = "the file with its fixes did not pass the check, so nothing of it is written"
    return next((reason for reason, holds in why.items() if holds), other)


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


def _decoded(content: bytes) -> tuple[bytes, str, bytes]:
    """Return a file's byte order mark, its encoding, and its text as UTF-8, as columns count."""
    mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    encoding = tokenize.detect_encoding(BytesIO(content).readline)[0].removesuffix("-sig")
    return mark, encoding, content[len(mark) :].decode(encoding).encode()


def _applied(content: bytes, edits: list[Edit]) -> bytes:
    """Return the file with its edits made, and with the imports that they need."""
    mark, encoding, text = _decoded(content)
    if any(edit.imports for edit in edits):
        tree = parse(text.decode()).tree
        end = next(filter(text.decode().__contains__, ("\r\n", "\n", "\r")), "\n")
        edits = [*edits, *(_import(tree, edit, end) for edit in edits if edit.imports)]
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    # From the end, so that the places before stay right.
    for edit in sorted({edit._replace(needs=(), imports="") for edit in edits}, reverse=True):
        begin = starts[edit.line - 1] + edit.column
        until = starts[edit.end_line - 1] + edit.end_column
        text = text[:begin] + edit.text.encode() + text[until:]
    return mark + text.decode().encode(encoding)


def _import(tree: ast.Module, edit: Edit, end: str) -> Edit:
    """Return what imports a name: beside the one that is swapped, or below the imports."""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in [each for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)]:
        for alias in node.names if node.module == "sqlalchemy.orm" else ():
            if (alias.asname or alias.name) == edit.needs[-1]:
                line, column = alias.end_lineno or 0, alias.end_col_offset or 0
                return Edit(line, column, line, column, f", {edit.imports}")
    last = max((node.end_lineno or 0 for node in imports if node.lineno < edit.line), default=0)
    # Whatever else begins on that line ends before it, too.
    line = max((node.end_lineno or 0 for node in tree.body if node.lineno <= last), default=0) + 1
    return Edit(line, 0, line, 0, f"from sqlalchemy.orm import {edit.imports}{end}")


class _Names(NamedTuple):
    """What binds the names of a file: how often, and which for certain, in the file or a function.

    Attributes:
        bound: how often each is bound.
        certain: those that an import at the top binds, or an assignment.
        local: those that each import at the top of a function binds.
    """

    bound: Counter[str]
    certain: set[str]
    local: list[set[str]]


@lru_cache(maxsize=4)
def _names(content: bytes) -> _Names:
    tree = parse(_decoded(content)[2].decode()).tree
    names = _Names(Counter(name for node in ast.walk(tree) for name in _bound(node)), set(), [])
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            targets = [target for target in node.targets if isinstance(target, ast.Name)]
            names.certain.update(target.id for target in targets)
        elif isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef):
            imports = [each for each in node.body if isinstance(each, ast.Import | ast.ImportFrom)]
            if isinstance(node, ast.Module):
                names.certain.update(*map(_bound, imports))
            else:
                names.local.extend(set(_bound(each)) for each in imports)
    return names


def _uncertain(content: bytes, finding: PolicyFinding) -> set[str]:
    """Return the names by which a fix goes and that may not be what they seem."""
    needs = {name for edit in finding.edits for name in edit.needs}
    if not needs:
        return set()
    names = _names(content)
    # What a function imports is certain where it imports all of them.
    unsure = set() if any(needs <= local for local in names.local) else needs - names.certain
    unsure |= {name for name in needs if names.bound[name] > 1}
    return unsure | {edit.imports for edit in finding.edits if names.bound[edit.imports]}


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
                replace_file(path, file.after)
            else:
                problems.append(Problem(file.path, 1, "read-only, so its fixes are not written"))
        except OSError as error:
            problems.append(Problem(file.path, 1, f"its fixes are not written: {error.strerror}"))
    return problems


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
