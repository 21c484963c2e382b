"""Uses of a whole row: `to_jsonb(item)`, `count(item)`, `item IS NOT NULL`.

`pg_depend` does not tell them from any other use of the table, but the stored trees of expressions
do: a variable of the row's type.
"""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import Kind, Reaction
from invoicing.toolkit.rename.names import OWN_TRIGGERS

_SLUG = "whole-row"
# PostgreSQL's own functions, which know no one's tables, have a lower oid.
_FIRST = 16384
_PATTERN = """pattern AS (
    SELECT ':vartype (' || string_agg(oid::text, '|') || ') ' AS text FROM row_type
)"""
_EXPRESSION = """expression AS (
    SELECT r.ev_class::regclass::text AS subject, 'pg_rewrite' AS catalog, r.oid,
        r.ev_action::text AS tree, 'query' AS sort
    FROM pg_catalog.pg_rewrite AS r WHERE r.rulename = '_RETURN' AND r.oid IN (
        SELECT d.objid FROM pg_catalog.pg_depend AS d JOIN tree ON d.refobjid = tree.relid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass)
    UNION ALL SELECT p.oid::regprocedure::text, 'pg_proc', p.oid, p.prosqlbody::text, 'query'
    FROM pg_catalog.pg_proc AS p WHERE p.prosqlbody IS NOT NULL AND p.oid >= {first}
    UNION ALL SELECT quote_ident(p.polname) || ' ON ' || p.polrelid::regclass, 'pg_policy', p.oid,
        concat(p.polqual, p.polwithcheck), 'part'
    FROM pg_catalog.pg_policy AS p
    UNION ALL SELECT quote_ident(k.conname) || ' ON ' || k.conrelid::regclass, 'pg_constraint',
        k.oid, k.conbin::text, 'part'
    FROM tree JOIN pg_catalog.pg_constraint AS k ON k.conrelid = tree.relid AND k.conparentid = 0
        AND k.contype IN ('c', 'x')
    UNION ALL SELECT i.indexrelid::regclass::text, 'pg_class', i.indexrelid,
        concat(i.indexprs, i.indpred), 'part'
    FROM tree JOIN pg_catalog.pg_index AS i ON i.indrelid = tree.relid
    UNION ALL SELECT quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass, 'pg_trigger', t.oid,
        t.tgqual::text, 'trigger'
    FROM tree JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = tree.relid AND t.tgparentid = 0
        AND t.tgname !~ '{own}'
)""".replace("{own}", OWN_TRIGGERS).replace("{first}", str(_FIRST))
_CTES = (_PATTERN, _EXPRESSION)
_USES = """
SELECT subject, catalog, oid FROM expression, pattern
WHERE sort = '{sort}' AND expression.tree ~ pattern.text
    AND {negation}(expression.tree ~ ('NULLTEST :arg \\{VAR [^}]*' || pattern.text))
"""
_BROKEN_VIEW = Reaction(
    "refused",
    "it uses the row as a whole, which has {new} and no {old} from the expand on. Let it name the "
    "columns. Or, if its readers take either name: --accept whole-row",
    acceptable=True,
    at_gate=False,
)
_BEFORE = Reaction(
    "refused",
    "it looks at the row as a whole, which has one column more from the expand on, without a value "
    "until the backfill has come to it. Let it name the columns, then begin",
    acceptable=True,
)
KINDS = (
    Kind(
        _SLUG,
        Reaction(
            "later",
            "it shows the row as a whole: by both names from the expand on, by {new} alone after "
            "the contract. Let it name the columns. Or, if its readers take either name: --accept "
            "whole-row",
            acceptable=True,
        ),
        _BROKEN_VIEW,
        _USES.replace("{sort}", "query").replace("{negation}", "NOT "),
        same_name=Reaction("noted", "it shows the row as a whole, with {new} in it meanwhile"),
        ctes=_CTES,
    ),
    Kind(
        _SLUG,
        _BEFORE,
        _BROKEN_VIEW,
        _USES.replace("{sort}", "query").replace("{negation}", ""),
        ctes=_CTES,
    ),
    *(
        Kind(
            _SLUG,
            _BEFORE,
            _BROKEN_VIEW,
            _USES.replace("{sort}", "part").replace("{negation}", negation),
            ctes=_CTES,
        )
        for negation in ("", "NOT ")
    ),
    *(
        Kind(
            _SLUG,
            Reaction(
                "noted",
                "it compares whole rows, {new} among their columns: an UPDATE that changes nothing "
                "of a row that is not filled yet fills it, which counts as a change",
            ),
            Reaction("noted", "it compares whole rows, and goes on to"),
            _USES.replace("{sort}", "trigger").replace("{negation}", negation),
            ctes=_CTES,
        )
        for negation in ("", "NOT ")
    ),
)
