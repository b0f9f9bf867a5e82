"""From flows to Dagster jobs, broken ones included."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dagster_pgflow.compiler.emit_graph import GraphEmitter
from dagster_pgflow.compiler.emit_ops import OpEmitter
from dagster_pgflow.compiler.json_type import make_json_type
from dagster_pgflow.compiler.launchpad import example_input
from dagster_pgflow.compiler.soundness import problems_of
from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.loops import FlowsToRun, whole_of
from dagster_pgflow.names import (
    FLOW_INPUT,
    TAG_FLOW,
    TAG_LOOP,
    job_name,
    op_name,
    pass_job_name,
)
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.op_run_inside import ChildJob, child_job_of
from dagster_pgflow.runtime.sources import Flows
from dagster_pgflow.validation import schedules


@dataclass(frozen=True)
class JobSettings:
    """What all jobs of a code location have in common.

    Attributes:
        resources: The resources by key; those of this package among them.
        executor: What runs the steps of a run.
    """

    resources: Mapping[str, Any]
    executor: dg.ExecutorDefinition


class JobEmitter:
    """Makes the job of each flow, once.

    Args:
        flows: The flows of the code location by slug.
        handlers: Its handlers.
        settings: What the jobs have in common.
        tags_of: Returns the tags that say which version of a flow its job runs, for the jobs that
            steps of other jobs run. A pass of a loop has those of its flow.
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
        self._to_run = FlowsToRun(flows)
        ops = OpEmitter(self._to_run, handlers, self._json_type, keys, self._child_job)
        self._graphs = GraphEmitter(self._to_run, handlers, ops)
        self._tags_of = tags_of
        self._jobs: dict[str, dg.JobDefinition] = {}
        self._child_jobs: dict[str, ChildJob] = {}

    def job(self, flow_slug: str, tags: Mapping[str, str]) -> dg.JobDefinition:
        """Return the job of a flow.

        A flow with problems, which only a change past the SQL functions can make, gets a job
        too: it fails at once and says what is wrong, and the other flows are not disturbed.

        Args:
            flow_slug: The flow.
            tags: The tags that say which version of which flow the job runs.
        """
        if flow_slug not in self._jobs:
            self._jobs[flow_slug] = self._emit(self._flows[flow_slug], tags)
        return self._jobs[flow_slug]

    def _child_job(self, name: str) -> ChildJob:
        """Return the job of a flow, or of a pass of a loop, as steps of other jobs run it."""
        if name not in self._child_jobs:
            flow_slug, _, loop_slug = name.partition(".")
            tags = self._tags_of(flow_slug)
            job = self._pass_job(name, loop_slug, tags) if loop_slug else self.job(flow_slug, tags)
            self._child_jobs[name] = child_job_of(job)
        return self._child_jobs[name]

    def _pass_job(self, name: str, loop_slug: str, tags: Mapping[str, str]) -> dg.JobDefinition:
        body = self._to_run[name]
        flow = whole_of(body)
        return self._graphs.pass_graph(body, loop_slug).to_job(
            name=pass_job_name(flow.slug, loop_slug),
            description=f"One pass of loop `{loop_slug}` of flow `{flow.slug}`.",
            resource_defs=dict(self._settings.resources),
            tags={**flow.tags, **tags, TAG_LOOP: loop_slug},
            executor_def=self._settings.executor,
        )

    def _emit(self, flow: Flow, tags: Mapping[str, str]) -> dg.JobDefinition:
        found = problems_of(flow, self._flows, self._handlers)
        problems = tuple(problem for problem in found if problem.code not in schedules.CODES)
        graph = self._broken(flow, problems) if problems else self._graphs.job_graph(flow.slug)
        return graph.to_job(
            name=job_name(flow.slug),
            description=_description(flow, problems),
            resource_defs=dict(self._settings.resources),
            config={"inputs": {FLOW_INPUT: example_input(flow)}},
            tags={**flow.tags, **tags},
            executor_def=self._settings.executor,
        )

    def _broken(self, flow: Flow, problems: tuple[Problem, ...]) -> dg.GraphDefinition:
        error = str(InvalidFlow(flow.slug, problems))

        def fail(_context: dg.OpExecutionContext, _inputs: Mapping[str, Any]) -> None:
            raise dg.Failure(description=error, allow_retries=False)

        op = dg.OpDefinition(
            name=op_name(flow.slug, "problems"),
            compute_fn=fail,
            ins={FLOW_INPUT: dg.In(self._json_type)},
            outs={},
            description=error,
        )
        return dg.GraphDefinition(
            # Dagster 1.13 confuses a graph with a node of its name, and a flow may be "problems".
            name=f"{job_name(flow.slug)}__0",
            node_defs=[op],
            dependencies={dg.NodeInvocation(op.name, "problems"): {}},
            input_mappings=[
                dg.InputMapping(
                    graph_input_name=FLOW_INPUT,
                    mapped_node_name="problems",
                    mapped_node_input_name=FLOW_INPUT,
                )
            ],
        )


def _description(flow: Flow, problems: tuple[Problem, ...]) -> str:
    if problems:
        return f"**This flow cannot run.**\n\n{InvalidFlow(flow.slug, problems)}"
    steps = "1 step" if len(flow.steps) == 1 else f"{len(flow.steps)} steps"
    return "\n\n".join(
        part
        for part in (flow.description, f"Flow `{flow.slug}` with {steps}, stored in Postgres.")
        if part
    )
