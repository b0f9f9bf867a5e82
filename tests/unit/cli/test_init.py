"""`dagster-pgflow init`: a project that works as it is, and nothing overwritten."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import Session
from tests.unit.cli.conftest import Cli

ROOT = Path(__file__).parents[3]

ITS_TESTS_AND_ITS_FLOW = """
import pytest
assert pytest.main(["-q", "-p", "no:cacheprovider"]) == 0
from my_shop.definitions import flows
run = flows.get_job("checkout").execute_in_process(
    run_config={"inputs": {"flow_input": {"card": "4111", "lines": [{"item": "a", "cents": 5}]}}}
)
assert run.success
"""


def files_in(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_tests_of_a_new_project_pass_and_its_flow_runs(
    cli: Cli, tmp_path: Path, sql: Session
) -> None:
    project = tmp_path / "My shop"
    made = cli("init", str(project))
    assert made.exit_code == 0, made.output
    assert len(made.stdout.splitlines()) == len(files_in(project))
    assert "my_project" not in "".join(files_in(project).values())
    loaded = cli("load", "--strict", *map(str, (project / "flows").iterdir()))
    assert loaded.exit_code == 0, loaded.output

    ran = subprocess.run(
        [sys.executable, "-c", ITS_TESTS_AND_ITS_FLOW],
        cwd=project,
        env={
            **os.environ,
            "PGFLOW_DATABASE_URL": sql.connection.dsn,
            "PYTHONPATH": os.pathsep.join([str(project), str(ROOT)]),
            "DAGSTER_HOME": "",
        },
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


def test_two_projects_do_not_meet_on_one_database(offline_cli: Cli, tmp_path: Path) -> None:
    own = 'export PGFLOW_DATA_DIR="$PWD/.pgflow"'
    made = offline_cli("init", str(tmp_path / "shop"))
    before, after = made.stderr.split(own)
    assert "dagster-pgflow" not in before
    assert "dagster-pgflow migrate" in after
    blocks = (tmp_path / "shop" / "README.md").read_text().split("```sh\n")[1:]
    terminals = [block for block in blocks if "dagster-pgflow " in block.split("```")[0]]
    assert len(terminals) == 2
    assert all(block.startswith(own) for block in terminals)
    ignored = (tmp_path / "shop" / ".gitignore").read_text().splitlines()
    assert {".pgflow/", ".dagster/"} <= set(ignored)


def test_what_is_in_the_folder_stays_as_it_is(offline_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "shop" / "tests").mkdir(parents=True)
    (tmp_path / "shop" / "flows").write_text("mine")
    (tmp_path / "shop" / "README.md").symlink_to("nowhere")
    (tmp_path / "shop" / "notes.txt").write_text("mine")
    before = files_in(tmp_path)
    refused = offline_cli("init", str(tmp_path / "shop"))
    assert refused.exit_code == 1
    assert "README.md, flows already, and nothing is overwritten" in refused.stderr
    assert files_in(tmp_path) == before


def test_a_folder_with_other_things_and_this_folder_are_fine(
    offline_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shop"
    (folder / ".venv").mkdir(parents=True)
    monkeypatch.chdir(folder)
    made = offline_cli("init")
    assert made.exit_code == 0, made.output
    assert "flows/checkout.yaml" in made.stdout
    assert "cd " not in made.stderr
    assert offline_cli("init").exit_code == 1


@pytest.mark.parametrize("name", ["1st", "class", "flows", "json", "dagster", "a.b", "../up", "ü"])
def test_a_name_that_python_would_not_import_as_the_project_is_refused(
    name: str, offline_cli: Cli, tmp_path: Path
) -> None:
    refused = offline_cli("init", str(tmp_path / "shop"), "--name", name)
    assert refused.exit_code == 1
    assert "The package cannot be called" in refused.stderr
    assert not (tmp_path / "shop").exists()
