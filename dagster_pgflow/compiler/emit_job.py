"""From flows to Dagster jobs, broken ones included."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dagster as dg

from dagster_pgflow.compiler.broken_job import broken_graph, problem_of_crash, told
from dagster_pgflow.compiler.checked_translator import CheckedTranslator
from dagster_pgflow.compiler.emit_graph import GraphEmitter
from dagster_pgflow.compiler.emit_ops import OpEmitter
from dagster_pgflow.compiler.job_metadata import job_metadata
from dagster_pgflow.compiler.json_type import make_json_type
from dagster_pgflow.compiler.launchpad import default_input, shown_example
from dagster_pgflow.compiler.run_tags import run_tags, withheld
from dagster_pgflow.compiler.served import ensure_job_is_told
from dagster_pgflow.compiler.soundness import problems_of
from dagster_pgflow.errors import InvalidFlow, Problem, StoreError
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.lowered import LoweredFlows, whole_of
from dagster_pgflow.model.options import max_recoveries_of
from dagster_pgflow.names import (
    FLOW_INPUT,
    TAG_FLOW,
    TAG_LOOP,
    TAG_MAX_RECOVERIES,
    iteration_job_name,
    job_name,
)
from dagster_pgflow.resumption.inside import left_of_child
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.input_parts import Flows
from dagster_pgflow.runtime.op_run_inside import ChildJob, child_job_of
from dagster_pgflow.translator import PgflowTranslator
from dagster_pgflow.validation import schedules

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobSettings:
    """What all jobs of a code location have in common.

    Attributes:
        resources: The resources by key; those of this package among them.
        executor: What runs the steps of a run.
        allowed_tags: The keys of tags that flows may give to their runs as they are.
        job_prefix: What the names of jobs begin with.
        translator: How flows and their steps show.
    """

    resources: Mapping[str, Any]
    executor: dg.ExecutorDefinition
    allowed_tags: Sequence[str] = ()
    job_prefix: str = ""
    translator: PgflowTranslator = field(default_factory=PgflowTranslator)


class JobEmitter:
    """Makes the job of each flow, once.

    Args:
        flows: The flows of the code location by slug.
        handlers: Its handlers.
        settings: What the jobs have in common.
        tags_of: Returns the tags that say which version of a flow its job runs, for the jobs that
            steps of other jobs run. An iteration of a loop has those of its flow.
    """

    def __init__(
        self,
        flows: Flows,
        handlers: HandlerRegistry,
        settings: JobSettings,
        tags_of: Callable[[str], Mapping[str, str]] = lambda slug: {TAG_FLOW: slug},
    ) -> None:
        self._flows = flows
        self._handlers = handlers
        self._settings = settings
        self._json_type = make_json_type()
        keys = frozenset(settings.resources)
        self._to_run = LoweredFlows(flows)
        self._translator = CheckedTranslator(settings.translator)
        ops = OpEmitter(
            self._to_run,
            handlers,
            self._json_type,
            keys,
            translator=self._translator,
            child_job=self._child_job,
        )
        self._graphs = GraphEmitter(self._to_run, handlers, ops, self._json_type)
        self._tags_of = tags_of
        self._jobs: dict[str, dg.JobDefinition] = {}
        self._child_jobs: dict[str, ChildJob] = {}

    def job(self, flow_slug: str, tags: Mapping[str, str]) -> dg.JobDefinition:
        """Return the job of a flow.

        A flow that cannot run gets a job too, whatever is the matter with it: one that fails at
        once and says what is wrong. So it disturbs no other flow.

        Args:
            flow_slug: The flow.
            tags: The tags that say which version of which flow the job runs.

        Raises:
            StoreError: The definition could not be fetched, which says nothing about it.
        """
        if flow_slug not in self._jobs:
            self._jobs[flow_slug] = self._sound_or_broken(flow_slug, tags)
        return self._jobs[flow_slug]

    def _sound_or_broken(self, flow_slug: str, tags: Mapping[str, str]) -> dg.JobDefinition:
        problems: tuple[Problem, ...]
        try:
            flow = self._flows[flow_slug]
            problems = self._problems_of(flow)
            if not problems:
                job = self._emit(flow, tags)
                ensure_job_is_told(job)
                return job
        except InvalidFlow as invalid:
            problems = invalid.problems
        except (MemoryError, StoreError):
            raise
        except Exception as error:  # noqa: BLE001  a definition must not harm others, whatever it is
            problems = (problem_of_crash(error),)
            _log.warning("%s", told(flow_slug, problems))
        return self._broken(flow_slug, problems, tags)

    def _child_job(self, name: str) -> ChildJob:
        """Return the job of a flow, or of an iteration of a loop, as steps of other jobs run it."""
        if name not in self._child_jobs:
            flow_slug, _, loop_slug = name.partition(".")
            tags = self._tags_of(flow_slug)
            job = (
                self._iteration_job(name, loop_slug, tags)
                if loop_slug
                else self.job(flow_slug, tags)
            )
            self._child_jobs[name] = child_job_of(job, left_of_child)
        return self._child_jobs[name]

    def _iteration_job(
        self, name: str, loop_slug: str, tags: Mapping[str, str]
    ) -> dg.JobDefinition:
        body = self._to_run[name]
        flow = whole_of(body)
        return self._graphs.iteration_graph(body, loop_slug).to_job(
            name=iteration_job_name(flow.slug, loop_slug, self._settings.job_prefix),
            description=f"One iteration of loop `{loop_slug}` of flow `{flow.slug}`.",
            resource_defs=dict(self._settings.resources),
            tags={**self._run_tags(flow), **tags, TAG_LOOP: loop_slug},
            executor_def=self._settings.executor,
        )

    def _problems_of(self, flow: Flow) -> tuple[Problem, ...]:
        found = problems_of(flow, self._flows, self._handlers, self._settings.resources.keys())
        return tuple(problem for problem in found if problem.code not in schedules.CODES)

    def _emit(self, flow: Flow, tags: Mapping[str, str]) -> dg.JobDefinition:
        graph = self._graphs.job_graph(flow.slug)
        make = partial(
            graph.to_job,
            name=job_name(flow.slug, self._settings.job_prefix),
            description=self._description(flow),
            metadata=job_metadata(flow, tags, self._settings.job_prefix),
            resource_defs=dict(self._settings.resources),
            config={"inputs": {FLOW_INPUT: default_input(flow)}},
            tags={
                **self._run_tags(flow),
                **tags,
                TAG_MAX_RECOVERIES: str(max_recoveries_of(flow.options)),
            },
            executor_def=self._settings.executor,
        )
        owners = self._translator.owners(flow)
        if not owners:
            return make()
        with warnings.catch_warnings():
            # Dagster 1.13 calls the owners of jobs a beta, once for each job.
            warnings.simplefilter("ignore", dg.BetaWarning)
            return make(owners=owners)

    def _run_tags(self, flow: Flow) -> dict[str, str]:
        return run_tags(self._translator.flow_tags(flow), self._settings.allowed_tags)

    def _description(self, flow: Flow) -> str:
        parts = [self._translator.flow_description(flow)]
        withheld_tags = withheld(self._translator.flow_tags(flow), self._settings.allowed_tags)
        if withheld_tags:
            parts.append(
                f"Its runs do not get the tags {', '.join(f'`{key}`' for key in withheld_tags)}:"
                " this code location allows no such tags."
            )
        parts.append(shown_example(flow))
        return "\n\n".join(part for part in parts if part)

    def _broken(
        self, flow_slug: str, problems: tuple[Problem, ...], tags: Mapping[str, str]
    ) -> dg.JobDefinition:
        return broken_graph(flow_slug, problems, self._json_type).to_job(
            name=job_name(flow_slug, self._settings.job_prefix),
            description=f"**This flow cannot run.**\n\n{told(flow_slug, problems)}",
            resource_defs=dict(self._settings.resources),
            # So that it says what is wrong wherever it is started, and not that there is no input.
            config={"inputs": {FLOW_INPUT: {}}},
            tags=tags,
            executor_def=self._settings.executor,
        )
