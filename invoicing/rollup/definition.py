"""The trigger functions, and the statements that fill the totals, as SQL for one schema.

A statement's rows come as transition tables: what was with the sign -1, what is with 1. Old rows
are never joined to new ones, so that a key may change too; what cancels out (an update of another
column, a backfill) leaves no trace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import inspect

from invoicing.models import Invoice, InvoiceLine
from invoicing.toolkit.rename.names import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLES = (Invoice.__tablename__, InvoiceLine.__tablename__)
EVENTS = ("insert", "update", "delete", "truncate")
TRIGGERS = tuple((table, f"{table}_rollup_{event}") for table in TABLES for event in EVENTS)
TOTALS = ("invoice_day_total", "invoice_account_total", "invoice_difference")
DELTAS = ("invoice_delta", "invoice_line_delta")
# What writes to them but the roll-up itself: a restore of another database's totals.
_ANY_WRITE = "INSERT OR UPDATE OR DELETE OR TRUNCATE"
_GUARDED = dict.fromkeys((*TOTALS, *DELTAS), _ANY_WRITE) | {"invoice_rollup": "INSERT OR UPDATE"}
GUARDS = tuple((table, f"{table}_guard") for table in _GUARDED)
GUARD = "invoice_rollup_guard"
# The roll-up's own writes, for the rest of the transaction.
OWN_WRITES = "SET LOCAL invoicing.rollup = 'on'"
AMOUNT = inspect(Invoice).columns["amount_cents"].name
# What else the amount may be called, on a table that is not renamed yet.
OLD_AMOUNT = "amt"
_TRANSITIONS = {
    "insert": "NEW TABLE AS new_rows",
    "update": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "OLD TABLE AS old_rows",
}

# A rename's backfill changes nothing that is added up, and the rename asks this of each trigger.
_UNLESS_BACKFILL = "WHEN (current_setting('invoicing.backfill', true) IS DISTINCT FROM 'on')"
_UNLESS_OWN = "WHEN (current_setting('invoicing.rollup', true) IS DISTINCT FROM 'on')"


@dataclass(frozen=True)
class Definition:
    """The roll-up's SQL.

    Attributes:
        schema: where the tables are, quoted.
        amount: what the column of an invoice's amount is called there.
        shards: of a distributed schema what each table is called on its node, qualified: there the
            triggers fire, and a statement on the table itself could not see their rows.
    """

    schema: str
    amount: str = AMOUNT
    shards: Mapping[str, str] = field(default_factory=dict)

    def functions(self) -> list[str]:
        """Create the trigger functions, or replace them; whoever may write needs no right more."""
        bodies = {
            f"{TABLES[0]}_rollup": self._unless_inherited() + self._of_invoices(),
            f"{TABLES[1]}_rollup": self._unless_inherited() + self._of_lines(),
        }
        bodies[GUARD] = f"DELETE FROM {self.schema}.invoice_rollup;"
        bodies = {name: self._on_node(body) for name, body in bodies.items()}
        return [
            f"""
            CREATE OR REPLACE FUNCTION {self.schema}.{name}() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp SET invoicing.rollup = 'on' AS $rollup$
            BEGIN
                {body}
                RETURN NULL;
            END
            $rollup$
            """
            for name, body in bodies.items()
        ]

    def triggers(self) -> list[str]:
        """Create the triggers, which fire in a session that restores or replicates too."""
        made: list[str] = []
        for table in TABLES:
            for event in EVENTS:
                name, on = f"{table}_rollup_{event}", f"{self.schema}.{table}"
                rows = f"REFERENCING {_TRANSITIONS[event]}" if event in _TRANSITIONS else ""
                when = _UNLESS_BACKFILL if event == "update" else ""
                made.append(f"DROP TRIGGER IF EXISTS {name} ON {on}")
                made.append(
                    f"CREATE TRIGGER {name} AFTER {event.upper()} ON {on} {rows}"
                    f" FOR EACH STATEMENT {when} EXECUTE FUNCTION {self.schema}.{table}_rollup()"
                )
        for table, name in GUARDS:
            made.append(f"DROP TRIGGER IF EXISTS {name} ON {self.schema}.{table}")
            made.append(
                f"CREATE TRIGGER {name} AFTER {_GUARDED[table]} ON {self.schema}.{table}"
                f" FOR EACH STATEMENT {_UNLESS_OWN} EXECUTE FUNCTION {self.schema}.{GUARD}()"
            )
        return made + self.switched_on()

    def switched_off(self) -> list[str]:
        """Disable every trigger of the roll-up."""
        return self._switch("DISABLE")

    def switched_on(self) -> list[str]:
        """Enable every trigger of the roll-up, which were new or off.

        In one transaction with `functions`: their rows in the catalog are then of one transaction,
        by which a later change of any of them is noticed.
        """
        return self._switch("ENABLE ALWAYS")

    def _switch(self, switch: str) -> list[str]:
        return [
            f"ALTER TABLE {self.schema}.{table} {switch} TRIGGER {name}"
            for table, name in (*TRIGGERS, *GUARDS)
        ]

    def drops(self) -> list[str]:
        """Drop the triggers and their functions, where they are."""
        triggers = [
            f"DROP TRIGGER IF EXISTS {name} ON {self.schema}.{table}"
            for table, name in (*TRIGGERS, *GUARDS)
        ]
        functions = (*(f"{table}_rollup" for table in TABLES), GUARD)
        return triggers + [f"DROP FUNCTION IF EXISTS {self.schema}.{name}()" for name in functions]

    def empty(self) -> list[str]:
        """Delete all totals, and the changes that this transaction can see."""
        return [f"DELETE FROM {self.schema}.{table}" for table in (*TOTALS, *DELTAS)]

    def fill(self) -> list[str]:
        """Fill the empty totals from the tables, as this transaction sees them."""
        return [
            f"INSERT INTO {self.schema}.invoice_day_total {self.day_totals()}",
            f"INSERT INTO {self.schema}.invoice_account_total {self.account_totals()}",
            f"INSERT INTO {self.schema}.invoice_difference {self.differences()}",
        ]

    def day_totals(self) -> str:
        """Select what invoice_day_total should hold with no change outstanding."""
        return f"""
            SELECT currency, status, {_DAY} AS day, issued_at IS NOT NULL AS is_issued,
                count(*) AS invoices, sum({self.amount}) AS cents
            FROM {self.schema}.invoice GROUP BY 1, 2, 3, 4
        """

    def account_totals(self) -> str:
        """Select what invoice_account_total should hold with no change outstanding."""
        return f"""
            SELECT account_id, currency, count(*) AS invoices, sum({self.amount}) AS billed_cents,
                coalesce(sum({self.amount}) FILTER (WHERE status = 'open'), 0) AS open_cents
            FROM {self.schema}.invoice WHERE status IN ('open', 'paid') GROUP BY 1, 2
        """

    def differences(self) -> str:
        """Select what invoice_difference should hold with no change outstanding.

        Lines without an invoice, which a foreign key that is switched off lets in, count too:
        their invoice may come.
        """
        return f"""
            SELECT coalesce(i.id, l.invoice_id) AS invoice_id,
                coalesce(l.cents, 0) - coalesce(i.{self.amount}, 0) AS cents
            FROM {self.schema}.invoice AS i FULL JOIN (
                SELECT invoice_id, sum(total_cents) AS cents FROM {self.schema}.invoice_line
                GROUP BY invoice_id
            ) AS l ON l.invoice_id = i.id
            WHERE coalesce(l.cents, 0) <> coalesce(i.{self.amount}, 0)
        """

    def _unless_inherited(self) -> str:
        """Give the roll-up up where a statement's rows may be those of a child, too."""
        return f"""
                IF TG_OP IN ('UPDATE', 'DELETE') AND EXISTS (
                    SELECT 1 FROM pg_catalog.pg_inherits WHERE inhparent = TG_RELID
                ) THEN
                    DELETE FROM {self.schema}.invoice_rollup;
                    RETURN NULL;
                END IF;
        """

    def _of_invoices(self) -> str:
        row = (
            f"id, account_id, currency, status, {_DAY} AS day, issued_at IS NOT NULL AS is_issued,"
            f" {self.amount} AS cents"
        )
        into = (
            f"INSERT INTO {self.schema}.invoice_delta"
            " (invoice_id, account_id, currency, status, day, is_issued, cents, sign)"
        )
        empty = "; ".join(self.empty())
        return f"""
                IF TG_OP = 'INSERT' THEN
                    {into} SELECT {row}, 1 FROM new_rows;
                ELSIF TG_OP = 'UPDATE' THEN
                    {into} SELECT id, account_id, currency, status, day, is_issued, cents, sum(sign)
                    FROM (SELECT {row}, -1 AS sign FROM old_rows
                        UNION ALL SELECT {row}, 1 FROM new_rows) AS changed
                    GROUP BY 1, 2, 3, 4, 5, 6, 7 HAVING sum(sign) <> 0;
                ELSIF TG_OP = 'DELETE' THEN
                    {into} SELECT {row}, -1 FROM old_rows;
                ELSE
                    {self._truncating()}
                    {empty};
                END IF;
        """

    def _of_lines(self) -> str:
        into = f"INSERT INTO {self.schema}.invoice_line_delta (invoice_id, cents)"
        difference = f"{self.schema}.invoice_difference"
        return f"""
                IF TG_OP = 'INSERT' THEN
                    {into} SELECT invoice_id, sum(total_cents) FROM new_rows
                    GROUP BY 1 HAVING sum(total_cents) <> 0;
                ELSIF TG_OP = 'UPDATE' THEN
                    {into} SELECT invoice_id, sum(cents)
                    FROM (SELECT invoice_id, -total_cents::numeric AS cents FROM old_rows
                        UNION ALL SELECT invoice_id, total_cents FROM new_rows) AS changed
                    GROUP BY 1 HAVING sum(cents) <> 0;
                ELSIF TG_OP = 'DELETE' THEN
                    {into} SELECT invoice_id, -sum(total_cents) FROM old_rows
                    GROUP BY 1 HAVING sum(total_cents) <> 0;
                ELSE
                    -- Without lines the difference is the amount; that of invoices that changed
                    -- since the last fold is in invoice_delta too.
                    {self._truncating()}
                    DELETE FROM {self.schema}.invoice_line_delta;
                    DELETE FROM {difference};
                    INSERT INTO {difference} SELECT id, sum(cents)
                    FROM (SELECT id, -{self.amount}::numeric AS cents FROM {self.schema}.invoice
                        UNION ALL SELECT invoice_id, sign * cents::numeric
                            FROM {self.schema}.invoice_delta) AS owed
                    GROUP BY 1 HAVING sum(cents) <> 0;
                END IF;
        """

    def _on_node(self, body: str) -> str:
        """Return a function's body as it runs on the node that has the rows.

        On another one only TRUNCATE fires triggers, of the table that the rows are not in: what is
        there to add up cannot be seen, so that the roll-up is given up.
        """
        for table, shard in self.shards.items():
            # A backslash in a name is no escape.
            to = shard.replace("\\", r"\\")
            body = re.sub(rf"{re.escape(self.schema)}\.{table}\b", to, body)
        if not self.shards:
            return body
        return f"""
                IF to_regclass({literal(self.shards["invoice_rollup"])}) IS NULL THEN
                    DELETE FROM {self.schema}.invoice_rollup;
                    RETURN NULL;
                END IF;
                {body}
        """

    def _truncating(self) -> str:
        """Wait for a fold; give the roll-up up where this transaction's snapshot is too old."""
        return f"""
                    LOCK TABLE {self.schema}.invoice_rollup IN SHARE UPDATE EXCLUSIVE MODE;
                    IF current_setting('transaction_isolation') IN
                        ('repeatable read', 'serializable') THEN
                        DELETE FROM {self.schema}.invoice_rollup;
                        RETURN NULL;
                    END IF;
        """


# The day, in UTC, that an invoice is counted by.
_DAY = "(coalesce(issued_at, created_at) AT TIME ZONE 'UTC')::date"
