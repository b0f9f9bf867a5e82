"""`dagster-pgflow live`: runs start the moment they are asked for."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dagster_pgflow.cli.command import Seconds, command_with_examples
from dagster_pgflow.cli.dagster_home import HOME_VARIABLE, dagster_home

if TYPE_CHECKING:
    from dagster_pgflow.live.live_location import LiveLocation
    from dagster_pgflow.live.messages import Report


@command_with_examples(
    "live",
    "live -f definitions.py",
    "live -m my_project.definitions --concurrency 4 --health 8080",
    "live -w workspace.yaml --reload",
)
@click.option(
    "--python-file", "-f", "python_files", multiple=True, help="The file of a code location."
)
@click.option(
    "--module-name", "-m", "modules", multiple=True, help="The module of a code location."
)
@click.option("--workspace", "-w", "workspaces", multiple=True, help="A workspace file.")
@click.option("--attribute", "-a", help="The name of the definitions in the file or module.")
@click.option("--working-directory", "-d", help="Where modules are looked for.")
@click.option("--location-name", help="What Dagster calls the code location, if not as it would.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    help="How many runs are executed at the same time; the number of cores, if not said.",
)
@click.option(
    "--grace",
    type=Seconds(),
    default=30.0,
    show_default=True,
    help="How many seconds runs under way may take when it is told to end.",
)
@click.option("--reload", "reloads", is_flag=True, help="Import code anew that has changed.")
@click.option(
    "--health",
    metavar="ADDRESS",
    help="Where to answer /healthz, /readyz and /metrics: a port, or host and port.",
)
@click.option("--json", "as_json", is_flag=True, help="Log lines of JSON.")
def command(
    *,
    python_files: tuple[str, ...],
    modules: tuple[str, ...],
    workspaces: tuple[str, ...],
    attribute: str | None,
    working_directory: str | None,
    location_name: str | None,
    concurrency: int | None,
    grace: float,
    reloads: bool,
    health: str | None,
    as_json: bool,
) -> None:
    """Start runs at once.

    Executes what start_flow asks for within a fraction of a second, as runs of Dagster. It names
    code locations as `dagster dev` does, and uses the Dagster of DAGSTER_HOME.

    SIGTERM and Ctrl-C end it: what is under way goes on to its end, and is interrupted by a second
    one. SIGHUP has it import the code anew.
    """
    from dagster_pgflow.live.log_lines import open_log  # noqa: PLC0415
    from dagster_pgflow.live.orders import LocationTarget  # noqa: PLC0415
    from dagster_pgflow.live.supervisor import Supervisor, WorkerSettings  # noqa: PLC0415

    open_log(as_json=as_json)
    _ensure_it_can_begin(python_files)
    target = LocationTarget(
        python_files, modules, workspaces, attribute, working_directory, location_name
    )
    settings = WorkerSettings(concurrency or os.cpu_count() or 1, grace, reloads)
    locations: list[LiveLocation] = []
    with _health(health, locations) as observe:
        if not Supervisor(target, settings, locations, observe).run():
            raise click.ClickException("No code location has flows of dagster_pgflow.")


def _ensure_it_can_begin(python_files: tuple[str, ...]) -> None:
    """Say what is missing before anything has started."""
    if sys.platform != "linux":
        raise click.ClickException(
            "Live workers run on Linux alone: their processes share a kind of socket that other"
            " systems lack. Without one, the sensors start runs."
        )
    home = dagster_home()
    if not home.is_dir():
        raise click.ClickException(
            f"{HOME_VARIABLE} names {home}, which is no folder; the dagster.yaml of your Dagster"
            " is looked for in it."
        )
    for name in python_files:
        if not Path(name).is_file():
            raise click.ClickException(f"There is no file {name}, which -f names.")


@contextmanager
def _health(
    address: str | None, locations: "list[LiveLocation]"
) -> "Iterator[Callable[[LiveLocation, Report], None]]":
    """Answer probes within the block, if an address says where; yield who counts."""
    if address is None:
        yield lambda _location, _report: None
        return
    from dagster_pgflow.live.health import ProbeAnswers, answering  # noqa: PLC0415
    from dagster_pgflow.live.metrics import CONTENT_TYPE, Metrics  # noqa: PLC0415

    metrics = Metrics(locations)
    answers = ProbeAnswers(
        lambda: _why_not_ready(locations), lambda: (metrics.as_text(), CONTENT_TYPE)
    )
    with answering(address, answers):
        yield metrics.observe


def _why_not_ready(locations: "list[LiveLocation]") -> str | None:
    if not locations:
        return "It begins."
    reasons = [why_not for one in list(locations) if (why_not := one.why_not_ready())]
    return " ".join(reasons) or None
