"""Why a roll-up cannot be built, folded or compared."""

from __future__ import annotations

from invoicing.errors import InvoicingError, error_of_fields


class RollupError(InvoicingError):
    """The roll-up of the portfolio cannot be worked on."""


@error_of_fields
class NoRollupError(RollupError):
    """The roll-up is not there, or no longer usable."""

    reason: str
    message = (
        "there is no roll-up of the portfolio to work on: {reason}. The services read the invoices "
        "themselves. Run: invoicing portfolio build"
    )


@error_of_fields
class CannotRollUpError(RollupError):
    """Triggers of the roll-up could not see every change of these tables."""

    reason: str
    message = (
        "cannot build the roll-up: {reason}. Nothing was changed; the services read the invoices "
        "themselves"
    )


@error_of_fields
class RollupBusyError(RollupError):
    """Another session holds a lock that is needed for a moment.

    Attributes:
        doing: what was to be done: build, drop or fold.
        holders: the sessions that hold a lock, as they may be shown.
    """

    doing: str
    holders: str
    message = (
        "cannot {doing} the roll-up: it needs a lock for a moment, which is held by {holders}. "
        "Nothing was changed. Wait until that session has ended, then run: invoicing portfolio "
        "{doing}"
    )
