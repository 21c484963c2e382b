from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from invoicing.load.csv_source import DELIMITERS, CsvSource

cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    rows=st.lists(st.tuples(cells, cells, cells), max_size=8),
    delimiter=st.sampled_from(DELIMITERS),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_what_a_csv_writer_writes_is_read_with_its_lines(rows, delimiter, line_end, encoding):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "name", "plan"])
    begins = []
    for row in rows:
        begins.append(len(list(io.StringIO(text.getvalue(), newline=""))) + 1)
        writer.writerow(row)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "accounts.csv"
        path.write_bytes(text.getvalue().encode(encoding))
        read = list(CsvSource(path, ["id", "name", "plan"]).rows())
    assert [(line, tuple(row), problem) for line, row, problem in read] == [
        (line, row, None) for line, row in zip(begins, rows, strict=True)
    ]
