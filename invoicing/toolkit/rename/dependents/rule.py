"""Rules: they see what a statement names, not what triggers make of the row."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import BLOCKS, FOLLOWS, STAYS, Kind, Reaction

_RULE = """rule AS (
    SELECT quote_ident(r.rulename) || ' ON ' || r.ev_class::regclass AS subject, r.oid, r.ev_type,
        r.ev_class IN (SELECT relid FROM tree) AS on_table,
        EXISTS (SELECT FROM hanging AS h WHERE h.classid = 'pg_rewrite'::regclass
            AND h.objid = r.oid) OR concat(r.ev_action, r.ev_qual) ~ (
            SELECT ':vartype (' || string_agg(oid::text, '|') || ') ' FROM row_type) AS names_it,
        r.ev_type = '2' AND EXISTS (SELECT FROM tree JOIN pg_catalog.pg_attrdef AS d
            ON d.adrelid = tree.relid AND d.adnum = tree.attnum) AS asks_default,
        r.ev_type = '2' AND r.is_instead AND r.ev_qual ~ ':varno 1 ' AS guards
    FROM pg_catalog.pg_rewrite AS r WHERE r.rulename <> '_RETURN'
)"""
_RULES = "SELECT subject, 'pg_rewrite', oid FROM rule WHERE "
# A statement on the view is rewritten for the table behind it, and then by that one's rules.
_VIEW = Reaction("carried", "goes on for what is written to the view, and follows the column")
_EARLY = (
    "it is run before the two columns are made equal, and would write the wrong value. Drop it, or "
    "replace it with a trigger, first"
)
_TOO_EARLY = Reaction("refused", f"{_EARLY}. Or use --strategy view")
_EVERY_ROW = Reaction(
    "refused",
    "it would run for every row of the backfill, or instead of it. Drop it, or replace it with a "
    "trigger, first",
    acceptable=True,
)
# Measured on 15 and 18: behind a view, OLD in the condition of an INSTEAD rule has the new values.
_GUARD = Reaction(
    "refused",
    "its condition would be asked of the new values where a statement goes to the view, and let "
    "through what it keeps away. Replace it with a trigger first",
    at_gate=False,
)
KINDS = (
    Kind(
        "rule",
        Reaction("refused", _EARLY),
        _GUARD,
        _RULES + "on_table AND names_it AND guards",
        ctes=(_RULE,),
        same_name=BLOCKS,
    ),
    Kind(
        "rule",
        _EVERY_ROW,
        _GUARD,
        _RULES + "on_table AND NOT names_it AND guards",
        ctes=(_RULE,),
    ),
    Kind(
        "rule",
        _TOO_EARLY,
        _VIEW,
        _RULES + "on_table AND names_it AND NOT asks_default AND NOT guards",
        ctes=(_RULE,),
        same_name=BLOCKS,
    ),
    Kind(
        "rule",
        _TOO_EARLY,
        Reaction(
            "refused",
            "UPDATE ... SET {old} = DEFAULT would be NULL for it while the view stands: a trigger "
            "gives the row its default, after the rule. If no code does that: --accept rule",
            acceptable=True,
            at_gate=False,
        ),
        _RULES + "on_table AND names_it AND asks_default AND NOT guards",
        ctes=(_RULE,),
        same_name=BLOCKS,
    ),
    Kind(
        "rule",
        _EVERY_ROW,
        _VIEW,
        _RULES + "on_table AND NOT names_it AND ev_type = '2' AND NOT guards",
        ctes=(_RULE,),
    ),
    Kind(
        "rule",
        Reaction("noted", "it does not name {old}, and goes on as it is"),
        _VIEW,
        _RULES + "on_table AND NOT names_it AND ev_type <> '2'",
        ctes=(_RULE,),
    ),
    Kind(
        "rule",
        Reaction(
            "later",
            "the contract is refused until it does not name {old}. After the backfill create it "
            "again with {new}",
        ),
        FOLLOWS,
        _RULES + "NOT on_table AND names_it",
        ctes=(_RULE,),
        in_place=STAYS,
    ),
)
