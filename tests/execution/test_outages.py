"""A database that is away while steps run: it costs neither an attempt nor the run."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest

from dagster_pgflow.location.location import Location
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.settings import (
    DATA_DIR_VARIABLE,
    DATABASE_PATIENCE_VARIABLE,
    DATABASE_URL_VARIABLE,
    embedded_postgres,
)
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from tests.execution.harness import BUILT_IN, Result, gives, result_of
from tests.own_server import OwnServer, own_server

CHILD = Flow("child").step("twice", "double")


@pytest.fixture(scope="module")
def mortal() -> Iterator[OwnServer]:
    """A server that these tests may kill."""
    with own_server() as server:
        yield server


def run_on(server: OwnServer, flow: Flow, handlers: dict[str, Callable[..., Any]]) -> Result:
    """Runs a flow as a run worker does, with Dagster's own storage elsewhere."""
    database = Database(server.url)
    FlowBuilder(database).define_flows([CHILD, flow])
    database.close()
    settings: Any = {"handlers": [{**BUILT_IN, **handlers}], "database_url": server.url}
    job = Location(settings).job(flow.slug)
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(
            instance=instance,
            run_config={"inputs": {"flow_input": {}}},
            run_id=str(uuid4()),
            raise_on_error=False,
        )
    return result_of(done.success, done.all_events, {})


FLOWS = {
    "a step": Flow("f").step("a", **gives(1)).step("twice", "double", depends_on="a"),
    "a map": Flow("f").step("a", **gives([1])).map("twice", "double", depends_on="a"),
    "a run of its own": (
        Flow("f")
        .step("a", **gives([1]))
        .subflow("each", "child", depends_on="a", over="a", mode="run")
    ),
}


@pytest.mark.parametrize("what", FLOWS)
@pytest.mark.parametrize("how", ["killed", "restarted"])
def test_a_database_that_is_away_at_the_end_of_a_step_costs_no_attempt(
    mortal: OwnServer, what: str, how: str
) -> None:
    calls: list[int] = []

    def double(value: Any, ctx: StepContext) -> Any:
        calls.append(ctx.attempt)
        # Something of this process is connected, as after any step.
        ctx.resources.pgflow.database.fetch_value("fetch_watermark")
        if how == "killed":
            mortal.kill()
        else:
            mortal.restart()
        return value

    with mortal.coming_back():
        result = run_on(mortal, FLOWS[what], {"double": double})
    assert result.success, result.errors
    assert calls == [1]
    assert result.retries == {}


def test_elements_that_are_done_are_remembered_by_a_database_that_was_away(
    mortal: OwnServer,
) -> None:
    calls: list[tuple[int, int]] = []

    def shaky(value: int, ctx: StepContext) -> int:
        calls.append((value, ctx.attempt))
        if value == 2 and ctx.attempt == 1:
            mortal.kill()
            raise ValueError("broken")
        return value

    flow = (
        Flow("f")
        .step("a", **gives([1, 2, 3]))
        .map("each", "shaky", depends_on="a", batch_size=3, max_attempts=2, base_delay=0)
    )
    with mortal.coming_back():
        result = run_on(mortal, flow, {"shaky": shaky})
    assert result.success, result.errors
    assert calls == [(1, 1), (2, 1), (3, 1), (2, 2)]


def test_who_may_not_wait_fails_with_a_sentence(
    mortal: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_PATIENCE_VARIABLE, "0")
    try:
        result = run_on(mortal, Flow("f").step("a", "kill"), {"kill": lambda _value: mortal.kill()})
        assert not result.success
        assert "No PostgreSQL answers at" in result.error or "was lost" in result.error
    finally:
        mortal.start()


def test_an_embedded_server_that_was_killed_is_started_by_whoever_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with own_server() as server:
        monkeypatch.delenv(DATABASE_URL_VARIABLE, raising=False)
        monkeypatch.setenv(DATA_DIR_VARIABLE, str(server.data_dir))
        with closing(Database(server.url)) as database:
            FlowBuilder(database).define_flow(Flow("f").step("a", "kill"))
        kill = {"kill": lambda _value: server.kill()}
        done = Location({"handlers": [kill]}).job("f").execute_in_process(raise_on_error=False)
        assert done.success, result_of(False, done.all_events, {}).errors
        embedded_postgres().stop()
