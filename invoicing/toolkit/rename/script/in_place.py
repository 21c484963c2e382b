"""The contract of a rename as a script: PostgreSQL's own RENAME, as in `columns.in_place`.

Whatever is on the old column stays there and follows it; only what serves those who use the new
name meanwhile is built twice, and goes with the new column. So nothing has to be copied that only a
run can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns.in_place import ON_NEW, in_place_statements
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.script.blocks import execute, raise_if
from invoicing.toolkit.rename.script.changes import carry
from invoicing.toolkit.rename.script.conditions import NOT_NULL
from invoicing.toolkit.rename.script.renamed import rename_them

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names

_COPIES = f"""(SELECT e.note FROM {quote(STATE)}.rename AS r,
        jsonb_array_elements(r.definition -> 'copies') AS e (note) WHERE r.key = {{key}}) AS m"""
_SUBJECTS = """
SELECT string_agg(o.subject, '; ') FROM ({on_new}) AS o
WHERE o.contype IS DISTINCT FROM 'n' AND o.name IS DISTINCT FROM {check}
    AND NOT EXISTS (SELECT FROM {copies} WHERE m.note ->> 'name' = o.name
        AND coalesce(m.note ->> 'by_hand', 'false') = 'false')
"""


def refuse_on_new(names: Names) -> str:
    """Refuse what was made on the new column by hand: it would be dropped with it."""
    copies = _COPIES.format(key=literal(names.key))
    check = literal(names.not_null_check)
    query = _SUBJECTS.format(on_new=ON_NEW, check=check, copies=copies)
    new, old = literal(names.new), literal(names.old)
    hint = f"Make it on {names.old} and drop it there, then run the script again."
    return (
        f"    EXECUTE {literal(query)} INTO hindrance USING rel::oid, {new}, {old};\n"
        f"    IF {NOT_NULL.format(new)} AND NOT col.attnotnull AND NOT EXISTS"
        f" (SELECT FROM {copies} WHERE m.note ->> 'kind' = 'not-null') THEN\n"
        "        hindrance := concat_ws('; ', hindrance, 'NOT NULL');\n    END IF;\n"
        + raise_if(
            "hindrance IS NOT NULL",
            f"the contract drops {names.new} of {names.relation}, for {names.old} itself gets its"
            " name, and this was made on it: ",
            hint,
            fact="hindrance",
        )
    )


def contract(names: Names) -> str:
    """Return what drops the new column, and gives the old one its name."""
    return (
        carry(names, back=True)
        + execute(*in_place_statements(names, [], []))
        + rename_them(names, names.new)
    )
