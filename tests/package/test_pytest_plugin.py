"""The pytest plugin: cheap where nobody uses it, and what its fixtures give."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROJECT = {
    "pyproject.toml": """
[tool.pytest.ini_options]
pythonpath = ["."]
pgflow_flows = ["flows/*.yaml"]
pgflow_handlers = ["shop_handlers"]
""",
    "flows/inner.yaml": "{slug: inner, steps: [{type: single, slug: double}]}",
    "flows/outer.yaml": """
slug: outer
steps:
  - {type: single, slug: begin}
  - {type: subflow, slug: sub, flow: inner, depends_on: [begin]}
""",
    "shop_handlers.py": """
from dagster_pgflow import handler

@handler("inner.double")
def double(given: dict) -> int:
    return 2 * given["begin"]
""",
    "test_shop.py": """
import sys

def test_nobody_has_imported_dagster():
    assert "dagster" not in sys.modules
    assert "dagster_pgflow.errors" not in sys.modules

def test_the_runner_knows_the_flows_and_handlers(pgflow_runner):
    pgflow_runner("outer", mock={"begin": 4}).assert_completed({"sub": {"double": 8}})
    handlers = {"double": lambda _: 1}
    pgflow_runner("outer", mock={"begin": 4}, handlers=handlers).assert_output("sub.double", 1)

FLOW = {"slug": "stored", "steps": [{"type": "single", "slug": "a"}]}
seen = []

def one_value(database, sql):
    with database.transaction() as transaction:
        [[value]] = [row.values() for row in transaction.run_sql(sql)]
    return value

def expect_an_empty_store_that_is_new(database):
    assert one_value(database, "select count(*) from pgflow.flows") == 0
    store = one_value(database, "select store_id from pgflow.store")
    assert store not in seen
    seen.append(store)

def test_a_store_of_its_own(pgflow_database, pgflow_runner):
    expect_an_empty_store_that_is_new(pgflow_database)
    pgflow_runner(FLOW, mock={"a": 1}, flows=(), database=pgflow_database).assert_completed()
    assert one_value(pgflow_database, "select output from pgflow.runs") == {"a": 1}

def test_another_store_of_its_own(pgflow_database):
    expect_an_empty_store_that_is_new(pgflow_database)
""",
}


def pytest_in(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs pytest with the plugin, whether or not this environment has its entry point."""
    plugin = ("-p", "no:pgflow", "-p", "dagster_pgflow.pytest_plugin", "-p", "no:cacheprovider")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_a_project_runs_its_flows_by_their_slugs_and_each_test_has_a_store(tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    ran = pytest_in(tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


def test_a_pattern_that_no_flow_file_has_is_named(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\npgflow_flows = flow/*.yaml\n")
    (tmp_path / "test_it.py").write_text("def test_it(pgflow_runner):\n    pass\n")
    ran = pytest_in(tmp_path)
    assert ran.returncode == 1
    assert 'pgflow_flows names "flow/*.yaml", and there is no such file' in ran.stdout
