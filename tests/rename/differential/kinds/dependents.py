"""Views, materialized views, rules, policies and publications of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rename.differential.case import Part

if TYPE_CHECKING:
    from tests.rename.differential.builder import Builder

_FORCED = "ALTER TABLE @t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
_QUERIES = (
    "SELECT id, @c FROM @t",
    "SELECT * FROM @t",
    "SELECT x.@c AS shown, x.id FROM @t AS x WHERE x.@c IS NOT NULL",
    "SELECT count(*) AS n, count(@c) AS m FROM @t",
    "SELECT id, note FROM @t WHERE other > 1",
    "SELECT @c AS @n, id FROM @t",
    "SELECT id FROM @t UNION SELECT other FROM @t WHERE @c IS NULL ORDER BY 1",
    "SELECT q.id, (SELECT max(r.@c::text) FROM @t AS r WHERE r.other = q.id) AS top FROM @t AS q",
    "SELECT id, rank() OVER (PARTITION BY @c::text ORDER BY id) AS place FROM @t",
    "WITH q AS (SELECT @c, id FROM @t) SELECT q.* FROM q JOIN @t AS t ON t.id = q.id",
    "SELECT a.id, b.@c FROM @t AS a LEFT JOIN @t AS b ON b.id = a.other",
)
# PostgreSQL writes it with a list of all columns by position, for which another order is wrong.
_BY_POSITION = ("WITH q AS (SELECT @c, id FROM @t) SELECT * FROM q JOIN @t AS t USING (id, @c)",)


def view(builder: Builder) -> list[Part]:
    number = builder.number()
    query = builder.one((*_QUERIES, *(_BY_POSITION if builder.strategy == "view" else ())))
    options = builder.one(
        ("", "", " WITH (security_barrier = true)", " WITH (security_invoker = true)")
    )
    check = builder.one(("", "", " WITH CHECK OPTION")) if "AS x" in query else ""
    statements = [f"CREATE VIEW @s.view_{number}{options} AS {query}{check}"]
    if builder.chance():
        statements.append(f"COMMENT ON VIEW @s.view_{number} IS 'shows it'")
        statements.append(f"GRANT SELECT ON @s.view_{number} TO diff_reader")
    if query == _QUERIES[0]:
        # Its column keeps its name, whatever the table's is called.
        builder.calls += [
            f"UPDATE @s.view_{number} SET @o = {builder.value} WHERE id = 2",
            f"INSERT INTO @s.view_{number} (id, @o) VALUES (71, {builder.value})",
            f"DELETE FROM @s.view_{number} WHERE id = 4 RETURNING @o::text",
        ]
    builder.calls.append(f"SELECT v::text FROM @s.view_{number} AS v")
    if builder.chance():
        above = f"CREATE VIEW @s.above_{number} AS SELECT v.*, 1 AS one FROM @s.view_{number} AS v"
        statements.append(above)
    return [Part("view", tuple(statements))]


def materialized(builder: Builder) -> list[Part]:
    number = builder.number()
    statements = (
        (
            f"CREATE MATERIALIZED VIEW @s.kept_{number} AS SELECT id, @c AS shown FROM @t"
            f"{builder.maybe(' WITH NO DATA')}"
        ),
        f"CREATE INDEX kept_by_{number} ON @s.kept_{number} (id)",
        f"GRANT SELECT ON @s.kept_{number} TO diff_reader",
    )
    return [Part("materialized view", statements)]


def policy(builder: Builder) -> list[Part]:
    number = builder.number()
    condition = builder.one(("true", "@c IS NOT NULL OR id > 0", "other IS NOT NULL"))
    what, end = builder.one(
        (
            ("ALL", f"USING ({condition})"),
            ("SELECT", f"USING ({condition})"),
            ("INSERT", f"WITH CHECK ({condition})"),
            ("UPDATE", f"USING (true) WITH CHECK ({condition})"),
        )
    )
    on = builder.one(("ALTER TABLE @t ENABLE ROW LEVEL SECURITY", "SELECT 1", _FORCED))
    sql = f'CREATE POLICY "Rule {number}" ON @t FOR {what} TO PUBLIC {end}'
    return [Part("policy", (sql, on))]


def publication(builder: Builder) -> list[Part]:
    number = builder.number()
    what = builder.one(
        (
            "TABLE @t",
            "TABLE @t (id, @c)",
            "TABLE @t WHERE (other > 1)",
            "TABLE @t (id, note)",
            "TABLE @t WITH (publish_via_partition_root)",
            "TABLES IN SCHEMA @s",
            "TABLE @t WHERE (@c IS NOT NULL)",
            "ALL TABLES",
        )
    )
    return [Part("publication", (f"CREATE PUBLICATION pub_{number} FOR {what}",))]


def rule(builder: Builder) -> list[Part]:
    number = builder.number()
    log = f"CREATE TABLE @s.noted_{number} (what text)"
    grant = f"GRANT ALL ON @s.noted_{number} TO PUBLIC"
    sql = builder.one(
        (
            (
                f"CREATE RULE note_{number} AS ON DELETE TO @t DO ALSO INSERT INTO"
                f" @s.noted_{number} VALUES (OLD.note)"
            ),
            (
                f"CREATE RULE note_{number} AS ON UPDATE TO @t WHERE NEW.other > 5 DO ALSO INSERT"
                f" INTO @s.noted_{number} VALUES (NEW.@c::text)"
            ),
            (
                f"CREATE RULE note_{number} AS ON INSERT TO @s.noted_{number} DO ALSO UPDATE @t SET"
                " note = @c::text WHERE id = 1"
            ),
            *(
                f"CREATE RULE note_{number} AS ON {event} TO @t {rest}"
                for event, rest in (
                    ("INSERT", f"DO ALSO INSERT INTO @s.noted_{number} VALUES (NEW.@c::text)"),
                    ("UPDATE", f"DO ALSO INSERT INTO @s.noted_{number} VALUES (OLD.@c::text)"),
                    ("DELETE", "WHERE OLD.@c IS NULL DO INSTEAD NOTHING"),
                    ("INSERT", "WHERE NEW.id % 2 = 0 DO INSTEAD NOTHING"),
                    ("UPDATE", "WHERE NEW.@c IS NULL DO INSTEAD NOTHING"),
                )
            ),
        )
    )
    return [Part("rule", (log, grant, sql))]


MAKERS = (view, view, materialized, policy, publication, rule)
