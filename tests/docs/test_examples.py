"""Every example in the documentation runs, and every table shown is what SQL returns."""

import io
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib import import_module
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import psycopg2
import psycopg2.extras
import pytest
import yaml
from click.testing import CliRunner

from dagster_pgflow.cli import main
from dagster_pgflow.dsl.manifest.edn_text import read_edn
from dagster_pgflow.runtime.handlers import Handler
from dagster_pgflow.store.trigger_queue import TriggerQueue
from tests.docs.pages import PAGES, Block, blocks_of, name_of
from tests.execution.projecting import World, world
from tests.postgres import Session

__all__ = ["world"]

QUIET = ("text", "console", "mermaid", "js")
"""What a reader looks at but does not run."""


class Reader:
    """Somebody who does all that a page says, in order."""

    def __init__(self, world: World, sql: Session, folder: Path) -> None:
        self.world = world
        self.sql = sql
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "page"}
        self.modules: list[str] = []

    def follow(self, block: Block, shown: Block | None) -> None:
        """Does what a block says; what it shows must then be true."""
        if block.file_name is not None:
            path = self.folder / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text + "\n")
        match block.language:
            case "python":
                self._run_python(block, shown)
            case "sql":
                self._run_sql(block, shown)
            case "sh":
                self._run_commands(block)
            case "yaml":
                assert yaml.safe_load(block.text), block.place
            case "json":
                assert json.loads(block.text), block.place
            case "edn":
                assert read_edn(block.text), block.place
            case "toml":
                assert tomllib.loads(block.text), block.place
            case other:
                assert other in QUIET, f"{block.place}: a block of {other!r} says nothing to us"

    def _run_python(self, block: Block, shown: Block | None) -> None:
        if block.file_name is None:
            printed = io.StringIO()
            with redirect_stdout(printed):
                known = {*self.names}
                exec(compile(block.text, block.place, "exec"), self.names)  # noqa: S102  our own
                for name in self.names.keys() - known:
                    # What asks for fixtures, pytest has to call.
                    if name.startswith("test_") and not signature(self.names[name]).parameters:
                        self.names[name]()
            assert shown is None or printed.getvalue() == f"{shown.text}\n", block.place
            return
        name = block.file_name.removesuffix(".py").replace("/", ".")
        self.modules.append(name)
        self.names |= vars(import_module(name))

    def _run_sql(self, block: Block, shown: Block | None) -> None:
        if shown is not None:
            self._run_what_was_started()
        if block.note == "fails":
            with pytest.raises(psycopg2.Error) as refused:
                self.sql(block.text)
            assert shown is not None
            assert f"ERROR:  {refused.value.diag.message_primary}" == shown.text
            return
        with self.sql.connection.cursor() as cursor:
            psycopg2.extras.register_default_jsonb(cursor, loads=str)
            psycopg2.extras.register_default_json(cursor, loads=str)
            cursor.execute(block.text)
            if shown is None:
                return
            names = [column.name for column in cursor.description or ()]
            rows = [[_as_psql(value) for value in row] for row in cursor]
        assert [names, *rows] == _cells(shown), block.place

    def _run_what_was_started(self) -> None:
        modules = [vars(sys.modules[name]) for name in self.modules]
        handlers = {
            found.name: found
            for names in (*modules, self.names)
            for found in names.values()
            if isinstance(found, Handler)
        }
        for _ in range(2):  # what was started, and what that starts
            TriggerQueue(self.world.database).look()
            for asked in self.world.waiting.pending(50):
                given = self.world.waiting.requested_input(str(asked.run_id))
                self.world.run(asked.flow_slug, handlers, given, run_id=asked.run_id)
            self.world.settle()

    def _run_commands(self, block: Block) -> None:
        for line in block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["dagster-pgflow"]:
                self._run_command(words[1:], block)

    def _run_command(self, words: list[str], block: Block) -> None:
        words = _before_the_shell_takes_over(words)
        if not _can_run_here(words):
            _parse(words)
            return
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, f"{block.place}: {words}\n{result.output}"

    def leave(self) -> None:
        """Forgets the modules of the page, and the roles that it makes for the whole server."""
        for role in self.sql.column(
            "select rolname from pg_roles"
            " where rolname ~ '^(pgflow_[a-z]+|shop_[a-z]+|web_shop|acme)$'"
        ):
            self.sql(f"drop owned by {role}; drop role {role}")
        for name in self.modules:
            sys.modules.pop(name, None)
            sys.modules.pop(name.partition(".")[0], None)


def _before_the_shell_takes_over(words: list[str]) -> list[str]:
    cut = [index for index, word in enumerate(words) if word in ("|", ">", "<", "&&")]
    return words[: cut[0]] if cut else words


def _can_run_here(words: list[str]) -> bool:
    """Return whether a command needs no Dagster, no run and no standard input."""
    return words[0] in ("migrate", "load", "validate", "list", "schema", "sql") and "-" not in words


def _parse(words: list[str]) -> None:
    with click.Context(main, info_name="dagster-pgflow") as context:
        name, command, arguments = main.resolve_command(context, words)
        assert command is not None
        if arguments[-1:] not in (["--help"], ["-h"]):
            command.make_context(name, arguments, parent=context)


def _cells(shown: Block) -> list[list[str]]:
    head, _, *rows = shown.text.splitlines()
    return [[cell.strip() for cell in re.split(r" \|(?: |$)", line)] for line in (head, *rows)]


def _as_psql(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "t" if value else "f"
        case _:
            return str(value)


@pytest.fixture
def reader(
    world: World,
    sql: Session,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Reader]:
    monkeypatch.setenv("PGFLOW_DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    reader = Reader(world, sql, tmp_path)
    yield reader
    reader.leave()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_example_of_a_page_runs(page: Path, reader: Reader) -> None:
    blocks = list(blocks_of(page))
    for block, following in pairwise([*blocks, None]):
        assert block is not None
        shown = following if following and following.language == "text" else None
        reader.follow(block, shown)


def test_the_flow_of_the_readme_is_the_same_in_sql_and_in_python(reader: Reader) -> None:
    blocks = blocks_of(PAGES[0])
    definitions = [b for b in blocks if "pgflow.create_flow" in b.text or "define_flows" in b.text]
    assert [block.language for block in definitions] == ["sql", "python"]
    for block in definitions:
        reader.follow(block, None)
    # Storing what is there already makes no new version.
    assert reader.sql("select flow_slug, version from pgflow.flow_versions order by 1") == [
        ("checkout", 1),
        ("payment", 1),
    ]
