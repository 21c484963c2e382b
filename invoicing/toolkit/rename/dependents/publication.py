"""Publications: of the table, of lists of its columns, and of this toolkit's own state.

No one can receive them without a logical replication slot of the output plugin that reads them, in
this database. Where there is none, a publication is no reason to wait: only whoever subscribes
while the rename is under way has to know of it.
"""

from __future__ import annotations

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.dependents.kind import FOLLOWS, NOTHING, STAYS, Kind, Reaction
from invoicing.toolkit.rename.names import STATE

_COLUMN_LISTS_SINCE = 15
# What a subscriber needs; braces are the message's own.
_STATE = "; ".join(
    " ".join(statement.split()).replace("{", "{{").replace("}", "}}")
    for statement in state.SETUP
    if statement.startswith("CREATE")
)
_PUBLISHED_STATE = Reaction(
    "refused",
    "publishes the tables in which a rename keeps its progress (schema " + STATE + "), too: "
    "a subscriber that lacks them stops at their first row. Run on each subscriber: "
    + _STATE
    + "; without ALTER SUBSCRIPTION ... REFRESH PUBLICATION until the rename is over; then: "
    "--accept published-state. Or publish a list of tables instead: DROP PUBLICATION {subject}; "
    "CREATE PUBLICATION {subject} FOR TABLE ...",
    acceptable=True,
    at_gate=False,
)
_STATE_BY_ALL = """
SELECT quote_ident(p.pubname), 'pg_publication', p.oid FROM pg_catalog.pg_publication AS p
WHERE p.puballtables AND EXISTS (SELECT FROM tree)
"""
_STATE_BY_SCHEMA = f"""
SELECT quote_ident(p.pubname), 'pg_publication', p.oid
FROM pg_catalog.pg_publication AS p
JOIN pg_catalog.pg_publication_namespace AS m ON m.pnpubid = p.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = m.pnnspid AND n.nspname = '{STATE}'
WHERE EXISTS (SELECT FROM tree)
"""
_SLOTS = """reading_slot AS (
    SELECT FROM pg_catalog.pg_replication_slots
    WHERE slot_type = 'logical' AND plugin = 'pgoutput' AND database = current_database()
)"""
_SLOT = "EXISTS (SELECT FROM reading_slot)"
_NO_SLOT = (
    "no logical replication slot of this database reads it, so that there is no subscriber now. "
    "Who subscribes "
)
_PUBLISHED = """published AS (
    SELECT p.oid, p.pubname, p.pubupdate, t.schemaname, t.tablename
    FROM pg_catalog.pg_publication_tables AS t
    JOIN pg_catalog.pg_publication AS p ON p.pubname = t.pubname
)"""
_TABLES = """
SELECT DISTINCT quote_ident(t.pubname), 'pg_publication', t.oid
FROM published AS t JOIN pg_catalog.pg_class AS c ON c.relname = t.tablename
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = t.schemaname
WHERE c.oid IN (SELECT relid FROM tree)
"""
_COLUMN_LISTS = """column_list AS (
    SELECT quote_ident(p.pubname), 'pg_publication_rel', r.oid
    FROM tree JOIN pg_catalog.pg_publication_rel AS r ON r.prrelid = tree.relid
    JOIN pg_catalog.pg_publication AS p ON p.oid = r.prpubid
    WHERE tree.attnum = ANY (r.prattrs::int2[]) OR EXISTS (SELECT FROM hanging AS h
        WHERE h.classid = 'pg_publication_rel'::regclass AND h.objid = r.oid)
)"""
_NO_IDENTITY = """
SELECT DISTINCT c.oid::regclass::text, 'pg_class', c.oid
FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = tree.relid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN published AS t ON t.schemaname = n.nspname AND t.pubupdate
WHERE (t.tablename = c.relname OR EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a
        JOIN pg_catalog.pg_class AS r ON r.oid = a.relid AND r.relname = t.tablename))
    AND CASE c.relreplident WHEN 'n' THEN true WHEN 'd' THEN NOT EXISTS (SELECT FROM
        pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND i.indisprimary) ELSE false END
"""
_STATE_NOTED = Reaction(
    "noted",
    _NO_SLOT + "meanwhile is sent the tables in which a rename keeps its progress, too, and needs "
    "the schema " + STATE,
)
_LISTED = Reaction(
    "later",
    "the contract is refused until it does not name {old}. After the backfill run: ALTER "
    "PUBLICATION {subject} SET TABLE {table} (... {new} ...)",
)
_LISTED_IN_PLACE = Reaction(
    "later",
    "from the contract on, subscribers are sent {new}, and stop if they lack it. Add it there, "
    "then: --accept {slug}",
    acceptable=True,
)
KINDS = (
    *(
        Kind(
            "published-state",
            reaction,
            reaction,
            f"{query} AND {negation}{_SLOT}",
            since=since,
            ctes=(_SLOTS,),
        )
        for reaction, negation in ((_PUBLISHED_STATE, ""), (_STATE_NOTED, "NOT "))
        for query, since in ((_STATE_BY_ALL, 14), (_STATE_BY_SCHEMA, _COLUMN_LISTS_SINCE))
    ),
    Kind(
        "publication",
        Reaction(
            "refused",
            "subscribers stop at a row with a column they lack. Add it there, then: --accept "
            "{slug}",
            acceptable=True,
        ),
        Reaction(
            "refused",
            "subscribers are sent the table's and the column's new names, and stop at what they "
            "lack",
        ),
        f"{_TABLES} AND {_SLOT}",
        ctes=(_SLOTS, _PUBLISHED),
    ),
    Kind(
        "publication",
        Reaction("noted", _NO_SLOT + "before the contract needs {old} and {new}"),
        Reaction("noted", _NO_SLOT + "before the contract is sent another table, with {new}"),
        f"{_TABLES} AND NOT {_SLOT}",
        ctes=(_SLOTS, _PUBLISHED),
    ),
    Kind(
        "publication-columns",
        _LISTED,
        Reaction("refused", "subscribers are sent the new names, and stop"),
        f"SELECT * FROM column_list WHERE {_SLOT}",
        ctes=(_SLOTS, _COLUMN_LISTS),
        since=_COLUMN_LISTS_SINCE,
        in_place=_LISTED_IN_PLACE,
    ),
    Kind(
        "publication-columns",
        _LISTED,
        FOLLOWS,
        f"SELECT * FROM column_list WHERE NOT {_SLOT}",
        ctes=(_SLOTS, _COLUMN_LISTS),
        since=_COLUMN_LISTS_SINCE,
        in_place=STAYS,
    ),
    Kind(
        "no-replica-identity",
        Reaction(
            "refused",
            "is published without a replica identity, so that no row of it can be updated, nor "
            "filled. Run: ALTER TABLE {subject} REPLICA IDENTITY FULL. Or use --strategy view",
        ),
        NOTHING,
        _NO_IDENTITY,
        ctes=(_PUBLISHED,),
    ),
)
