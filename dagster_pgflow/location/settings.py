"""What a user may say about a code location."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

import dagster as dg
from upath import UPath

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.location.listing import JobChoice
from dagster_pgflow.names import SLUG_RULE, is_valid_slug
from dagster_pgflow.runtime.handlers import HandlerSource
from dagster_pgflow.translator import PgflowTranslator


class LocationSettings(TypedDict, total=False):
    """What a user may say about a code location; everything may be left out.

    Attributes:
        name: The name of the repository (`pgflow`), and the beginning of its sensors' names.
        jobs: Which flows are jobs of the code location: `"all"` (the default), `"tagged"` (those
            with the tag `job` that is `true`, and those with a schedule), or a function that gets
            the head of a flow (`slug`, `version`, `tags`, `is_scheduled`) and says whether. The
            others run as well, when `start_flow` asks for it.
        handlers: Modules, handlers, or dicts of name to function; installed packages add theirs
            through the entry point group `dagster_pgflow.handlers`.
        resources: Dagster resources for handlers (`ctx.resources`), by key.
        executor: What runs the steps of a run. Without one they run in the run's own process,
            which for short steps is many times quicker than a process for each.
        io_manager: What carries values between steps instead of `PgflowIOManager`.
        spill_to: A folder or object store URL for outputs above 1 MiB, which otherwise go to
            Postgres too.
        allowed_tags: The keys of tags that flows may give to their runs as they are, such as
            `dagster/priority`; `*` stands for any text. All others get the prefix `pgflow/`, or
            are refused. Tags give orders to Dagster and to what launches its runs: they decide
            about images, commands, priorities and limits.
        job_prefix: What the names of jobs and schedules begin with. Without one a job is called as
            its flow; but `build_definitions` that is given no definitions says `flow_`.
        asset_specs: Whether the assets that flows produce are definitions of the code location, and
            so stand in lineage. They are, unless other definitions share it that cannot be seen:
            those that `build_definitions` is not given.
        translator: How flows show in Dagster: an object of a class below `PgflowTranslator`.
        database_url: The database; without it `PGFLOW_DATABASE_URL`, else the embedded server.
    """

    name: str
    jobs: JobChoice
    handlers: Iterable[HandlerSource]
    resources: Mapping[str, Any]
    executor: dg.ExecutorDefinition
    io_manager: dg.IOManager | dg.IOManagerDefinition
    spill_to: str | UPath
    allowed_tags: Sequence[str]
    job_prefix: str
    asset_specs: bool
    translator: PgflowTranslator
    database_url: str


def name_of(settings: LocationSettings) -> str:
    """Return the name of the repository."""
    return settings.get("name", "pgflow")


def prefix_of(settings: LocationSettings) -> str:
    """Return what the names of jobs and schedules begin with.

    Raises:
        ConfigurationError: No name can begin like that.
    """
    prefix = settings.get("job_prefix", "")
    if prefix and not is_valid_slug(prefix):
        raise ConfigurationError(f'job_prefix="{prefix}" cannot begin a name; {SLUG_RULE}.')
    return prefix


def translator_of(settings: LocationSettings) -> PgflowTranslator:
    """Return what says how flows show.

    Raises:
        ConfigurationError: It is no translator.
    """
    translator: object = settings.get("translator", PgflowTranslator())
    if not isinstance(translator, PgflowTranslator):
        raise ConfigurationError(
            f"translator={translator!r} is none: give an object of a class that derives from"
            " dagster_pgflow.PgflowTranslator, such as translator=MyTranslator()."
        )
    return translator
