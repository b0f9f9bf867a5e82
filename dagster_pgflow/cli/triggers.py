"""`dagster-pgflow triggers`: what starts flows, and what it last did."""

from collections.abc import Sequence
from typing import Any

import click
from rich.table import Table

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.console import as_json, aside, clock, console, new_table, print_json, short
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.store.triggers import StoredTrigger, Triggers


@command_with_examples(
    "triggers",
    "triggers",
    "triggers --disable report_orders",
    "triggers --json | jq '.[] | select(.last_outcome == \"failed\")'",
)
@click.option("--enable", metavar="NAME", multiple=True, help="Turn a trigger on first.")
@click.option("--disable", metavar="NAME", multiple=True, help="Turn a trigger off first.")
@as_json
def command(enable: Sequence[str], disable: Sequence[str], *, wants_json: bool) -> None:
    """List the triggers, with what each last made of an event.

    They are made in SQL, `select pgflow.create_trigger(...)`, or in Python.
    """
    with opened_store() as database:
        triggers = Triggers(database)
        for name in enable:
            triggers.enable(name)
        for name in disable:
            triggers.enable(name, enabled=False)
        stored = triggers.list()
    if wants_json:
        print_json([_document(one) for one in stored])
        return
    if not stored:
        click.echo("There are no triggers yet; `select pgflow.create_trigger(...)` makes one.")
        return
    console().print(table_of(stored))
    for one in stored:
        for trouble in (*one.problems, *filter(None, [one.last_reason])):
            aside(f"{one.trigger.name}: {trouble}")


def table_of(triggers: Sequence[StoredTrigger]) -> Table:
    """Return the table of some triggers."""
    table = new_table(
        "Trigger",
        "When",
        "Starts",
        "If",
        "Input",
        "Enabled",
        "Waiting",
        "Last",
        numbers=("Waiting",),
    )
    for one in triggers:
        trigger = one.trigger
        table.add_row(
            trigger.name,
            trigger.source,
            trigger.target_flow,
            trigger.condition or "",
            "" if trigger.input is None else short(trigger.input, 60),
            "yes" if trigger.enabled else "no",
            str(one.pending or ""),
            _last(one),
        )
    return table


def _last(one: StoredTrigger) -> str:
    if one.last_outcome is None:
        return ""
    what = one.last_outcome.replace("_", " ")
    about = f" {str(one.last_run_id)[:8]}" if one.last_run_id else ""
    return f"{clock(one.last_decided_at)} {what}{about}"


def _document(one: StoredTrigger) -> dict[str, Any]:
    return {
        **one.trigger.model_dump(),
        "active_since": one.active_since,
        "pending": one.pending,
        "last_outcome": one.last_outcome,
        "last_reason": one.last_reason,
        "last_run_id": one.last_run_id,
        "last_decided_at": one.last_decided_at,
        "problems": one.problems,
    }
