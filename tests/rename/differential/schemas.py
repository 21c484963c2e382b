"""Schemas by chance: a table, its column, and what depends on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.rename.differential import kinds
from tests.rename.differential.builder import Builder
from tests.rename.differential.case import Case, Part
from tests.rename.differential.types import DEFINITIONS, TYPES
from tests.rename.differential.works import works

if TYPE_CHECKING:
    from collections.abc import Callable

_TABLES = ("thing", "My. Table", "select", 'q"t', "Ünï", "t" * 63, "a%s", "row")
_COLUMNS = ("amt", "Amt", "order", "old col", "ö'x", "a.b", "c" * 63, "value", "key", "x\\y")
_NEW = ("cents", "Cents", "user", "new col", "ü", "b.c", "d" * 63, "amt_cents", "from", 'y"z')
_SCHEMAS = ("s", "My Schema", "public2")
_SETTINGS = {
    "search_path": ('"$user", public', '"Other Types", pg_catalog', "''"),
    "DateStyle": ("German", "SQL, DMY"),
    "IntervalStyle": ("sql_standard",),
    "quote_all_identifiers": ("on",),
    "default_transaction_isolation": ("repeatable read", "serializable"),
    "standard_conforming_strings": ("off",),
    "extra_float_digits": ("0",),
    "bytea_output": ("escape",),
    "TimeZone": ("Asia/Kathmandu",),
    "transform_null_equals": ("on",),
    "row_security": ("off",),
    "check_function_bodies": ("off",),
}


def _settings(draw: Callable) -> dict[str, str]:
    names = draw(st.lists(st.sampled_from(sorted(_SETTINGS)), max_size=2, unique=True))
    return {name: draw(st.sampled_from(_SETTINGS[name])) for name in names}


@st.composite
def cases(draw: Callable, version: int) -> Case:
    """Return one example."""
    old = draw(st.sampled_from(_COLUMNS))
    builder = Builder(draw, draw(st.sampled_from(TYPES)), old, version)
    schema = Part("schema", ("CREATE SCHEMA @s", "GRANT USAGE ON SCHEMA @s TO PUBLIC"))
    parts = [Part("types", DEFINITIONS), schema]
    parts += kinds.table.make(builder)
    for _ in range(draw(st.integers(0, 5))):
        parts += draw(st.sampled_from(kinds.MAKERS))(builder)
    parts.append(kinds.table.rows(builder))
    role = draw(st.sampled_from(("", "", "Diff Writer")))
    if role:
        parts.append(Part("client", (f"GRANT ALL ON @t, @s.numbers TO \"{role}\"", f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA @s TO \"{role}\"")))
    strategy = draw(st.sampled_from(("columns", "view")))
    return Case(
        schema=draw(st.sampled_from(_SCHEMAS)),
        table=draw(st.sampled_from(_TABLES)),
        old=old,
        new=draw(st.sampled_from(_NEW)),
        strategy=strategy,
        ending=draw(st.sampled_from(("contract", "contract", "expand", "backfill", "verify"))),
        parts=tuple(parts),
        work=works(builder),
        settings=_settings(draw),
        role=role,
    )
