"""The account picker, as a browser drives it: by changes of its widgets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from invoicing.notebook import AccountPicker
from tests.conftest import newest_server_url
from tests.factories import create_account

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from invoicing.db import Database

server_url = newest_server_url


async def filled(database: Database) -> None:
    async with database.transaction() as session:
        session.add_all(create_account(name=name) for name in ("Alpha", "Beta", "Betamax"))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_searching_narrows_the_list_and_picking_shows(database: Database) -> None:
    await filled(database)
    shown: list[UUID] = []

    async def show(account_id: UUID) -> str:
        shown.append(account_id)
        return f"the dashboard of {account_id}"

    picker = AccountPicker(database, show)
    await picker.open()
    assert [label for label, _ in picker.accounts.options] == [
        f"{name} (0 invoices)" for name in ("Alpha", "Beta", "Betamax")
    ]
    picker.search.value = "beta"
    await until(lambda: len(picker.accounts.options) == 2)
    assert picker.message.value == "2 accounts have such a name; check which is picked"
    betamax = dict(picker.accounts.options)["Betamax (0 invoices)"]
    picker.accounts.value = betamax
    await until(lambda: shown[-1:] == [betamax] and len(picker.output.outputs) == 1)
    assert str(betamax) in picker.output.outputs[0]["data"]["text/plain"]


async def test_two_accounts_of_one_name_are_distinguished_and_steer_nothing(
    database: Database,
) -> None:
    async with database.transaction() as session:
        session.add_all(create_account(name="Lab\x1b\u202e") for _ in range(2))
    picker = AccountPicker(database, lambda _: asyncio.sleep(0))
    await picker.open()
    labels = dict(picker.accounts.options)
    assert len(labels) == 2
    assert all(rf"Lab\x1b\u202e, {id_} (" in label for label, id_ in labels.items())


async def test_a_search_without_a_match_says_so(database: Database) -> None:
    picker = AccountPicker(database, lambda _: asyncio.sleep(0))
    await picker.open()
    assert picker.message.value == "no account has such a name"
    assert picker.accounts.options == ()


async def test_what_goes_wrong_is_said_beside_the_list(database: Database) -> None:
    await filled(database)

    async def show(_: UUID) -> Any:
        raise ZeroDivisionError("first line\nsecond line")

    picker = AccountPicker(database, show)
    await picker.open()
    await until(lambda: ">ZeroDivisionError: first line<" in picker.message.value)


async def test_only_the_account_picked_last_is_shown(database: Database) -> None:
    """A slow answer for one account does not overwrite a quick one for the next."""
    await filled(database)
    release = asyncio.Event()
    picked: list[UUID] = []

    async def show(account_id: UUID) -> str:
        picked.append(account_id)
        if len(picked) == 1:
            await release.wait()
        return f"shown {account_id}"

    picker = AccountPicker(database, show)
    await picker.open()
    await until(lambda: len(picked) == 1)
    second = picker.accounts.options[1][1]
    picker.accounts.value = second
    await until(lambda: len(picker.output.outputs) == 1)
    release.set()
    await asyncio.sleep(0.1)
    assert f"shown {second}" in picker.output.outputs[0]["data"]["text/plain"]
