"""What a module of a code location calls: the flows of a store as definitions of Dagster."""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import dagster as dg

from dagster_pgflow.compat import DefinitionsLoadContext, job_to_run, repository_data
from dagster_pgflow.compiler.broken_job import missing_job
from dagster_pgflow.location.asked_again import RepositoryAskedAgain, asked_again
from dagster_pgflow.location.location import NO_FLOWS, Location
from dagster_pgflow.location.noted import is_noting, note
from dagster_pgflow.location.only_one import ensure_only_one
from dagster_pgflow.location.pinned import pinned_watermark
from dagster_pgflow.location.settings import LocationSettings, name_of, prefix_of
from dagster_pgflow.names import LOAD_DATA_KEY, flow_of_job
from dagster_pgflow.taken_names import TakenNames, taken_by
from dagster_pgflow.triggers.answer_job import answer_job_name
from dagster_pgflow.triggers.start_flow_job import start_flow_job_name

UNSEEN_PREFIX = "flow_"
"""What jobs are called with where nobody sees which other jobs there are."""


def build_repository(
    *,
    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec] = (),
    sensors: Sequence[dg.SensorDefinition] = (),
    schedules: Sequence[dg.ScheduleDefinition] = (),
    **settings: Unpack[LocationSettings],
) -> dg.RepositoryDefinition:
    """Return a code location in which each stored flow is a job.

    A run executes the definitions that its code location was loaded with, in every process; a
    run worker loads and compiles only its own flow.

    When the database cannot be used, the code location has no flows, says so in the log and in its
    sensor `<name>_catalog`, and loads them by itself once it can. A run then fails with the reason.

    Args:
        assets: Assets of your own, or the specs of those that other code locations make.
        sensors: Sensors of your own, with the jobs that they start. They may start flows, by the
            names of their jobs. As assets do they get what is in `resources`.
        schedules: Schedules of your own, likewise.
        **settings: See `LocationSettings`.

    Raises:
        ConfigurationError: The handlers or the settings contradict each other, or a sensor is
            called as one of ours.
        StoreError: The database cannot be used, in a process that serves a run; the message says
            what to do.
    """
    if assets or sensors or schedules:
        resources = settings.get("resources", {})
        mine = dg.Definitions(
            assets=assets, sensors=sensors, schedules=schedules, resources=resources
        )
        return _with_others(mine, settings)
    watermark, prefix = pinned_watermark(), prefix_of(settings)
    location = (
        note(settings)
        if is_noting()
        else Location(settings, watermark, only=_flow_to_run(watermark, prefix))
    )

    @dg.repository(name=location.name, description="Flows stored in Postgres.")
    def flows() -> Any:
        jobs = {
            location.job_name(slug): _later(location.job, slug) for slug in sorted(location.listed)
        }
        jobs |= {name: _later(location.own_jobs.__getitem__, name) for name in location.own_jobs}
        if location.serves_a_run:
            return repository_data({"jobs": jobs})
        return repository_data(
            {"jobs": jobs, "schedules": location.schedules(), "sensors": location.sensors()},
            location.asset_specs(),
        )

    pinned = flows.replace_repository_load_data({LOAD_DATA_KEY: str(location.watermark)}, None)
    return RepositoryAskedAgain(pinned, location.watermark, lambda: build_repository(**settings))


def _with_others(mine: dg.Definitions, settings: LocationSettings) -> dg.RepositoryDefinition:
    """Return a repository that has definitions which are none of flows, too."""
    watermark = pinned_watermark()
    together = _definitions(mine, settings, watermark)
    repository = dg.create_repository_using_definitions_args(
        name_of(settings),
        assets=together.assets,
        schedules=together.schedules,
        sensors=together.sensors,
        jobs=together.jobs,
        resources=together.resources,
    )
    pinned = NO_FLOWS if watermark is None else watermark
    return RepositoryAskedAgain(repository, pinned, lambda: _with_others(mine, settings))


def build_definitions(
    mine: dg.Definitions | None = None, /, **settings: Unpack[LocationSettings]
) -> dg.Definitions:
    """Return definitions of your own together with what `build_repository` returns.

    Runs are pinned in the same way, and a run worker loads and compiles the flow that it runs. A
    run of a job that is not ours needs neither the flows nor their database.

    Two jobs of a code location cannot have one name. A flow that is called as a job among `mine`
    has none, and its requests are refused with a sentence that says so. Where `mine` is not given,
    such as for `Definitions.merge`, that cannot be seen: then the jobs and schedules of flows have
    the prefix `flow_`, and the assets of flows are no definitions unless `asset_specs` says so.

    Args:
        mine: The definitions that share the code location.
        **settings: See `LocationSettings`.

    Raises:
        ConfigurationError: The handlers or the settings contradict each other, or a sensor among
            `mine` is called as one of ours, or something else has brought flows into the code
            location already.
        StoreError: The database cannot be used, in a process that serves a run; the message says
            what to do.

    Example:
        `defs = build_definitions(my_definitions, handlers=[my_handlers])`
    """
    definitions = definitions_of(mine, settings)
    ensure_only_one(f'build_definitions(name="{name_of(settings)}")')
    return definitions


def definitions_of(mine: dg.Definitions | None, settings: LocationSettings) -> dg.Definitions:
    """Return what `build_definitions` does, for whoever has noted that it brings flows.

    Args:
        mine: The definitions that share the code location, as far as they can be seen.
        settings: As of `build_definitions`.

    Raises:
        ConfigurationError: As of `build_definitions`.
        StoreError: As of `build_definitions`.
    """
    watermark = pinned_watermark()
    definitions = _definitions(mine, settings, watermark)
    return asked_again(definitions, watermark, lambda: definitions_of(mine, settings))


def _definitions(
    mine: dg.Definitions | None, settings: LocationSettings, watermark: int | None
) -> dg.Definitions:
    if mine is None:
        settings = {"job_prefix": UNSEEN_PREFIX, "asset_specs": False, **settings}
    taken, prefix = taken_by(mine), prefix_of(settings)
    if is_noting():
        note(settings, taken)
        return _together(mine, dg.Definitions())
    wanted = None if watermark is None else job_to_run()
    if wanted is not None and _is_of_others(wanted, taken, settings):
        return _together(mine, dg.Definitions(jobs=[missing_job(name) for name in taken.absent]))
    location = Location(settings, watermark, taken, _flow_to_run(watermark, prefix))
    DefinitionsLoadContext.get().add_to_pending_reconstruction_metadata(
        LOAD_DATA_KEY, str(location.watermark)
    )
    if wanted is not None:
        return _together(mine, dg.Definitions(jobs=location.jobs(wanted)))
    # Where nobody says which job, somebody wants to see them all, as `dg list defs` does.
    flows = dg.Definitions(
        jobs=location.jobs(),
        schedules=list(location.schedules().values()),
        sensors=[make() for make in location.sensors().values()],
        assets=location.asset_specs(),
    )
    return _together(mine, flows)


def _together(mine: dg.Definitions | None, flows: dg.Definitions) -> dg.Definitions:
    return flows if mine is None else dg.Definitions.merge(mine, flows)


def _is_of_others(job: str, taken: TakenNames, settings: LocationSettings) -> bool:
    """Return whether a job is certainly none of ours."""
    own = name_of(settings)
    if job in (start_flow_job_name(own), answer_job_name(own)):
        return False
    return taken.has_job(job) or not job.startswith(prefix_of(settings))


def _flow_to_run(watermark: int | None, prefix: str) -> str | None:
    """Return the flow that this process runs; empty where it runs a job that is none of a flow.

    It is `None` where the process serves no run, and where nobody says which.
    """
    wanted = None if watermark is None else job_to_run()
    return None if wanted is None else flow_of_job(wanted, prefix) or ""


def _later(make: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Return what makes a definition; Dagster recognises it by its being a plain function."""
    return lambda: make(*arguments)
