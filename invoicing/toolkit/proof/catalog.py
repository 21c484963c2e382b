"""What a schema is, by PostgreSQL's own words for each object, and how two of them differ.

Compared are definitions, comments and privileges of all objects outside of PostgreSQL's own schemas
and of extensions. Not compared: the order of columns and what sequences count, which nothing brings
back; names of NOT NULL constraints, which PostgreSQL chooses; of what all databases share, only
roles that revisions have made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import Connection

LONGEST = 160
OWN = (
    "NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema')"
)
# Each kind, with a query of the table it belongs to (or an empty text), its name, its definition.
QUERIES = {
    "schema": f"""SELECT '', nspname, concat_ws(' ',
        acl(coalesce(nspacl, acldefault('n', nspowner))), obj_description(oid, 'pg_namespace'))
        FROM pg_namespace WHERE oid {OWN}""",
    "extension": "SELECT '', extname, extversion FROM pg_extension",
    "relation": f"""SELECT '', oid::regclass::text, concat_ws(' ', relkind, relpersistence,
        pg_get_partkeydef(oid), pg_get_expr(relpartbound, oid), reloptions::text,
        CASE WHEN relrowsecurity THEN 'row security' END,
        CASE WHEN relforcerowsecurity THEN 'forced' END, nullif(relreplident::text, 'd'),
        (SELECT string_agg(inhparent::regclass::text, ',' ORDER BY inhseqno) FROM pg_inherits
         WHERE inhrelid = c.oid), CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END,
        acl(coalesce(relacl, acldefault('r', relowner))),
        'comment: ' || obj_description(oid, 'pg_class'))
        FROM pg_class AS c WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND relnamespace {OWN}
        AND free('pg_class', oid)""",
    "column": f"""SELECT attrelid::regclass::text, attname, concat_ws(' ',
        format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
        CASE attgenerated WHEN '' THEN 'DEFAULT ' ELSE 'GENERATED ' || attgenerated::text || ' ' END
            || pg_get_expr(adbin, adrelid),
        'IDENTITY ' || nullif(attidentity::text, ''),
        CASE WHEN attcollation <> t.typcollation
            THEN 'COLLATE ' || attcollation::regcollation::text END,
        CASE WHEN attstorage <> typstorage THEN 'STORAGE ' || attstorage::text END,
        'STATISTICS ' || nullif(attstattarget, -1)::text, attoptions::text, acl(attacl),
        'comment: ' || col_description(attrelid, attnum))
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid
        JOIN pg_type AS t ON t.oid = atttypid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relkind IN ('r', 'p', 'f', 'c') AND attnum > 0 AND NOT attisdropped
        AND relnamespace {OWN} AND free('pg_class', c.oid)""",
    "constraint": f"""SELECT coalesce(nullif(conrelid, 0)::regclass::text, ''), conname,
        concat_ws(' ', pg_get_constraintdef(oid),
                  'comment: ' || obj_description(oid, 'pg_constraint'))
        FROM pg_constraint WHERE contype NOT IN ('n', 't') AND connamespace {OWN}
        AND free('pg_constraint', oid)""",
    "index": f"""SELECT indrelid::regclass::text, i.relname, concat_ws(' ',
        pg_get_indexdef(indexrelid), CASE WHEN NOT indisvalid THEN 'INVALID' END,
        CASE WHEN indisclustered THEN 'CLUSTERED' END, CASE WHEN indisreplident THEN 'IDENTITY' END,
        'comment: ' || obj_description(indexrelid, 'pg_class'))
        FROM pg_index JOIN pg_class AS i ON i.oid = indexrelid
        WHERE relnamespace {OWN} AND free('pg_class', indrelid)
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid
                        AND contype IN ('p', 'u', 'x'))""",
    "sequence": f"""SELECT coalesce((SELECT refobjid::regclass::text FROM pg_depend
            WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'a'
            AND refclassid = 'pg_class'::regclass LIMIT 1), ''), c.oid::regclass::text,
        concat_ws(' ', format_type(seqtypid, NULL), seqstart, seqincrement, seqmin, seqmax,
        seqcache, seqcycle, acl(coalesce(relacl, acldefault('s', relowner))),
        'comment: ' || obj_description(c.oid, 'pg_class'))
        FROM pg_sequence JOIN pg_class AS c ON c.oid = seqrelid
        WHERE relnamespace {OWN} AND NOT EXISTS (SELECT FROM pg_depend
            WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype IN ('i', 'e'))""",
    "trigger": f"""SELECT tgrelid::regclass::text, tgname, concat_ws(' ', pg_get_triggerdef(t.oid),
        nullif(tgenabled::text, 'O'), 'comment: ' || obj_description(t.oid, 'pg_trigger'))
        FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid
        WHERE NOT tgisinternal AND relnamespace {OWN}""",
    "rule": f"""SELECT ev_class::regclass::text, rulename, pg_get_ruledef(r.oid)
        FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = ev_class
        WHERE rulename <> '_RETURN' AND relnamespace {OWN}""",
    "policy": f"""SELECT polrelid::regclass::text, polname, concat_ws(' ', polcmd, polpermissive,
        (SELECT string_agg(role::regrole::text, ',') FROM unnest(polroles) AS role WHERE role <> 0),
        pg_get_expr(polqual, polrelid), 'CHECK ' || pg_get_expr(polwithcheck, polrelid))
        FROM pg_policy JOIN pg_class AS c ON c.oid = polrelid WHERE relnamespace {OWN}""",
    "function": f"""SELECT '', oid::regprocedure::text, concat_ws(' ', CASE WHEN prokind = 'a'
        THEN 'aggregate' ELSE pg_get_functiondef(oid) END,
        acl(coalesce(proacl, acldefault('f', proowner))),
        'comment: ' || obj_description(oid, 'pg_proc'))
        FROM pg_proc WHERE pronamespace {OWN} AND free('pg_proc', oid)""",
    "type": f"""SELECT '', oid::regtype::text, concat_ws(' ', typtype, CASE typtype WHEN 'e' THEN
        (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum
         WHERE enumtypid = t.oid) WHEN 'd' THEN format_type(typbasetype, typtypmod) || ' ' ||
        coalesce(typdefault, '') || CASE WHEN typnotnull THEN ' NOT NULL' ELSE '' END END,
        acl(coalesce(typacl, acldefault('T', typowner))),
        'comment: ' || obj_description(oid, 'pg_type'))
        FROM pg_type AS t WHERE typnamespace {OWN} AND free('pg_type', oid)
        AND (typtype IN ('d', 'e', 'r')
             OR typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c')""",
    "statistics": f"""SELECT stxrelid::regclass::text, stxname, pg_get_statisticsobjdef(oid)
        FROM pg_statistic_ext WHERE stxnamespace {OWN}""",
    "collation": f"""SELECT '', collname, concat_ws(' ', collprovider, collcollate, collctype,
        collisdeterministic) FROM pg_collation WHERE collnamespace {OWN}""",
    "publication": """SELECT '', pubname, concat_ws(' ', puballtables, pubinsert, pubupdate,
        pubdelete, pubtruncate, (SELECT string_agg(concat_ws(' ', schemaname, tablename), ',')
        FROM (SELECT * FROM pg_publication_tables ORDER BY 2, 3) AS p
        WHERE p.pubname = pg_publication.pubname)) FROM pg_publication""",
    "event trigger": """SELECT '', evtname, concat_ws(' ', evtevent, evtfoid::regproc, evtenabled,
        evttags::text) FROM pg_event_trigger""",
    "settings": """SELECT '', coalesce(setrole::regrole::text, 'database'), setconfig::text
        FROM pg_db_role_setting JOIN pg_database AS d ON d.oid = setdatabase
        WHERE datname = current_database()""",
    "default privileges": """SELECT '', concat_ws(' ', defaclrole::regrole, nullif(defaclnamespace,
        0)::regnamespace, defaclobjtype), acl(defaclacl) FROM pg_default_acl""",
}
ROLES = """SELECT rolname, concat_ws(' ', CASE WHEN rolsuper THEN 'SUPERUSER' END,
    CASE WHEN rolinherit THEN 'INHERIT' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
    CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolcanlogin THEN 'LOGIN' END,
    CASE WHEN rolreplication THEN 'REPLICATION' END, rolconnlimit, rolvaliduntil, rolconfig::text,
    'IN ROLE ' || (SELECT string_agg(roleid::regrole::text, ',' ORDER BY 1) FROM pg_auth_members
                   WHERE member = r.oid))
    FROM pg_roles AS r WHERE rolname = ANY (CAST(:roles AS text[]))"""
HELPERS = """
SET search_path = public;
CREATE OR REPLACE FUNCTION pg_temp.acl(aclitem[]) RETURNS text LANGUAGE sql AS
    'SELECT string_agg(each::text, '','' ORDER BY each::text) FROM unnest($1) AS each';
CREATE OR REPLACE FUNCTION pg_temp.free(text, oid) RETURNS boolean LANGUAGE sql AS
    'SELECT NOT EXISTS (SELECT FROM pg_depend WHERE classid = $1::regclass AND objid = $2
     AND deptype = ''e'')'
"""
KINDS = {"r": "table", "p": "table", "f": "foreign table", "v": "view", "m": "materialized view"}

Key = tuple[str, str, str]
Catalog = dict[Key, str]


@dataclass(frozen=True)
class CatalogDifference:
    """An object that two catalogs have not in common.

    Attributes:
        kind: what it is.
        table: what it is on; empty for none.
        name: its name there.
        before, after: its definition; None where it is not there.
    """

    kind: str
    table: str
    name: str
    before: str | None
    after: str | None

    @property
    def called(self) -> str:
        """Its kind and name, as a message has them."""
        if self.kind == "column":
            return f"column {self.table}.{self.name}"
        return f"{self.kind} {self.name}" + (f" on {self.table}" if self.table else "")

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.called} is left behind"
        if self.after is None:
            return f"{self.called} is not there again"
        return f"{self.called} was {_short(self.before)} and is {_short(self.after)}"


def read_catalog(connection: Connection, roles: Collection[str] = ()) -> Catalog:
    """Return every object of a database with its definition.

    Args:
        connection: of the database.
        roles: the roles to be compared as well; others are none of its business.
    """
    for statement in HELPERS.split(";\n"):
        connection.execute(text(statement))
    catalog: Catalog = {}
    for kind, query in QUERIES.items():
        asked = query.replace(" acl(", " pg_temp.acl(").replace(" free(", " pg_temp.free(")
        asked = asked.replace(",acl(", ",pg_temp.acl(")
        for table, name, definition in connection.exec_driver_sql(asked):
            own = KINDS.get(definition[:1], kind) if kind == "relation" else kind
            catalog[own, table, name] = definition
    for name, definition in connection.execute(text(ROLES), {"roles": list(roles)}):
        catalog["role", "", name] = definition
    connection.rollback()
    return catalog


def differences(before: Catalog, after: Catalog) -> Iterator[CatalogDifference]:
    """Return what differs; of a table that is missing or left, only itself."""
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    alone = {name for _, table, name in changed if not table and _is_one_sided(before, after, name)}
    for kind, table, name in sorted(changed):
        if table not in alone:
            key = (kind, table, name)
            yield CatalogDifference(kind, table, name, before.get(key), after.get(key))


def _is_one_sided(before: Catalog, after: Catalog, name: str) -> bool:
    there, back = ({key[2] for key in each if not key[1]} for each in (before, after))
    return (name in there) != (name in back)


def _short(definition: str) -> str:
    plain = " ".join(definition.split())
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}..."
