"""What importing a part of the package costs: each half loads only its own libraries."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = "import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"


def libraries_loaded_by(module: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", LOADED.format(module=module)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return {name.split(".")[0] for name in json.loads(result.stdout)}


def test_importing_the_package_loads_no_library() -> None:
    heavy = {"click", "dagster", "psycopg2", "pydantic", "rich", "sqlalchemy"}
    assert libraries_loaded_by("dagster_pgflow") & heavy == set()


@pytest.mark.parametrize("module", ["model", "names", "settings", "validation"])
def test_the_definitions_load_neither_dagster_nor_a_database_driver(module: str) -> None:
    heavy = {"dagster", "psycopg2", "sqlalchemy"}
    assert libraries_loaded_by(f"dagster_pgflow.{module}") & heavy == set()


@pytest.mark.parametrize("module", ["store.database", "store.flows", "store.migrator", "embedded"])
def test_the_store_does_not_load_dagster(module: str) -> None:
    assert "dagster" not in libraries_loaded_by(f"dagster_pgflow.{module}")


def test_the_command_line_loads_dagster_only_for_commands_that_need_it() -> None:
    assert "dagster" not in libraries_loaded_by("dagster_pgflow.cli")


def test_the_help_loads_no_dagster() -> None:
    program = "import sys; from dagster_pgflow.cli import main\n"
    program += "try: main(['--help'])\n"
    program += "except SystemExit: sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
