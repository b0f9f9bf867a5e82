"""`dagster-pgflow brief`: what someone needs who writes one handler."""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import slug_argument
from dagster_pgflow.cli.console import as_json, print_json
from dagster_pgflow.cli.named_flow import is_file, named_flow, stored_flow
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.graph import by_slug, known_deps
from dagster_pgflow.model.steps import AssetStep, BranchStep, Step
from dagster_pgflow.model.steps.data_map import keeps_input, merges_input
from dagster_pgflow.model.steps.fields import HandledStep
from dagster_pgflow.model.ways import passed_behind
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.samples import Sample, received, samples_of

RUNS_LOOKED_AT = 20
MOST_CHARACTERS = 2_000
SHOWN_FIELDS = (
    "requires",
    "consumes",
    "produces",
    "partition",
    "params",
    "flow_input_schema",
    "input_schema",
    "output_schema",
)


@command_with_examples(
    "brief",
    "brief order charge",
    "brief order.yaml charge --json",
)
@slug_argument("flow")
@click.argument("step")
@as_json
def command(flow: str, step: str, *, wants_json: bool) -> None:
    """Print what someone needs who writes the handler of a step.

    FLOW is a stored flow (order), one of its versions (order@3), or a file (order.yaml). Of a
    stored flow there is an example as well, once a run of it has completed.
    """
    found, samples = _flow_and_samples(flow)
    brief = _brief(found, _step(found, step), samples)
    if wants_json:
        print_json(brief)
        return
    for line in _lines(brief):
        click.echo(line)


def _flow_and_samples(name: str) -> tuple[Flow, list[Sample]]:
    if is_file(name):
        return named_flow(name), []
    with opened_store() as database:
        flow = stored_flow(FlowBuilder(database), name)
        return flow, list(samples_of(database, flow.slug, RUNS_LOOKED_AT))


def _step(flow: Flow, slug: str) -> Step:
    steps = by_slug(flow)
    if slug in steps:
        return steps[slug]
    near = get_close_matches(slug, list(steps), 1)
    meant = f' Do you mean "{near[0]}"?' if near else ""
    raise ConfigurationError(f'Flow "{flow.slug}" has no step "{slug}".{meant}')


def _brief(flow: Flow, step: Step, samples: list[Sample]) -> dict[str, Any]:
    steps = by_slug(flow)
    brief: dict[str, Any] = {
        "flow": flow.slug,
        "step": step.slug,
        "type": step.type,
        "description": step.description,
        "handler": getattr(step, "handler", None) or step.slug,
        "receives": _receives(flow, step),
        "returns": _returns(step),
        "before": [_neighbour(steps[dep]) for dep in known_deps(flow)[step.slug]],
        "behind": [
            {"step": passed.step} | ({"route": passed.route} if passed.route else {})
            for passed in passed_behind(flow)[step.slug]
        ],
    }
    if isinstance(step, HandledStep):
        brief |= _fields(step)
    if isinstance(step, BranchStep):
        brief["rules"] = [_rule(rule.label, rule.when, rule.then) for rule in step.rules]
    if not known_deps(flow)[step.slug] and flow.input_schema is not None:
        brief["flow_input_schema"] = flow.input_schema
    example = _example(flow, step, samples)
    return brief | ({"example": example} if example else {})


def _fields(step: HandledStep) -> dict[str, Any]:
    given = {
        "params": step.params or None,
        "requires": list(getattr(step, "requires", ())) or None,
        **(step.asset_templates if isinstance(step, AssetStep) else {}),
        "input_schema": step.input_schema,
        "output_schema": step.output_schema,
    }
    return {name: value for name, value in given.items() if value is not None}


def _rule(label: str | None, when: str, then: tuple[str, ...]) -> dict[str, Any]:
    return ({"label": label} if label else {}) | {"when": when, "then": list(then)}


def _receives(flow: Flow, step: Step) -> str:
    deps = known_deps(flow)[step.slug]
    if step.type == "map":
        return "one element of a list"
    if not deps:
        return "the flow input"
    if merges_input(step):
        return f"what these returned, laid over each other: {', '.join(deps)}"
    return "an object of what these returned, by their slugs: " + ", ".join(deps)


def _returns(step: Step) -> str:
    if keeps_input(step):
        return "an object, which is laid over what it received"
    return "any JSON"


def _neighbour(step: Step) -> dict[str, Any]:
    given = {"step": step.slug, "description": step.description or None}
    if isinstance(step, HandledStep):
        given["output_schema"] = step.output_schema  # type: ignore[assignment]
    return {name: value for name, value in given.items() if value is not None}


def _example(flow: Flow, step: Step, samples: list[Sample]) -> Mapping[str, Any] | None:
    for sample in samples:
        values = received(flow, step, sample)
        if values:
            return {"input": values[0], "output": sample.outputs[step.slug]}
    return None


def _lines(brief: Mapping[str, Any]) -> Iterator[str]:
    yield f"Step {brief['step']} of flow {brief['flow']}, {brief['type']}"
    if brief["description"]:
        yield brief["description"]
    yield f"Handler: {brief['handler']}"
    yield f"Receives: {brief['receives']}"
    yield f"Returns: {brief['returns']}"
    for name in SHOWN_FIELDS:
        if name in brief:
            yield f"{name.replace('_', ' ').capitalize()}: {_shown(brief[name])}"
    for neighbour in brief["before"]:
        provided = neighbour.get("output_schema")
        yield f"Before: {neighbour['step']}" + (
            f", which returns {_shown(provided)}" if provided else ""
        )
    for passed in brief["behind"]:
        route = f", when the route {passed['route']} is taken" if "route" in passed else ""
        yield f"Behind: {passed['step']}{route}"
    for rule in brief.get("rules", ()):
        yield f"Rule: {rule['when']} leads to {', '.join(rule['then'])}"
    if "example" in brief:
        yield f"Received in a run: {_shown(brief['example']['input'])}"
        yield f"Returned: {_shown(brief['example']['output'])}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
