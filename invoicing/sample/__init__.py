"""Deterministic sample data, from one account to eight million invoices."""

from invoicing.sample.calendar import SAMPLE_AS_OF
from invoicing.sample.generate import DEFAULT_SEED, Chunk, generate
from invoicing.sample.load import (
    MOST_ACCOUNTS,
    MOST_INVOICES,
    SampleCounts,
    SampleProgress,
    load_sample,
)
from invoicing.sample.stage import drop_stage, open_stage

__all__ = [
    "DEFAULT_SEED",
    "MOST_ACCOUNTS",
    "MOST_INVOICES",
    "SAMPLE_AS_OF",
    "Chunk",
    "SampleCounts",
    "SampleProgress",
    "drop_stage",
    "generate",
    "load_sample",
    "open_stage",
]
