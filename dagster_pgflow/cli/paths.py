"""`dagster-pgflow paths`: the ways through a flow."""

from itertools import islice

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import slug_argument
from dagster_pgflow.cli.console import as_json, aside, print_json
from dagster_pgflow.cli.named_flow import named_flow
from dagster_pgflow.model.ways import (
    MOST_COUNTED,
    Way,
    count_ways,
    loops_of,
    way_in_words,
    ways_through,
)

MOST = 100


@command_with_examples(
    "paths",
    "paths order",
    "paths order@3 --limit 10",
    "paths order.yaml --json",
)
@slug_argument("flow")
@click.option(
    "--limit", type=click.IntRange(1), default=MOST, show_default=True, help="How many at most."
)
@as_json
def command(flow: str, limit: int, *, wants_json: bool) -> None:
    """List the ways through a flow, from a step at its root to one that nothing depends on.

    FLOW is a stored flow (order), one of its versions (order@3), or a file that `load` would take
    (order.yaml). In brackets stands the route where a step decides between several. Each way
    passes a loop once; where loops lead back to stands behind the ways.
    """
    found = named_flow(flow)
    count = count_ways(found) if found.steps else 0
    ways = list(islice(ways_through(found), limit))
    loops = list(loops_of(found))
    if wants_json:
        print_json(
            {
                "count": count if count <= MOST_COUNTED else None,
                "ways": [_as_json(way) for way in ways],
                "loops": [
                    {"from": loop.slug, "to": loop.back_to, "max_iterations": loop.max_iterations}
                    for loop in loops
                ],
            }
        )
        return
    for way in ways:
        click.echo(way_in_words(way))
    for loop in loops:
        times = f"at most {loop.max_iterations} iterations"
        click.echo(f"{loop.slug} -(again)-> {loop.back_to}: a loop of {times}")
    if len(ways) < count:
        aside(f"There are {_in_words(count)} ways; --limit shows more than {limit} of them.")


def _as_json(way: Way) -> list[dict[str, str]]:
    return [
        {"step": passed.step} | ({"route": passed.route} if passed.route is not None else {})
        for passed in way
    ]


def _in_words(count: int) -> str:
    return f"{count:,}" if count <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
