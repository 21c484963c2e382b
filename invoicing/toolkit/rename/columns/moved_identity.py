"""The identity of a column whose type changes: it goes over to the new one, with its next number.

PostgreSQL makes a new sequence for an identity, so that the old one's options, numbers, privileges
and comment are given to it. Only in the contract: until then the old column is filled as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import literal, quote

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names

# An end that is the type's own is to be the new type's.
_MOVE = """DO $identity_{key}$
DECLARE
    was record;
    at record;
    given record;
BEGIN
    SELECT n.nspname, c.relname, c.oid, c.relacl, c.relowner, s.*, a.attidentity,
        pg_catalog.obj_description(c.oid, 'pg_class') AS said,
        CASE s.seqtypid WHEN 21 THEN 32768 WHEN 23 THEN 2147483648
            ELSE 9223372036854775808::numeric END AS ends
    INTO was FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'i'
        AND d.refobjid = {relation}::pg_catalog.regclass AND a.attname = {old};
    -- It waits for whoever has asked for a number, and keeps others from it until the end.
    EXECUTE pg_catalog.format('ALTER SEQUENCE %I.%I CACHE %s', was.nspname, was.relname,
        was.seqcache);
    EXECUTE pg_catalog.format('SELECT last_value, is_called FROM %I.%I', was.nspname, was.relname)
        INTO at;
    ALTER TABLE {table} ALTER COLUMN {old_column} DROP IDENTITY;
    EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED %s AS IDENTITY ('
        'SEQUENCE NAME %I.%I INCREMENT %s %s %s START %s CACHE %s %s)', {relation}, {new},
        CASE was.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
        was.nspname, was.relname, was.seqincrement,
        CASE WHEN was.seqmin = - was.ends THEN 'NO MINVALUE' ELSE 'MINVALUE ' || was.seqmin END,
        CASE WHEN was.seqmax = was.ends - 1 THEN 'NO MAXVALUE' ELSE 'MAXVALUE ' || was.seqmax END,
        was.seqstart, was.seqcache, CASE WHEN was.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END);
    PERFORM pg_catalog.setval(pg_catalog.format('%I.%I', was.nspname, was.relname)::regclass,
        at.last_value, at.is_called);
    FOR given IN SELECT x.privilege_type, CASE x.grantee WHEN 0 THEN 'PUBLIC'
            ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END AS grantee,
            x.is_grantable FROM pg_catalog.aclexplode(was.relacl) AS x
        WHERE x.grantee <> was.relowner
    LOOP
        EXECUTE pg_catalog.format('GRANT %s ON SEQUENCE %I.%I TO %s%s', given.privilege_type,
            was.nspname, was.relname, given.grantee,
            CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    IF was.said IS NOT NULL THEN
        EXECUTE pg_catalog.format('COMMENT ON SEQUENCE %I.%I IS %L', was.nspname, was.relname,
            was.said);
    END IF;
END
$identity_{key}$"""


def move_statement(names: Names) -> str:
    """Return what gives the new column the old one's identity."""
    return _MOVE.format(
        key=names.key,
        relation=literal(names.relation),
        table=names.relation,
        old=literal(names.old),
        new=literal(names.new),
        old_column=quote(names.old),
    )
