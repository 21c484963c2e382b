"""Read the names of a statement with sqlglot (see `statement`)."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from invoicing.toolkit.rename.workload.statement_names import QueryScope, StatementNames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_QUERIES = (exp.Select, exp.SetOperation, exp.Delete, exp.Insert, exp.Update, exp.Merge)
_READ = (
    *(*_QUERIES, exp.Subquery, exp.Values, exp.Copy, exp.TruncateTable, exp.Set),
    *(exp.Transaction, exp.Commit, exp.Rollback),
)
# The query of a cursor, of a prepared statement, or of EXPLAIN, is what is asked for.
_AROUND = re.compile(
    r"""^(?:\s|--.*\n|/\*.*?\*/)*(?:
    declare\s[^()]*?\scursor\s(?:\s*with(?:out)?\s+hold\s)?\s*for\s
    | prepare\s+(?:"[^"]*"|\w+)\s*(?:\([^)]*\))?\s*as\s
    | explain\s*(?:\([^)]*\))?(?:\s*(?:analyze|verbose)\s)*)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# It takes `$1::oid[]` for an element of an array, where it does not know the type.
_ARRAY = re.compile(r"(::\s*(?:[\w.]|\"[^\"]*\")+)(?:\s*\[\d*\])+")
_ROWS = (exp.Subquery, exp.Lateral, exp.Values, exp.Unnest)


def read(text: str, names: StatementNames) -> bool:
    """Note every name of a statement; False where it cannot be parsed."""
    try:
        with _quiet():
            statements = sqlglot.parse(_ARRAY.sub(r"\1", _AROUND.sub("", text)), read="postgres")
        for statement in statements:
            if statement is None:  # a comment alone
                continue
            if not isinstance(statement, _READ) or statement.find(exp.Command):
                return False
            _SqlglotReader(names).walk(statement, QueryScope(None))
    except (sqlglot.errors.SqlglotError, RecursionError):
        return False
    return True


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep sqlglot from logging what it cannot parse."""
    log = logging.getLogger("sqlglot")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _name(identifier: exp.Expr) -> str:
    quoted = identifier.args.get("quoted")
    return identifier.name if quoted else identifier.name.lower()


def _table(node: exp.Expr) -> tuple[str | None, str]:
    schema = node.args.get("db")
    return (_name(schema) if schema else None, _name(node.this))


def _alias(node: exp.Expr) -> tuple[str, list[str]]:
    alias = node.args.get("alias")
    if not isinstance(alias, exp.TableAlias):
        return (_name(alias) if alias else "", [])
    named = alias.this
    return (_name(named) if named else "", [_name(column) for column in alias.columns])


class _SqlglotReader:
    def __init__(self, names: StatementNames) -> None:
        self._names = names

    def walk(self, node: exp.Expr, scope: QueryScope) -> None:
        """Note the names of a node, and of what is in it."""
        if isinstance(node, _QUERIES):
            self._query(node, QueryScope(scope))
        elif isinstance(node, exp.Table):
            self._relation(node, scope)
        elif isinstance(node, exp.Column):
            self._column(node, scope)
        elif isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            self._names.star(scope, None)
        elif isinstance(node, exp.Copy):
            self._copy(node, scope)
        else:
            self._note(node, scope)
            self._all(node.iter_expressions(), scope)

    def _all(self, nodes: Iterable[exp.Expr | None], scope: QueryScope) -> None:
        for node in nodes:
            if node is not None:
                self.walk(node, scope)

    def _note(self, node: exp.Expr, scope: QueryScope) -> None:
        names = self._names
        if isinstance(node, _ROWS):
            alias, columns = _alias(node)
            known = isinstance(node, (exp.Subquery, exp.Values)) or isinstance(
                node.this, exp.Subquery
            )
            names.derived(scope, alias, columns, opaque=not known)
        elif isinstance(node, exp.Join):
            for name in node.args.get("using") or []:
                names.reference(scope, (_name(name),))
            if node.method == "NATURAL":
                names.reference(scope, (names.meaning.column,))
        elif isinstance(node, exp.Dot):
            names.member(_name(node.expression))
        elif isinstance(node, exp.Anonymous):
            names.member(node.name.lower())
        elif isinstance(node, exp.JSONPathKey) or (
            isinstance(node, exp.Literal) and node.is_string
        ):
            names.literal(node.name)

    def _query(self, node: exp.Expr, scope: QueryScope) -> None:
        if with_ := node.args.get("with_"):
            scope.queries.update(_alias(expression)[0] for expression in with_.expressions)
            self._all((expression.this for expression in with_.expressions), scope)
        if isinstance(node, exp.Insert):
            self._insert(node, scope)
        elif isinstance(node, exp.Update):
            self.walk(node.this, scope)
            self._set(node.this, node.expressions, scope)
            self._rest(node, scope, "this", "expressions")
        elif isinstance(node, exp.Merge):
            self._rest(node, scope, "whens")
            for when in node.args["whens"].expressions:
                self._when(node.this, when, scope)
        else:
            scope.outputs.update(
                _name(expression.args["alias"])
                for expression in node.expressions
                if isinstance(expression, exp.Alias)
            )
            self._rest(node, scope)

    def _rest(self, node: exp.Expr, scope: QueryScope, *without: str) -> None:
        """Walk every part of a query but those that were looked at."""
        for key, value in node.args.items():
            if key not in {"with_", *without}:
                parts = value if isinstance(value, list) else [value]
                self._all((part for part in parts if isinstance(part, exp.Expr)), scope)

    def _insert(self, node: exp.Insert, scope: QueryScope) -> None:
        target = node.this.this if isinstance(node.this, exp.Schema) else node.this
        schema, name = _table(target)
        columns = [_name(expression) for expression in node.this.expressions] or None
        self._names.written(schema, name, [] if node.args.get("default") else columns)
        # What is inserted cannot name what it is inserted into.
        self._all([node.expression], QueryScope(scope.parent, queries=scope.queries))
        self.walk(target, scope)
        self._names.relation(scope, schema, name, "excluded")
        if conflict := node.args.get("conflict"):
            self._set(target, conflict.expressions, scope)
            self._rest(conflict, scope, "expressions")
        self._all([node.args.get("returning")], scope)

    def _set(self, target: exp.Expr, assignments: list[exp.Expr], scope: QueryScope) -> None:
        for assignment in assignments:
            columns = [_name(column.parts[-1]) for column in assignment.this.find_all(exp.Column)]
            self._names.written(*_table(target), columns)
            self._all([assignment.expression], scope)

    def _when(self, target: exp.Expr, when: exp.Expr, scope: QueryScope) -> None:
        self._all([when.args.get("condition")], scope)
        then = when.args["then"]
        if isinstance(then, exp.Update):
            self._set(target, then.expressions, scope)
        elif isinstance(then, exp.Insert):
            listed = isinstance(then.this, exp.Tuple)
            columns = [_name(column.parts[-1]) for column in then.this.find_all(exp.Column)]
            self._names.written(*_table(target), columns if listed else None)
            self._all([then.expression], scope)

    def _copy(self, node: exp.Copy, scope: QueryScope) -> None:
        what = node.this
        if isinstance(what, exp.Subquery):
            self.walk(what, scope)
        elif isinstance(what, exp.Schema):
            self._names.written(
                *_table(what.this), [_name(expression) for expression in what.expressions]
            )
        else:
            self._names.written(*_table(what), None)

    def _relation(self, node: exp.Table, scope: QueryScope) -> None:
        alias, columns = _alias(node)
        if isinstance(node.this, exp.Identifier):
            self._names.relation(scope, *_table(node), alias or None)
        else:
            self._names.derived(scope, alias or node.this.name.lower(), columns, opaque=True)
            self._all([node.this], scope)
        self._all(node.args.get("joins") or [], scope)

    def _column(self, node: exp.Column, scope: QueryScope) -> None:
        *qualifier, last = node.parts
        if isinstance(last, exp.Star):
            self._names.star(scope, _name(qualifier[-1]))
            return
        parts = tuple(_name(part) for part in node.parts)
        self._names.reference(scope, parts, ordering=isinstance(node.parent, exp.Ordered))
