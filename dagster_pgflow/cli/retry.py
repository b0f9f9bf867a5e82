"""`dagster-pgflow retry`: a run that failed goes on from there, as a new run."""

from typing import NoReturn
from uuid import UUID

import click

from dagster_pgflow.cli.command import Seconds, command_with_examples
from dagster_pgflow.cli.console import as_json, aside, print_json
from dagster_pgflow.cli.mixed_versions import what_would_mix
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.cli.run_end import (
    exit_unless_completed,
    print_end,
    wait_for_end,
    wait_until_seen,
)
from dagster_pgflow.errors import StoreRefused, UnknownFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.continuations import Continuations
from dagster_pgflow.store.retries import only_retry_of
from dagster_pgflow.store.run_status import RunReport, RunStatusReader, RunSummary

DONE = ("completed", "skipped")


@command_with_examples("retry", "retry 3f2a91c4", "retry 3f2a91c4 --wait")
@click.argument("run_id")
@click.option("--wait", "-w", is_flag=True, help="Wait for the end and show what happens.")
@click.option("--timeout", type=Seconds(), help="How many seconds to wait at most.")
@as_json
def command(run_id: str, timeout: float | None, *, wait: bool, wants_json: bool) -> None:
    """Go on with a run that failed or was cancelled.

    Dagster executes what has not completed, as a new run; the outputs of all else are used
    again. "Re-execute from failure" in the web UI does less: it forgets the elements of a map or a
    list that had not begun, and the run fails where their outputs are needed. DAGSTER_HOME is
    needed.

    A new run executes the definitions of today. When the flow has changed so much that two
    versions would be mixed, nothing is started.
    """
    with opened_store() as database:
        reader = RunStatusReader(database)
        report = reader.report(reader.find(run_id))
        with only_retry_of(database, report.run.run_id):
            newest = Continuations(database).newest(report.run.run_id)
            new_run_id = _submit_again(Catalog(database), report, newest)
        if not wait and timeout is None:
            _print_start(report.run, new_run_id, wants_json=wants_json)
            return
        aside(f"run {new_run_id} goes on with run {report.run.run_id}")
        wait_until_seen(database, new_run_id, timeout)
        run = wait_for_end(database, new_run_id, timeout)
    if wants_json:
        print_json(run)
    else:
        print_end(run)
    exit_unless_completed(run)


def _submit_again(catalog: Catalog, report: RunReport, newest: UUID | None) -> UUID:
    dagster_run_id = _failed_in_dagster(report.run, newest)
    # Here, because Dagster takes seconds to import.
    from dagster_pgflow.cli.dagster_instance import opened_instance  # noqa: PLC0415
    from dagster_pgflow.cli.reexecution import (  # noqa: PLC0415
        failed_run,
        submit_again,
        watermark_of,
    )

    with opened_instance() as instance:
        before = failed_run(instance, dagster_run_id)
        _refuse_mixture(catalog, report, watermark_of(instance, before))
        now = catalog.tree(report.run.flow_slug, catalog.watermark()).values()
        return submit_again(instance, before, max(pinned.version_id for pinned in now))


def _print_start(run: RunSummary, new_run_id: UUID, *, wants_json: bool) -> None:
    if wants_json:
        print_json({"run_id": new_run_id, "retry_of": run.run_id})
        return
    click.echo(f"Run {new_run_id} goes on with run {run.run_id} of flow {run.flow_slug}.")
    aside(f"`dagster-pgflow status {str(new_run_id)[:8]}` shows its progress in a few seconds.")


def _failed_in_dagster(run: RunSummary, newest: UUID | None) -> UUID:
    """Return the Dagster run as which a run ended that did not complete.

    Args:
        run: The run.
        newest: The last one that went on with it, if it has waited.
    """
    who = f"Run {run.run_id} of flow {run.flow_slug}"
    match run.status:
        case "completed":
            raise StoreRefused(f"{who} completed; `dagster-pgflow start` starts a new one.")
        case "waiting":
            raise StoreRefused(
                f"{who} waits, and goes on by itself when that is over; `dagster-pgflow waiting`"
                " lists what people can answer, and `dagster-pgflow cancel` ends it."
            )
        case "queued" | "started":
            raise StoreRefused(f"{who} is {run.status}; only a run that is over can be repeated.")
    if run.dagster_run_id is None:
        raise StoreRefused(
            f"{who} never began in Dagster, so there is nothing to continue;"
            " `dagster-pgflow start` starts a new one."
        )
    return newest or run.dagster_run_id


def _refuse_mixture(catalog: Catalog, report: RunReport, watermark: int) -> None:
    slug = report.run.flow_slug
    before = _tree(catalog, slug, watermark)
    try:
        after = _tree(catalog, slug, catalog.watermark())
    except UnknownFlow:
        after = {}
    mixture = what_would_mix(before, after, _done(report))
    if mixture is not None:
        _refuse(report.run, *mixture, catalog, watermark)


def _tree(catalog: Catalog, slug: str, watermark: int) -> dict[str, Flow]:
    return {name: pinned.flow for name, pinned in catalog.tree(slug, watermark).items()}


def _done(report: RunReport) -> frozenset[tuple[str, str]]:
    """Return the steps of which outputs would be used again, each by its flow and slug.

    A map step is one of them as soon as an element of it is done, a subflow step as soon as a
    step inside it is.
    """
    steps = {step.step_path: (step.flow_slug, step.step_slug) for step in report.steps}
    done = {step.step_path for step in report.steps if step.status in DONE or step.tasks_done}
    around = {outer.step for path in done for outer in path.scope.from_outside()}
    return frozenset(steps[path] for path in done | around if path in steps)


def _refuse(run: RunSummary, slug: str, reason: str, catalog: Catalog, watermark: int) -> NoReturn:
    version = catalog.tree(slug, watermark)[slug].version
    raise StoreRefused(
        f'Flow "{slug}" was edited since run {run.run_id} (its version {version}): {reason}. To go'
        " on would mix two versions. Start a new run, or bring the old version back first:"
        f" `dagster-pgflow export {slug} --version {version} | dagster-pgflow load -`."
    )
