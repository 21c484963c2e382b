"""`invoicing rename`, run as an operator runs it; each hint it prints is a command that works."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from dataclasses import fields
from pathlib import Path
from urllib.parse import unquote

import pytest

from invoicing.cli import main
from invoicing.toolkit.rename import Options
from invoicing.toolkit.rename.model import TAKEN
from tests.cli.rename_line import NAMES, ROWS, CommandLine, hinted
from tests.conftest import execute

ROOT = Path(__file__).parents[2] / "invoicing"
OPTIONS = [field.name for field in fields(Options)]


def test_the_hints_lead_from_the_plan_to_the_end_and_back(invoicing: CommandLine) -> None:
    said = invoicing.rename("plan")
    walked = []
    while walked[-2:] != ["rollback", "plan"]:
        arguments = hinted(said.stdout)
        walked.append(arguments[1])
        options = {"gate": ["--quiet", "0.1"], "contract": ["--quiet", "0.1"]}
        default = [] if arguments[1] in {"plan", "status"} else ["--yes"]
        said = invoicing(*arguments, *options.get(arguments[1], default))
        assert said.returncode == 0, said.stderr
        if walked[-1] == "rollback":
            walked.append("plan")
    assert walked[:5] == ["expand", "backfill", "verify", "gate", "contract"]
    assert walked[5:] == ["restore", "rollback", "plan"]
    assert invoicing.phase() == "contracted"
    assert invoicing.fetch("SELECT count(*), sum(amount_cents) FROM invoice") == [
        (ROWS, ROWS * (ROWS + 1) // 2 * 100)
    ]


def test_names_that_need_quotes_are_quoted_in_the_hints_too(invoicing: CommandLine) -> None:
    table = '"Große Firma"."die ""Rechnung"""'
    asyncio.run(
        execute(
            invoicing.url,
            'CREATE SCHEMA "Große Firma"',
            'ALTER TABLE invoice SET SCHEMA "Große Firma"',
            'ALTER TABLE "Große Firma".invoice RENAME TO "die ""Rechnung"""',
            f'ALTER TABLE {table} RENAME amt TO "it\'s $1"',
        )
    )
    names = ['die "Rechnung"', "it's $1", "--süß % \\"]
    where = ["--schema", "Große Firma"]
    said = invoicing("rename", "plan", *where, "--", *names).stdout
    for verb in ("expand", "backfill", "verify", "verify", "gate", "contract", "restore"):
        options = {"gate": ["--quiet", "0.1"], "contract": []}.get(verb, ["--yes"])
        arguments = hinted(said)
        assert arguments[:2] == ["rename", verb]
        assert arguments[-4:] == ["--", *names]
        ended = invoicing("rename", verb, *options, *arguments[2:])
        said = ended.stdout + ended.stderr
        if verb == "backfill":
            asyncio.run(execute(invoicing.url, *written_around(table, names[2])))
        if "hold two values" in said:
            asyncio.run(execute(invoicing.url, f'UPDATE {table} SET "it\'s $1" = 7 WHERE id = 7'))
        else:
            assert ended.returncode == 0, said
    columns = f'SELECT sum("it\'s $1"), sum("{names[2]}") FROM {table}'
    expected = ROWS * (ROWS + 1) // 2 * 100 - 700 + 7
    assert invoicing.fetch(columns) == [(expected, expected)]


def written_around(table: str, column: str) -> list[str]:
    """Return what leaves two values in a row."""
    return [
        f"ALTER TABLE {table} DISABLE TRIGGER USER",
        f'UPDATE {table} SET "{column}" = 1 WHERE id = 7',
        f"""DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tgname FROM pg_trigger WHERE tgname LIKE '~z_rename%' LOOP
            EXECUTE format('ALTER TABLE {table} ENABLE ALWAYS TRIGGER %I', name);
        END LOOP; END $$""",
    ]


def test_a_hint_goes_about_it_in_the_same_way_without_the_password(invoicing: CommandLine) -> None:
    url = invoicing.url.set(drivername="postgresql", password="top-secret")
    given = ["--url", url.render_as_string(hide_password=False), "--accept", "publication"]
    said = invoicing.rename("plan", *given, "--strategy", "view").stdout
    assert "top-secret" not in said
    shown = unquote(url.render_as_string(hide_password=True))
    options = ["--url", shown, "--strategy", "view", "--accept", "publication"]
    assert hinted(said) == ["rename", "expand", *NAMES, *options]
    refused = invoicing.rename("verify", "--yes", *given[:2]).stderr
    assert hinted(refused) == ["rename", "expand", *NAMES, *options[:2]]


def test_a_hint_takes_the_options_that_its_command_takes() -> None:
    # A rename has no single command for all of it: that is a change of the type.
    run = {"run": main.verb("retype").commands["run"]}
    commands = main.verb("rename").commands | run
    known = {
        verb: {option for param in commands[verb].params for option in param.opts} for verb in TAKEN
    }
    assert set(TAKEN) == set(commands) - {"practice", "revisions"}
    # What throttle sets is another run's.
    for verb, names in TAKEN.items() - {(verb, TAKEN[verb]) for verb in ("throttle", "run")}:
        about = {name for name in OPTIONS if f"--{name.replace('_', '-')}" in known[verb]}
        assert about == set(names), verb


def test_every_hint_is_written_in_one_place() -> None:
    """A message that writes a command line itself forgets the schema, the URL or the quotes."""
    files = [*(ROOT / "toolkit/rename").rglob("*.py")]
    files += (ROOT / "cli").glob("rename_*.py")
    written = {
        f"{path.name}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and re.search(rf"invoicing rename ({'|'.join(TAKEN)})\b(?! or )", str(node.value))
        and "Example: " not in str(node.value)
    }
    assert not written


def test_json_is_all_that_a_program_reads(invoicing: CommandLine) -> None:
    confirm = ["--quiet", "0.1", "--confirm", "invoice.amt"]
    for verb in ("plan", "expand", "backfill", "verify", "status", "gate", "contract", "restore"):
        plain = {"plan": [], "status": [], "gate": ["--quiet", "0.1"], "contract": confirm}
        said = invoicing.rename(verb, "--json", *plain.get(verb, ["--yes"]))
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout)
    taken_back = invoicing("rename", "rollback", "invoice", *NAMES[:0:-1], "--yes", "--json")
    assert json.loads(taken_back.stdout)["phase"] == "none"


def test_a_plan_names_the_lock_of_each_statement_and_what_is_carried_over(
    invoicing: CommandLine,
) -> None:
    said = invoicing.rename("plan").stdout
    assert "ACCESS EXCLUSIVE, for milliseconds" in said
    assert 'CREATE INDEX CONCURRENTLY "ix_invoice_amount_cents"' in said
    assert f"About {ROWS:,} rows" in said
    script = invoicing.rename("plan", "--sql").stdout
    assert "RAISE EXCEPTION USING ERRCODE" in script
    facts = json.loads(invoicing.rename("plan", "--json").stdout)
    assert facts["possible"]
    assert {step["phase"] for step in facts["steps"]} > {"expand", "backfill", "contract"}


def test_a_practice_database_is_made_and_removed(invoicing: CommandLine) -> None:
    made = invoicing("rename", "practice", "--rows", "50")
    assert made.returncode == 0, made.stderr
    planned = invoicing(*hinted(made.stdout))
    assert planned.returncode == 0, planned.stderr
    assert "About 50 rows" in planned.stdout
    assert invoicing("rename", "practice", "--drop").returncode == 0
    gone = invoicing(*hinted(made.stdout))
    assert gone.returncode == 1
    assert "does not exist" in gone.stderr


def test_blocking_issues_are_named_and_end_with_1(invoicing: CommandLine) -> None:
    asyncio.run(execute(invoicing.url, "CREATE TABLE old_invoice () INHERITS (invoice)"))
    planned = invoicing.rename("plan")
    assert planned.returncode == 1
    assert "inheritance" in planned.stdout.split("Blocking issues")[1]
    refused = invoicing.rename("expand", "--yes")
    assert refused.returncode == 1
    assert "it inherits from the table" in refused.stderr
    assert hinted(refused.stderr) == ["rename", "plan", *NAMES]
    assert invoicing.phase() == "none"


@pytest.mark.parametrize("verb", ["expand", "backfill", "verify", "rollback", "restore"])
def test_nothing_changes_where_no_question_can_be_asked(invoicing: CommandLine, verb: str) -> None:
    ended = invoicing.rename(verb)
    assert ended.returncode == 2
    assert "Add: --yes" in ended.stderr
    assert invoicing.phase() == "none"


def test_a_rollback_says_what_is_lost_and_wants_the_name(invoicing: CommandLine) -> None:
    for verb in ("expand", "backfill"):
        assert invoicing.rename(verb, "--yes").returncode == 0
    refused = {
        ("rollback", None): (2, "--confirm invoice.amount_cents"),
        ("rollback --confirm invoice.amt", None): (2, "Nothing was changed"),
        ("rollback", "invoice.amt\n"): (1, "Nothing was changed"),
        ("rollback", "\n\nyes\n"): (1, "Nothing was changed"),
    }
    for (arguments, typed), (code, said) in refused.items():
        verb, *options = arguments.split()
        ended = invoicing.rename(verb, *options, typed=typed)
        assert (ended.returncode, said in " ".join(ended.stderr.split())) == (code, True), arguments
        assert invoicing.phase() == "backfilled"
    ended = invoicing.rename("rollback", typed=" invoice.amount_cents \n")
    assert ended.returncode == 0
    stated = " ".join(ended.stderr.split())
    assert f"{ROWS:,} of {ROWS:,} rows have been filled, which took" in stated
    assert "The record of this rename goes with it" in stated
    assert invoicing.phase() == "none"
    assert invoicing.rename("expand", "--yes").returncode == 0
    ended = invoicing.rename("rollback", "--confirm", "invoice.amount_cents")
    assert (ended.returncode, invoicing.phase()) == (0, "none")


def test_the_contract_wants_the_name_and_the_gate_says_why_not_yet(invoicing: CommandLine) -> None:
    for verb in ("expand", "backfill"):
        closed = invoicing.rename("gate", "--quiet", "0.1")
        assert closed.returncode == 1
        assert f"Run: invoicing rename {verb} " in closed.stdout + closed.stderr
        assert invoicing.rename(verb, "--yes").returncode == 0
    closed = invoicing.rename("gate", "--quiet", "0.1", "--json")
    assert closed.returncode == 1
    assert [load["slug"] for load in json.loads(closed.stdout)["objections"]] == ["phase"]
    assert invoicing.rename("verify", "--yes").returncode == 0
    refused = invoicing.rename("contract", "--quiet", "0.1")
    assert refused.returncode == 2
    assert "--confirm invoice.amt" in refused.stderr
    assert invoicing.phase() == "verified"


def test_what_comes_after_a_pause_is_its_end(invoicing: CommandLine) -> None:
    assert invoicing.rename("expand", "--yes").returncode == 0
    assert invoicing.rename("pause").returncode == 0
    assert "invoicing rename resume invoice" in invoicing.rename("status").stdout
    assert invoicing.rename("resume").returncode == 0
    assert "invoicing rename backfill invoice" in invoicing.rename("status").stdout


def test_a_contract_that_renames_the_column_itself_says_so(invoicing: CommandLine) -> None:
    computed = "ALTER TABLE invoice ADD twice numeric GENERATED ALWAYS AS (amt * 2) STORED"
    asyncio.run(execute(invoicing.url, computed))
    for verb in ("expand", "backfill", "verify"):
        assert invoicing.rename(verb, "--yes").returncode == 0
    for _ in range(2):
        said = invoicing.rename("contract", "--quiet", "0.1", "--confirm", "invoice.amt")
        assert said.returncode == 0, said.stderr
        assert "amt itself was renamed to amount_cents" in said.stdout
        assert "amt was dropped" not in said.stdout


def test_a_restored_view_is_not_said_to_have_been_filled(invoicing: CommandLine) -> None:
    view = ("--strategy", "view")
    for verb in ("expand", "backfill", "verify"):
        arguments = view if verb == "expand" else ()
        assert invoicing.rename(verb, "--yes", *arguments).returncode == 0
    confirm = ("--confirm", "invoice.amt", "--quiet", "0.1")
    assert invoicing.rename("contract", *confirm).returncode == 0
    restored = invoicing.rename("restore", "--yes", *view)
    assert restored.returncode == 0, restored.stderr
    assert "invoice is a view that has both names" in restored.stdout
    assert "triggers keep" not in restored.stdout


def test_a_name_that_is_not_there_is_one_line_and_ends_with_2(invoicing: CommandLine) -> None:
    for names in (["bill", "amt", "cents"], ["invoice", "amont", "cents"], ["invoice", "id", "id"]):
        ended = invoicing("rename", "plan", *names)
        assert ended.returncode == 2
        assert len(ended.stderr.strip().splitlines()) == 1
    assert invoicing.rename("backfill", "--yes", "--batch-size", "0").returncode == 2


def test_no_command_shows_the_password(invoicing: CommandLine) -> None:
    url = "postgresql://someone:top-secret@127.0.0.1:1/nothing"
    for verb in ("plan", "status"):
        ended = invoicing.rename(verb, "--url", url)
        assert ended.returncode == 1
        assert "top-secret" not in ended.stdout + ended.stderr
