"""From which size on something is a finding: what every kind declares, as one set of settings."""

from __future__ import annotations

from invoicing.errors import UsageError
from invoicing.toolkit.profiling.findings.registry import KINDS

DECLARED = {threshold.name: threshold for kind in KINDS.values() for threshold in kind.thresholds}
# What was one once, and what to do without it.
WITHDRAWN = {
    "pause": "duplicate-statement reads no clock, and knows by itself where a program waits (a "
    "timer, a sleep, an event). Remove the setting"
}


class Thresholds:
    """From which size on something is a finding; `FINDINGS.md` says what each name means.

    Raises:
        UsageError: no kind of finding declares a threshold of that name.
    """

    def __init__(self, **values: float) -> None:
        for name in values:
            if name in WITHDRAWN:
                raise UsageError(f"there is no threshold {name!r} any more: {WITHDRAWN[name]}")
            if name not in DECLARED:
                message = f"unknown threshold {name!r}; expected one of: {', '.join(DECLARED)}"
                raise UsageError(message)
        self._values = {
            name: values.get(name, threshold.default) for name, threshold in DECLARED.items()
        }

    def __getattr__(self, name: str) -> float:
        try:
            return self.__dict__["_values"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return f"Thresholds({', '.join(f'{name}={value}' for name, value in self._values.items())})"

    @classmethod
    def parse(cls, settings: list[str]) -> Thresholds:
        """Read settings of the form `name=value`.

        Raises:
            UsageError: there is no such threshold, or the value is not a number of its kind.
        """
        values: dict[str, float] = {}
        for setting in settings:
            name, _, text = setting.partition("=")
            number = type(DECLARED[name].default) if name in DECLARED else float
            try:
                values[name] = number(text) if name in DECLARED else 0
            except ValueError:
                message = (
                    f"--threshold {setting}: {text!r} is not of type {number.__name__}. "
                    f"Write for example --threshold {name}={DECLARED[name].default}"
                )
                raise UsageError(message) from None
        return cls(**values)
