"""`dagster-pgflow versions`: what became of a flow over time."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import click

from dagster_pgflow.cli.command import command_with_examples
from dagster_pgflow.cli.completion import slug_argument
from dagster_pgflow.cli.console import as_json, aside, clock, console, new_table, print_json
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.model.differences import Difference, differences
from dagster_pgflow.store.history import FlowHistory, FlowVersion

MOST_NAMED = 4


@command_with_examples("versions", "versions order", "versions order --limit 5 --json")
@slug_argument("slug")
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many of the newest.",
)
@as_json
def command(slug: str, limit: int, *, wants_json: bool) -> None:
    """List the versions of a flow, the newest first, and what changed in each.

    `diff` says exactly what is different between two of them, `show --version` and `export
    --version` show one whole. A flow that was deleted still has its versions.
    """
    with opened_store() as database:
        # One more, to say what changed in the oldest that is listed.
        found = FlowHistory(database).versions(slug, limit + 1)
    listed = list(_changes_of(found))[:limit]
    if wants_json:
        print_json(
            [
                {"version": version.version, "created_at": version.created_at, "change": change}
                for version, change in listed
            ]
        )
        return
    table = new_table("Version", "Published", "Change", numbers=("Version",))
    for version, change in listed:
        table.add_row(str(version.version), clock(version.created_at), change)
    console().print(table)
    if len(found) > 1 and found[0].flow is not None and found[1].flow is not None:
        newest, before = found[0].version, found[1].version
        aside(f"`dagster-pgflow diff {slug}@{before} {slug}@{newest}` says exactly what changed.")


def _changes_of(found: Sequence[FlowVersion]) -> Iterator[tuple[FlowVersion, str]]:
    for version, before in pairwise(found):
        yield version, change_between(before, version)
    yield found[-1], "created" if found[-1].version == 1 else "…"


def change_between(before: FlowVersion, after: FlowVersion) -> str:
    """Return in a few words what changed from one version to the next."""
    if after.flow is None:
        return "deleted"
    if before.flow is None:
        return "created again"
    changes = [*_changes(differences(before.flow, after.flow)), *_of_subflows(before, after)]
    more = len(changes) - MOST_NAMED
    return ", ".join(changes[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _of_subflows(before: FlowVersion, after: FlowVersion) -> Iterator[str]:
    """Yield what became of the flows inside, where the flow itself runs them as before."""
    for slug, version in after.subflow_versions.items():
        if before.subflow_versions.get(slug, version) != version:
            yield f"flow {slug} is version {version} now"


def _changes(found: Sequence[Difference]) -> Iterator[str]:
    """Yield each step, schedule or field that is another once."""
    kinds: dict[str, str] = {}
    for difference in found:
        path = difference.path.split(".")
        is_listed = path[0] in ("steps", "schedules") and len(path) > 1
        thing = f"{path[0].removesuffix('s')} {path[1]}" if is_listed else path[0]
        is_whole = len(path) == (2 if is_listed else 1)
        kinds.setdefault(thing, difference.kind if is_whole else "changed")
    yield from (f"{thing} {kind}" for thing, kind in kinds.items())
