"""Deterministic sample data, from one account to eight million invoices."""

from invoicing.sample.calendar import SAMPLE_AS_OF
from invoicing.sample.generate import DEFAULT_SEED, Chunk, generate
from invoicing.sample.load import Progress, SampleCounts, load_sample

__all__ = [
    "DEFAULT_SEED",
    "SAMPLE_AS_OF",
    "Chunk",
    "Progress",
    "SampleCounts",
    "generate",
    "load_sample",
]
