"""Accounts that are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.errors.root import InvoicingError

if TYPE_CHECKING:
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
