"""A whole test-suite under the profiler: which findings fail, which are known, which warn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from invoicing.toolkit.profiling.baseline import Baseline, BaselineEntry, entry_of, write_baseline
from invoicing.toolkit.profiling.errors import WastefulQueriesError
from invoicing.toolkit.profiling.findings.registry import SLUGS
from invoicing.toolkit.profiling.recorder import Recorder, record_queries
from invoicing.toolkit.profiling.settings import ProfileSettings, read_settings
from invoicing.toolkit.profiling.tables import lines_of
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

FAIL, WARN, KNOWN, UNUSED = "fail", "warn", "known", "unused"


class Judged(TypedDict):
    """A finding of a test, as it is sent from one process to another.

    Attributes:
        level: whether it fails the test, is only reported, is in the baseline, or is an allowance
            that allowed nothing.
        entry: what a baseline says of it.
        text: what a reader is shown.
    """

    level: str
    entry: list[str]
    text: str


@dataclass
class Suite:
    """The settings of a run, and what was found in it.

    Attributes:
        settings: the project's.
        baseline: the findings that are known; None without a baseline.
        write: the file that the findings are written to, instead of failing a test.
        seen: everything that was judged, of all tests and processes.
    """

    settings: ProfileSettings
    baseline: Baseline | None = None
    write: Path | None = None
    seen: list[Judged] = field(default_factory=list)

    def budget_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the options of a query budget, with the project's where it has none."""
        allowed = {*SLUGS} - self.settings.fail_on | {*self.settings.allow}
        allow = [*options.get("allow", ()), *sorted(allowed)]
        return {"thresholds": self.settings.thresholds, **options, "allow": allow}

    def recorder(self) -> Recorder:
        """Return what records a test: every task and thread, for fixtures made their contexts."""
        settings = self.settings
        return record_queries(
            everywhere=True, thresholds=settings.thresholds, allow=settings.allow, wire=False
        )

    def judge(self, recorder: Recorder) -> list[Judged]:
        """Say of each finding whether it fails."""
        findings = recorder.findings
        known = self.baseline.entries if self.baseline is not None else frozenset()
        judged = []
        for finding in self.settings.failing(findings):
            entry = entry_of(finding, self.settings.root)
            level = KNOWN if entry in known or self.write is not None else FAIL
            judged.append(Judged(level=level, entry=[*entry], text=str(finding)))
        for finding in self.settings.warning(findings):
            entry = entry_of(finding, self.settings.root)
            judged.append(Judged(level=WARN, entry=[*entry], text=str(finding)))
        unused = (str(allowance) for allowance in recorder.unused_allowances)
        return judged + [Judged(level=UNUSED, entry=[], text=text) for text in unused]

    def check(self, recorder: Recorder, judged: Iterable[Judged]) -> None:
        """Fail for what is new.

        Raises:
            WastefulQueriesError: there is a finding that is in no baseline.
        """
        __tracebackhide__ = True
        new = [each["text"] for each in judged if each["level"] == FAIL]
        if new:
            raise WastefulQueriesError(new, lines_of(recorder.statements))

    def finish(self, *, whole: bool) -> list[str]:
        """Write the baseline, if that is asked for, and return what to say at the end of a run.

        Args:
            whole: whether every test ran; else nothing is known to be stale.
        """
        met = {
            BaselineEntry(*each["entry"]) for each in self.seen if each["level"] in {KNOWN, FAIL}
        }
        lines = self._reported()
        if self.write is not None:
            kept = self.baseline.entries if self.baseline is not None and not whole else frozenset()
            write_baseline(self.write, met | kept)
            beside = "" if whole else ", and what it had, for not every test ran"
            return [*lines, f"wrote {self.write}: {plural(len(met), 'finding')}{beside}"]
        if self.baseline is None:
            return lines
        if met:
            known = len(met & self.baseline.entries)
            lines.append(f"{known:,} of {len(self.baseline.entries):,} known findings were met")
        stale = self.baseline.stale(met) if whole else []
        lines += [f"not found any more: {entry}" for entry in stale]
        if stale:
            lines.append(
                f"{len(stale):,} stale in {self.baseline.path}. Run: pytest --write-query-baseline"
            )
        return lines

    def _reported(self) -> list[str]:
        """Return what only warns, once for each place: its times differ from test to test."""
        titles = {WARN: "warning", UNUSED: "allowed, and not found"}
        reported = [each for each in self.seen if each["level"] in titles]
        texts = {tuple(each["entry"] or [each["text"]]): each for each in reported}
        return [f"{titles[each['level']]}: {each['text']}" for each in texts.values()]


DEFAULT_BASELINE = "queries-baseline.json"


def suite_of(
    root: Path, *, every_test: bool = False, baseline: str | None = None, write: bool = False
) -> Suite:
    """Return the suite of a project, with what the command line says above its settings.

    Raises:
        ProfileSettingsError: the settings are invalid.
        QueryBaselineError: the baseline cannot be read.
    """
    settings = read_settings(root)
    path = root / baseline if baseline else settings.baseline
    if write:
        path = path or root / DEFAULT_BASELINE
    every = every_test or settings.every_test or write
    settings = ProfileSettings(
        root,
        settings.fail_on,
        settings.warn_on,
        settings.allow,
        settings.thresholds,
        path,
        every,
    )
    known = Baseline.read(path) if path is not None and not (write and not path.exists()) else None
    return Suite(settings, known, path if write else None)
