"""What live traffic says to some statements: on a small database that is thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.practice.database import drop_practice, renew_practice
from invoicing.practice.traffic import NEW_CODE, Traffic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import URL

    from invoicing.practice.code import CodeVersion
    from invoicing.practice.figures import TrafficFigures
    from invoicing.practice.ledger import LedgerReport

_INVOICES = 2_000
# Requests before the statements and after them: enough for each operation to come several times.
_REQUESTS = 60


@dataclass(frozen=True)
class Trial:
    """What became of the traffic.

    Attributes:
        figures: its requests.
        ledger: what was found of what it wrote.
    """

    figures: TrafficFigures
    ledger: LedgerReport

    @property
    def sqlstates(self) -> list[str]:
        """The codes that failed requests were refused with."""
        return sorted({failure.sqlstate for failure in self.figures.failures if failure.sqlstate})


async def try_under_traffic(
    url: URL, statements: Sequence[str], *, deploy: bool = False, read_by: CodeVersion = NEW_CODE
) -> Trial:
    """Run `statements` while old code is at work, on a database of that URL made for it.

    Args:
        url: a database made for it, anew if an earlier trial left it; it is removed afterwards.
        statements: what to run, in one transaction.
        deploy: whether new code takes over afterwards.
        read_by: through whose eyes the ledger is compared in the end.
    """
    database = await renew_practice(url, invoices=_INVOICES)
    try:
        async with Traffic(url, clients=4, rate=150) as traffic:
            await traffic.answered(_REQUESTS)
            async with database.transaction() as session:
                connection = await session.connection()
                for statement in statements:
                    await connection.exec_driver_sql(statement)
            if deploy:
                # What it is about: writes of old code between the statements and the deploy.
                await traffic.answered(_REQUESTS)
                await traffic.deploy()
            await traffic.ended(_REQUESTS)
        return Trial(traffic.figures(), await traffic.verify(read_by))
    finally:
        await drop_practice(database)
