"""Read with sqlglot which tables of a SELECT nothing connects (see `unjoined`)."""

from __future__ import annotations

import re
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_PLACEHOLDERS = re.compile(r"\$\d+|%s|%\(\w+\)s|\?|(?<![:\w]):[A-Za-z_]\w*")


@lru_cache(maxsize=256)
def read(text: str) -> tuple[str, ...]:
    """Return a table of each part of a SELECT's FROM that nothing connects with the others."""
    try:
        select = sqlglot.parse_one(_PLACEHOLDERS.sub("0", text), dialect="postgres")
    except (SqlglotError, RecursionError):
        return ()
    if not isinstance(select, exp.Select):
        return ()
    first = select.args.get("from_") or select.args.get("from")
    if first is None:
        return ()
    joins = select.args.get("joins") or []
    parts: list[set[str]] = [{first.this.alias_or_name}]
    for join in joins:
        parts.append({join.this.alias_or_name})
        if not isinstance(join.this, (exp.Table, exp.Subquery)) or not _is_comma(join):
            # Whatever it is joined with, it is meant.
            parts = [set().union(*parts[-2:]), *parts[:-2]] if len(parts) > 1 else parts
    where = select.args.get("where")
    conditions = [join.args.get("on") for join in joins] + [where and where.this]
    for condition in filter(None, conditions):
        for term in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            named = {column.table for column in term.find_all(exp.Column) if column.table}
            met = [part for part in parts if part & named]
            parts = [part for part in parts if not part & named]
            parts += [set().union(*met)] if met else []
    return tuple(min(part) for part in parts)


def _is_comma(join: exp.Join) -> bool:
    return not any(
        join.args.get(name) for name in ("on", "using", "kind", "side", "method", "lateral")
    )
