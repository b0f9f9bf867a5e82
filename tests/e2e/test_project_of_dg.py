"""A project as `create-dagster` makes it, with flows beside its assets, from the first command."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import CALL_S, RUN_S
from tests.e2e.dagster_dev import DagsterDev, environment_of, running, write_settings
from tests.polling import poll
from tests.postgres import Server, Session, as_role, sqlalchemy_url

ASSETS = '''\
import dagster as dg


@dg.asset
def raw_orders() -> dg.MaterializeResult:
    """The orders as they came in."""
    return dg.MaterializeResult(metadata={"rows": 3})


@dg.asset(deps=["clean_orders"], automation_condition=dg.AutomationCondition.eager())
def dashboard() -> dg.MaterializeResult:
    """What the shop looks at."""
    return dg.MaterializeResult(metadata={"tiles": 1})


soon = dg.AutomationConditionSensorDefinition(
    "soon",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=1,
)
'''
HANDLER = '''

@handler("orders.clean")
def clean(asked: dict, ctx) -> dict:
    """Clean the orders that came in."""
    ctx.materialize("clean_orders", metadata={"rows": asked["rows"]})
    return {"rows": asked["rows"]}
'''
FLOW = """\
slug: orders
steps:
  - {type: single, slug: clean, consumes: [raw_orders], produces: [clean_orders]}
  - {type: single, slug: tell, depends_on: [clean], handler: hello.greet}
"""
TESTS = """\
from pathlib import Path

from dagster_pgflow.testing import read_flows, run_flow

from shop.defs.flows import handlers

FLOWS = read_flows(Path(handlers.__file__).with_name("orders.yaml"))


def test_what_was_cleaned_is_told():
    result = run_flow("orders", {"rows": 3}, flows=FLOWS, mock={"clean": {"rows": 2}, "tell": "2"})
    result.assert_completed({"tell": "2"}).assert_output("clean", {"rows": 2})


def test_orders_that_cannot_be_cleaned_are_not_told():
    broken = ValueError("no orders")
    result = run_flow("orders", {}, flows=FLOWS, mock={"clean": broken, "tell": "never"})
    result.assert_failed("no orders", step="clean")


def test_the_handlers_of_the_project_do_it_too():
    result = run_flow("orders", {"rows": 3}, flows=FLOWS, handlers=[handlers])
    result.assert_completed({"tell": "Hello, world!"}).assert_output("clean", {"rows": 3})
"""
TRIGGER = """
    select pgflow.create_trigger(
      'clean_orders', 'asset.materialized', 'orders', asset_key => 'raw_orders',
      input => '{"rows": "$event.metadata.rows"}'
    )
"""
MATERIALIZE = """
mutation($keys: [AssetKeyInput!]!) { launchRun(executionParams: {
  selector: {
    pipelineName: "__ASSET_JOB", repositoryLocationName: "shop",
    repositoryName: "__repository__", assetSelection: $keys, assetCheckSelection: []
  }, runConfigData: {}
}) { __typename ... on PythonError { message } } }
"""
CATALOG = """
{ assetNodes {
  assetKey { path }
  dependencyKeys { path }
  isExecutable
  assetObservations { runId }
  assetMaterializations { runId metadataEntries {
    label
    ... on IntMetadataEntry { intValue }
    ... on TextMetadataEntry { text }
    ... on JsonMetadataEntry { jsonString }
  } }
} }
"""


class Project:
    """A project of `dg`, whose programs are those of this Python.

    Attributes:
        root: Its folder.
        home: What DAGSTER_HOME names.
        environment: What its programs get.
    """

    def __init__(self, folder: Path, storage_url: str, database_url: str) -> None:
        self.root, self.home = folder / "shop", folder / "home"
        write_settings(self.home, storage_url)
        self.environment = {
            "PGFLOW_DATABASE_URL": database_url,
            # Nobody has to install the project, and nobody asks what else could be installed.
            "PYTHONPATH": str(self.root / "src"),
            "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
        }

    def call(self, *words: str, folder: Path | None = None) -> str:
        """Calls a program as a user does in the project, and returns what it says."""
        program = Path(sys.executable).with_name(words[0])
        done = subprocess.run(
            [str(program), *words[1:]],
            cwd=folder or self.root,
            env=environment_of(self.home, self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CALL_S,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def store(server: Server) -> Iterator[str]:
    """The address of the database that has the flows of the project."""
    with server.database() as url:
        yield url


@pytest.fixture(scope="module")
def project(
    server: Server, store: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A project with assets, a flow between them, and what has the flow follow the first one."""
    folder = tmp_path_factory.mktemp("project")
    with server.database(migrated=False) as storage:
        made = Project(folder, sqlalchemy_url(storage), store)
        made.call("create-dagster", "project", "shop", "--no-uv-sync", folder=folder)
        made.call("dg", "scaffold", "defs", "dagster_pgflow.PgflowComponent", "flows")
        defs = made.root / "src" / "shop" / "defs"
        (defs / "orders.py").write_text(ASSETS)
        (defs / "flows" / "orders.yaml").write_text(FLOW)
        with (defs / "flows" / "handlers.py").open("a") as handlers:
            handlers.write(HANDLER)
        with (defs / "flows" / "defs.yaml").open("a") as component:
            component.write("  asset_specs: true\n")
        (made.root / "tests" / "test_orders.py").write_text(TESTS)
        made.call("dagster-pgflow", "load", "src/shop/defs/flows/orders.yaml")
        yield made


def test_dg_checks_and_lists_what_was_scaffolded_and_its_tests_run_with_mocks(
    project: Project,
) -> None:
    project.call("dg", "check", "defs")
    listed = json.loads(project.call("dg", "list", "defs", "--json"))
    assert "flow_orders" in {job["name"] for job in listed["jobs"]}
    assets = {asset["asset_key"]: asset for asset in listed["assets"]}
    assert assets["clean_orders"]["dependency_keys"] == ["raw_orders"]
    assert assets["dashboard"]["dependency_keys"] == ["clean_orders"]
    assert "3 passed" in project.call("pytest", "-q", "-p", "no:cacheprovider", "tests")


def test_an_asset_starts_a_flow_whose_asset_starts_the_next(project: Project, store: str) -> None:
    sql = Session(store)
    sql(TRIGGER)
    project.environment["PGFLOW_DATABASE_URL"] = as_role(store, "worker")
    with running(["dg", "dev"], project.root, project.home, project.environment) as dagster:
        assets = poll(lambda: catalog(dagster), every=0.5, timeout=RUN_S)
        lineage = {key: sorted(path(of) for of in one["dependencyKeys"]) for key, one in assets}
        assert lineage == {
            "raw_orders": [],
            "clean_orders": ["raw_orders"],
            "dashboard": ["clean_orders"],
        }
        assert [key for key, one in assets if not one["isExecutable"]] == ["clean_orders"]

        launched = dagster.ask(MATERIALIZE, keys=[{"path": ["raw_orders"]}])["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        made = poll(lambda: last_made(dagster), every=0.5, timeout=RUN_S)

        run = poll(lambda: ended_run(sql), every=0.5, timeout=RUN_S)
        assert made is not None
        assert run is not None
        assert (run["status"], run["input"]) == ("completed", {"rows": 3})
        said = {entry["label"]: entry for entry in made["clean_orders"]["metadataEntries"]}
        assert said["rows"]["intValue"] == 3
        assert said["pgflow/step"]["text"] == "clean"
        assert said["pgflow/run_id"]["text"] == run["run_id"]
        assert json.loads(said["pgflow/consumes"]["jsonString"]) == ["raw_orders"]
        assert made["clean_orders"]["runId"] == run["dagster_run_id"]
        [looked] = dict(catalog(dagster))["raw_orders"]["assetObservations"]
        assert looked["runId"] == run["dagster_run_id"]
    sql.close()


def path(key: dict[str, list[str]]) -> str:
    return "/".join(key["path"])


def catalog(dagster: DagsterDev) -> list[tuple[str, dict[str, Any]]]:
    """Returns the assets by their keys; none before the project is loaded."""
    return [(path(one["assetKey"]), one) for one in dagster.ask(CATALOG)["assetNodes"]]


def last_made(dagster: DagsterDev) -> dict[str, Any] | None:
    """Returns the materialization of each asset, once the last one has been made."""
    made = {key: one["assetMaterializations"] for key, one in catalog(dagster)}
    if not made["dashboard"]:
        return None
    assert [len(made[key]) for key in ("raw_orders", "clean_orders")] == [1, 1]
    return {key: found for key, [found] in made.items()}


def ended_run(sql: Session) -> dict[str, Any] | None:
    """Returns the only run of a flow, once its row says that it ended."""
    [run] = sql.records("select *, dagster_run_id::text from pgflow.runs where status <> 'queued'")
    return run if run["status"] in ("completed", "failed") else None
