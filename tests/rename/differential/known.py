"""Differences that are known, each with its reason and an example that has to differ still.

By what an error says and by what the schema has, so that nothing else passes for one of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.rename.differential.examples import ROWS, TABLE, example, statement

if TYPE_CHECKING:
    from tests.rename.differential.case import Case
    from tests.rename.differential.judge import DifferenceError, Tally


@dataclass(frozen=True)
class Known:
    """One kind of difference.

    Attributes:
        kind: a pattern of the difference's kind.
        text: a pattern of what it says.
        script: a pattern of the example's script: what has to be there for it.
        since: the first version that has it.
    """

    slug: str
    reason: str
    example: Case
    kind: str
    text: str = ""
    script: str = ""
    since: int = 0


KNOWN = (
    Known(
        "domain default",
        "A default that is itself of a domain, and does not end with a cast to it, has one more"
        " to its base type afterwards: a CASE with a branch of no type is of the base type.",
        example(
            "CREATE TABLE @t (id int PRIMARY KEY, @c @s.cents DEFAULT"
            " (ARRAY['1'::text::@s.cents])[1])",
            before=("CREATE DOMAIN @s.cents AS bigint",),
        ),
        kind="^schema after (contract|rollback): (DEFAULT|TABLE|DEFAULT, TABLE)$",
        text=r"(?s)DEFAULT \((.+?)\)::\S+.*DEFAULT \1",
        script="CREATE DOMAIN",
    ),
    Known(
        "a prepared statement and a domain",
        "Until the contract the new column is of the type that the domain is made of: a statement"
        " that returns it, and was prepared by then, has to be prepared again.",
        example(
            "CREATE TABLE @t (id int PRIMARY KEY, @c @s.cents)",
            before=("CREATE DOMAIN @s.cents AS bigint CHECK (VALUE > 0)",),
            work=dict.fromkeys(("verify", "contract"), statement("SELECT @c FROM @t", "new")),
        ),
        kind="by the new name after contract: 0A000 for None$",
        script=r"(?s)^-- columns.*CREATE TABLE [^\n]*\b(short|positive|required|cents)\b",
    ),
    Known(
        "names of NOT NULL",
        "Where a partition had a NOT NULL of another name before it was attached, the new column's"
        " has a name of its own: PostgreSQL renames the table's only together with all.",
        example(
            "CREATE TABLE @t (id int NOT NULL, @c bigint CONSTRAINT above NOT NULL)"
            " PARTITION BY RANGE (id)",
            "CREATE TABLE @s.low (id int NOT NULL, @c bigint CONSTRAINT below NOT NULL)",
            "ALTER TABLE @t ATTACH PARTITION @s.low FOR VALUES FROM (0) TO (10)",
        ),
        kind="^schema after contract: TABLE$",
        text=r"CONSTRAINT .* NOT NULL",
        script="ATTACH PARTITION",
        since=18,
    ),
    Known(
        "sequence",
        "An INSERT by the new name leaves the old one out, whose default PostgreSQL evaluates"
        " before any trigger: its sequence is advanced, and skips a number.",
        example(
            "CREATE TABLE @t (id int PRIMARY KEY, @c bigserial, note text)",
            work={
                "expand": statement("INSERT INTO @t (id, @c) VALUES (1, 70)", "new"),
                "verify": statement("INSERT INTO @t (id) VALUES (2)"),
            },
        ),
        kind="^rows after|by the (old|new) name after",
        script=r"nextval\(|AS IDENTITY \(START 5000|bigserial",
    ),
    Known(
        "partition behind a view",
        "While the view stands in the table's place, its partitions have the new name only.",
        example(
            TABLE.replace("PRIMARY KEY", "NOT NULL") + " PARTITION BY RANGE (id)",
            "CREATE TABLE @s.low PARTITION OF @t FOR VALUES FROM (0) TO (10)",
            ROWS,
            strategy="view",
            work={"expand": statement("UPDATE @s.low SET @c = 5 WHERE id = 1")},
        ),
        kind="^direct write to a partition by the old name after .*: 42703 for (?!42703)",
        script="^-- view",
    ),
    Known(
        "identity behind a view",
        "The view's column is no identity: SET ... = DEFAULT of one GENERATED ALWAYS is refused.",
        example(
            "CREATE TABLE @t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, @c bigint)",
            "INSERT INTO @t (@c) VALUES (1)",
            strategy="view",
            work={"expand": statement("UPDATE @t SET id = DEFAULT WHERE id = 1")},
        ),
        kind="by the (old|new) name after .*: 428C9 for None$",
        script="(?s)^-- view.*GENERATED ALWAYS AS IDENTITY",
    ),
)


def is_known(error: DifferenceError, case: Case, tally: Tally) -> bool:
    """Tell whether a difference is known, and count it."""
    for known in KNOWN:
        if (
            re.search(known.kind, error.kind)
            and re.search(known.text, error.text)
            and re.search(known.script, case.script())
        ):
            tally.known[known.slug] += 1
            return True
    return False
