"""What a code server makes of a code location, and what a web server reads of it."""

import warnings

import dagster as dg
from dagster._core.remote_representation.external_data import JobDataSnap, RepositorySnap
from dagster._serdes import deserialize_value, serialize_value


def served(repository: dg.RepositoryDefinition) -> RepositorySnap:
    """Return the repository as it arrives at a web server; raise what would keep it from loading.

    Dagster asks for all jobs by name first, and then for each job.
    """
    repository.load_all_definitions()
    with warnings.catch_warnings():
        # Dagster 1.13 reads a property of schedules that it has deprecated itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        told = RepositorySnap.from_def(repository, defer_snapshots=True)
    snap = deserialize_value(serialize_value(told), RepositorySnap)
    for job in repository.get_all_jobs():
        data = JobDataSnap.from_job_def(job, include_parent_snapshot=True)
        assert deserialize_value(serialize_value(data), JobDataSnap).name == job.name
    return snap


def failure_of(job: dg.JobDefinition) -> str:
    """Run a job that fails in its only step, and return why."""
    ran = job.execute_in_process(run_config={"inputs": {"flow_input": {}}}, raise_on_error=False)
    [failure] = [event for event in ran.all_events if event.is_step_failure]
    return str(failure.step_failure_data.error)
