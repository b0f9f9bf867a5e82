"""`dagster-pgflow infer-schemas`: JSON Schemas that the runs of a flow have kept to."""

from collections.abc import Sequence
from typing import Any

import click
import yaml

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import slug_argument
from dagster_pgflow.cli.console import as_json, aside, print_json
from dagster_pgflow.cli.named_flow import stored_flow
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.inferred_schema import inferred_schema
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.samples import Sample, received, samples_of

RUNS = 50
MOST_RUNS = 1_000


@command_with_examples(
    "infer-schemas",
    "infer-schemas order",
    "infer-schemas order --runs 200 --json",
)
@slug_argument("flow")
@click.option(
    "--runs",
    type=click.IntRange(1, MOST_RUNS),
    default=RUNS,
    show_default=True,
    help="How many of the latest completed runs to look at.",
)
@as_json
def command(flow: str, runs: int, *, wants_json: bool) -> None:
    """Propose JSON Schemas for a stored flow, from what its completed runs were given and returned.

    Nothing is changed. A key is required that was always there; no values are listed. Without
    --json the answer is YAML, to look through and paste.
    """
    with opened_store() as database:
        found = stored_flow(FlowBuilder(database), flow)
        samples = samples_of(database, found.slug, runs)
    if not samples:
        raise click.ClickException(
            f'No run of flow "{found.slug}" has completed yet; start one, then ask again.'
        )
    proposed = _proposed(found, samples)
    if wants_json:
        print_json(proposed)
    else:
        click.echo(yaml.safe_dump(proposed, sort_keys=False, allow_unicode=True), nl=False)
    aside(f"From {len(samples)} completed run{'s' if len(samples) > 1 else ''}.")


def _proposed(flow: Flow, samples: Sequence[Sample]) -> dict[str, Any]:
    steps: dict[str, Any] = {}
    for step in flow.steps:
        inputs = [value for sample in samples for value in received(flow, step, sample)]
        outputs = [sample.outputs[step.slug] for sample in samples if step.slug in sample.outputs]
        schemas = {"input_schema": inputs, "output_schema": outputs}
        found = {name: inferred_schema(values) for name, values in schemas.items() if values}
        if found:
            steps[step.slug] = found
    return {
        "input_schema": inferred_schema([sample.input for sample in samples]),
        "output_schema": inferred_schema([sample.output for sample in samples]),
        "steps": steps,
    }
