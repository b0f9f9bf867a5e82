"""A bad definition gets a job that says what is wrong, and keeps no other flow from running."""

from collections.abc import Callable

import dagster as dg
import pytest

from dagster_pgflow import Flow, FlowBuilder, build_definitions, build_repository
from dagster_pgflow.compiler.emit_graph import GraphEmitter
from dagster_pgflow.compiler.served import ensure_job_is_told
from dagster_pgflow.location.location import Location
from dagster_pgflow.store.catalog import Catalog
from tests.execution.code_servers import failure_of, served
from tests.postgres import Session
from tests.run_worker import pinned_to

DEEP = "[" * 600 + "]" * 600
HANDLERS = {"a": lambda given: given}

STEP = '{"type": "single", "slug": "a"'
SLUG = '{"slug": "bad", '

POISONS = {
    "params nested 600 deep": f'{SLUG}"steps": [{STEP}, "params": {{"x": {DEEP}}}}}]}}',
    "a number of 5,001 digits": f'{SLUG}"steps": [{STEP}, "params": {{"x": 1e5000}}}}]}}',
    "a schema nested 600 deep": (
        f'{SLUG}"input_schema": {{"default": {DEEP}}}, "steps": [{STEP}}}]}}'
    ),
    "a key of Dagster's serialisation": (
        f'{SLUG}"input_schema": {{"default": {{"__class__": "SensorTick"}}}}, "steps": [{STEP}}}]}}'
    ),
    "a pattern nested 600 deep": f'{SLUG}"steps": [{STEP}, "if": {{"x": {DEEP}}}}}]}}',
    "an input of a schedule nested 600 deep": (
        f'{SLUG}"schedules": [{{"slug": "s", "cron": "0 0 1 * *", "input": {DEEP}}}],'
        f' "steps": [{STEP}}}]}}'
    ),
    "a date that no year has": (
        f'{SLUG}"schedules": [{{"slug": "s", "cron": "0 0 31 2 *"}}], "steps": [{STEP}}}]}}'
    ),
    "a description of a megabyte": (
        f'{SLUG}"description": "{"<b>" * 350_000}", "steps": [{STEP}}}]}}'
    ),
    "tags of all kinds": (
        f'{SLUG}"tags": {{"": "", " ": "x", "dagster/priority": "9"}}, "steps": [{STEP}}}]}}'
    ),
    "steps that are none": f'{SLUG}"steps": 5, "schedules": {{"a": [1]}}}}',
    "a slug and nothing else": '{"slug": "bad"}',
}


def add_version(sql: Session, slug: str, definition: str) -> None:
    """Writes a version past all that judges definitions, as a restored dump may hold it."""
    sql(
        """
        insert into pgflow.flow_versions (flow_slug, version, definition, content_hash)
        select %s, coalesce(max(version), 0) + 1, %s, 'x'
        from pgflow.flow_versions where flow_slug = %s
        """,
        slug,
        definition,
        slug,
    )


@pytest.fixture(params=POISONS)
def poison(request: pytest.FixtureRequest, builder: FlowBuilder, sql: Session) -> None:
    """A poisoned definition `bad`, beside a normal flow, and one that contains the poisoned one."""
    builder.define_flow(Flow("good").step("a").schedule("nightly", "0 2 * * *"))
    builder.define_flow(Flow("bad").step("a"))
    builder.define_flow(Flow("around").subflow("bad", "bad"))
    add_version(sql, "bad", POISONS[request.param])


def test_a_poisoned_definition_keeps_no_other_flow_from_loading_and_running(
    database_url: str, poison: None
) -> None:
    repository = build_repository(database_url=database_url, handlers=[HANDLERS])
    snap = served(repository)

    assert [job.name for job in snap.job_refs or ()] == [
        "around",
        "bad",
        "good",
        "pgflow__answer",
        "pgflow__start_flow",
    ]
    assert "good__nightly" in [schedule.name for schedule in snap.schedules]
    ran = repository.get_job("good").execute_in_process(run_config={"inputs": {"flow_input": 7}})
    assert ran.output_for_node("a") == 7


def test_a_poisoned_definition_keeps_no_location_of_definitions_from_loading(
    database_url: str, poison: None
) -> None:
    mine = dg.Definitions()
    definitions = build_definitions(mine, database_url=database_url, handlers=[HANDLERS])
    snap = served(definitions.get_repository_def())
    assert [job.name for job in snap.job_refs or ()] == [
        "around",
        "bad",
        "good",
        "pgflow__answer",
        "pgflow__start_flow",
    ]


def test_a_run_worker_survives_a_poisoned_definition(
    database_url: str, poison: None, catalog: Catalog
) -> None:
    with pinned_to(catalog.watermark()):
        repository = build_repository(database_url=database_url, handlers=[HANDLERS])
    ran = repository.get_job("good").execute_in_process(run_config={"inputs": {"flow_input": 7}})
    assert ran.output_for_node("a") == 7
    assert repository.get_job("bad").name == "bad"


def test_the_job_of_a_definition_that_cannot_be_read_says_so_and_the_flow_around_it_too(
    database_url: str, builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flow(Flow("bad").step("a"))
    builder.define_flow(Flow("around").subflow("inner", "bad"))
    add_version(sql, "bad", POISONS["a number of 5,001 digits"])

    repository = build_repository(database_url=database_url, handlers=[HANDLERS])

    for name in ("bad", "around"):
        assert "has a number of too many digits" in failure_of(repository.get_job(name))
        assert "This flow cannot run" in str(repository.get_job(name).description)


def test_a_row_that_is_taken_back_is_a_job_again_after_the_next_load(
    database_url: str, builder: FlowBuilder, sql: Session
) -> None:
    builder.define_flow(Flow("bad").step("a"))
    add_version(sql, "bad", POISONS["a number of 5,001 digits"])
    assert build_repository(database_url=database_url).get_job("bad").description

    builder.define_flow(Flow("bad").step("a"))

    repository = build_repository(database_url=database_url, handlers=[HANDLERS])
    ran = repository.get_job("bad").execute_in_process(run_config={"inputs": {"flow_input": 7}})
    assert ran.output_for_node("a") == 7


@pytest.mark.parametrize("place", ["compiler", "snapshot"])
def test_whatever_the_compiler_or_dagster_raise_costs_only_the_flow(
    database_url: str,
    builder: FlowBuilder,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    builder.define_flow(Flow("good").step("a"))
    builder.define_flow(Flow("bad").step("a"))

    def failing_for_bad(works: Callable[..., object]) -> Callable[..., object]:
        def maybe(*arguments: object) -> object:
            if "bad" in [getattr(given, "name", given) for given in arguments]:
                raise KeyError("nobody thought of this")
            return works(*arguments)

        return maybe

    if place == "compiler":
        monkeypatch.setattr(GraphEmitter, "job_graph", failing_for_bad(GraphEmitter.job_graph))
    else:
        told = "dagster_pgflow.compiler.emit_job.ensure_job_is_told"
        monkeypatch.setattr(told, failing_for_bad(ensure_job_is_told))

    repository = build_repository(database_url=database_url, handlers=[HANDLERS])

    assert "KeyError: 'nobody thought of this'" in failure_of(repository.get_job("bad"))
    assert (
        repository.get_job("good")
        .execute_in_process(run_config={"inputs": {"flow_input": 7}})
        .success
    )


def test_a_schedule_that_only_dagster_refuses_is_left_out_with_a_warning(
    database_url: str,
    builder: FlowBuilder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    flow = Flow("f").step("a").schedule("never", "0 0 31 2 *").schedule("nightly", "0 2 * * *")
    with monkeypatch.context() as blind:
        blind.setattr("dagster_pgflow.validation.schedules._comes", lambda _cron: True)
        blind.setattr("dagster_pgflow.triggers.schedules.problems_of_schedule", lambda _given: ())
        builder.define_flow(Flow("f").step("a").schedule("nightly", "0 2 * * *"))
        location = Location({"database_url": database_url})
        location.flows._loaded["f"] = location.flows._loaded["f"].__class__(flow, 1, 1)
        assert list(location.schedules()) == ["f__nightly"]
    assert "Dagster refuses this schedule, so it never fires" in caplog.text
