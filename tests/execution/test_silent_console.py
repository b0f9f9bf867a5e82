"""What a run writes to the console of a process that executes many, and what it stores."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from dagster_pgflow.compute_logs import silence_console
from dagster_pgflow.compute_logs.compat import creation_of_runs, default_system_loggers
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT
from tests.execution.harness import job_of

LOUD: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "DEBUG"}}}}


@pytest.fixture
def quiet() -> Iterator[None]:
    silence_console()
    yield
    creation_of_runs.default_system_loggers = default_system_loggers  # type: ignore[attr-defined]


def say_much(value: Any, ctx: Any) -> Any:
    for level in ("debug", "info", "warning", "error"):
        getattr(ctx.log, level)(f"said as {level}")
    return value


def run(more: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """Run a flow with a run inside it; return what is stored of both."""
    flow = Flow("f").step("a", "say").subflow("inside", "g", depends_on="a", mode="run")
    job = job_of(flow, [Flow("g").step("b", "say")], {"say": say_much})
    config = {"inputs": {FLOW_INPUT: 7}, **(more or {})}
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance, run_config=config).success
        return [
            (run.job_name, record.dagster_event.event_type_value if record.dagster_event else "log")
            for run in sorted(instance.get_runs(), key=lambda run: run.job_name)
            for record in instance.all_logs(run.run_id)
        ]


@pytest.mark.usefixtures("quiet")
def test_nothing_of_a_run_is_on_the_console(capfd: pytest.CaptureFixture[str]) -> None:
    run()
    assert capfd.readouterr().err == ""


def test_what_is_stored_of_a_run_is_the_same(request: pytest.FixtureRequest) -> None:
    before = run()
    request.getfixturevalue("quiet")
    assert run() == before
    assert len([what for _, what in before if what == "log"]) == 8


@pytest.mark.usefixtures("quiet")
def test_a_run_that_names_its_loggers_has_them(capfd: pytest.CaptureFixture[str]) -> None:
    run(LOUD)
    printed = capfd.readouterr().err
    assert printed.count("said as debug") == 2
    assert "STEP_START" in printed


@pytest.mark.usefixtures("quiet")
def test_what_a_deployment_says_of_its_log_level_holds(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg.DagsterInstance, "python_log_level", "INFO")
    run()
    printed = capfd.readouterr().err
    assert [printed.count(f"said as {level}") for level in ("debug", "info")] == [0, 2]
