"""The files of a mapping, opened, and its sections as the inputs of a load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.errors import UsageError
from invoicing.load.checking import Problems, RowReading
from invoicing.load.inputs import PART, Input, Inputs, make_input
from invoicing.load.kinds import (
    ACCOUNTS,
    DERIVED_INVOICES,
    INVOICES,
    MAPPED_LINES,
    UNSCALED_LINES,
)
from invoicing.load.mapping.cells import plain_name
from invoicing.load.mapping.rows import RowConverter
from invoicing.load.mapping.rules import AmountRule, CellRule
from invoicing.load.mapping.shape import ShapedSource
from invoicing.load.mapping.values import CellError
from invoicing.load.rejects import OWN_COLUMNS
from invoicing.load.source import Layout, number_repeated, open_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.load.inputs import Repeats
    from invoicing.load.mapping.model import FileOptions, Mapping
    from invoicing.load.mapping.rules import ExtraLine
    from invoicing.load.source import InputSource

_LONGEST_HEADER = 1000


def open_mapped(
    mapping: Mapping, folder: Path, files: Sequence[Path], problems: Problems, encoding: str | None
) -> Inputs:
    """Open the files of a mapping.

    Args:
        mapping: what they mean.
        folder: where the files are that it names.
        files: the files to read instead, in the order in which it names its own.
        problems: where bad rows are noted.
        encoding: of text; what the mapping says comes first.
    """
    opened = _Opened(mapping, _paths(mapping, folder, files), problems, encoding)
    inputs = Inputs([], mapped=True)
    try:
        opened.add_to(inputs)
    except CellError as error:
        message = f"cannot read the mapping: a value in it {error.message}. Nothing was loaded"
        raise UsageError(message) from None
    return inputs


def _paths(mapping: Mapping, folder: Path, files: Sequence[Path]) -> dict[str, Path]:
    named = list(dict.fromkeys(str(mapping.options(kind).file) for kind in mapping.sections()))
    if not files:
        return {name: folder / name for name in named}
    if len(files) != len(named):
        message = (
            f"the mapping reads {len(named)} files ({', '.join(named)}), and {len(files)} were "
            "named. Nothing was loaded. Name as many, in this order, or none"
        )
        raise UsageError(message)
    by_name = {path.name: path for path in files}
    if {*by_name} == {Path(name).name for name in named}:
        return {name: by_name[Path(name).name] for name in named}
    return dict(zip(named, files, strict=True))


class _Opened:
    """The sources of a mapping's sections; sections that read the same rows share one."""

    def __init__(
        self, mapping: Mapping, paths: dict[str, Path], problems: Problems, encoding: str | None
    ) -> None:
        self._mapping = mapping
        self._problems = problems
        self._options = {}
        for kind in mapping.sections():
            options = mapping.options(kind)
            is_rejects = _is_rejects(paths[str(options.file)])
            self._options[kind] = _of_rejects(options) if is_rejects else options
        self._sources: dict[str, InputSource] = {}
        shared: dict[str, InputSource] = {}
        for kind, options in self._options.items():
            key = repr((options.file, options.sheet))
            if key not in shared:
                path = paths[str(options.file)]
                shared[key] = self._open(path, options, self._named(options.file), encoding)
            self._sources[kind] = shared[key]

    def _named(self, file: str | None) -> list[str]:
        """Return the columns that sections look for in a file."""
        sections = self._mapping.sections()
        rules = [
            rule
            for kind, options in self._options.items()
            if options.file == file
            for rule in sections[kind].rules().values()
        ]
        return [plain_name(name) for rule in rules for name in rule.names]

    def _open(
        self, path: Path, options: FileOptions, known: Sequence[str], encoding: str | None
    ) -> InputSource:
        layout = Layout(
            options.encoding or encoding, options.delimiter, options.header_row, options.sheet
        )
        source = open_table(path, known, layout)
        number_repeated(source)
        return ShapedSource(source, options)

    def add_to(self, inputs: Inputs) -> None:
        """Add what is read for each section."""
        self._add_accounts(inputs)
        self._add_invoices(inputs)
        self._add_lines(inputs)
        invoices, lines = self._mapping.invoices, self._mapping.lines
        inputs.derived = invoices is not None and invoices.amount.sum_of_lines
        inputs.whole = inputs.derived or (
            lines is not None and (lines.id.number or self._is_shared("invoices", "lines"))
        )

    def _is_shared(self, kind: str, *others: str) -> bool:
        mine = self._sources.get(kind)
        return mine is not None and any(self._sources.get(other) is mine for other in others)

    def _converter(self, kind: str) -> RowConverter:
        return RowConverter(self._sources[kind], self._options[kind], self._mapping.words)

    def _repeats(self, kind: str, *others: str) -> Repeats:
        return self._mapping.sections()[kind].repeated if self._is_shared(kind, *others) else "none"

    def _add_accounts(self, inputs: Inputs) -> None:
        if self._mapping.accounts is None:
            return
        converter = self._converter("accounts")
        for name, rule in self._mapping.accounts.rules().items():
            if isinstance(rule, CellRule):
                converter.add(name, rule)
        repeats = self._repeats("accounts", "invoices", "lines")
        reading = RowReading(converter, repeated=repeats != "none")
        source = self._sources["accounts"]
        inputs.files.append(make_input(source, ACCOUNTS, self._problems, reading, repeats))

    def _add_invoices(self, inputs: Inputs) -> None:
        section = self._mapping.invoices
        if section is None:
            return
        converter = self._converter("invoices")
        for name, rule in section.rules().items():
            if isinstance(rule, CellRule):
                converter.add(name, rule)
        if not section.amount.sum_of_lines:
            converter.add_amount("amount_cents", section.amount, section.credit_notes)
        repeats = self._repeats("invoices", "lines")
        reading = RowReading(converter, repeated=repeats != "none")
        kind = DERIVED_INVOICES if section.amount.sum_of_lines else INVOICES
        source = self._sources["invoices"]
        inputs.files.append(make_input(source, kind, self._problems, reading, repeats))

    def _add_lines(self, inputs: Inputs) -> None:
        extra = self._mapping.invoices.extra_lines if self._mapping.invoices is not None else []
        section = self._mapping.lines
        if section is not None:
            converter = self._converter("lines")
            for name, rule in section.rules().items():
                if isinstance(rule, CellRule):
                    converter.add(name, rule)
            self._add_currency(converter)
            options = self._options["lines"]
            inputs.unscaled = options.amounts == "major" and "currency" not in converter.columns
            inputs.rounding = options.rounding
            if extra and "description" not in converter.columns:
                converter.add("description", CellRule(value=""))
            converter.add_amount(
                "total_major" if inputs.unscaled else "total_cents",
                section.total,
                section.credit_notes,
                scaled=not inputs.unscaled,
            )
            kind = UNSCALED_LINES if inputs.unscaled else MAPPED_LINES
            source = self._sources["lines"]
            inputs.files.append(make_input(source, kind, self._problems, RowReading(converter)))
        for part, line in enumerate(extra, start=1):
            inputs.files.append(self._extra(line, part, unscaled=inputs.unscaled))

    def _add_currency(self, converter: RowConverter) -> None:
        """Let lines have the currency that their invoice's row, or the mapping, says."""
        invoices = self._mapping.invoices
        if "currency" in converter.columns or invoices is None:
            return
        if invoices.currency.value is not None or self._is_shared("lines", "invoices"):
            converter.add("currency", invoices.currency)

    def _extra(self, line: ExtraLine, part: int, *, unscaled: bool) -> Input:
        section = self._mapping.invoices
        if section is None:
            raise AssertionError(line)
        converter = self._converter("invoices")
        converter.add_line_of(line.description, section.id)
        converter.add("currency", section.currency)
        name = "total_major" if unscaled else "total_cents"
        empty_is_none = _without_empty(line.total)
        converter.add_amount(name, empty_is_none, section.credit_notes, scaled=not unscaled)
        repeats = self._repeats("invoices", "lines")
        reading = RowReading(
            converter, offset=part * PART, repeated=repeats != "none", drops_zero=True
        )
        kind = UNSCALED_LINES if unscaled else MAPPED_LINES
        return make_input(self._sources["invoices"], kind, self._problems, reading, repeats)


def _without_empty(rule: AmountRule) -> AmountRule:
    """Return a rule by which an empty cell is no amount, and so no line."""
    if rule.column is None or rule.times or rule.discount or rule.discount_percent:
        return rule
    plus = [rule.column, *(rule.plus or [])]
    return rule.model_copy(update={"column": None, "value": "0", "plus": plus})


def _is_rejects(path: Path) -> bool:
    """Tell whether a file is the rejects of an earlier load, corrected."""
    if not path.is_file():
        return False  # a pipe would be waited for
    try:
        with path.open("rb") as file:
            return file.readline(_LONGEST_HEADER).startswith(",".join(OWN_COLUMNS).encode() + b",")
    except OSError:
        return False  # which is said when it is opened


def _of_rejects(options: FileOptions) -> FileOptions:
    """Return the options of a file as its rejects are: a CSV of ours, with dates of workbooks."""
    dates = list(dict.fromkeys([*(options.dates or ["iso"]), "iso"]))
    layout = dict.fromkeys(("header_row", "encoding", "delimiter"))
    return options.model_copy(update={**layout, "encoding": "utf-8", "dates": dates})
