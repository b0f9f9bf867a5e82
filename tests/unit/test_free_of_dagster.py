"""What is said to be free of Dagster can be loaded without it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACT = "Free of Dagster, and of all that imports it"

IMPORT_ALL = """
import pkgutil, sys
from importlib import import_module

def names(name):
    yield name
    for found in pkgutil.iter_modules(getattr(import_module(name), "__path__", ()), f"{name}."):
        yield from names(found.name) if not found.name.endswith("__main__") else ()

for given in sys.argv[1:]:
    for name in names(given):
        import_module(name)
        loaded = [part for part in sys.modules if part.split(".")[0] == "dagster"]
        assert not loaded, f"{name} loads {loaded[0]}"
"""


def claimed() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [contract] = [
        contract
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["name"] == CONTRACT
    ]
    modules: list[str] = contract["source_modules"]
    return modules


def test_what_claims_to_be_free_of_dagster_does_not_load_it() -> None:
    command = [sys.executable, "-c", IMPORT_ALL, *claimed()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_each_stage_of_the_projection_claims_it() -> None:
    stages = {f"dagster_pgflow.projection.{stage}" for stage in ("layout", "translate", "fold")}
    assert stages <= set(claimed())


READING = re.compile(
    r"\b(get_records_for_run|get_run_records|get_event_records|all_logs|event_log_entry"
    r"|step_output_data|step_failure_data|engine_event_data)\b"
)


def test_nobody_but_the_reader_of_dagsters_log_reads_its_records() -> None:
    package = ROOT / "dagster_pgflow"
    readers = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if READING.search(file.read_text()) and file.parent.name != "dagster_log"
    }
    assert readers == set()
