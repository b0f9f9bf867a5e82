"""What a code location loads, and when."""

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder, build_definitions, build_repository
from dagster_pgflow.compiler.emit_job import JobEmitter
from dagster_pgflow.store.catalog import Catalog
from tests.run_worker import pinned_to

MANY = 300
OUR_OWN = {"pgflow__answer", "pgflow__start_flow"}


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The slugs of the flows that were compiled, as it happens."""
    slugs: list[str] = []
    emit = JobEmitter._emit

    def counted(self: JobEmitter, flow: Flow, tags: dict[str, str]) -> dg.JobDefinition:
        slugs.append(flow.slug)
        return emit(self, flow, tags)

    monkeypatch.setattr(JobEmitter, "_emit", counted)
    return slugs


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The slugs of the flows whose definitions were read from the store, as it happens."""
    slugs: list[str] = []
    tree, flows = Catalog.tree, Catalog.flows

    def counted_tree(self: Catalog, flow_slug: str, watermark: int) -> object:
        found = tree(self, flow_slug, watermark)
        slugs.extend(found)
        return found

    def counted_flows(self: Catalog, watermark: int) -> object:
        found = flows(self, watermark)
        slugs.extend(found)
        return found

    monkeypatch.setattr(Catalog, "tree", counted_tree)
    monkeypatch.setattr(Catalog, "flows", counted_flows)
    return slugs


@pytest.fixture
def many_flows(builder: FlowBuilder, catalog: Catalog) -> int:
    """300 stored flows, one of which contains another; the watermark behind them."""
    for index in range(MANY - 1):
        builder.define_flow(Flow(f"flow_{index}").step("a").step("b", depends_on="a"))
    builder.define_flow(Flow("outer").subflow("inner", "flow_7"))
    return catalog.watermark()


def test_a_run_worker_reads_and_compiles_its_own_flow_alone(
    database_url: str, many_flows: int, compiled: list[str], read: list[str]
) -> None:
    with pinned_to(many_flows):
        repository = build_repository(database_url=database_url)
    job = repository.get_job("outer")

    assert len(repository.job_names) == MANY + len(OUR_OWN)
    assert job.tags["dagster-pgflow/flow"] == "outer"
    assert compiled == ["outer"]
    assert read == ["outer", "flow_7"]


def test_a_code_server_reads_all_flows_in_one_query(
    database_url: str, many_flows: int, read: list[str]
) -> None:
    repository = build_repository(database_url=database_url)

    assert len(repository.get_all_jobs()) == MANY + len(OUR_OWN)
    assert sorted(read) == sorted(set(repository.job_names) - OUR_OWN)
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "pgflow_requests",
        "pgflow_catalog",
        "pgflow_asset_events",
        "pgflow_projection",
        "pgflow_stuck_runs",
    }


def test_a_run_worker_builds_the_definition_of_its_watermark(
    database_url: str, builder: FlowBuilder, catalog: Catalog
) -> None:
    builder.define_flow(Flow("edited").step("a"))
    before = catalog.watermark()
    builder.define_flow(Flow("edited").step("a").step("b", depends_on="a"))

    with pinned_to(before):
        pinned = build_repository(database_url=database_url).get_job("edited")
    newest = build_repository(database_url=database_url).get_job("edited")

    assert {node.name for node in pinned.nodes} == {"a"}
    assert {node.name for node in newest.nodes} == {"a", "b"}
    assert pinned.tags["dagster-pgflow/version"] == "1"
    assert newest.tags["dagster-pgflow/version"] == "2"


def test_definitions_merge_with_those_of_a_deployment(
    database_url: str, builder: FlowBuilder
) -> None:
    builder.define_flow(Flow("stored").step("a").schedule("nightly", "0 2 * * *"))

    @dg.op
    def work() -> None: ...

    @dg.job
    def theirs() -> None:
        work()

    merged = build_definitions(
        dg.Definitions(jobs=[theirs], resources={"io_manager": dg.mem_io_manager}),
        database_url=database_url,
        handlers=[{"a": lambda given: given}],
    )

    repository = merged.get_repository_def()
    assert {job.name for job in repository.get_all_jobs()} >= {"theirs", "stored"}
    assert [schedule.name for schedule in repository.schedule_defs] == ["stored__nightly"]
    result = merged.resolve_job_def("stored").execute_in_process(
        run_config={"inputs": {"flow_input": [1]}}
    )
    assert result.output_for_node("a") == [1]


def test_a_broken_row_does_not_disturb_the_other_flows(
    database_url: str, builder: FlowBuilder
) -> None:
    builder.create_flow("empty_so_far")
    builder.define_flow(Flow("sound").step("a"))

    repository = build_repository(database_url=database_url)
    failed = repository.get_job("empty_so_far").execute_in_process(raise_on_error=False)

    assert "a" in [node.name for node in repository.get_job("sound").nodes]
    assert not failed.success
    [failure] = [e for e in failed.all_events if e.is_step_failure]
    assert "has no steps yet" in str(failure.step_failure_data.error)
