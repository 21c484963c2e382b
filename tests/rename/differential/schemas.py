"""Schemas by chance: a table, its column, and what depends on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hypothesis import strategies as st

from tests.rename.differential import kinds
from tests.rename.differential.builder import Builder
from tests.rename.differential.case import Case, Part
from tests.rename.differential.twins import OPERATOR
from tests.rename.differential.types import DEFINITIONS, TYPES
from tests.rename.differential.works import changes, works

if TYPE_CHECKING:
    from random import Random

_TABLES = ("thing", "My. Table", "select", 'q"t', "Ünï", "t" * 63, "a%s", "row")
_COLUMNS = ("amt", "Amt", "order", "old col", "ö'x", "a.b", "c" * 63, "value", "key", "x\\y")
_NEW = (
    "cents",
    "Cents",
    "user",
    "new col",
    "ü",
    "b.c",
    "d" * 63,
    "amt_cents",
    "from",
    'y"z',
)
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
_CLIENT = (
    'GRANT ALL ON @t, @s.numbers TO "{role}"',
    'GRANT USAGE ON ALL SEQUENCES IN SCHEMA @s TO "{role}"',
)


def _settings(builder: Builder) -> dict[str, str]:
    names = [name for name in _SETTINGS if builder.chance(0.08)]
    return {name: builder.one(_SETTINGS[name]) for name in names}


def cases(version: int, strategy: Literal["script"] | None = None) -> st.SearchStrategy[Case]:
    """Return examples for a server of this version, of any strategy unless it is given.

    Each is made from one number, so that no two are alike; `smaller` makes those small that differ.
    """
    return st.randoms(use_true_random=True).map(lambda chance: _case(chance, version, strategy))


def _case(chance: Random, version: int, strategy: Literal["script"] | None) -> Case:
    old = chance.choice(_COLUMNS)
    builder = Builder(chance, chance.choice(TYPES), old, version)
    schema = Part("schema", ("CREATE SCHEMA @s", "GRANT USAGE ON SCHEMA @s TO PUBLIC"))
    parts = [Part("types", DEFINITIONS), schema, *kinds.table.make(builder)]
    for _ in range(chance.randint(0, 6)):
        parts += builder.one(kinds.MAKERS)(builder)
    parts += kinds.table.rows(builder)
    role = builder.one(("", "", "Diff Writer"))
    if role:
        parts.append(Part("client", tuple(sql.format(role=role) for sql in _CLIENT)))
    return Case(
        schema=builder.one(_SCHEMAS),
        table=builder.one(_TABLES),
        old=old,
        # PostgreSQL refuses a name that is taken, too.
        new="note" if builder.chance(0.02) else builder.one(_NEW),
        strategy=strategy or builder.strategy,
        ending=builder.one(("contract", "contract", "expand", "backfill", "verify")),
        parts=tuple(parts),
        work=works(builder),
        changes=changes(builder),
        operator=OPERATOR if builder.chance(0.2) else "",
        settings=_settings(builder),
        role=role,
    )
