"""Naming an account: one is meant, or several are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from invoicing.schemas.cells import stable_id
from invoicing.services import find_account
from invoicing.services.errors import (
    AccountNotFoundError,
    AmbiguousAccountError,
    NoSuchAccountNameError,
)
from tests.factories import create_account, create_invoice

if TYPE_CHECKING:
    from invoicing.db import Database


async def create(database: Database, *names: str, **ids: UUID) -> dict[str, UUID]:
    accounts = [create_account(id=ids.get(name) or uuid4(), name=name) for name in names]
    async with database.transaction() as session:
        session.add_all(accounts)
    return {account.name: account.id for account in accounts}


async def find(database: Database, text: str) -> UUID:
    async with database.read_only() as session:
        return await find_account(session, text)


async def test_a_part_of_several_names_is_an_error_that_lists_them(database: Database) -> None:
    ids = await create(database, "Lab A", "lab B", "Collaborate", "Slab", "Zeta LAB", "Other")
    with pytest.raises(AmbiguousAccountError) as refused:
        await find(database, "lab")
    error = refused.value
    assert {name: id_ for id_, name in error.matches} == {
        name: id_ for name, id_ in ids.items() if name != "Other"
    }
    assert error.total == 5
    assert all(f"'{name}' ({ids[name]})" in str(error) for name in ids if name != "Other")
    assert "Run: invoicing accounts --search lab" in str(error)


async def test_a_part_of_one_name_is_that_account(database: Database) -> None:
    ids = await create(database, "Aurora Optics", "Brandt")
    assert await find(database, "OPTICS") == ids["Aurora Optics"]


@pytest.mark.parametrize("text", ["Lab", "lab", "LAB"])
async def test_a_whole_name_wins_over_names_that_contain_it(database: Database, text: str) -> None:
    ids = await create(database, "Lab", "Labs", "A lab")
    assert await find(database, text) == ids["Lab"]


async def test_two_accounts_of_one_name_are_distinguished_by_id_alone(database: Database) -> None:
    accounts = [create_account(name="Lab"), create_account(name="LAB"), create_account(name="Labs")]
    async with database.transaction() as session:
        session.add_all(accounts)
    with pytest.raises(AmbiguousAccountError) as refused:
        await find(database, "lab")
    assert {id_ for id_, _ in refused.value.matches} == {account.id for account in accounts[:2]}
    assert await find(database, str(accounts[1].id)) == accounts[1].id


@pytest.mark.parametrize("text", ["%", "_", "\\", "a%", "10_0", "A\\", "%'"])
async def test_wildcards_mean_themselves(database: Database, text: str) -> None:
    await create(database, "Alpha 100", "A B")
    with pytest.raises(NoSuchAccountNameError):
        await find(database, text)
    ids = await create(database, f"with {text} in it")
    assert await find(database, text) == ids[f"with {text} in it"]


async def test_an_id_in_any_spelling_is_that_account(database: Database) -> None:
    ids = await create(database, "Lab")
    for text in (str(ids["Lab"]), str(ids["Lab"]).upper(), ids["Lab"].hex, f" {ids['Lab']} "):
        assert await find(database, text) == ids["Lab"]


async def test_an_id_of_no_account_is_named(database: Database) -> None:
    await create(database, "Lab")
    absent = uuid4()
    with pytest.raises(AccountNotFoundError, match=str(absent)):
        await find(database, str(absent))


async def test_the_beginning_of_an_id_is_no_id(database: Database) -> None:
    ids = await create(database, "Lab")
    with pytest.raises(NoSuchAccountNameError):
        await find(database, str(ids["Lab"])[:8])


async def test_the_id_that_an_account_was_loaded_by_is_its_id(database: Database) -> None:
    ids = await create(database, "Lab", "A-17 Labs", Lab=stable_id("account", "A-17"))
    assert await find(database, "A-17") == ids["Lab"]


async def test_an_own_id_that_is_anothers_name_is_ambiguous(database: Database) -> None:
    await create(database, "Lab", "A-17", Lab=stable_id("account", "A-17"))
    with pytest.raises(AmbiguousAccountError):
        await find(database, "A-17")


@pytest.mark.parametrize("text", ["Caf\u00e9", "Cafe\u0301", "caf\u00e9"])
@pytest.mark.parametrize("name", ["Caf\u00e9", "Cafe\u0301"])
async def test_an_accent_may_be_a_character_of_its_own(
    database: Database, name: str, text: str
) -> None:
    ids = await create(database, name, "Cafes")
    assert await find(database, text) == ids[name]


async def test_no_text_is_the_account_billed_most(database: Database) -> None:
    large = create_account(name="Large")
    create_invoice(large, line_cents=[500])
    small = create_account(name="Small")
    create_invoice(small, line_cents=[1])
    async with database.transaction() as session:
        session.add_all([small, large])
    assert await find(database, "") == large.id
    with pytest.raises(AmbiguousAccountError):
        await find(database, "l")


@pytest.mark.parametrize("text", ["a\0b", "\udcff", "  ", "'; drop table account; --"])
async def test_what_no_name_can_hold_is_no_name(database: Database, text: str) -> None:
    await create(database, "Alpha")
    with pytest.raises(NoSuchAccountNameError):
        await find(database, text)


async def test_of_very_many_the_first_are_listed_and_all_are_counted(database: Database) -> None:
    await create(database, *(f"Lab {number:03}" for number in range(40)))
    with pytest.raises(AmbiguousAccountError, match=r"40 accounts: .*'Lab 019'.*and 20 more"):
        await find(database, "lab")


async def test_names_cannot_steer_the_message(database: Database) -> None:
    await create(database, "Lab\x1b[2J", "Lab\nEvil\u202e")
    with pytest.raises(AmbiguousAccountError) as refused:
        await find(database, "lab")
    assert r"'Lab\x1b[2J'" in str(refused.value)
    assert r"'Lab\nEvil\u202e'" in str(refused.value)
    assert str(refused.value).isprintable()
