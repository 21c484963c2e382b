"""Read the names of a statement with pglast, where it is installed (see `statement`)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.rename.workload.statement_names import QueryScope, StatementNames

if TYPE_CHECKING:
    from collections.abc import Iterable

_QUERIES = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")
_READ = (*_QUERIES, "CopyStmt", "TruncateStmt", "VariableSetStmt", "TransactionStmt")
_AROUND = ("DeclareCursorStmt", "PrepareStmt", "ExplainStmt")
_WRITES = ("InsertStmt", "UpdateStmt", "MergeStmt")


def read(text: str, names: StatementNames) -> bool:
    """Note every name of a statement; False where it cannot be parsed."""
    # It is no dependency, for its licence is the GPL.
    pglast: Any = importlib.import_module("pglast")
    try:
        statements = [_asked(raw.stmt) for raw in pglast.parse_sql(text)]
        if any(_kind(statement) not in _READ for statement in statements):
            return False
        for statement in statements:
            _PglastReader(names).walk(statement, QueryScope(None))
    except (pglast.Error, RecursionError):
        return False
    return True


def _asked(statement: Any) -> Any:
    """Return the query of a cursor, of a prepared statement, or of EXPLAIN."""
    return statement.query if _kind(statement) in _AROUND else statement


def _kind(node: Any) -> str:
    return type(node).__name__


def _alias(node: Any) -> tuple[str, list[str]]:
    if node.alias is None:
        return "", []
    return node.alias.aliasname, [colname.sval for colname in node.alias.colnames or ()]


class _PglastReader:
    def __init__(self, names: StatementNames) -> None:
        self._names = names

    def walk(self, node: Any, scope: QueryScope) -> None:
        """Note the names of a node, and of what is in it."""
        if node is None or isinstance(node, (str, int, bool, float)):
            return
        if isinstance(node, tuple):
            for child in node:
                self.walk(child, scope)
            return
        kind = _kind(node)
        if kind in _QUERIES:
            self._query(node, kind, QueryScope(scope))
        elif kind == "ColumnRef":
            self._column(node, scope, ordering=False)
        elif kind == "SortBy" and _kind(node.node) == "ColumnRef":
            self._column(node.node, scope, ordering=True)
        elif kind == "CopyStmt" and node.relation is not None:
            columns = [name.sval for name in node.attlist] if node.attlist else None
            self._names.written(node.relation.schemaname, node.relation.relname, columns)
        else:
            self._note(node, kind, scope)
            self._parts(node, scope)

    def _parts(self, node: Any, scope: QueryScope, *without: str) -> None:
        if hasattr(node, "__slots__"):
            for part in node:
                if part not in {"withClause", *without}:
                    self.walk(getattr(node, part), scope)

    def _note(self, node: Any, kind: str, scope: QueryScope) -> None:
        names = self._names
        if kind == "RangeVar":
            names.relation(scope, node.schemaname, node.relname, _alias(node)[0] or None)
        elif kind.startswith("Range"):
            alias, columns = _alias(node)
            columns += [column.colname for column in getattr(node, "coldeflist", None) or ()]
            names.derived(scope, alias, columns, opaque=kind != "RangeSubselect")
        elif kind == "JoinExpr":
            for name in node.usingClause or ():
                names.reference(scope, (name.sval,))
            if node.isNatural:
                names.reference(scope, (names.meaning.column,))
        elif kind == "A_Indirection":
            for member in node.indirection:
                names.member(getattr(member, "sval", ""))
        elif kind == "FuncCall":
            names.member(node.funcname[-1].sval)
        elif kind == "A_Const" and _kind(node.val) == "String":
            names.literal(node.val.sval)

    def _query(self, node: Any, kind: str, scope: QueryScope) -> None:
        if node.withClause is not None:
            scope.queries.update(cte.ctename for cte in node.withClause.ctes)
            self.walk(tuple(cte.ctequery for cte in node.withClause.ctes), scope)
        if kind not in _WRITES:
            scope.outputs.update(output.name for output in getattr(node, "targetList", None) or ())
            self._parts(node, scope)
            return
        self.walk(node.relation, scope)
        if kind == "InsertStmt":
            self._insert(node, scope)
        elif kind == "UpdateStmt":
            self._set(node.relation, node.targetList, scope)
            self._parts(node, scope, "relation", "targetList")
        else:
            for when in node.mergeWhenClauses:
                self._when(node.relation, when, scope)
            self._parts(node, scope, "relation", "mergeWhenClauses")

    def _insert(self, node: Any, scope: QueryScope) -> None:
        target = node.relation
        columns = [col.name for col in node.cols] if node.cols else None
        nothing = node.selectStmt is None  # DEFAULT VALUES
        self._names.written(target.schemaname, target.relname, [] if nothing else columns)
        # What is inserted cannot name what it is inserted into.
        self.walk(node.selectStmt, QueryScope(scope.parent, queries=scope.queries))
        self._names.relation(scope, target.schemaname, target.relname, "excluded")
        if node.onConflictClause is not None:
            self._set(target, node.onConflictClause.targetList, scope)
            self._parts(node.onConflictClause, scope, "targetList")
        self._parts(node, scope, "relation", "cols", "selectStmt", "onConflictClause")

    def _set(self, target: Any, assignments: Iterable[Any] | None, scope: QueryScope) -> None:
        for assignment in assignments or ():
            self._names.written(target.schemaname, target.relname, [assignment.name])
            self.walk(assignment.val, scope)

    def _when(self, target: Any, when: Any, scope: QueryScope) -> None:
        self.walk(when.condition, scope)
        inserts = when.commandType.name == "CMD_INSERT"
        if inserts:
            columns = [target.name for target in when.targetList] if when.targetList else None
            self._names.written(target.schemaname, target.relname, columns)
            self.walk(when.values, scope)
        else:
            self._set(target, when.targetList, scope)

    def _column(self, node: Any, scope: QueryScope, *, ordering: bool) -> None:
        parts = tuple(field.sval for field in node.fields if hasattr(field, "sval"))
        if len(parts) < len(node.fields):
            self._names.star(scope, parts[-1] if parts else None)
        else:
            self._names.reference(scope, parts, ordering=ordering)
