"""`dagster-pgflow show`: one flow, as it is stored."""

from collections.abc import Iterator, Mapping

import click
from rich.table import Table

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, console, new_table, print_json, short
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import effort_of
from dagster_pgflow.model.step import (
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    Step,
    SubflowStep,
)
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.history import FlowHistory


@command_with_examples(
    "show",
    "show order",
    "show order --version 3",
    "show order --json > order.json",
)
@click.argument("slug")
@click.option("--version", type=click.IntRange(1), help="One of its versions, not the newest.")
@as_json
def command(slug: str, version: int | None, *, wants_json: bool) -> None:
    """Show a stored flow.

    With --json it is the definition, which `load` takes back. `versions` lists what --version
    takes.
    """
    with opened_store() as database:
        flow = FlowBuilder(database).get_flow(slug, version)
        history = FlowHistory(database)
        newest = history.newest_version(slug)
        subflow_versions = history.subflow_versions(slug, version or newest)
    if wants_json:
        print_json(flow.to_json())
        return
    out = console()
    for line in _headlines(flow, version or newest, newest):
        out.print(line)
    out.print(_steps(flow, subflow_versions) if flow.steps else "It has no steps yet.")
    if flow.schedules:
        out.print(_schedules(flow))


def _headlines(flow: Flow, version: int, newest: int) -> Iterator[str]:
    of = "" if version == newest else f" of {newest}"
    yield f"Flow {flow.slug}, version {version}{of}"
    if flow.description:
        yield flow.description
    if flow.tags:
        yield "Tags: " + ", ".join(f"{key}={value}" for key, value in flow.tags.items())
    if flow.input_schema is not None:
        yield f"Input: {_fields(flow)}"


def _fields(flow: Flow) -> str:
    schema = flow.input_schema or {}
    fields = schema.get("properties")
    if not isinstance(fields, dict) or not fields:
        return short(schema)
    required = schema.get("required", ())
    return ", ".join(name if name in required else f"[{name}]" for name in fields)


def _steps(flow: Flow, subflow_versions: Mapping[str, int]) -> Table:
    table = new_table("Step", "Type", "Depends on", "Runs", "Attempts", "Delay", "Timeout", "When")
    for step in flow.steps:
        table.add_row(
            step.slug,
            step.type,
            ", ".join(step.depends_on),
            _work(flow, step, subflow_versions),
            *_effort(flow, step),
            "; ".join(_conditions(step)),
        )
    return table


def _effort(flow: Flow, step: Step) -> tuple[str, str, str]:
    """Return attempts, delay and timeout; a step without a handler has none."""
    if not step.needs_handler:
        return "", "", ""
    effort = effort_of(flow.options, step.options)
    jitter = "" if effort.jitter == "none" else f", {effort.jitter} jitter"
    return str(effort.max_attempts), f"{effort.base_delay} s{jitter}", f"{effort.timeout} s"


def _work(flow: Flow, step: Step, subflow_versions: Mapping[str, int]) -> str:
    if isinstance(step, SubflowStep):
        version = subflow_versions.get(step.flow)
        named = f"flow {step.flow}, " + (f"version {version}" if version else "which is not there")
        named = f"{named}, for each of {step.over}" if step.over else named
        return f"{named}, as a run of its own" if step.is_child_run else named
    if isinstance(step, JoinStep):
        return f"waits for {step.wait}"
    if isinstance(step, BranchStep | LoopStep) and step.handler is None:
        return "hands on what it receives"
    name = step.handler or f"{flow.slug}.{step.slug}"
    manner = _manner(step) if isinstance(step, MapStep) else ()
    pool = [f"in pool {step.pool}"] if step.pool else []
    return ", ".join([name, *manner, *pool])


def _manner(step: MapStep) -> Iterator[str]:
    """Yield how a map step goes through its elements."""
    if step.batch_size:
        yield f"{step.batch_size} at a time"
    if step.pipelined:
        yield "pipelined"
    if step.collects:
        yield "collects errors" + _bounds(step)


def _bounds(step: MapStep) -> str:
    """Return how many elements of a map step may fail."""
    percent = step.max_failures_percent
    bounds = [
        *([] if step.max_failures is None else [str(step.max_failures)]),
        *([] if percent is None else [f"{percent} %"]),
    ]
    return f" of at most {' and '.join(bounds)}" if bounds else ""


def _conditions(step: Step) -> Iterator[str]:
    if step.if_ is not None:
        yield f"if {short(step.if_, 60)}"
    if step.if_not is not None:
        yield f"if not {short(step.if_not, 60)}"
    for name, text in step.expressions.items():
        yield f"{name.replace('_', ' ')} {text}"
    if isinstance(step, BranchStep):
        yield from _ways(step)
    if isinstance(step, LoopStep):
        yield from _passes(step)
    if isinstance(step, SubflowStep) and step.on_failure:
        yield f"on failure: {step.on_failure}"
    if step.when_unmet != "skip":
        yield f"unmet: {step.when_unmet}"
    if step.when_exhausted != "fail":
        yield f"exhausted: {step.when_exhausted}"


def _ways(step: BranchStep) -> Iterator[str]:
    """Yield where a branch leads."""
    for rule in step.rules:
        yield f"{', '.join(rule.then) or 'nowhere'} if {rule.when}"
    yield f"otherwise {', '.join(step.default_path) or 'nowhere'}"


def _passes(step: LoopStep) -> Iterator[str]:
    """Yield how long a loop goes on, and where it leads."""
    yield f"back to {step.back_to} while {step.condition}, {step.max_iterations} times at most"
    if step.break_path:
        yield f"then {', '.join(step.break_path)}"
    if step.timeout_path:
        yield f"{', '.join(step.timeout_path)} if it still holds"


def _schedules(flow: Flow) -> Table:
    table = new_table("Schedule", "Cron", "Time zone", "Input", "Enabled")
    for schedule in flow.schedules:
        table.add_row(
            schedule.slug,
            schedule.cron,
            schedule.timezone,
            short(schedule.input),
            "yes" if schedule.enabled else "no",
        )
    return table
