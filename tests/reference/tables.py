"""What the run tables say, compared with what the reference tells of a run."""

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from dagster_pgflow.model.steps import MapStep, SleepStep, Step, SubflowStep, WaitingStep
from tests.execution.projecting import World
from tests.reference.drawing import Drawn
from tests.reference.endings import WHY, StepEnd
from tests.reference.expected_run import ExpectedRun
from tests.reference.mappings import with_all_digits
from tests.reference.traces import calm, trace_of

ENDED = ("completed", "skipped")
SAYS_WHY = re.compile(r'Handler "\w+" of step "')
"""How the sentences begin that say why a task failed."""


def assert_rows_match(world: World, run_id: UUID, drawn: Drawn, expected: ExpectedRun) -> None:
    steps = {path: drawn.step_at(path) for path in expected.steps}
    tops = [end for path, end in expected.steps.items() if "." not in path]
    run = world.one("runs", f"run_id = '{run_id}'")
    assert run["status"] == expected.status
    assert same(run["output"], expected.output), (run["output"], expected.output)
    assert same(run["input"], drawn.input)
    assert run["remaining_steps"] == sum(not is_over(end) for end in tops)
    ended = expected.steps | expected.subruns
    failed = {path for path, end in ended.items() if end.status == "failed"}
    is_failed = expected.status == "failed"
    assert (run["error_message"] is not None) == is_failed
    assert not is_failed or first_quoted(run["error_message"]) in failed
    assert_steps(world, run_id, drawn, expected)
    assert_tasks(world, run_id, steps, expected)
    assert_attempts(world, run_id, steps, expected)
    assert_waits(world, run_id, steps, expected)
    assert_subruns(world, run_id, expected)
    assert_traces(world, run_id, expected)


def is_over(end: StepEnd) -> bool:
    """Return whether the run goes on behind a step."""
    return end.status in ENDED or end.routed


def assert_steps(world: World, run_id: UUID, drawn: Drawn, expected: ExpectedRun) -> None:
    steps = {path: drawn.step_at(path) for path in expected.steps}
    rows = rows_by_path(world, "step_states", run_id)
    assert_equal(
        {path: (row["status"], row["skip_reason"]) for path, row in rows.items()},
        {path: (end.status, end.skip_reason) for path, end in expected.steps.items()},
    )
    for path, end in expected.steps.items():
        row = rows[path]
        assert (row["output_text"] is not None) == (end.status == "completed"), path
        assert end.status != "completed" or same(json.loads(row["output_text"]), end.output), path
        # Where nobody answered in time no attempt failed.
        failed = not isinstance(steps[path], WaitingStep) or any(
            task.is_failed for task in end.tasks
        )
        said = end.status == "failed" or (end.skip_reason == "handler_failed" and failed)
        assert (row["error_message"] is not None) == said, path
        assert end.status != "completed" or row["remaining_tasks"] == 0
        if row["step_type"] == "map" and (end.tasks or end.status not in ("cancelled", "created")):
            assert row["initial_tasks"] == len(end.tasks), (path, row, end)
        if row["step_type"] == "subflow":
            assert row["initial_tasks"] == tasks_of(steps[path], path, expected), path
        if end.status == "completed":
            assert row["created_at"] <= row["started_at"] <= row["completed_at"]
    for path in steps:
        deps = drawn.needs_at(path, expected.steps)
        left = sum(not is_over(expected.steps[dep]) for dep in deps)
        assert rows[path]["remaining_deps"] == left, path


def tasks_of(step: Step, path: str, expected: ExpectedRun) -> int | None:
    """Returns how many tasks a subflow step has: its items, if there is a list."""
    if not isinstance(step, SubflowStep) or step.over is None:
        return 1
    return expected.lists.get(path)


def assert_tasks(
    world: World, run_id: UUID, steps: Mapping[str, Step], expected: ExpectedRun
) -> None:
    rows = world.sql.records(
        "select *, output::text as output_text from pgflow.step_tasks where run_id = %s",
        str(run_id),
    )
    wanted = {
        (path, index): task
        for path, end in expected.steps.items()
        for index, task in enumerate(end.tasks)
    }
    found = {(row["step_path"], row["task_index"]): row for row in rows}
    assert_equal(
        {task: (row["status"], row["attempts_count"]) for task, row in found.items()},
        {key: (task.status, task.attempts) for key, task in wanted.items()},
    )
    for key, task in wanted.items():
        row = found[key]
        assert (row["output_text"] is not None) == (task.status == "completed"), key
        assert task.status != "completed" or same(json.loads(row["output_text"]), task.output), key
        assert (row["error_message"] is not None) == (task.status == "failed"), key
        step = steps[key[0]]
        if task.status == "failed":
            place = f"{key[0]}[{key[1]}]" if isinstance(step, MapStep) else key[0]
            said = row["error_message"]
            assert re.search(f'[Ss]tep "{re.escape(place)}"', said), said
            # Who waits in vain tries nothing.
            waits = isinstance(step, WaitingStep | SleepStep)
            assert waits or f"attempt {task.attempts})" in said, said
        if isinstance(step, MapStep) and step.collects:
            assert_collected(world, run_id, key, row["error_message"])


def assert_collected(world: World, run_id: UUID, task: tuple[str, int], error: str | None) -> None:
    """Compares the error in the output of a step with that of the task."""
    [output] = world.sql.column(
        "select output from pgflow.step_states where run_id = %s and step_path = %s",
        str(run_id),
        task[0],
    )
    if output is not None and error is not None:
        assert output[task[1]]["error"]["message"] == error, task


def assert_attempts(
    world: World, run_id: UUID, steps: Mapping[str, Step], expected: ExpectedRun
) -> None:
    rows = world.sql.records(
        "select * from pgflow.node_executions where run_id = %s order by attempt", str(run_id)
    )
    wanted = {
        (path, index, attempt): task.status if attempt == task.attempts else "failed"
        for path, end in expected.steps.items()
        for index, task in enumerate(end.tasks)
        for attempt in range(1, task.attempts + 1)
    }
    found = {(row["step_path"], row["task_index"], row["attempt"]): row for row in rows}
    assert_equal({attempt: row["status"] for attempt, row in found.items()}, wanted)
    for (path, index, attempt), row in found.items():
        assert (row["error"] is not None) == (row["status"] == "failed"), path
        waits = isinstance(steps[path], WaitingStep | SleepStep)
        assert waits or row["error"] is None or f"attempt {attempt})" in row["error"], path
        assert row["started_at"] <= row["completed_at"], path
        before = found.get((path, index, attempt - 1))
        assert before is None or before["completed_at"] <= row["started_at"], path


def assert_waits(
    world: World, run_id: UUID, steps: Mapping[str, Step], expected: ExpectedRun
) -> None:
    """Compares how long tasks waited for another attempt, and steps for their first one."""
    wanted = {
        (path, *attempt): wait
        for path, end in expected.steps.items()
        for attempt, wait in end.waits().items()
    }
    found: dict[tuple[str, int, int], float] = {}
    delayed: set[str] = set()
    for event in world.tables.events(run_id):
        path, data = str(event.correlation_id), event.event_data
        if event.event_type == "task.retrying":
            attempt = (path, data["task_index"], data["attempt"])
            assert attempt not in found, attempt
            found[attempt] = data["delay_seconds"]
        elif event.event_type == "step.delayed":
            assert path not in delayed
            delayed.add(path)
    assert found.keys() == wanted.keys()
    for attempt, seconds in found.items():
        assert wanted[attempt].allows(seconds), f"{attempt}: {seconds} s, wanted {wanted[attempt]}"
    began = {
        path for path, end in expected.steps.items() if any(task.attempts for task in end.tasks)
    }
    # A step that waits has no attempt before that is over, if it ever has one.
    waiters = {path for path in steps if isinstance(steps[path], WaitingStep | SleepStep)}
    wanted_delays = {path for path in began if steps[path].options.start_delay}
    assert delayed - waiters == wanted_delays - waiters


SUBRUNS = """
select
  subrun.*,
  subrun.input::text as input_text,
  subrun.output::text as output_text,
  first.path,
  concat_ws('.', parent.subrun_path, subrun.subrun_index) as numbers
from pgflow.subruns as subrun
join pgflow.runs as run on run.id = subrun.parent_run_id
left join pgflow.subruns as parent on parent.subrun_id = subrun.parent_subrun_id
cross join lateral (
  select left(state.step_path, -length(state.step_slug) - 1) as path
  from pgflow.step_states as state
  where state.subrun_id = subrun.subrun_id
  order by length(state.step_path) - length(state.step_slug)
  limit 1
) as first
where run.run_id = %s
order by subrun.run_index
"""


def subrun_rows(world: World, run_id: UUID) -> dict[str, dict[str, Any]]:
    """Returns the subruns of a run by path, in the order of their numbers."""
    rows = world.sql.records(SUBRUNS, str(run_id))
    assert [row["run_index"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(row["subrun_path"] == row["numbers"] for row in rows)
    return {row["path"]: row for row in rows}


def assert_subruns(world: World, run_id: UUID, expected: ExpectedRun) -> None:
    found = subrun_rows(world, run_id)
    assert_equal(
        {path: row["status"] for path, row in found.items()},
        {path: subrun.status for path, subrun in expected.subruns.items()},
    )
    for path, subrun in expected.subruns.items():
        row = found[path]
        assert same(row["output"], subrun.output), path
        assert (row["error_message"] is not None) == (subrun.status == "failed"), path
        assert (row["input_text"] is not None) == (subrun.began is not None), path
        began = subrun.began
        assert began is None or same(json.loads(row["input_text"]), began.input), path
        index = re.search(r"\[(\d+)\]$", path)
        assert row["map_index"] == (index and int(index[1])), path


def assert_traces(world: World, run_id: UUID, expected: ExpectedRun) -> None:
    """Compares what SQL says that the steps of a subrun did with what they did."""
    for path, row in subrun_rows(world, run_id).items():
        rows = world.sql.records(
            "select *, output::text as output_text from pgflow.child_trace(%s)", row["subrun_id"]
        )
        found = {entry["step"]: entry for entry in rows}
        wanted = {
            entry["step"]: entry
            for entry in trace_of(path, expected.steps, expected.containers, set(), whole=True)
        }
        assert_equal(
            {step: entry["status"] for step, entry in found.items()},
            {step: entry["status"] for step, entry in wanted.items()},
        )
        for step, entry in found.items():
            assert (entry["error"] is not None) == (entry["status"] == "failed"), (path, step)
            output = json.loads(entry["output_text"] or "null")
            assert same(output, wanted[step].get("output")), (path, step)


def rows_by_path(world: World, table: str, run_id: UUID) -> dict[str, dict[str, Any]]:
    rows = world.sql.records(
        f"select *, output::text as output_text from pgflow.{table} where run_id = %s", str(run_id)
    )
    return {row["step_path"]: row for row in rows}


def assert_equal(found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> None:
    """Compares key by key, to say only what differs."""
    keys = found.keys() | wanted.keys()
    differing = {key for key in keys if found.get(key) != wanted.get(key)}
    assert not differing, "\n".join(
        f"{key}: found {found.get(key)}, wanted {wanted.get(key)}" for key in differing
    )


def first_quoted(sentence: str) -> str:
    return sentence.split('"')[1]


def same(found: Any, wanted: Any) -> bool:
    """Return whether two values are the same JSON, whatever the order of keys."""
    return text_of(calm(found)) == text_of(calm(wanted))


def text_of(value: Any) -> str:
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    """Returns a value with numbers as jsonb has them.

    A sentence that says why a task failed is no longer than what stands for it in the reference.
    """
    match value:
        case str():
            return WHY if SAYS_WHY.match(value) else value
        case list() | tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case _:
            return with_all_digits(value)
