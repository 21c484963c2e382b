"""Statements that differ only in values have one fingerprint; others do not."""

from __future__ import annotations

import pytest

from invoicing.toolkit.profiling import fingerprint_of
from invoicing.toolkit.profiling.fingerprint import operation_of

ALIKE = {
    "literals": ("SELECT 'it''s', 1.5e3 FROM t", "SELECT  'b' ,\n 2 FROM t".replace(" ,", ",")),
    "lengths of IN": ("a IN ($1::UUID, $2::UUID)", "a IN ($1::UUID)"),
    "IN of rows": ("(a, b) IN (($1, $2), ($3, $4))", "(a, b) IN (($1, $2))"),
    "placeholders of any driver": ("a = $1 AND b = %s", "a = ? AND b = :name"),
    "named placeholders": ("a = %(a_1)s", "a = $12"),
    "rows of VALUES": ("INSERT INTO t (a) VALUES ($1), ($2)", "INSERT INTO t (a) VALUES (NULL)"),
    "comments": ("/* trace 1 */ SELECT a -- note\nFROM t", "SELECT a FROM t /* trace 2 */"),
    "savepoints": ("SAVEPOINT sa_savepoint_1", "SAVEPOINT sa_savepoint_23"),
    "quoting by dollars": ("SELECT $x$ it's $x$", "SELECT ''"),
    "escapes": (r"SELECT E'a\'b', 1", "SELECT 'c', 2"),
}
DIFFERENT = [
    ("SELECT a FROM t", "SELECT b FROM t"),
    ("SELECT a1 FROM t", "SELECT a2 FROM t"),
    ('SELECT "it\'s" FROM t', 'SELECT "it" FROM t'),
    ("SELECT a WHERE b IS NULL", "SELECT a WHERE b = $1"),
    ("SELECT a::text", "SELECT a::bigint"),
    ("a IN (SELECT 1)", "a IN ($1)"),
    ("f($1)", "f($1, $2)"),
]


@pytest.mark.parametrize("case", ALIKE)
def test_what_is_no_part_of_the_shape(case: str) -> None:
    text, other = ALIKE[case]
    assert fingerprint_of(text) == fingerprint_of(other)


@pytest.mark.parametrize(("text", "other"), DIFFERENT)
def test_what_is(text: str, other: str) -> None:
    assert fingerprint_of(text) != fingerprint_of(other)


def test_no_literal_is_left_in_it() -> None:
    shape = fingerprint_of("SELECT $$s3cret$$, E's3cret\\'', 's3cret''s3cret', x's3cret' -- s3cret")
    assert "s3cret" not in shape


@pytest.mark.parametrize(
    ("text", "operation"),
    [("/* x */ (select 1)", "SELECT"), ("-- y\n insert into t", "INSERT"), ("", "")],
)
def test_the_operation_is_the_first_keyword(text: str, operation: str) -> None:
    assert operation_of(text) == operation
