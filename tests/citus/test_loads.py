"""Tests of loads, run again on a unit: what they say of a single server is true of it."""

from __future__ import annotations

from tests.load.conftest import files
from tests.load.test_bad_rows import (
    test_lines_of_a_rejected_invoice_are_rejected_though_the_database_has_an_older_one,
)
from tests.load.test_load_files import (
    test_a_changed_row_is_the_only_one_updated,
    test_references_to_rows_of_the_database_are_good,
)
from tests.load.test_mapping import (
    test_a_bad_line_rejects_its_whole_invoice_and_the_corrected_rejects_load,
    test_a_dry_run_shows_first_rows_and_sums_and_stores_nothing,
    test_a_row_a_line_becomes_three_tables_and_loads_again_unchanged,
)

__all__ = [
    "files",
    "test_a_bad_line_rejects_its_whole_invoice_and_the_corrected_rejects_load",
    "test_a_changed_row_is_the_only_one_updated",
    "test_a_dry_run_shows_first_rows_and_sums_and_stores_nothing",
    "test_a_row_a_line_becomes_three_tables_and_loads_again_unchanged",
    "test_lines_of_a_rejected_invoice_are_rejected_though_the_database_has_an_older_one",
    "test_references_to_rows_of_the_database_are_good",
]
