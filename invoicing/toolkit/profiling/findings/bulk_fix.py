"""The bulk form of a statement that was sent for each value, as a statement to run.

`column = value` becomes `column IN (values)`; what is counted or summed is grouped by that column,
and a list of columns has it last, to say which value a row is for. A LIMIT, a window or DISTINCT
means another question for all than for each: there is no such form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, Column, ColumnElement, bindparam, inspect, select, tuple_
from sqlalchemy.sql import operators
from sqlalchemy.sql.dml import Delete, Update
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import Select
from sqlalchemy.sql.visitors import iterate

from invoicing.toolkit.profiling.findings.parameter_roles import ParameterRole, parameter_roles

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.statement import Caller

# What the values of the bulk statement are called.
VALUES = "values"


@dataclass(frozen=True)
class BulkFix:
    """One statement for all the values; run it with `{"values": [...]}`.

    Attributes:
        statement: the statement.
        place: which of the comparisons of the original was for each; of a key of several columns
            they are all, and its values are tuples.
        at: the line that sent the original for each value.
    """

    statement: Any
    place: int | None
    at: Caller | None = None

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return " ".join(str(self.statement).replace("__[POSTCOMPILE_values]", ":values").split())

    def value_in(self, statement: object, parameters: dict[str, Any]) -> object:
        """Return the value for which the program sent an original, with its parameters."""
        compared: list[Any] = [term.right for term in comparisons(statement)]
        values = [parameters.get(each.key, each.effective_value) for each in compared]
        return tuple(values) if self.place is None else values[self.place]


def bulk_form(text: str, statement: object, differing: list[int], at: Caller | None) -> list[Any]:
    """Return the fix for a statement of which one parameter differed, in a list; or none."""
    terms = comparisons(statement)
    equal = [place for place, role in enumerate(parameter_roles(text)) if _EQUAL in role]
    if isinstance(statement, Update):
        # What is set looks the same, and comes first.
        equal = equal[-len(terms) :]
    if len(differing) != 1 or len(terms) != len(equal) or differing[0] not in equal:
        return []
    place = equal.index(differing[0])
    bulk = _with_list(statement, terms[place])
    return [] if bulk is None else [BulkFix(bulk, place, at)]


def bulk_get(entity: Any, at: Caller | None, *, locks: bool) -> list[Any]:
    """Return the fix for `session.get()` of a class, in a list."""
    key: Any = inspect(entity).primary_key if entity is not None else ()
    if not key:
        return []
    compared = key[0] if len(key) == 1 else tuple_(*key)
    statement: Any = select(entity).where(compared.in_(bindparam(VALUES, expanding=True)))
    if locks:
        statement = statement.order_by(*key).with_for_update()
    return [BulkFix(statement, 0 if len(key) == 1 else None, at)]


_EQUAL = ParameterRole.EQUAL


def comparisons(statement: object) -> list[BinaryExpression[Any]]:
    """Return the terms `column = value` that a statement's WHERE is made of."""
    where = getattr(statement, "whereclause", None)
    return [term for term in _terms(where) if _compares(term)]


def _terms(where: object) -> list[Any]:
    if isinstance(where, BooleanClauseList) and where.operator is operators.and_:
        return [term for clause in where.clauses for term in _terms(clause)]
    return [] if where is None else [where]


def _compares(term: object) -> bool:
    return (
        isinstance(term, BinaryExpression)
        and term.operator is operators.eq
        and isinstance(term.left, ColumnElement)
        and isinstance(term.right, BindParameter)
    )


def _with_list(statement: object, term: BinaryExpression[Any]) -> Any:
    column: Any = term.left
    listed = column.in_(bindparam(VALUES, expanding=True))
    if isinstance(statement, (Update, Delete)):
        return None if statement._returning else _where(statement, term, listed)
    if not isinstance(statement, Select) or not _asks_alike(statement):
        return None
    copied = _where(statement, term, listed)
    if _aggregates(statement):
        return copied.add_columns(column).group_by(column)
    if statement._for_update_arg is not None and isinstance(column, Column):
        # Who locks many rows has to do it in one order everywhere.
        return copied.order_by(None).order_by(column)
    return copied if _is_entity(statement) else copied.add_columns(column)


def _where(statement: Any, term: object, listed: object) -> Any:
    copied = statement._clone()
    terms = _terms(statement.whereclause)
    copied._where_criteria = tuple(listed if each is term else each for each in terms)
    return copied


def _asks_alike(statement: Select[Any]) -> bool:
    """Return whether what is asked for each and for all is the same."""
    cut = (statement._limit_clause, statement._offset_clause, statement._fetch_clause)
    windows = any(_is_window(part) for part in iterate(statement))
    grouped = bool(statement._group_by_clauses) or statement._having_criteria
    cuts = any(each is not None for each in cut) or statement._distinct
    return not (cuts or windows or grouped)


def _is_window(part: object) -> bool:
    return getattr(part, "__visit_name__", "") == "over"


def _aggregates(statement: Select[Any]) -> bool:
    """Return whether it brings one row of functions of many."""
    columns = [*statement.selected_columns]
    return bool(columns) and all(
        any(isinstance(part, FunctionElement) for part in iterate(column)) for column in columns
    )


def _is_entity(statement: Select[Any]) -> bool:
    return all(
        entry.get("entity") is not None and entry["expr"] is entry["entity"]
        for entry in statement.column_descriptions
    )
