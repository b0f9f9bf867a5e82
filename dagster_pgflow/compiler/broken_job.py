"""The job of a flow that cannot run: it fails at once and says what is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_pgflow.compiler.json_type import make_json_type
from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.names import FLOW_INPUT, PGFLOW_KEY, broken_graph_name, op_name

MOST_PROBLEMS = 50
LONGEST_TOLD = 1_000
"""A definition decides how many problems it has, and problems quote it."""


def problem_of_crash(error: Exception) -> Problem:
    """Return what is wrong with a definition that made the compiler, or Dagster, give up."""
    lines = str(error).strip().splitlines() or [""]
    message = (
        f"This definition cannot be made a job. {type(error).__name__}: {lines[0]}."
        " Simplify it, or define the flow anew."
    )
    return Problem("cannot-be-a-job", "$", message)


def missing_job(name: str) -> dg.JobDefinition:
    """Return the job of a flow that is not there, but that a schedule or sensor starts.

    Args:
        name: The name of the job.
    """
    message = f'There is no flow whose job is called "{name}", or flows could not be loaded.'
    problems = [Problem("unknown-flow", "$", message)]
    graph = broken_graph(name, problems, make_json_type(), stem=f"{name}__missing")
    config: dict[str, Any] = {"inputs": {FLOW_INPUT: {}}}
    return graph.to_job(
        name=name,
        description=f"**{message}**",
        config=config,
        # What inputs are read with; there is no store here.
        resource_defs={PGFLOW_KEY: dg.ResourceDefinition.none_resource()},
    )


def broken_graph(
    flow_slug: str, problems: Sequence[Problem], json_type: dg.DagsterType, stem: str | None = None
) -> dg.GraphDefinition:
    """Return the graph of a job that says what is wrong with its flow when it is run.

    Args:
        flow_slug: The flow.
        problems: What is wrong with it.
        json_type: The type of its input.
        stem: What to name its graph and op by; the flow without it.
    """
    error, stem = told(flow_slug, problems), stem or flow_slug

    def fail(_context: dg.OpExecutionContext, _inputs: Mapping[str, Any]) -> None:
        raise dg.Failure(description=error, allow_retries=False)

    op = dg.OpDefinition(
        name=op_name(stem, "problems"),
        compute_fn=fail,
        ins={FLOW_INPUT: dg.In(json_type)},
        outs={},
        description=error,
    )
    return dg.GraphDefinition(
        name=broken_graph_name(stem),
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


def told(flow_slug: str, problems: Sequence[Problem]) -> str:
    """Return what is wrong with a flow, at a length that people read."""
    shown = [
        Problem(problem.code, _shortened(problem.path), _shortened(problem.message))
        for problem in problems[:MOST_PROBLEMS]
    ]
    more = len(problems) - len(shown)
    return f"{InvalidFlow(flow_slug, shown)}" + (f"\n  ... and {more} more" if more else "")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]} ..."
