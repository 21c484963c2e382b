"""Accounts and invoices that are not there, ambiguous names, and sums too large to hold."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError, UsageError
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID


class AccountNotFoundError(InvoicingError):
    """No account has one of the ids asked for.

    Attributes:
        account_ids: the ids that are not there, in the order asked.
    """

    def __init__(self, *account_ids: UUID) -> None:
        self.account_ids = account_ids
        ids = ", ".join(str(account_id) for account_id in account_ids)
        there = "no account has the id" if len(account_ids) == 1 else "no accounts have the ids"
        super().__init__(f"{there} {ids}. Run: invoicing accounts, to list those there are")


class InvoiceNotFoundError(InvoicingError):
    """No invoice has the id asked for.

    Attributes:
        invoice_id: the id that is not there.
    """

    def __init__(self, invoice_id: UUID) -> None:
        self.invoice_id = invoice_id
        super().__init__(
            f"no invoice has the id {invoice_id}. Run: invoicing dashboard ACCOUNT, to list those "
            "an account has"
        )


class AmbiguousAccountError(UsageError):
    """A text that should name one account means several.

    Attributes:
        text: what was searched for.
        matches: id and name of each account that it could mean, the first by name.
        total: how many they are.
    """

    def __init__(self, text: str, matches: Sequence[tuple[UUID, str]], total: int) -> None:
        self.text = text
        self.matches = tuple(matches)
        self.total = total
        listed = ", ".join(f"'{visible(name)}' ({account_id})" for account_id, name in matches)
        more = total - len(self.matches)
        super().__init__(
            f"{text!r} could mean {total:,} accounts: {listed}"
            f"{f', and {more:,} more' if more else ''}. Name one by its id. "
            f"Run: invoicing accounts --search {shlex.quote(text)}"
        )


class NoSuchAccountNameError(InvoicingError):
    """No account's name contains a text.

    Attributes:
        text: what was searched for; empty when there is no account at all.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"no account's name contains {text!r}. Run: invoicing accounts, to list those there are"
            if text
            else "there are no accounts in this database. "
            "Run: invoicing sample --accounts 200 --invoices 20000, or: invoicing load --help"
        )


class SumTooLargeError(InvoicingError):
    """Amounts add up to more, or to less, than a total can hold."""

    def __init__(self) -> None:
        super().__init__(
            "cannot answer: the amounts add up beyond 9,223,372,036,854,775,807 minor units, the "
            "most that a total can hold (BIGINT), in either direction. Amounts are probably wrong. "
            'Run: psql -c "SELECT id, currency, amount_cents FROM invoice '
            'ORDER BY abs(amount_cents::numeric) DESC LIMIT 10", and the same of total_cents in '
            "invoice_line"
        )
