"""What each parameter of a statement does, by the words around it."""

from __future__ import annotations

import pytest

from invoicing.toolkit.profiling.findings.parameter_roles import ParameterRole, parameter_roles

E, R, P, L, PATTERN, OTHER = (
    ParameterRole.EQUAL,
    ParameterRole.RANGE,
    ParameterRole.PAGE,
    ParameterRole.LIST,
    ParameterRole.PATTERN,
    ParameterRole.OTHER,
)


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("SELECT a FROM t WHERE id = $1::INTEGER", [E]),
        ("SELECT a FROM t WHERE $1::INTEGER = t.id", [E]),
        ("SELECT a FROM t WHERE lower(t.name) = lower($1::VARCHAR)", [E]),
        ("SELECT a FROM t WHERE id > $1 ORDER BY id LIMIT $2", [R, P]),
        ("SELECT a FROM t WHERE a = $1 AND id >= $2 AND id < $3", [E, R, R]),
        ("SELECT a FROM t WHERE a > $1 OR a = $2 AND id > $3 LIMIT $4 OFFSET $5", [R, E, R, P, P]),
        ("SELECT a FROM t WHERE (a, id) > ($1, $2)", [R, R]),
        ("SELECT a FROM t WHERE id BETWEEN $1 AND $2 AND b = $3", [R, R, E]),
        ("SELECT a FROM t WHERE id IN ($1, $2, $3)", [L, L, L]),
        ("SELECT a FROM t WHERE id = ANY ($1::INTEGER[])", [L]),
        ("SELECT a FROM t FETCH FIRST $1 ROWS ONLY", [P]),
        ("SELECT a, $1 AS b FROM t WHERE name LIKE $2", [OTHER, PATTERN]),
        ("SELECT a FROM t WHERE id = ? AND b = ?", [E, E]),
        ("SELECT a FROM t WHERE id = %(id)s AND day >= %(day)s", [E, R]),
        ("SELECT a FROM t WHERE id = :id -- and b > :no", [E]),
        ("SELECT ':no' FROM t WHERE id = :id", [E]),
        # The same parameter at two places; numbers are in their own order.
        ("SELECT a FROM t WHERE b > $2 AND id = $1 OR c = $2", [E, {R, E}]),
        # Without placeholders, the literals.
        ("SELECT a1 FROM t2 WHERE id = 5 AND name = 'it''s' LIMIT 10", [E, E, P]),
        ("SELECT a FROM t", []),
    ],
)
def test_a_parameter_is_known_by_its_neighbours(text: str, roles: list[object]) -> None:
    expected = [frozenset(role if isinstance(role, set) else {role}) for role in roles]
    assert list(parameter_roles(text)) == expected
