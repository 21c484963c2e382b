"""What an index would have, read off the filter of a plan."""

from __future__ import annotations

import pytest

from invoicing.toolkit.profiling.findings.kinds.missing_index import columns_of


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("(value = 17)", ["value"]),
        ("((value = 17) AND (id > 0))", ["value", "id"]),
        ("((id > 0) AND (value = 17))", ["value", "id"]),
        ("((day > 1) AND (hour > 2))", ["day"]),
        ("((state)::text = 'new'::text)", ["state"]),
        ("(lower((name)::text) = 'ada'::text)", ["(lower(name))"]),
        ("(state = ANY ('{a,b}'::text[]))", ["state"]),
        ('("Order" = 3)', ['"Order"']),
        ("((a = 1) OR (b = 2))", []),
        ("(a = b)", []),
        ("(name ~~ '%a'::text)", []),
        ("(NOT done)", []),
        ("(a = (SubPlan 1))", []),
        ("((evt.k = 17) AND (evt.day > 0))", ["k", "day"]),
        ('(("Big E"."K k" = 5) AND ("Big E"."c""d" > 3))', ['"K k"', '"c""d"']),
        ('("An ""alias"". %"."x%" = 5)', ['"x%"']),
        ("(lower((e.name)::text) = 'e.name'::text)", ["(lower(name))"]),
        ("((e.address).street = 7)", ["((address).street)"]),
        ("(((e.k + 1) * 2) = 18)", ["((k + 1) * 2)"]),
        ("(e.a = e_1.a)", []),
        ("((e.a + e_1.a) = 3)", []),
    ],
)
def test_columns_of_a_filter(text: str, columns: list[str]) -> None:
    assert columns_of({"Filter": text, "Indexed": []}) == columns


def test_a_column_that_an_index_begins_with_is_not_missing() -> None:
    node = {"Filter": "((value = 17) AND (day = 3))", "Indexed": ["id", "day"]}
    assert columns_of(node) == []
    node = {"Filter": "(lower((name)::text) = 'a'::text)", "Indexed": ["lower(name::text)"]}
    assert columns_of(node) == []
    node = {"Filter": '(e."K k" = 3)', "Indexed": ['"Kk"']}
    assert columns_of(node) == ['"K k"']
