"""Executes one run of a stored flow in this process, and writes its rows."""

from collections.abc import Iterable

import dagster as dg

from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.dagster_log.changed_runs import found_run
from dagster_pgflow.dagster_log.which_log import log_of
from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.in_process.execute import WantedRun, execute_job, refuse_lack
from dagster_pgflow.in_process.reading import read_run
from dagster_pgflow.in_process.resource import ConductedResource
from dagster_pgflow.in_process.result import FlowResult
from dagster_pgflow.in_process.results import result_of
from dagster_pgflow.in_process.waits import NoAnswer
from dagster_pgflow.io_manager import PgflowIOManager, in_each_run
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SleepStep, WaitingStep
from dagster_pgflow.names import IO_MANAGER_KEY, PGFLOW_KEY
from dagster_pgflow.projection.sync.projector import Projector, pins_of
from dagster_pgflow.projection.sync.store import ProjectionStore
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.outputs import OutputStore
from dagster_pgflow.store.pinned_flows import PinnedFlows
from dagster_pgflow.store.run_tables import RunTables


def store_flows(database: Database, flows: Iterable[Flow]) -> None:
    """Store flows, as those that a run executes are stored; what is there as it is stays.

    Args:
        database: The store.
        flows: The flows.
    """
    given = list(flows)
    if given:
        FlowBuilder(database).define_flows(given)


def stored_flows(database: Database, slug: str) -> PinnedFlows:
    """Return a stored flow and those that it contains, as they are now.

    Args:
        database: The store.
        slug: The flow.

    Raises:
        UnknownFlow: There is no such flow.
    """
    catalog = Catalog(database)
    return PinnedFlows(catalog, catalog.watermark(), only=slug)


def execute_stored(
    wanted: WantedRun, pinned: PinnedFlows, database: Database, instance: dg.DagsterInstance
) -> FlowResult:
    """Run a stored flow, and write its rows.

    Args:
        wanted: What is to be run; its flows are the stored ones.
        pinned: These, with their versions.
        database: The store.
        instance: The Dagster instance.
    """
    _refuse_what_only_time_ends(wanted)
    outputs = OutputStore(database)
    resource = ConductedResource(
        database,
        wanted.answers,
        wanted.stand_ins,
        wanted.clock,
        only_stand_ins=wanted.only_stand_ins,
    )
    resource.cancellation = wanted.cancellation
    io_manager = in_each_run(PgflowIOManager(outputs, None))
    settings = JobSettings(
        {**wanted.resources, PGFLOW_KEY: resource, IO_MANAGER_KEY: io_manager},
        wanted.cancellation.executor,
    )
    tags = pinned.tags(wanted.flow_slug)
    job = JobEmitter(pinned, wanted.handlers, settings, pinned.tags).job(wanted.flow_slug, tags)
    run_id = execute_job(job, wanted, instance)
    store = ProjectionStore(Catalog(database), outputs, RunTables(database))
    record = instance.get_run_record_by_id(str(run_id))
    assert record is not None  # noqa: S101  it has just been executed there
    # An instance in memory is gone with this process: its log is nobody's, so it is not waited for.
    own_log = None if instance.is_ephemeral else log_of(instance)
    store.tables.announce(found_run(record, own_log))
    pins = pins_of(store)
    Projector(instance, store, pins).look_at([run_id])
    refuse_lack(resource, wanted)
    tree, _ = pins(wanted.flow_slug, pinned.watermark)
    return result_of(read_run(instance, run_id, tree, outputs), resource, ())


def refuse_waiting_without_instance(flows: Iterable[Flow]) -> None:
    """Refuse a flow that waits, where nobody could go on with it.

    Args:
        flows: The flow and those that it contains.

    Raises:
        ConfigurationError: A step waits.
    """
    for flow in flows:
        for step in flow.steps:
            if isinstance(step, WaitingStep | SleepStep):
                raise ConfigurationError(
                    f'Step "{step.slug}" of flow "{flow.slug}" waits, and a run whose rows are in a'
                    " database can only go on where its Dagster instance is kept, too; name one"
                    " with instance=, or leave out database=."
                )


def _refuse_what_only_time_ends(wanted: WantedRun) -> None:
    for place, answer in wanted.answers.items():
        if isinstance(answer, NoAnswer):
            raise ConfigurationError(
                f'The deadline of step "{place}" is kept by the database, so it cannot be passed'
                " in advance; leave out database=, or the answer."
            )
