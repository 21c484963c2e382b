"""A table with a bit of everything on it, and everything that the catalog says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rename.bills import CONFIRM
from tests.rename.faults import connected
from tests.rename.state import gate_opens

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import Rename

# Everything there is to know of the table, and of what else has a name in its schema.
_EVERYTHING = """
SELECT 'class', format('%s %s %s %s', c.relname, c.relkind, c.relowner::regrole,
    obj_description(c.oid, 'pg_class'))
    FROM pg_class AS c WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT 'grant', format('%s %s', c.relname, x) FROM pg_class AS c,
    aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS x
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
UNION ALL SELECT 'column', format('%s %s %s %s %s %s %s', attrelid::regclass, attname, atttypid,
    attnotnull, pg_get_expr(adbin, adrelid), attacl, col_description(attrelid, attnum))
    FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
    WHERE attrelid = 'bill'::regclass AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'constraint', format('%s %s', conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = 'bill'::regclass
UNION ALL SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger
    WHERE tgrelid = 'bill'::regclass AND NOT tgisinternal
UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE nspname !~ '^pg_'
ORDER BY 1, 2
"""
RICH = """
ALTER TABLE bill ALTER amt SET DEFAULT 5, ALTER note SET DEFAULT 'none', ADD UNIQUE (amt, id),
    ADD CONSTRAINT bill_amt_positive CHECK (amt > 0), ADD number bigserial,
    ADD place int GENERATED ALWAYS AS IDENTITY,
    ADD twice bigint GENERATED ALWAYS AS (id * 2) STORED;
CREATE INDEX ix_bill_amt ON bill (amt) WHERE amt > 7;
CREATE STATISTICS bill_amt_stats ON amt, id FROM bill;
COMMENT ON TABLE bill IS 'what is owed';
COMMENT ON COLUMN bill.amt IS 'in cents';
CREATE TABLE payment (bill bigint REFERENCES bill, paid bigint);
CREATE VIEW report AS SELECT id, amt FROM bill;
"""


async def everything(url: URL) -> list[tuple[str, str]]:
    async with connected(url) as connection:
        return [tuple(row) for row in await connection.fetch(_EVERYTHING)]


async def contracted(rename: Rename) -> None:
    await gate_opens(rename)
    await rename.contract(confirm=CONFIRM)
