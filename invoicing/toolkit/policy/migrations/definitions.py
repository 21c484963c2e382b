"""What a step says of a thing's definition: pairs of an aspect and its text, for what is known.

An aspect that is not said, or cannot be known without running the code, is left out. Texts are
written so that two spellings of the same are equal: `sa.String(50)` and `VARCHAR(50)`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import HOLE
from invoicing.toolkit.policy.migrations.narrowing import SQL_TYPE, family
from invoicing.toolkit.policy.migrations.tokens import tokens
from invoicing.toolkit.policy.migrations.values import CallValue, Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.migrations.tokens import SqlToken
    from invoicing.toolkit.policy.migrations.values import Value

Facts = tuple[tuple[str, str], ...]
NONE = "none"
ALWAYS, BY_DEFAULT = "always", "by default"
UNSAID = CallValue("?", [])
# Families whose members are one type to the catalog.
ONE_TYPE = {
    "smallint", "integer", "bigint", "numeric", "real", "boolean", "date", "uuid", "interval",
}  # fmt: skip
EXACTLY = {
    "string": "varchar", "unicode": "varchar", "varchar": "varchar", "charactervarying": "varchar",
    "text": "text", "unicodetext": "text", "citext": "citext", "json": "json", "jsonb": "jsonb",
    "largebinary": "bytea", "bytea": "bytea", "double": "double", "doubleprecision": "double",
    "float8": "double", "datetime": "timestamp", "timestamp": "timestamp",
    "timestamptz": "timestamptz", "timestampwithtimezone": "timestamptz",
    "timestampwithouttimezone": "timestamp", "time": "time", "timetz": "timetz",
}  # fmt: skip
ZONED = {"timestamp", "time"}
DEFAULT_ENDS = {
    "NOT", "NULL", "CHECK", "REFERENCES", "UNIQUE", "PRIMARY", "CONSTRAINT", "GENERATED", "COLLATE",
}  # fmt: skip
WORD = re.compile(r"\w+")
KEYWORDS = {"true", "false", "null", "current_timestamp", "current_date", "current_user"}
CAST = re.compile(r" : : .*$")


def facts(**known: str | None) -> Facts:
    """Return the aspects that are known."""
    return tuple((name, text) for name, text in known.items() if text is not None)


def squeezed(found: Iterable[SqlToken]) -> str:
    """Write tokens so that space, comments and the case of names make no difference."""
    return " ".join(
        f"'{token.text}'" if token.kind in {"text", "body"} else token.text.lower()
        for token in found
    )


def sql_text(value: Value) -> str | None:
    """Return an expression of SQL, or `none`; None where it cannot be known."""
    if value is None:
        return NONE
    if not isinstance(value, str) or HOLE in value:
        return None
    text = squeezed(tokens(value))
    while text.startswith("( ") and text.endswith(" )") and text.count("(") == 1:
        text = text[2:-2]
    return text


def default_text(value: Value) -> str | None:
    """Return a default, however it is written."""
    if isinstance(value, bool) or value is None:
        return NONE if not value else None
    if isinstance(value, CallValue | Ref):
        name = value.dotted.rpartition(".")[2]
        known = value.dotted.startswith(("sqlalchemy.func.", "sqlalchemy.sql.func."))
        if known and not (isinstance(value, CallValue) and value.args):
            return f"{name.lower()} ( )"
        return name if value.dotted in {"sqlalchemy.true", "sqlalchemy.false"} else None
    text = sql_text(value)
    if text is None or text == NONE:
        return text
    text = CAST.sub("", text)
    if isinstance(value, str) and WORD.fullmatch(value.strip()) and text not in KEYWORDS:
        # A text that is written as one: its case counts.
        return value.strip()
    return "now ( )" if text == "current_timestamp" else text.strip("'")


def type_text(value: Value) -> str | None:
    """Return SQLAlchemy's type as the catalog knows it; None for one that is not known."""
    made = CallValue(value.dotted, []) if isinstance(value, Ref) else value
    if not isinstance(made, CallValue) or not made.dotted.startswith(("sqlalchemy.", "citext.")):
        return None
    if made.word == "ARRAY":
        inner = type_text(made.get(0, "item_type"))
        return f"{inner}[]" if inner else None
    if made.word in {"Enum", "ENUM"}:
        name = made.kwargs.get("name")
        native = made.kwargs.get("native_enum") is not False
        return name.lower() if isinstance(name, str) and native and HOLE not in name else None
    zoned = made.get(0, "timezone") is True
    base = base_type(made.word, zoned=zoned)
    if base == "varchar":
        return sized(base, made.get(0, "length"))
    if base == "numeric":
        return sized(base, made.get(0, "precision"), made.get(1, "scale"))
    plain = not made.args and not made.kwargs
    # `Float(24)` and the like: what they become is the database's to say.
    return base if plain or base in ONE_TYPE or (base or "").startswith("time") else None


def base_type(word: str, *, zoned: bool = False) -> str | None:
    """Return the catalog's word for a type."""
    plain = re.sub(r"[\s_]", "", word.lower())
    base = EXACTLY.get(plain)
    if base is None and family(plain) in ONE_TYPE and not plain.endswith("serial"):
        base = family(plain)
    return f"{base}tz" if base in ZONED and zoned else base


def sized(base: str, *numbers: Value) -> str | None:
    """Write a type with its numbers."""
    given = [number for number in numbers if number is not None]
    if not all(isinstance(number, int) for number in given):
        return None
    if base == "numeric" and given[1:] == [0]:
        given = given[:1]
    return f"{base}({', '.join(map(str, given))})" if given else base


def sql_type_text(text: str) -> str | None:
    """Return the type that a piece of SQL begins with."""
    match = SQL_TYPE.match(text.strip())
    if match is None:
        return None
    # A precision of seconds is not followed.
    base = base_type(match[1]) if "(" not in match[1] else None
    if base is None or (match[2] and base not in {"varchar", "numeric"}):
        return None
    rest = text.strip()[match.end() :].lstrip()
    numbers = [int(number) for number in match.groups()[1:] if number]
    return f"{sized(base, *numbers)}{'[]' if rest.startswith('[') else ''}"


def of_column(column: CallValue, keys: tuple[str, ...] = ()) -> Facts:
    """Return what `sa.Column(...)` says; `keys` are the columns of its table's primary key."""
    nullable = column.kwargs.get("nullable", True)
    name = column.get(0, "name")
    if column.kwargs.get("primary_key") is True or name in keys:
        nullable = False
    kind = column.kwargs.get("type_", column.args[1] if len(column.args) > 1 else None)
    default = column.kwargs.get("server_default")
    made = {each.word: each for each in (*column.args, default) if isinstance(each, CallValue)}
    identity, computed = made.get("Identity"), made.get("Computed")
    if identity is not None:
        nullable = False
    return facts(
        type=type_text(kind),
        nullable=null_text(nullable),
        default=None if identity or computed else default_text(default),
        comment=comment_text(column.kwargs.get("comment")),
        identity=identity_text(identity),
        computed=sql_text(computed.get(0, "sqltext", UNSAID)) if computed else NONE,
    )


def identity_text(made: CallValue | None) -> str:
    """Say when an identity gives a column its values."""
    if made is None:
        return NONE
    return ALWAYS if made.get(0, "always") is True else BY_DEFAULT


def null_text(nullable: Value) -> str | None:
    """Say whether a column may be NULL."""
    return {True: "NULL", False: "NOT NULL"}.get(nullable) if isinstance(nullable, bool) else None


def comment_text(value: Value) -> str | None:
    """Return a comment; none and an empty one are the same."""
    text = NONE if value in (None, "", False) else value
    return text if isinstance(text, str) and HOLE not in text else None


def of_alter(made: CallValue, prefix: str = "") -> Facts:
    """Return what `op.alter_column(...)` sets, or with `existing_` what it says was there."""
    given = made.kwargs
    known: dict[str, str | None] = {}
    if given.get(f"{prefix}type" if prefix else "type_") is not None:
        known["type"] = type_text(given[f"{prefix}type" if prefix else "type_"])
    if isinstance(given.get(f"{prefix}nullable"), bool):
        known["nullable"] = null_text(given[f"{prefix}nullable"])
    default = given.get(f"{prefix}server_default", False)
    if default is not False:
        known["default"] = default_text(default)
    if given.get(f"{prefix}comment", False) is not False:
        known["comment"] = comment_text(given[f"{prefix}comment"])
    # What is set, though not to what, is no longer what it was.
    return tuple((name, text or HOLE) for name, text in known.items() if text or not prefix)


def of_index(made: CallValue) -> Facts:
    """Return what `op.create_index(...)` says."""
    unique, where = made.kwargs.get("unique", False), made.kwargs.get("postgresql_where")
    using = made.kwargs.get("postgresql_using", "btree")
    include = made.kwargs.get("postgresql_include")
    return facts(
        columns=listed_text(with_classes(made)),
        include=listed_text(include) if include else NONE,
        unique={True: "unique", False: "not unique"}.get(unique)
        if isinstance(unique, bool)
        else None,
        predicate=sql_text(where),
        method=using.lower() if isinstance(using, str) else None,
    )


def with_classes(made: CallValue) -> Value:
    """Return the columns of `op.create_index(...)`, each with its operator class as in SQL."""
    columns, classes = made.get(2, "columns"), made.kwargs.get("postgresql_ops", {})
    if not isinstance(columns, list) or not isinstance(classes, dict):
        return None
    return [
        f"{each} {classes[each]}" if isinstance(each, str) and each in classes else each
        for each in columns
    ]


def listed_text(value: Value) -> str | None:
    """Return columns and expressions, one after the other."""
    texts = [sql_text(each) for each in value] if isinstance(value, list) else [None]
    return None if None in texts else joined(text for text in texts if text is not None)


def joined(texts: Iterable[str]) -> str:
    """Write a list, with commas as they are written by hand."""
    return ", ".join(texts).replace(" , ", ", ")


def of_labels(made: CallValue) -> Facts:
    """Return the labels of an enumeration."""
    known = made.args and all(isinstance(label, str) for label in made.args)
    return facts(labels=", ".join(made.args)) if known else ()


def sql_default(found: list[SqlToken]) -> str | None:
    """Return the default that a column's definition in SQL says."""
    words = [token.word for token in found]
    if "GENERATED" in words or (words and words[0].endswith("SERIAL")):
        return None
    if "DEFAULT" not in words:
        return NONE
    return default_text(written(ahead(found[words.index("DEFAULT") + 1 :])))


def written(found: Iterable[SqlToken]) -> str:
    """Write tokens as SQL again."""
    return squeezed(found)


def ahead(found: list[SqlToken]) -> Iterator[SqlToken]:
    """Give tokens up to what ends a default."""
    for token in found:
        if token.word in DEFAULT_ENDS and token.kind == "name":
            return
        yield token


def sql_column(found: list[SqlToken]) -> Facts:
    """Return what a column's definition in SQL says, from its type on."""
    words = [token.word for token in found]
    pairs = list(pairwise(words))
    required = ("NOT", "NULL") in pairs or ("PRIMARY", "KEY") in pairs
    required = required or bool(words and words[0].endswith("SERIAL"))
    generated, text = generated_text(found)
    required = required or generated in {ALWAYS, BY_DEFAULT}
    return facts(
        type=sql_type_text(" ".join(token.text for token in found)),
        nullable=null_text(not required),
        default=sql_default(found),
        comment=NONE,
        identity=generated,
        computed=text,
    )


def generated_text(found: list[SqlToken]) -> tuple[str, str | None]:
    """Return what GENERATED says: when an identity gives a value, and what is computed."""
    words = [token.word for token in found]
    if "GENERATED" not in words:
        return NONE, NONE
    rest = found[words.index("GENERATED") + 1 :]
    if "IDENTITY" in words:
        return (ALWAYS if rest[0].word == "ALWAYS" else BY_DEFAULT), NONE
    return NONE, sql_text(written(inside(rest)[0]))


def sql_sequence(found: list[SqlToken]) -> Facts:
    """Return the numbers that a sequence of SQL begins with and goes on by."""
    said = squeezed(found).replace("- ", "-")
    start, step = (
        re.search(rf"\b{word} (?:{link} )?(-?\d+)", said)
        for word, link in (("start", "with"), ("increment", "by"))
    )
    return facts(start=start[1] if start else "1", increment=step[1] if step else "1")


def of_sequence(made: CallValue) -> Facts:
    """Return the same of `sa.Sequence(...)`."""
    start, step = made.get(1, "start"), made.get(2, "increment")
    known = {"start": 1 if start is None else start, "increment": 1 if step is None else step}
    return tuple((name, str(number)) for name, number in known.items() if isinstance(number, int))


def inside(found: list[SqlToken]) -> tuple[list[SqlToken], list[SqlToken]]:
    """Return what is in the first parenthesis, and what comes after it."""
    depth, start = 0, None
    for index, token in enumerate(found):
        if token.text == "(":
            start, depth = (index + 1 if start is None else start), depth + 1
        elif token.text == ")":
            depth -= 1
            if not depth:
                return found[start:index], found[index + 1 :]
    return [], []


def sql_index(found: list[SqlToken], *, unique: bool) -> Facts:
    """Return what CREATE INDEX says, behind its table."""
    words = [token.word for token in found]
    method = found[1].text.lower() if words[:1] == ["USING"] and len(found) > 1 else "btree"
    columns, rest = inside(found)
    after = [token.word for token in rest]
    where = written(rest[after.index("WHERE") + 1 :]) if "WHERE" in after else None
    text = squeezed(columns)
    included = squeezed(inside(rest)[0]) if after[:1] == ["INCLUDE"] else NONE
    return facts(
        columns=joined([text]) if text and HOLE not in text else None,
        unique="unique" if unique else "not unique",
        include=joined([included]),
        predicate=sql_text(where),
        method=method,
    )
