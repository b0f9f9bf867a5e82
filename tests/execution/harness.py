"""Run a flow in real Dagster, in this process, in one line of a test.

    result = run(Flow("f").step("a", "echo").step("b", "echo", depends_on="a"), {"x": 1})
    assert result.outputs == {"a": {"x": 1}, "b": {"a": {"x": 1}}}

Two handlers are always there: `echo` returns its input, `give` what `gives(...)` says.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.dagster_log.op_reports import report_in
from dagster_pgflow.errors import ListNotWhole
from dagster_pgflow.in_process.outputs import InMemoryIOManager, OutputsInMemory
from dagster_pgflow.json_values.sealed import seal
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import (
    FLOW_INPUT,
    IO_MANAGER_KEY,
    PGFLOW_KEY,
    RESULT_OUTPUT,
    TAG_FLOW,
    is_helper,
)
from dagster_pgflow.reports.report import StepEnd
from dagster_pgflow.reports.task_report import TaskReport
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.mapping import join
from dagster_pgflow.runtime.values import Batch, Skipped, from_wire

Handlers = Mapping[str, Callable[..., Any]]


def gives(value: Any) -> dict[str, Any]:
    """The arguments of a step that returns a value, whatever it receives."""
    return {"handler": "give", "params": {"value": value}}


BUILT_IN: Handlers = {
    "echo": lambda value: value,
    "give": lambda _value, ctx: ctx.params["value"],
}


@dataclass(frozen=True)
class Result:
    """What became of a run.

    Attributes:
        success: Whether Dagster calls the run a success.
        outputs: The outputs of the completed steps by path, that of a map as one list.
        skips: Why steps were skipped, by path.
        errors: What failed the run, by path.
        helpers: The helper ops that ran.
        executions: How many ops ran for each step.
        tasks: The report of each task, by path.
        fans_out: How many tasks and batches each op sent out to which steps, by its path.
        retries: How often an op was tried again, by path.
    """

    success: bool
    outputs: dict[str, Any] = field(default_factory=dict)
    skips: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    helpers: list[str] = field(default_factory=list)
    executions: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, list[TaskReport]] = field(default_factory=dict)
    fans_out: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)

    @property
    def statuses(self) -> dict[str, str]:
        """How each step ended, by path."""
        found = dict.fromkeys(self.outputs, "completed") | dict.fromkeys(self.skips, "skipped")
        return found | dict.fromkeys(self.errors, "failed")

    @property
    def error(self) -> str:
        """The only thing that failed the run."""
        [error] = self.errors.values()
        return error


def job_of(
    flow: Flow,
    others: Iterable[Flow] = (),
    handlers: Handlers | None = None,
    resources: Mapping[str, Any] | None = None,
) -> dg.JobDefinition:
    """Return the Dagster job of a flow."""
    flows = {known.slug: known for known in (*others, flow)}
    outputs = OutputsInMemory()
    own = {PGFLOW_KEY: outputs, IO_MANAGER_KEY: InMemoryIOManager(outputs)}
    settings = JobSettings({**own, **(resources or {})}, dg.in_process_executor)
    registry = HandlerRegistry.collect([{**BUILT_IN, **(handlers or {})}])
    return JobEmitter(flows, registry, settings).job(flow.slug, {TAG_FLOW: flow.slug})


def run(
    flow: Flow,
    input: Any = None,
    *,
    others: Iterable[Flow] = (),
    handlers: Handlers | None = None,
    resources: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Result:
    """Run a flow in this process.

    Args:
        flow: The flow.
        input: Its input.
        others: The flows that it contains.
        handlers: Functions by handler name, besides those that are always there.
        resources: Dagster resources by key; with an IO manager among them there are no outputs to
            read.
        tags: Tags of the run.
    """
    outputs = OutputsInMemory()
    kept = {PGFLOW_KEY: outputs, IO_MANAGER_KEY: InMemoryIOManager(outputs)}
    job = job_of(flow, others, handlers, {**kept, **(resources or {})})
    finished = job.execute_in_process(
        run_config={"inputs": {FLOW_INPUT: seal(input)}},
        raise_on_error=False,
        tags=dict(tags or {}),
    )
    texts = {
        (key.step_key, key.output_name, key.mapping_key): text
        for key, text in outputs.texts.items()
        if key.dagster_run_id == finished.run_id
    }
    return result_of(finished.success, finished.all_events, texts)


def result_of(
    success: bool,  # it is Dagster's own word
    events: Iterable[dg.DagsterEvent],
    texts: Mapping[tuple[str, str, str], str],
) -> Result:
    """Read the result of a run from its events and those of its outputs that are at hand."""
    result = Result(success)
    values: dict[str, list[Any]] = {}
    for event in events:
        path = (event.step_key or "").partition("[")[0]
        if event.is_step_up_for_retry:
            result.retries[path] = result.retries.get(path, 0) + 1
        elif event.is_step_skipped and "." not in path and not is_helper(path):
            # In the flow itself only what stands behind a route that was not taken has no op.
            result.skips[path] = "not_taken"
        elif event.is_step_failure:
            result.errors[path] = _error_of(event)
            _note(result, path, event.step_failure_data.user_failure_data)
        elif event.is_successful_output and event.step_output_data.output_name == RESULT_OUTPUT:
            _note(result, path, event.step_output_data)
            if is_helper(path):
                result.helpers.append(path)
                continue
            result.executions[path] = result.executions.get(path, 0) + 1
            text = texts.get((event.step_key or "", RESULT_OUTPUT, ""))
            values.setdefault(path, []).extend(
                [] if text is None else [from_wire(json.loads(text))]
            )
    _end_steps(result, values)
    return result


def _end_steps(result: Result, values: Mapping[str, list[Any]]) -> None:
    for path, found in values.items():
        if path in result.errors or not found:
            continue
        value: Any = found[0]
        if any(isinstance(item, Batch) for item in found):
            try:
                value = join(found, path)
            except ListNotWhole:
                continue  # Its other elements were not reached.
        if isinstance(value, Skipped):
            result.skips[path] = value.reason
        else:
            result.outputs[path] = value


def _note(result: Result, path: str, data: Any) -> None:
    report = None if data is None else report_in(data.metadata)
    result.tasks.setdefault(path, []).extend(report.tasks if report else ())
    if isinstance(report, StepEnd) and report.fans_out:
        result.fans_out[path] = {
            slug: (sent.tasks, sent.batches) for slug, sent in report.fans_out.items()
        }


def _error_of(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    told, error = [], data.error
    while error is not None:
        told.append(error.message)
        error = error.cause
    return "".join(told)
