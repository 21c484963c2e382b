"""A practice database with clients of old and new code at work, and a ledger of what they wrote."""

from invoicing.practice.code import CodeVersion
from invoicing.practice.database import (
    NOTEBOOK,
    drop_practice,
    open_practice,
    practice_maker,
    renew_practice,
)
from invoicing.practice.figures import Failure, RequestOutcome, TrafficFigures
from invoicing.practice.ledger import Ledger, LedgerDifference, LedgerReport, verify_ledger
from invoicing.practice.share import PracticeShare
from invoicing.practice.traffic import NEW_CODE, OLD_CODE, Traffic
from invoicing.practice.trial import Trial, try_under_traffic

__all__ = [
    "NEW_CODE",
    "NOTEBOOK",
    "OLD_CODE",
    "CodeVersion",
    "Failure",
    "Ledger",
    "LedgerDifference",
    "LedgerReport",
    "PracticeShare",
    "RequestOutcome",
    "Traffic",
    "TrafficFigures",
    "Trial",
    "drop_practice",
    "open_practice",
    "practice_maker",
    "renew_practice",
    "try_under_traffic",
    "verify_ledger",
]
