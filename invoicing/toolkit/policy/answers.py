"""What a check has found, kept for the next check of the same files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.cache import digest, tool
from invoicing.toolkit.policy.files import home_of

if TYPE_CHECKING:
    from invoicing.toolkit.policy.cache import Cache
    from invoicing.toolkit.policy.finding import PolicyFinding, Problem
    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.settings import PolicySettings


class CheckAnswer(NamedTuple):
    """What a check of files has found.

    Attributes:
        findings: those in the files asked for, uncertain ones among them.
        problems: what of them could not be read.
        lines: how many they have.
        has_migrations: whether a revision is among them.
        homes: each folder of revisions, with the folder of the env.py that runs them.
    """

    findings: list[PolicyFinding]
    problems: list[Problem]
    lines: int
    has_migrations: bool
    homes: dict[str, str]


class CheckQuestion(NamedTuple):
    """What decides an answer, besides the files themselves.

    Attributes:
        root: the project's folder.
        settings: its settings.
        chosen: the rules that run.
        asked: how many of the files are asked for: the last ones.
        known: the rules that there are.
        idle: those that do not run, so that a comment that allows them may be needed.
    """

    root: Path
    settings: PolicySettings
    chosen: set[str]
    asked: int
    known: frozenset[str] = frozenset()
    idle: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What the answer is kept by."""
        where = str(self.root.resolve())
        return f"answer-{digest(tool(), where, repr(self.settings), *sorted(self.chosen))[:24]}"

    def of(self, identities: list[str]) -> str:
        """Return what stands for the question and for all that was read."""
        return digest(str(self.asked), *identities)


def recalled(cache: Cache, question: CheckQuestion, identities: list[str]) -> CheckAnswer | None:
    """Return the answer to the same question before; None where something differs."""
    kept = cache.read(question.name)
    answers: dict[str, CheckAnswer] = kept if isinstance(kept, dict) else {}
    answer = answers.get(question.of(identities))
    # An env.py may have come or gone, and need not be a file that is checked.
    if answer is None or any(str(home_of(Path(of))) != home for of, home in answer.homes.items()):
        return None
    return answer


def remember(
    cache: Cache, question: CheckQuestion, identities: list[str], answer: CheckAnswer
) -> None:
    """Keep an answer, and the latest others to questions about this project."""
    kept = cache.read(question.name)
    answers: dict[str, CheckAnswer] = kept if isinstance(kept, dict) else {}
    key = question.of(identities)
    answers.pop(key, None)
    latest = list(answers.items())[-LATEST:]
    cache.write(question.name, dict([*latest, (key, answer)]))


# Those of the hook for changed files differ each time; the one for the whole project stays.
LATEST = 7


def homes_of(project: Project) -> dict[str, str]:
    """Return the folders of revisions, each with that of its env.py."""
    paths = [module.revision.path for module in project.modules if module.revision is not None]
    folders = {(project.root / path).parent for path in paths}
    return {str(folder): str(home_of(folder)) for folder in folders}
