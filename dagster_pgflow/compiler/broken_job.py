"""The job of a flow that cannot run: it fails at once and says what is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dagster_pgflow.errors import InvalidFlow, Problem
from dagster_pgflow.names import FLOW_INPUT, graph_name, op_name

MOST_TOLD = 50
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


def broken_graph(
    flow_slug: str, problems: Sequence[Problem], json_type: dg.DagsterType
) -> dg.GraphDefinition:
    """Return the graph of a job that says what is wrong with its flow when it is run.

    Args:
        flow_slug: The flow.
        problems: What is wrong with it.
        json_type: The type of its input.
    """
    error = told(flow_slug, problems)

    def fail(_context: dg.OpExecutionContext, _inputs: Mapping[str, Any]) -> None:
        raise dg.Failure(description=error, allow_retries=False)

    op = dg.OpDefinition(
        name=op_name(flow_slug, "problems"),
        compute_fn=fail,
        ins={FLOW_INPUT: dg.In(json_type)},
        outs={},
        description=error,
    )
    return dg.GraphDefinition(
        # Dagster 1.13 confuses a graph with a node of its name, and a flow may be "problems".
        name=f"{graph_name(flow_slug)}__0",
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
        for problem in problems[:MOST_TOLD]
    ]
    more = len(problems) - len(shown)
    return f"{InvalidFlow(flow_slug, shown)}" + (f"\n  ... and {more} more" if more else "")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]} ..."
