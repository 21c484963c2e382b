"""What is kept of a file, when its syntax tree is gone: small, and good for another process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.finding import PolicyFinding

if TYPE_CHECKING:
    from invoicing.toolkit.policy.finding import Edit
    from invoicing.toolkit.policy.migrations.steps import RevisionSteps
    from invoicing.toolkit.policy.source import Suppression


class Place(NamedTuple):
    """Where something stands: lines from 1, columns from 0."""

    line: int
    column: int
    end_line: int
    end_column: int


class Keyword(NamedTuple):
    """A keyword argument.

    Attributes:
        text: its value, where that is a constant: as text; None where it is none.
        name: its value, where that is a name or attribute.
        place: where its value stands.
        held: its constants by their names, where it is a dictionary.
        made: its value, where that is a column or its type, and made by a call.
    """

    text: str | None
    name: str | None
    place: Place
    held: dict[str, str] | None = None
    made: CallSyntax | None = None


class CallSyntax(NamedTuple):
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
        inner: the calls it is made of; those made several times over come twice.
        text: its first positional argument, where that is a constant, as text.
        is_repeated: whether it stands in a loop, by itself.
        awaited: whether it is awaited where it stands.
        given: its second positional argument.
        ends: the line and column where its last positional argument ends, and its last argument.
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
    text: str | None = None
    is_repeated: bool = False
    awaited: bool = False
    given: Keyword | None = None
    ends: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))


class ClauseSyntax(NamedTuple):
    """The arguments of a call that builds a statement.

    Attributes:
        name: of the method.
        place: where the arguments stand.
        function: the function it is in, as a key of `ModuleSyntax.functions`.
        names: names and attributes that stand where a column may.
        calls: what is called anywhere in it, as it is written; a method of a call's result begins
            with a dot.
        has_text: whether a string stands where a column may.
        is_read: whether all of it is names, calls and operators.
    """

    name: str
    place: Place
    function: int
    names: tuple[str, ...]
    calls: tuple[str, ...]
    has_text: bool
    is_read: bool


class AliasSyntax(NamedTuple):
    """A name for a type: `Money = Annotated[Decimal, mapped_column(...)]`, `type Money = ...`.

    Attributes:
        name: the class that it is about, as it is written.
        metadata: the calls in its `Annotated[...]`.
    """

    name: str
    metadata: tuple[CallSyntax, ...]


class AttributeSyntax(NamedTuple):
    """A name that a class's body binds.

    Attributes:
        name: the attribute.
        annotation: `collection`, `single`, `write_only` or `dynamic`, by what Mapped[...] holds;
            None where it says nothing of it.
        call: the call it is bound to, if it is one.
        constant: the constant it is bound to, as text.
        place: where it is bound.
        mapped: the class in its `Mapped[...]`, as it is written.
        keys: those of the dictionary it is bound to, as far as they are names.
        values: what each of these keys leads to, by name or by the call that makes it.
        metadata: the calls in its `Annotated[...]`.
        plain: the class in its annotation, where that is no `Mapped[...]`, as it is written.
    """

    name: str
    annotation: str | None
    call: CallSyntax | None
    constant: str | None
    place: Place
    mapped: str | None = None
    keys: tuple[str, ...] = ()
    values: tuple[CallSyntax | str | None, ...] = ()
    metadata: tuple[CallSyntax, ...] = ()
    plain: str | None = None


class ClassSyntax(NamedTuple):
    """A class.

    Attributes:
        name: dotted, within its module.
        bases: as they are written; None for an expression that is no name.
        decorators: as they are written.
        attributes: by name; the last binding counts.
        place: the line of its name.
        keywords: those of its head, such as `table=True`, with their constants.
        instance: what says which object an attribute of self is: an annotation or a call.
    """

    name: str
    bases: tuple[str | None, ...]
    decorators: tuple[str | None, ...]
    attributes: dict[str, AttributeSyntax]
    place: Place
    keywords: dict[str, str | None]
    instance: dict[str, str]


@dataclass(slots=True)
class FunctionSyntax:
    """A function's own names.

    Attributes:
        sessions: names that stand for a session, with what says so: an annotation or a call.
        injected: its parameters that a dependency fills in, with the call that makes each.
        gives: the names that it returns or yields.
        untyped: its parameters without an annotation.
        positions: its parameters in order, where one of them has no annotation.
        parameters: all of them.
        names: what local names are bound to: the callee of a call, or another name.
        choices: names that stand for one of several others.
        loops: names that stand for several others in turn, where that is, and what they are: names
            and attributes, or the name of what holds them with `[]` behind it.
        held_names: names of lists, with the names and attributes that they hold.
        lists: the calls that a list of this name holds; those made several times over come twice.
        waits: the lines on which a name is awaited.
        bound: the names that it binds, its parameters among them.
        held: the context managers with names that it enters, and where their blocks are.
        name: its own, or what a lambda is bound to; empty for the module and other lambdas.
        class_name: the class whose method it is.
        parent: the function it is in.
        place: where it stands.
        returns: what it returns: the class by its annotation.
        made: the call that it returns.
        defaults: constants that it gives to keywords it passes on, by `setdefault`.
    """

    sessions: dict[str, str] = field(default_factory=dict)
    injected: dict[str, str] = field(default_factory=dict)
    gives: set[str] = field(default_factory=set)
    untyped: set[str] = field(default_factory=set)
    positions: tuple[str, ...] = ()
    parameters: set[str] = field(default_factory=set)
    names: dict[str, CallSyntax | str] = field(default_factory=dict)
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    loops: list[tuple[str, Place, tuple[str, ...]]] = field(default_factory=list)
    held_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lists: dict[str, list[CallSyntax]] = field(default_factory=dict)
    waits: dict[str, list[int]] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    held: list[tuple[str, Place]] = field(default_factory=list)
    name: str = ""
    class_name: str | None = None
    parent: int = 0
    place: Place | None = None
    returns: str | None = None
    made: CallSyntax | None = None
    defaults: dict[str, Keyword] = field(default_factory=dict)


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
        reads: attributes that are read and mean a query, with their places.
        aliases: the names that it gives to types, outside of functions and classes.
        imported: every imported module, with its place.
        suppressions: its comments for the gate.
        lines: how many lines it has.
        findings: what the rules for migrations found, which read it alone.
        clauses: what the statements in it are made of.
        revision: its steps, if it is a revision.
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
    revision: RevisionSteps | None = None
    reads: list[tuple[str, Place]] = field(default_factory=list)
    aliases: dict[str, AliasSyntax] = field(default_factory=dict)

    def finding(
        self,
        place: Place,
        rule: str,
        message: str,
        fix: str,
        *,
        strict: bool = False,
        edits: tuple[Edit, ...] = (),
    ) -> PolicyFinding:
        """Make the finding of a place in this file."""
        at = place.line, place.column + 1
        return PolicyFinding(self.path, *at, rule, message, fix, strict, edits)
