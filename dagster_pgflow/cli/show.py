"""`dagster-pgflow show`: one flow, as it is stored."""

from collections.abc import Iterator, Mapping

import click
from rich.table import Table

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import slug_argument
from dagster_pgflow.cli.console import as_json, console, new_table, print_json, short
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.cli.triggers import table_of
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.options import retry_policy_of
from dagster_pgflow.model.steps import Step
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.history import FlowHistory
from dagster_pgflow.store.triggers import Triggers


@command_with_examples(
    "show",
    "show order",
    "show order --version 3",
    "show order --json > order.json",
)
@slug_argument("slug")
@click.option("--version", type=click.IntRange(1), help="A version, instead of the newest one.")
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
        triggers = Triggers(database).list(slug)
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
    if triggers:
        out.print(table_of(triggers))


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
            step.shown_work(flow.slug, subflow_versions),
            *_retry_policy(flow, step),
            "; ".join(_conditions(step)),
        )
    return table


def _retry_policy(flow: Flow, step: Step) -> tuple[str, str, str]:
    """Return attempts, delay and timeout; a step without a handler has none."""
    if not step.needs_handler:
        return "", "", ""
    retry_policy = retry_policy_of(flow.options, step.options)
    jitter = "" if retry_policy.jitter == "none" else f", {retry_policy.jitter} jitter"
    return (
        str(retry_policy.max_attempts),
        f"{retry_policy.base_delay} s{jitter}",
        f"{retry_policy.timeout:g} s",
    )


def _conditions(step: Step) -> Iterator[str]:
    if step.if_ is not None:
        yield f"if {short(step.if_, 60)}"
    if step.if_not is not None:
        yield f"if not {short(step.if_not, 60)}"
    for name, text in step.expressions.items():
        yield f"{name.replace('_', ' ')} {text}"
    yield from step.shown_routes()
    if step.when_unmet != "skip":
        yield f"unmet: {step.when_unmet}"
    if step.when_exhausted != "fail":
        yield f"exhausted: {step.when_exhausted}"


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
