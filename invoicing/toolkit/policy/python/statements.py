"""What a statement holds that a join more, or less, would change: then its loaders are left.

A window or an aggregate counts the rows before they are made unique; a name in raw SQL is
ambiguous as soon as a second table has it. What cannot be read counts as either. What runs the
statement may stand in another function or file: then what is done to statements near it counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.python.clauses import CRITERIA, WRAPPERS
from invoicing.toolkit.policy.python.sessions import is_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ClauseSyntax, ModuleSyntax, Place

# What may stand in a chain of options.
OPTIONS = {"joinedload", "selectinload", "subqueryload", "immediateload", "lazyload"}
OPTIONS |= {"defaultload", "raiseload", "load_only", "defer", "undefer", "Load"}
# What a statement may be built of, from `select` to where it is run.
BUILDERS = {"select", "options", "where", "filter", "filter_by", "order_by", "limit", "offset"}
BUILDERS |= {"join", "outerjoin", "distinct", "group_by", "having", "add_columns"}
LOCKS = {
    "with_for_update", "with_lockmode", "ForUpdateArg", "with_loader_criteria", "with_expression",
    "prefix_with", "suffix_with", "with_hint", "with_statement_hint",
}  # fmt: skip
# What a joined table more would fail or be left out of.
JOINLESS = {
    "from_statement", "group_by", "distinct", "returning", "union", "union_all", "intersect",
    "intersect_all", "except_", "except_all",
}  # fmt: skip
HAZARDS = {"selectinload": LOCKS, "joinedload": LOCKS | JOINLESS}
RAW = {"text", "literal_column", "column", "TextClause", "TextualSelect"}
WINDOWS = {"over", "within_group", "aggregate_order_by", "Over", "WithinGroup"}
# What may be added to a statement after it has been built elsewhere.
ADDS = {"add_columns", "add_column", "with_only_columns", "with_entities"}
# Functions of one row, whatever other rows there are.
OF_ONE_ROW = {
    "lower", "upper", "trim", "ltrim", "rtrim", "length", "char_length", "substr", "substring",
    "replace", "concat", "coalesce", "nullif", "greatest", "least", "abs", "round", "ceil",
    "floor", "mod", "now", "current_timestamp", "date", "date_trunc", "date_part", "to_char",
    "strftime",
}  # fmt: skip
# Made in a class, but no part of what a statement selects but a plain column.
COLUMNS = {"mapped_column", "Column", "relationship"}
RUNS = {"execute", "scalar", "scalars", "stream", "stream_scalars"}
# A chain of names longer than this is not followed.
DEEPEST = 30


def obstacle(project: Project, module: ModuleSyntax, call: CallSyntax, wanted: str) -> str:
    """Return why a loader is not changed into `wanted`, by what its statement is; "" if it may."""
    outer = [other for other in module.calls if other is not call and encloses(other.place, call)]
    outer.sort(key=lambda other: other.place, reverse=True)
    if any(other.expanded for other in outer):
        return "an argument beside it is expanded by **"
    run = _run_in_place(project, module, outer)
    if run is not None:
        used = _names(each for each in module.calls if encloses(run.place, each))
    else:
        used = set().union(*(_names_of(project, near) for near in _near(project, module)))
    hazards = sorted(HAZARDS[wanted] & used)
    if hazards:
        if run is not None:
            return f"{hazards[0]}() is called in its statement"
        return f"{hazards[0]}() is called in this file or near it, maybe on its statement"
    near = [module] if run is not None else _near(project, module)
    if any(
        _is_of_connection(each, other) for each in near for other in (outer if run else each.calls)
    ):
        return "a connection may run its statement, and gives every row that is joined"
    whole = run or (outer[-1] if outer else call)
    own = [other for other in module.clauses if other.function == whole.function]
    groups = [other for other in own if other.name == "group_by" and not _is_within(own, other)]
    if wanted == "selectinload" and groups:
        # SQLAlchemy 2.0 joins around the groups while a collection is joined, else among them.
        return "group_by() is called near its statement"
    return next(filter(None, _obstacles(project, module, whole, is_run=run is not None)), "")


def _obstacles(
    project: Project, module: ModuleSyntax, whole: CallSyntax, *, is_run: bool
) -> Iterator[str]:
    """Say what is wrong with each clause of a statement, and with those that may be added."""
    own = [clause for clause in module.clauses if encloses(whole.place, clause)]
    if not is_run:
        own += [clause for clause in module.clauses if clause.function == whole.function]
    for clause in own:
        is_criterion = clause.name in CRITERIA or any(
            other.name in CRITERIA and encloses(other.place, clause) for other in own
        )
        yield _of_clause(project, module, clause, is_criterion=is_criterion)
    for near in () if is_run else _near(project, module):
        for clause in near.clauses:
            if clause not in own:
                yield _added(near, clause)


def _is_within(clauses: list[ClauseSyntax], inner: ClauseSyntax) -> bool:
    """Return whether a clause is of a statement within another's clause."""
    return any(other is not inner and encloses(other.place, inner) for other in clauses)


def encloses(place: Place, inner: CallSyntax | ClauseSyntax) -> bool:
    """Return whether something stands within a place."""
    return place[:2] <= inner.place[:2] and inner.place[2:] <= place[2:]


def _run_in_place(
    project: Project, module: ModuleSyntax, outer: list[CallSyntax]
) -> CallSyntax | None:
    """Return the call that runs a statement where it is written."""
    for other in outer:
        if is_query(project, module, other):
            return other
        name = other.callee.rpartition(".")[2]
        # `statement.options(...)`: what else is in the statement is said elsewhere.
        if name not in BUILDERS | OPTIONS or (name in BUILDERS and not _begins_with_select(other)):
            break
    return None


def _begins_with_select(call: CallSyntax) -> bool:
    while call.callee.startswith(".") and call.inner:
        call = call.inner[0]
    return call.callee.rpartition(".")[2] == "select"


def _is_of_connection(module: ModuleSyntax, call: CallSyntax) -> bool:
    """Return whether a connection runs a statement, and it is not plainly raw SQL."""
    receiver, _, method = call.callee.rpartition(".")
    if method not in RUNS or not call.arguments:
        return False
    receiver = receiver or (call.inner[0].callee if call.inner else "")
    said_by = module.functions[call.function].sessions.get(receiver, receiver).lower()
    is_connection = "conn" in said_by or said_by.endswith("engine.begin()")
    return is_connection and (call.arguments[0] or "text()").rpartition(".")[2] != "text()"


def _near(project: Project, module: ModuleSyntax) -> list[ModuleSyntax]:
    """Return the modules that may add to a statement of this one, or have added to it."""
    known = project.notes.setdefault("near modules", {})
    if module.path not in known:
        known[module.path] = [
            near
            for near in project.modules
            if near is module or _imports(near, module) or _imports(module, near)
        ]
    near: list[ModuleSyntax] = known[module.path]
    return near


def _imports(module: ModuleSyntax, other: ModuleSyntax) -> bool:
    names = (*module.imports.values(), *module.stars)
    return any(name == other.module or name.startswith(f"{other.module}.") for name in names)


def _names_of(project: Project, module: ModuleSyntax) -> set[str]:
    known = project.notes.setdefault("names of calls", {})
    if module.path not in known:
        known[module.path] = _names(module.calls)
    names: set[str] = known[module.path]
    return names


def _names(calls: Iterable[CallSyntax]) -> set[str]:
    names = set()
    for call in calls:
        names |= {call.callee.rpartition(".")[2], *call.keywords}
    return names


def _added(module: ModuleSyntax, clause: ClauseSyntax) -> str:
    """Say what a clause of another function may add to a statement that comes from here."""
    unread = (RAW | WINDOWS) & {call.rpartition(".")[2] for call in clause.calls}
    what = f"{min(unread)}()" if unread else ""
    if clause.name in ADDS:
        what = what or "what it selects"
    elif clause.name in {"order_by", "group_by"} and clause.has_text:
        what = what or "a name in a string"
    said = f"{clause.name}() at {module.path}:{clause.place.line}"
    return what and f"its statement may get {what}, from {said}"


def _of_clause(
    project: Project, module: ModuleSyntax, clause: ClauseSyntax, *, is_criterion: bool
) -> str:
    """Say what in a clause is raw SQL, depends on the number of rows, or cannot be read."""
    where = f"in {clause.name}()"
    scope = _Scope(project, module, clause.function, where)
    if clause.has_text:
        return f"a string {where} may become ambiguous"
    if not clause.is_read:
        return f"an expression {where} cannot be read"
    of_calls = (_of_called(scope, called, is_criterion=is_criterion) for called in clause.calls)
    of_names = (_of_name(scope, name, is_criterion=is_criterion) for name in clause.names)
    return next(filter(None, (*of_calls, *of_names)), "")


def resolve_local(project: Project, module: ModuleSyntax, function: int, name: str) -> str:
    """Return what a name stands for in a function: what it is bound to there, or in the module."""
    names = module.functions[function].names
    for _ in range(DEEPEST):
        head, _, rest = name.partition(".")
        bound = names.get(head)
        if not isinstance(bound, str) or bound.partition(".")[0] == head:
            break
        name = f"{bound}.{rest}" if rest else bound
    return project.resolve(module, name) or ""


class _Scope(NamedTuple):
    """Where a name is read, and in which clause."""

    project: Project
    module: ModuleSyntax
    function: int
    where: str

    def resolve(self, name: str) -> str:
        """Return the dotted name of what a name stands for; "" for a method of a call's result."""
        return resolve_local(self.project, self.module, self.function, name)

    def model(self, name: str) -> MappedClass | None:
        """Return the class that a name, or what it is an attribute of, stands for."""
        while name:
            model = self.project.classes.get(self.resolve(name))
            if model is not None:
                return model
            name = name.rpartition(".")[0]
        return None

    def bound(self, name: str) -> tuple[_Scope, CallSyntax] | None:
        """Return the call that a name is bound to, and where."""
        head = name.partition(".")[0]
        for function in (self.function, 0):
            call = self.module.functions[function].names.get(head)
            if call is not None and not isinstance(call, str):
                return self._replace(function=function), call
        owner, _, last = self.resolve(name).rpartition(".")
        home = self.project.module(owner)
        call = home.functions[0].names.get(last) if home is not None else None
        if home is None or call is None or isinstance(call, str):
            return None
        return _Scope(self.project, home, 0, self.where), call


def _of_called(scope: _Scope, called: str, *, is_criterion: bool) -> str:
    made = scope.resolve(called)
    last = {called.rpartition(".")[2], made.rpartition(".")[2]}
    if last & RAW:
        return f"{min(last & RAW)}() {scope.where} is raw SQL"
    if is_criterion:
        # The rows that are left are the same, whatever else they are joined to.
        return ""
    is_function = bool(re.match(r"sqlalchemy\.(.+\.)?(func|functions)\.", made))
    if last & WINDOWS or (is_function and not last & OF_ONE_ROW):
        return f"{called.removeprefix('.')}() {scope.where} depends on how many rows there are"
    # A name of its own for `desc` hides what it is given.
    is_hidden = called == ".?" or last & WRAPPERS > {called.rpartition(".")[2]} & WRAPPERS
    if not is_hidden and (called.startswith(".") or made.startswith("sqlalchemy.")):
        return ""
    model = scope.model(called)
    if model is not None:
        return _of_model(scope, model)
    return "" if scope.bound(called) else f"what {called}() {scope.where} is cannot be read"


def _of_name(scope: _Scope, name: str, *, is_criterion: bool, depth: int = 0) -> str:
    model = scope.model(name)
    if model is not None:
        return _of_model(scope, model)
    if scope.resolve(name).startswith("sqlalchemy."):
        return ""
    bound = scope.bound(name)
    if bound is None or depth > DEEPEST:
        return f"what {name} {scope.where} is cannot be read"
    home, call = bound
    made = home.resolve(call.callee)
    if made.startswith("sqlalchemy.orm.") and call.arguments and call.arguments[0]:
        # Of `aliased(Model)`, the model.
        return _of_name(home, call.arguments[0], is_criterion=is_criterion, depth=depth + 1)
    calls = [each.callee for each in home.module.calls if encloses(call.place, each)]
    reasons = (_of_called(home, called, is_criterion=is_criterion) for called in calls)
    return next(filter(None, reasons), "")


def _of_model(scope: _Scope, model: MappedClass) -> str:
    """Say what a class selects besides plain columns, that counts rows or is raw SQL."""
    known = scope.project.notes.setdefault("obstacles of models", {})
    if model.name not in known:
        known[model.name] = next(_selected(scope.project, model), "")
    return f"{known[model.name]} {scope.where}" if known[model.name] else ""


def _selected(project: Project, model: MappedClass) -> Iterator[str]:
    for each in project.ancestors(model)[0]:
        for attribute in each.syntax.attributes.values():
            made = attribute.call.callee.rpartition(".")[2] if attribute.call else ""
            # In a method raw SQL may be a statement of its own.
            hazards = set() if made in COLUMNS else WINDOWS | RAW if made else WINDOWS
            for call in each.module.calls if hazards else ():
                last = call.callee.rpartition(".")[2]
                if last in hazards and encloses(attribute.place, call):
                    yield f"{each.syntax.name}.{attribute.name}, which calls {last}(), is selected"
