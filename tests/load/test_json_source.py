"""JSON lines that say two things, or nothing that can be loaded."""

from __future__ import annotations

import pytest

from invoicing.load import load_files
from invoicing.load.errors import BadRowsError, InputFileError
from invoicing.load.mapping.read import parse_mapping
from tests.conftest import newest_server_url
from tests.load.conftest import rows

server_url = newest_server_url

GOOD = '{"id": 1, "customer": {"id": 7, "name": "Ada"}}'
MAPPING = """
file = "a.jsonl"
[accounts]
id = "customer.id"
name = "customer.name"
plan = { value = "x" }
amounts = "minor"
"""


@pytest.fixture
def jsonl(tmp_path):
    def write(*lines):
        path = tmp_path / "a.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"customer.id": 8, "customer": {"id": 7, "name": "B"}}', "'customer.id' is there more"),
        ('{"customer": {"id": 7, "name": "B"}, "customer.id": 8}', "'customer.id' is there more"),
        ('{"customer": {"id": 7, "ID": 8, "name": "B"}}', "'customer.ID' is there more"),
        ('{"customer": {"id": [1, 2], "name": "B"}}', "is an array, true or false"),
        ('{"customer": {"id": true, "name": "B"}}', "is an array, true or false"),
        ('{"customer": {"id": 8, "id": 9, "name": "B"}}', "the key 'id' is there more than once"),
    ],
)
async def test_a_line_that_says_two_things_is_rejected(database, jsonl, line, reason):
    path = jsonl(GOOD, line)
    mapping = parse_mapping(MAPPING, "mapping")
    with pytest.raises(BadRowsError) as caught:
        await load_files(database, mapping=mapping, files=[path])
    (rejected,) = caught.value.report.first_rejected
    assert rejected.line == 2
    assert reason in rejected.reason


async def test_true_and_arrays_are_rejected_as_ids_of_our_own_files_too(database, jsonl):
    names = '"name": "A", "plan": "x"'
    path = jsonl(*(f'{{"id": {id_}, {names}}}' for id_ in ("true", "[1]", "1")))
    report = await load_files(database, accounts=path, skip_bad=True)
    assert report.reasons == {"not-an-id": 2}
    assert await rows(database, "SELECT count(*) FROM account") == [(1,)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 1, "id": 2}', "line 1 .*the key 'id' is there more than once"),
        ('{"id": NaN}', "line 1 .*NaN is no number"),
        ('{"id": 1', "line 1 is no JSON object: Expecting"),
    ],
)
async def test_what_is_wrong_with_the_only_line_is_said(database, jsonl, line, said):
    with pytest.raises(InputFileError, match=said):
        await load_files(database, accounts=jsonl(line))
