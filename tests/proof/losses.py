"""Upgrades that change values: those that do not come back, and those that do."""

from __future__ import annotations

from tests.proof.cases import CASES, sql

# Upgrades whose values do not come back; the twin's docstring says so.
LOSSES = {
    "a column": ('op.drop_column("T", "note")', CASES["a column without its comment"][2]),
    "an update": (sql("UPDATE T SET note = NULL"), "pass"),
    "rows": (sql("DELETE FROM T"), "pass"),
    "values that are overwritten": (sql("UPDATE T SET note = 'x' || id"), "pass"),
    "amounts that are multiplied": (sql("UPDATE T SET amount = amount * 100"), "pass"),
    "an update without SQL": (
        'op.execute(sa.table("T", sa.column("amount")).update().values(amount=7))',
        "pass",
    ),
    "an amount that is rounded": (
        sql("UPDATE T SET amount = (amount + 1) / 2"),
        sql("UPDATE T SET amount = amount * 2"),
    ),
    "a case": (sql("UPDATE T SET note = lower(note)"), "pass"),
    "spaces": (sql("UPDATE T SET note = trim(note)"), "pass"),
    "two values that become one": (
        sql("UPDATE T_parent SET kind = 'closed' WHERE kind = 'done'"),
        "pass",
    ),
    "labels that become one": (sql("UPDATE T SET status = 'paid' WHERE status = 'open'"), "pass"),
    "values that change their rows": (
        sql("UPDATE T SET amount = (SELECT max(amount) + min(amount) FROM T) - amount"),
        "pass",
    ),
    "a type that is narrower": (
        sql("ALTER TABLE T ALTER at TYPE date USING at::date"),
        sql("ALTER TABLE T ALTER at TYPE timestamptz USING at::timestamptz"),
    ),
}
# Upgrades that change values, and lose none.
KEPT = {
    "a factor": (
        sql("UPDATE T SET amount = amount * 100"),
        sql("UPDATE T SET amount = amount / 100"),
    ),
    "NULLs that are filled": (sql("UPDATE T SET note = 'none' WHERE note IS NULL"), "pass"),
    "several statements in a text": (
        sql("ALTER TABLE T ADD x text; UPDATE T SET x = 'a;b'; -- done;\nANALYZE T;"),
        sql("ALTER TABLE T DROP x"),
    ),
    "moments of the last change": (
        sql("ALTER TABLE T_parent ADD updated_at timestamptz")
        + "\n"
        + sql("UPDATE T_parent SET updated_at = now() + interval '1 day'"),
        sql("ALTER TABLE T_parent DROP updated_at"),
    ),
    "a trigger": (
        sql("CREATE FUNCTION moment() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN NEW.at := clock_timestamp(); RETURN NEW; END';"
            "CREATE TRIGGER moment BEFORE UPDATE ON t1 FOR EACH ROW EXECUTE FUNCTION moment()"),
        sql("DROP TRIGGER moment ON t1; DROP FUNCTION moment"),
    ),
    "what the trigger writes": (
        sql("UPDATE t1 SET amount = amount + 1"),
        sql("UPDATE t1 SET amount = amount - 1"),
    ),
}  # fmt: skip
