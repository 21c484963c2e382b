"""What matters for locks, of a column, an index or a constraint: a word for each.

`required`, `default`, `volatile`: of a column, that it may not be NULL, that old rows get a value,
and that this value has to be computed for each of them; `inline`, that a key or an index comes with
it. `concurrent`, `not-valid`, `unique`: of an index or a constraint. `fills`: of an UPDATE, that it
only puts values where NULLs were.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.values import CallValue, Ref, text_of

if TYPE_CHECKING:
    from invoicing.toolkit.policy.migrations.reader import Words
    from invoicing.toolkit.policy.migrations.values import Value

# Functions that give another value for each row; now() gives the same to all.
VOLATILE = re.compile(
    r"\b(gen_random_uuid|uuid_generate_v\d\w*|uuidv[47]|random|clock_timestamp|timeofday|nextval)\b",
    re.IGNORECASE,
)
COMPUTED = {"Identity", "Computed", "Sequence"}
KINDS = {
    "create_unique_constraint": "unique",
    "create_primary_key": "unique",
    "create_exclude_constraint": "unique",
}


def of_column(column: CallValue) -> frozenset[str]:
    """Return the traits of `sa.Column(...)`."""
    traits = set()
    if column.kwargs.get("nullable") is False or column.kwargs.get("primary_key") is True:
        traits.add("required")
    default = column.kwargs.get("server_default")
    computed = any(isinstance(each, CallValue) and each.word in COMPUTED for each in column.args)
    if default is not None or computed:
        traits.add("default")
    if computed or VOLATILE.search(_written(default)):
        traits.add("volatile")
    keys = any(isinstance(each, CallValue) and each.word == "ForeignKey" for each in column.args)
    if keys or column.kwargs.get("unique") is True or column.kwargs.get("index") is True:
        traits.add("inline")
    return frozenset(traits)


def _written(value: Value) -> str:
    if isinstance(value, CallValue | Ref):
        return f"{value.dotted} {text_of(value)}"
    return text_of(value)


def of_index(made: CallValue) -> frozenset[str]:
    """Return the traits of `op.create_index(...)`."""
    given = {"concurrent": "postgresql_concurrently", "unique": "unique"}
    return frozenset(trait for trait, word in given.items() if made.kwargs.get(word) is True)


def of_constraint(made: CallValue) -> frozenset[str]:
    """Return the traits of `op.create_..._constraint(...)`."""
    traits = {KINDS[made.word]} if made.word in KINDS else set()
    if made.kwargs.get("postgresql_not_valid") is True:
        traits.add("not-valid")
    return frozenset(traits)


def of_sql(words: Words) -> frozenset[str]:
    """Return the traits of what a statement goes on to say."""
    ahead = " ".join(token.text for token in words.found[words.at :])
    serial = words.peek(-1).endswith("SERIAL") or any(
        token.word.endswith("SERIAL") for token in words.found[words.at :][:1]
    )
    said = {
        "required": words.has("NOT", "NULL") or words.has("PRIMARY", "KEY") or serial,
        "default": words.has("DEFAULT") or words.has("GENERATED") or serial,
        "volatile": bool(VOLATILE.search(ahead)) or words.has("GENERATED") or serial,
        "not-valid": words.has("NOT", "VALID"),
        "unique": words.has("UNIQUE") or words.has("PRIMARY", "KEY") or words.has("EXCLUDE"),
        "using": words.has("USING", "INDEX"),
    }
    return frozenset(trait for trait, is_so in said.items() if is_so)
