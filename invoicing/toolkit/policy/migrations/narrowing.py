"""Tell when a type cannot hold what another could."""

from __future__ import annotations

import re

from invoicing.toolkit.policy.migrations.actions import ColumnType

INTEGERS = {"smallint": 16, "integer": 32, "bigint": 64}
EXACT = {*INTEGERS, "numeric"}
FLOATS = {"real", "double"}
DOUBLE_DIGITS = 15

FAMILIES = {
    "smallint": "smallint smallinteger int2 smallserial",
    "integer": "int integer int4 serial mediumint",
    "bigint": "bigint biginteger int8 bigserial",
    "numeric": "numeric decimal",
    "real": "real float4",
    "double": "float double doubleprecision float8 double_precision",
    "text": "text unicodetext tinytext mediumtext longtext clob citext",
    "varchar": "varchar string unicode nvarchar charactervarying character nchar char bpchar",
    "boolean": "boolean bool",
    "date": "date",
    "datetime": "datetime timestamp timestamptz timestampwithtimezone timestampwithouttimezone",
    "time": "time timetz",
    "uuid": "uuid guid",
    "enum": "enum",
    "json": "json jsonb",
    "binary": "largebinary bytea blob binary varbinary",
    "interval": "interval",
}
FAMILY_OF = {word: family for family, words in FAMILIES.items() for word in words.split()}

# What a family's values may be written as without loss of any, besides itself.
WIDER = {
    "boolean": {"text", "varchar", "smallint", "integer", "bigint", "numeric", "json"},
    "date": {"datetime", "text", "varchar"},
    "datetime": {"text", "varchar"},
    "time": {"text", "varchar", "interval"},
    "uuid": {"text", "varchar", "binary"},
    "enum": {"text", "varchar"},
    "json": {"text", "varchar"},
    "interval": {"text", "varchar"},
    "smallint": {"text", "varchar", "real", "double", "json"},
    "integer": {"text", "varchar", "double", "json"},
    "bigint": {"text", "varchar", "json"},
    "numeric": {"text", "varchar", "json"},
    "real": {"text", "varchar", "double", "json"},
    "double": {"text", "varchar", "json"},
}


def family(word: str) -> str | None:
    """Give the family a type's name belongs to, whoever spells it."""
    return FAMILY_OF.get(re.sub(r"[\s_]", "", word.lower())) or FAMILY_OF.get(word.lower())


def narrows(old: ColumnType, new: ColumnType) -> bool:
    """Tell whether some value of `old` has no place in `new`."""
    if old.family == new.family == "enum":
        return bool(old.labels and new.labels and set(old.labels) - set(new.labels))
    if old.family in {"text", "varchar"}:
        return from_text(old, new)
    if old.family in EXACT and new.family in EXACT:
        return digits(old, new)
    if {old.family, new.family} & FLOATS and {old.family, new.family} <= EXACT | FLOATS:
        return fractions(old, new)
    return new.family not in {old.family} | WIDER.get(old.family, {new.family})


def fractions(old: ColumnType, new: ColumnType) -> bool:
    """Compare numbers of which at least one floats."""
    if old.family in FLOATS:
        return new != ColumnType("numeric") and new.family not in {old.family, "double"}
    if old.family == "numeric" and new.family == "double":
        return old.size is None or old.size > DOUBLE_DIGITS
    return new.family not in WIDER[old.family]


def from_text(old: ColumnType, new: ColumnType) -> bool:
    """Compare two texts by length; anything else than text or bytes holds fewer values."""
    if new.family == "text":
        return False
    if new.family == "varchar":
        return new.size is not None and (old.size is None or new.size < old.size)
    return new.family != "binary"


def digits(old: ColumnType, new: ColumnType) -> bool:
    """Compare exact numbers by the digits before and after the point."""
    if old.family in INTEGERS and new.family in INTEGERS:
        return INTEGERS[new.family] < INTEGERS[old.family]
    if new.family in INTEGERS:
        return True
    if new.size is None:
        return False
    if old.family in INTEGERS:
        return new.size - (new.scale or 0) < {16: 5, 32: 10, 64: 19}[INTEGERS[old.family]]
    if old.size is None:
        return True
    after, before = new.scale or 0, old.scale or 0
    return after < before or new.size - after < old.size - before


SQL_TYPE = re.compile(
    r"(double\s+precision|character\s+varying|timestamp\b(?:\s*\(\d+\))?(?:\s+with(?:out)?\s+time\s+zone)?|\w+)"
    r"\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?",
    re.IGNORECASE,
)


def sql_type(text: str) -> ColumnType | None:
    """Read the type a piece of SQL begins with; None where it is not one we know."""
    match = SQL_TYPE.match(text.strip())
    if match is None or text.strip()[match.end() :].lstrip().startswith("["):
        return None
    word = re.sub(r"\(\d+\)", "", match[1])
    found = family(word)
    if found is None:
        return None
    size = int(match[2]) if match[2] else None
    if found == "varchar" and size is None and word.lower() in {"char", "character"}:
        size = 1
    numbers = found in {"varchar", "numeric"}
    return ColumnType(
        found, size if numbers else None, int(match[3]) if match[3] and numbers else None
    )
