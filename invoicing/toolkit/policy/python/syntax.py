"""What is kept of a file, when its syntax tree is gone: small, and good for another process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.clauses import ClauseSyntax
    from invoicing.toolkit.policy.source import Suppression


class Place(NamedTuple):
    """Where something stands: lines from 1, columns from 0."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Keyword:
    """A keyword argument.

    Attributes:
        text: its value, where that is a constant: as text; None where it is none.
        name: its value, where that is a name or attribute.
        place: where its value stands.
    """

    text: str | None
    name: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class CallSyntax:
    """A call of something with a name.

    Attributes:
        callee: `a.b.c` as it is written; a method of a call's result begins with a dot.
        place: all of it.
        callee_place: its name.
        arguments: positional arguments as they are written, where they are names or attributes;
            the callee of those that are calls, with `()`.
        keywords: keyword arguments.
        expanded: names of what is expanded by `**`.
        function: the function it is in, as a key of `ModuleSyntax.functions`.
        class_name: the class whose body or method it is in.
    """

    callee: str
    place: Place
    callee_place: Place
    arguments: tuple[str | None, ...]
    keywords: dict[str, Keyword]
    expanded: tuple[str | None, ...]
    function: int
    class_name: str | None
    inner: tuple[CallSyntax, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributeSyntax:
    """A name that a class's body binds.

    Attributes:
        name: the attribute.
        annotation: `collection`, `single`, `write_only` or `dynamic`, by what Mapped[...] holds;
            None where it says nothing of it.
        call: the call it is bound to, if it is one.
        constant: the constant it is bound to, as text.
        place: where it is bound.
    """

    name: str
    annotation: str | None
    call: CallSyntax | None
    constant: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class ClassSyntax:
    """A class.

    Attributes:
        name: dotted, within its module.
        bases: as they are written; None for an expression that is no name.
        decorators: as they are written.
        attributes: by name; the last binding counts.
        place: the line of its name.
    """

    name: str
    bases: tuple[str | None, ...]
    decorators: tuple[str | None, ...]
    attributes: dict[str, AttributeSyntax]
    place: Place


@dataclass(slots=True)
class FunctionSyntax:
    """A function's own names.

    Attributes:
        sessions: names that stand for a session, with what says so: an annotation or a call.
        untyped: its parameters without an annotation.
        names: what local names are bound to: the callee of a call, or another name.
    """

    sessions: dict[str, str] = field(default_factory=dict)
    untyped: set[str] = field(default_factory=set)
    names: dict[str, CallSyntax | str] = field(default_factory=dict)


@dataclass(slots=True)
class ModuleSyntax:
    """What is kept of a file.

    Attributes:
        path: relative to the root.
        module: its dotted name.
        imports: local names, and what they stand for.
        stars: modules of star imports.
        classes: in order.
        constants: module-level names that are bound to a constant or a dictionary of constants.
        calls: calls of things with a name.
        functions: the module itself at 0, and each function.
        imported: every imported module, with its place.
        suppressions: its comments for the gate.
        lines: how many lines it has.
        findings: what the rules for migrations found, which read it alone.
        clauses: what the statements in it are made of.
    """

    path: str
    module: str
    imports: dict[str, str]
    stars: tuple[str, ...]
    classes: list[ClassSyntax]
    constants: dict[str, str | dict[str, str]]
    calls: list[CallSyntax]
    functions: list[FunctionSyntax]
    imported: list[tuple[str, Place]]
    suppressions: tuple[Suppression, ...]
    lines: int
    findings: list[PolicyFinding] = field(default_factory=list)
    clauses: list[ClauseSyntax] = field(default_factory=list)
