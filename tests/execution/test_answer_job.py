"""The job that answers steps, for the launchpad."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.test_utils import instance_for_test

from dagster_pgflow import build_definitions, build_repository
from dagster_pgflow.errors import ConfigurationError
from tests.postgres import Session, as_role
from tests.run_worker import load_data
from tests.store.steps_that_wait import wait, waiting_run

NAME = "pgflow__answer"
CODE = """
import dagster as dg
from dagster_pgflow import build_definitions, build_repository
SETTINGS = {{"database_url": {url!r}, "handlers": [{{"a": lambda given: given}}]}}
flows = {build}
"""


def config(**given: Any) -> dict[str, Any]:
    return {"ops": {"answer": {"config": given}}}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    [failure] = [event for event in result.all_events if event.is_step_failure]
    return str(failure.step_failure_data.error)


def listed(result: dg.ExecuteInProcessResult) -> str:
    [output] = [event for event in result.all_events if event.is_successful_output]
    return str(output.step_output_data.metadata["open_questions"].value)


@pytest.fixture
def job(database_url: str) -> dg.JobDefinition:
    """The job, with the rights that a code location needs."""
    return build_repository(database_url=as_role(database_url, "worker")).get_job(NAME)


def test_launched_as_it_is_it_lists_what_waits(
    job: dg.JobDefinition, sql: Session, capfd: pytest.CaptureFixture[str]
) -> None:
    assert listed(job.execute_in_process()) == "Nothing waits for an answer."
    run_id = waiting_run(sql, flow="expense")
    wait(
        sql, run_id, prompt="Pay <b>9|0</b>\nto [x](y)?", answerers=["ann"],
        answer_schema={"type": "object", "properties": {"ok": {}}},
    )  # fmt: skip
    wait(sql, run_id, "paid", "wait", signal="paid", key="A-1")
    told = listed(job.execute_in_process())
    [_, _, ask, paid] = told.splitlines()
    assert ask.startswith(
        f"| `{run_id[:8]}` | expense | `ask` | Pay &lt;b>9\\|0&lt;/b> to \\[x](y)? |"
        " object with ok? | ann | "
    )
    assert "Signal paid with key A-1." in paid
    assert f"Answer with run_id: {run_id[:8]}, step: ask, answer: object" in capfd.readouterr().err


def test_with_config_it_answers(job: dg.JobDefinition, sql: Session) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    wait(sql, run_id, "other")
    given = {"ok": [1, None, "ü"]}
    ran = job.execute_in_process(
        run_config=config(run_id=run_id[:8], step="ask", answer=given, answered_by="ann")
    )
    assert "is answered, by ann." in ran.output_for_node("answer")
    assert "`other`" in listed(ran)
    # One is left, so it need not be named; and Dagster does not say who launches a run.
    job.execute_in_process(run_config=config(run_id=run_id, answer=None))
    assert sql("select step_path, answer, answered_by from pgflow.waits order by 1") == [
        ("ask", given, "ann"),
        ("other", None, "Dagster"),
    ]


def test_what_it_cannot_answer_it_says(job: dg.JobDefinition, sql: Session) -> None:
    run_id = waiting_run(sql)
    for given, sentence in (
        ({"run_id": "0123abcd", "answer": 1}, "There is no run 0123abcd"),
        ({"run_id": run_id}, "An answer needs a run_id and an answer"),
        ({"answer": 1}, "An answer needs a run_id and an answer"),
        ({"run_id": run_id, "answer": 1}, "it answers; no step of it waits."),
        ({"run_id": run_id, "step": "a", "answer": 1}, "does not wait for an answer"),
    ):
        ran = job.execute_in_process(run_config=config(**given), raise_on_error=False)
        assert sentence in failure_of(ran)
    wait(sql, run_id, "a")
    wait(sql, run_id, "b", answerers=["ann"])
    for given, sentence in (
        ({}, "it answers; these wait: a, b."),
        ({"step": "b"}, 'may be answered by ann, and "Dagster" is none of them'),
    ):
        ran = job.execute_in_process(
            run_config=config(run_id=run_id, answer=1, **given), raise_on_error=False
        )
        assert sentence in failure_of(ran)
    assert set(sql.column("select status from pgflow.waits")) == {"open"}


@pytest.mark.parametrize(
    "build", ["build_repository(**SETTINGS)", "build_definitions(dg.Definitions(), **SETTINGS)"]
)
def test_a_run_worker_finds_it_and_reads_no_flow(
    database_url: str, sql: Session, tmp_path: Path, build: str
) -> None:
    run_id = waiting_run(sql)
    wait(sql, run_id)
    file = tmp_path / f"answers_of_{tmp_path.name}.py"
    file.write_text(CODE.format(url=database_url, build=build))
    repository: Any = ReconstructableRepository.for_file(str(file), "flows", str(tmp_path))
    pinned = repository.with_repository_load_data(load_data(1))
    job = pinned.get_reconstructable_job(NAME)
    assert NAME in job.get_repository_definition().job_names
    with instance_for_test() as instance:
        ran = dg.execute_job(job, instance, run_config=config(run_id=run_id, answer=7))
        assert ran.success
    assert sql.value("select answer from pgflow.waits") == 7


def test_a_job_of_others_with_its_name_is_told_apart(database_url: str) -> None:
    mine = dg.Definitions(jobs=[dg.GraphDefinition(NAME, node_defs=[]).to_job()])
    with pytest.raises(ConfigurationError, match='another job "pgflow__answer"'):
        build_definitions(mine, database_url=database_url)
