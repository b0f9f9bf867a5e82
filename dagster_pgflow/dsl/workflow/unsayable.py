"""What flows can say and workflow documents cannot."""

from collections.abc import Iterator
from typing import Any, Final

from dagster_pgflow.dsl.workflow.shape import MOST_ATTEMPTS
from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import DEFAULT_MAX_DELAY, Effort, FlowOptions, effort_of
from dagster_pgflow.model.step import HandledStep, MapStep, Step, SubflowStep

CODE: Final = "not-in-documents"


def unsayable(flow: Flow) -> Iterator[Problem]:
    """Yield what no workflow document can say about a flow."""
    for name, given in {
        "input_schema": flow.input_schema,
        "output_schema": flow.output_schema,
        "schedules": flow.schedules,
    }.items():
        if given:
            yield _problem(name, f"the {name} of a flow")
    for key in flow.tags:
        if "=" in key:
            yield _problem("tags", f'a tag with "=" in its name, such as "{key}"')
    for step in flow.steps:
        yield from _of_step(step, flow.options)


def _of_step(step: Step, options: FlowOptions) -> Iterator[Problem]:
    place = f"steps.{step.slug}"
    if isinstance(step, MapStep | SubflowStep):
        yield _problem(place, f'a {step.type} step; "{step.slug}" is one')
        return
    settings: dict[str, Any] = {
        "if": step.if_,
        "if_not": step.if_not,
        "run_if": step.run_if,
        "run_unless": step.run_unless,
    }
    for name, given in settings.items():
        if given is not None:
            yield _problem(f"{place}.{name}", f"the {name} of a step; a branch before it may do")
    if step.when_unmet != "skip":
        yield _problem(f"{place}.when_unmet", f'the when_unmet of step "{step.slug}"')
    if step.when_exhausted != "fail":
        yield _problem(f"{place}.when_exhausted", f'the when_exhausted of step "{step.slug}"')
    if isinstance(step, HandledStep):
        for name, schema in {"input": step.input_schema, "output": step.output_schema}.items():
            if schema is not None:
                yield _problem(f"{place}.{name}_schema", f"the {name}_schema of a step")
    yield from _of_effort(f"{place}.options", effort_of(options, step.options))


def _of_effort(place: str, effort: Effort) -> Iterator[Problem]:
    if not 1 <= effort.max_attempts <= MOST_ATTEMPTS:
        what = f"max_attempts of {effort.max_attempts}; from 1 to {MOST_ATTEMPTS} they can"
        yield _problem(f"{place}.max_attempts", what)
    if effort.max_delay != DEFAULT_MAX_DELAY:
        yield _problem(f"{place}.max_delay", f"a max_delay other than {DEFAULT_MAX_DELAY}")
    if effort.jitter != "none":
        yield _problem(f"{place}.jitter", "a jitter of delays")
    if effort.start_delay:
        yield _problem(f"{place}.start_delay", "a start_delay")


def _problem(path: str, what: str) -> Problem:
    return Problem(CODE, path, f"Workflow documents cannot say {what}; export the flow as it is.")
