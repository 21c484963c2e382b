"""A practice database with clients of old and new code at work, and a ledger of what they wrote."""

from invoicing.practice.code import CodeVersion
from invoicing.practice.database import drop_practice, open_practice
from invoicing.practice.figures import Failure, RequestOutcome, TrafficFigures
from invoicing.practice.ledger import Ledger, LedgerDifference, LedgerReport, verify_ledger
from invoicing.practice.traffic import NEW_CODE, OLD_CODE, Traffic
from invoicing.practice.trial import Trial, try_under_traffic

__all__ = [
    "NEW_CODE",
    "OLD_CODE",
    "CodeVersion",
    "Failure",
    "Ledger",
    "LedgerDifference",
    "LedgerReport",
    "RequestOutcome",
    "Traffic",
    "TrafficFigures",
    "Trial",
    "drop_practice",
    "open_practice",
    "try_under_traffic",
    "verify_ledger",
]
